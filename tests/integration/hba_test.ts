/**
 * Rules in the syntax of pg_hba.conf: the same lines in PostgreSQL and in the gateway let the same
 * clients in, from the addresses that they really have.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { textOf } from "../../src/base/bytes.ts";
import { FORCED, type Gate, startGate, usersFile } from "../support/gate.ts";
import { errorFields, startup } from "../support/messages.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { LogInRefused, ProtocolClient } from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { type ServerScene, type Stories, testOnServers } from "../support/stories.ts";
import { PATIENCE_MS, within } from "../support/wait.ts";

const PASSWORD = "Tr0ub4dor & 3";

/** Read by PostgreSQL and by the gateway alike. */
const RULES = [
  "# what everybody may read",
  "local     all                all_local                       trust",
  "host      all                all_local   all                 reject",
  "host      all                v4          127.0.0.0/8         trust",
  "host      all                v4          ::/0                reject",
  "host      all                v6          ::1/128             trust",
  "host      all                masked      127.0.0.1 255.255.255.255  trust",
  "host      sameuser           same        127.0.0.1/32        trust",
  "host      other,postgres     listed      127.0.0.1/32        trust",
  'host      "all"              quoted      127.0.0.1/32        trust',
  "hostssl   all                tls         127.0.0.1/32        trust",
  "hostnossl all                plain       127.0.0.1/32        trust",
  "host      all                bad         127.0.0.1/32        reject",
  "host      all                bad         all                 trust",
  "host      replication        repl        127.0.0.1/32        trust",
  "host      replication        postgres    127.0.0.1/32        scram-sha-256",
  "host      all                pass        127.0.0.1/32        scram-sha-256",
  "host      all                postgres    all                 scram-sha-256",
  "local     all                postgres                        trust",
];

/** Regular expressions came with PostgreSQL 16. */
const NEW_RULES = ["host  /^db\\d+$  /^team_  127.0.0.1/32  trust"];

const USERS = [
  "all_local",
  "v4",
  "v6",
  "masked",
  "same",
  "listed",
  "quoted",
  "tls",
  "plain",
  "bad",
  "repl",
  "pass",
  "team_a",
  "ateam_",
  "stranger",
  "Same",
];
const DATABASES = ["postgres", "other", "same", "all", "db1", "xdb1"];

interface Place {
  readonly host: string;
  readonly port: number;
}

/** The SQLSTATE that a login ends with; "" if it succeeds. */
async function codeAt(
  place: Place,
  user: string,
  database: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<string> {
  const target = { ...place, user, database, password: PASSWORD };
  try {
    using _client = await ProtocolClient.logIn(target, { parameters });
    return "";
  } catch (error) {
    if (error instanceof LogInRefused) return error.code;
    throw error;
  }
}

/** The SQLSTATE that a login over a Unix socket without a password ends with, or "R" if none. */
async function codeOverUnix(path: string, user: string): Promise<string> {
  const socket = connect(path);
  try {
    const answered = new Promise<Uint8Array>((resolve, reject) => {
      socket.once("data", resolve);
      socket.once("error", reject);
    });
    socket.write(startup({ user, database: "postgres" }));
    const answer = await within(PATIENCE_MS, "somebody answers", answered);
    return answer[0] === 0x45 ? errorFields(answer).get("C")! : textOf(answer.subarray(0, 1));
  } finally {
    socket.destroy();
  }
}

async function furnish({ server, direct, major }: ServerScene): Promise<void> {
  const roles = USERS.map((user) =>
    `create role "${user}" login replication password '${PASSWORD}';`
  );
  const databases = DATABASES.slice(1).map((database) => `create database "${database}";\n`);
  const { stderr } = await psql(direct, roles.join("\n") + databases.join(""));
  assert.equal(stderr, "");
  await Deno.writeTextFile(`${server.dataDir}/pg_hba.conf`, `${rulesFor(major).join("\n")}\n`);
  await server.restart();
}

function rulesFor(major: number): readonly string[] {
  return major < 16 ? RULES : [...RULES, ...NEW_RULES];
}

async function withRules(
  { server, major }: ServerScene,
  body: (gate: Gate, folder: string) => Promise<void>,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const rulesFile = `${folder}/rules`;
    await Deno.writeTextFile(rulesFile, `${rulesFor(major).join("\n")}\n`);
    const users = Object.fromEntries([...USERS, "postgres"].map((user) => [user, PASSWORD]));
    const auth = {
      method: "rules",
      rulesFile,
      usersFile: await usersFile(folder, users),
      failuresMax: 0,
      allowRemoteTrust: true, // one of the listeners is at every address
    };
    const listener = (address: string) => ({ address, auth, proxies: ["default"] });
    await using gate = await startGate(server, {
      auth,
      client: FORCED,
      secrets: [PASSWORD],
      more: {
        servers: {
          default: listener("127.0.0.1:0"),
          six: listener("[::1]:0"),
          dual: listener("[::]:0"),
          local: listener(`${folder}/.s.PGSQL.5432`),
        },
      },
    });
    await body(gate, folder);
  });
}

const STORIES: Stories<ServerScene> = {
  "roles, databases and pg_hba.conf are made": furnish,

  "every user and database over 127.0.0.1: as PostgreSQL": async (scene) => {
    await withRules(scene, async (gate) => {
      const allowed: string[] = [];
      for (const user of USERS) {
        for (const database of DATABASES) {
          const expected = await codeAt(scene.direct, user, database);
          const actual = await codeAt(gate.target(), user, database);
          assert.equal(actual, expected, `${user} to ${database}`);
          if (expected === "") allowed.push(`${user}@${database}`);
        }
      }
      // The comparison says little if nobody is let in.
      for (const known of ["v4@other", "same@same", "listed@other", "quoted@all", "pass@db1"]) {
        assert.ok(allowed.includes(known), known);
      }
      for (const known of ["same@other", "tls@other", "bad@other", "quoted@db1", "v6@all"]) {
        assert.ok(!allowed.includes(known), known);
      }
      assert.equal(allowed.includes("team_a@db1"), scene.major >= 16);
    });
  },

  "over ::1 as PostgreSQL": async (scene) => {
    await withRules(scene, async (gate) => {
      const direct = { host: "::1", port: scene.server.port };
      for (const user of USERS) {
        const expected = await codeAt(direct, user, "postgres");
        assert.equal(await codeAt(gate.target("six"), user, "postgres"), expected, user);
      }
      assert.equal(await codeAt(gate.target("six"), "v6", "postgres"), "");
      assert.equal(await codeAt(gate.target("six"), "v4", "postgres"), "28000");
    });
  },

  "an IPv4 client of an IPv6 listener is an IPv4 client": async (scene) => {
    await withRules(scene, async (gate) => {
      const { port } = gate.target("dual");
      assert.equal(await codeAt({ host: "127.0.0.1", port }, "v4", "postgres"), "");
      assert.equal(await codeAt({ host: "127.0.0.1", port }, "v6", "postgres"), "28000");
      assert.equal(await codeAt({ host: "::1", port }, "v4", "postgres"), "28000");
      assert.equal(await codeAt({ host: "::1", port }, "v6", "postgres"), "");
    });
  },

  "over a Unix socket as PostgreSQL": async (scene) => {
    await withRules(scene, async (_, folder) => {
      const direct = `${scene.server.socketDir}/.s.PGSQL.${scene.server.port}`;
      for (const user of USERS) {
        const expected = await codeOverUnix(direct, user);
        assert.equal(await codeOverUnix(`${folder}/.s.PGSQL.5432`, user), expected, user);
      }
      assert.equal(await codeOverUnix(`${folder}/.s.PGSQL.5432`, "all_local"), "R");
      assert.equal(await codeOverUnix(`${folder}/.s.PGSQL.5432`, "v4"), "28000");
    });
  },

  "replication connections need a rule for replication": async (scene) => {
    await withRules(scene, async (gate) => {
      for (const replication of ["true", "1", "on", "database", "false", "0"]) {
        for (const user of ["repl", "v4", "pass"]) {
          const expected = await codeAt(scene.direct, user, "postgres", { replication });
          const actual = await codeAt(gate.target(), user, "postgres", { replication });
          assert.equal(actual, expected, `${user}, replication=${replication}`);
        }
      }
    });
  },

  "a client that is refused is told who it is, and whether a rule fits": async (scene) => {
    await withRules(scene, async (gate) => {
      const { message } = await gate.logIn({ user: "bad", password: PASSWORD });
      assert.match(message!, /rule rejects .*"127\.0\.0\.1".*"bad".*"postgres", no encryption$/);
      const other = await gate.logIn({ user: "stranger", password: PASSWORD });
      assert.match(other.message!, /^no rule for host "127\.0\.0\.1", user "stranger"/);
      await gate.gateway.untilLogged("authentication failed", { user: "bad" });
    });
  },
};

await testOnServers(
  "rules",
  { postgres: { settings: { "listen_addresses": "127.0.0.1,::1" } } },
  STORIES,
);
