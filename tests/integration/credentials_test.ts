/**
 * What the gateway logs in to servers with: one user for all, or each client's own, as far as that
 * is known. Servers ask in every way that they can, and what cannot work is said in words.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type Gate,
  type GateOptions,
  md5Secret,
  type Outcome,
  scramSecret,
  startGate,
  usersFile,
} from "../support/gate.ts";
import { runPsql } from "../support/libpq.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { psql } from "../support/psql.ts";
import { type ServerScene, testOnServers } from "../support/stories.ts";

const PASSWORD = "Tr0ub4dor & 3";

/** What servers ask for, by the role that they ask so. */
const ROLES = ["trust", "password", "md5", "scram-sha-256"] as const;
type Role = (typeof ROLES)[number];

/** Roles named after the method that pg_hba.conf has for them over TCP. */
async function furnish({ server, direct }: ServerScene): Promise<void> {
  const made = await psql(
    direct,
    `create role "trust" login; create role "reject" login;
     create role "password" login password '${PASSWORD}';
     create role "scram-sha-256" login password '${PASSWORD}';
     set password_encryption = md5; set client_min_messages = error;
     create role "md5" login password '${PASSWORD}';`,
  );
  assert.equal(made.stderr.replaceAll(/WARNING.*\n(DETAIL|HINT|LOCATION).*\n/g, ""), "");
  const lines = [...ROLES, "reject"].map((role) => `host all "${role}" all ${role}\n`);
  lines.push("host all all all scram-sha-256\n", "local all all password\n");
  await Deno.writeTextFile(`${server.dataDir}/pg_hba.conf`, lines.join(""));
  await server.restart();
}

/** How a gateway comes to know what it logs in with, by the name of that way. */
const SOURCES: Readonly<
  Record<string, { readonly method: string; readonly secret: (user: string) => string }>
> = {
  "the password that a client sends": { method: "password", secret: scramSecretOf },
  "the stored password, with SCRAM": { method: "scram-sha-256", secret: () => PASSWORD },
  "the stored password, with MD5": { method: "md5", secret: () => PASSWORD },
  "the stored password, with trust": { method: "trust", secret: () => PASSWORD },
  "the stored MD5 hash": { method: "md5", secret: (user) => md5Secret(user, PASSWORD) },
  "another verifier than the server's": { method: "scram-sha-256", secret: scramSecretOf },
};

function scramSecretOf(): string {
  return scramSecret(PASSWORD);
}

/** What the client hears where the login to the server is impossible, or undefined if it is not. */
function impossible(source: string, role: Role): RegExp | undefined {
  if (role === "trust") return undefined;
  if (role === "password") return /clear text, which is sent only over TLS or a Unix socket/;
  if (source === "the stored MD5 hash" && role === "scram-sha-256") return /only an MD5 hash/;
  if (source !== "another verifier than the server's") return undefined;
  return role === "md5"
    ? /only the keys of the client's own SCRAM exchange/
    : /verifier is not the one that the gateway checks the client with/;
}

async function withUsers(
  scene: ServerScene,
  users: Readonly<Record<string, string>>,
  options: Omit<GateOptions, "auth"> & { readonly method: string },
  body: (gate: Gate) => Promise<void>,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const auth = { method: options.method, usersFile: await usersFile(folder, users) };
    const secrets = [PASSWORD, ...Object.values(users), ...options.secrets ?? []];
    await using gate = await startGate(scene.server, { ...options, auth, secrets });
    await body(gate);
  });
}

/** Checks that the login to the server fails, and that the log gives a reason that matches. */
async function assertNotLoggedIn(gate: Gate, user: string, reason: RegExp): Promise<void> {
  const why = await gate.whyLoginFailed(async () => {
    const outcome = await gate.logIn({ user, password: PASSWORD });
    assert.equal(outcome.code, "08004", JSON.stringify(outcome));
    assert.match(outcome.message!, /^cannot log in to the database server/);
  });
  assert.match(why, reason);
}

/** Checks that the server has refused the gateway, of which the client hears no details. */
function assertRefused(outcome: Outcome): void {
  const message = "the server refused the gateway's login; the gateway's log says why";
  assert.equal(outcome.message, message);
  assert.match(outcome.code!, /^28(000|P01)$/);
}

await testOnServers("credentials for servers", {}, {
  "roles and pg_hba.conf are made": furnish,

  ...Object.fromEntries(
    Object.entries(SOURCES).map(([name, { method, secret }]) => [
      name,
      async (scene: ServerScene) => {
        const users = Object.fromEntries(ROLES.map((role) => [role, secret(role)]));
        await withUsers(scene, users, { method }, async (gate) => {
          for (const role of ROLES) {
            const reason = impossible(name, role);
            if (reason !== undefined) await assertNotLoggedIn(gate, role, reason);
            else assert.equal(await gate.user({ user: role, password: PASSWORD }), role);
          }
        });
      },
    ]),
  ),

  "nothing: only a server that asks for nothing lets the gateway in": async (scene) => {
    await using gate = await startGate(scene.server, { auth: { method: "trust" } });
    assert.equal(await gate.user({ user: "trust" }), "trust");
    await assertNotLoggedIn(gate, "md5", /no credentials/);
    await assertNotLoggedIn(gate, "scram-sha-256", /no credentials/);
  },

  "a password in clear text over the server's Unix socket": async (scene) => {
    const address = `${scene.server.socketDir}/.s.PGSQL.${scene.server.port}`;
    const method = "password";
    const users = { password: PASSWORD };
    await withUsers(scene, users, { method, client: { address } }, async (gate) => {
      assert.equal(await gate.user({ user: "password", password: PASSWORD }), "password");
    });
  },

  "one user for all clients, with the password from each of its sources": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const passwordFile = `${folder}/password`;
      await Deno.writeTextFile(passwordFile, `${PASSWORD}\nnot this\n`, { mode: 0o600 });
      const sources = [
        { password: PASSWORD },
        { passwordFile },
        { password: "${APP_PASSWORD}" },
      ];
      for (const source of sources) {
        for (const user of ["md5", "scram-sha-256"]) {
          await using gate = await startGate(scene.server, {
            auth: { method: "trust" },
            client: { user, ...source },
            secrets: [PASSWORD],
            env: { "APP_PASSWORD": PASSWORD },
          });
          assert.equal(await gate.user({ user: "whoever" }), user);
          assert.equal(await gate.user({ user: "postgres" }), user);
        }
      }
    });
  },

  "one user for all clients without a password, as the users file knows it": async (scene) => {
    const users = { "scram-sha-256": PASSWORD, alice: "something else" };
    const client = { user: "scram-sha-256" };
    await withUsers(scene, users, { method: "md5", client }, async (gate) => {
      const outcome = await gate.logIn({ user: "alice", password: "something else" });
      assert.deepEqual(outcome, { user: "scram-sha-256" });
    });
  },

  "a wrong password: clients hear that it is not theirs which is wrong": async (scene) => {
    const wrong = "an old password";
    await using gate = await startGate(scene.server, {
      auth: { method: "trust" },
      client: { user: "scram-sha-256", password: wrong },
      secrets: [wrong],
    });
    assertRefused(await gate.logIn({ user: "alice" }));
    const line = await gate.gateway.untilLogged("cannot log in to server");
    assert.match(JSON.stringify(line), /password authentication failed/);
  },

  "a server that rejects the gateway: the log says what it said": async (scene) => {
    await using gate = await startGate(scene.server, { auth: { method: "trust" } });
    assertRefused(await gate.logIn({ user: "reject" }));
    const line = await gate.gateway.untilLogged("cannot log in to server");
    assert.match(JSON.stringify(line), /pg_hba\.conf rejects connection for host/);
  },

  "each user has server connections of its own, and nobody gets another's": async (scene) => {
    const users = { md5: PASSWORD, "scram-sha-256": PASSWORD, trust: PASSWORD };
    const pool = { size: 1 };
    await withUsers(scene, users, { method: "scram-sha-256", pool }, async (gate) => {
      const names = Object.keys(users);
      for (let i = 0; i < 12; i++) {
        const user = names[i % names.length]!;
        assert.equal(await gate.user({ user, password: PASSWORD }), user);
      }
      const found = await psql(
        scene.direct,
        "select usename from pg_stat_activity where usename in ('md5','scram-sha-256','trust') " +
          "order by 1",
      );
      assert.deepEqual(found.stdout.trimEnd().split("\n"), names.toSorted());
    });
  },

  "replication connections log in as everybody else does": async (scene) => {
    const users = { "scram-sha-256": PASSWORD };
    await psql(scene.direct, 'alter role "scram-sha-256" replication');
    const hba = `${scene.server.dataDir}/pg_hba.conf`;
    const lines = await Deno.readTextFile(hba);
    await Deno.writeTextFile(hba, `${lines}host replication all all scram-sha-256\n`);
    await psql(scene.direct, "select pg_reload_conf()");
    for (const client of [{}, { user: "scram-sha-256", password: PASSWORD }]) {
      await withUsers(scene, users, { method: "scram-sha-256", client }, async (gate) => {
        const { host, port } = gate.target();
        const conninfo = { host, port: String(port), user: "scram-sha-256", dbname: "postgres" };
        for (const replication of ["true", "database"]) {
          for (const password of [PASSWORD, "wrong"]) {
            const asked = await runPsql(
              { ...conninfo, password, replication, sslmode: "disable" },
              ["-c", "IDENTIFY_SYSTEM"],
            );
            gate.tell(asked.stderr);
            if (password === PASSWORD) assert.match(asked.stdout, /^\d+\|1\|/, asked.stderr);
            else assert.match(asked.stderr, /password authentication failed for user "scram/);
          }
        }
      });
    }
  },

  "a password for one database is not shown to another one": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const second = "s3cond password";
      const address = `${scene.server.host}:${scene.server.port}`;
      const one = await usersFile(folder, { "scram-sha-256": PASSWORD }, "one");
      const two = await usersFile(folder, { "scram-sha-256": second }, "two");
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: one },
        secrets: [PASSWORD, second],
        more: {
          servers: {
            two: { address: "127.0.0.1:0", auth: { method: "password", usersFile: two } },
          },
          clients: { two: { address } },
          pools: { two: { mode: "transaction" } },
        },
      });
      const user = "scram-sha-256";
      assert.equal(await gate.user({ user, password: PASSWORD }), user);
      // The second listener's secret is wrong for the server, and must stay so.
      const outcome = await gate.logIn({ user, password: second }, "pg", "two");
      assert.deepEqual(outcome.code, "28P01");
      assert.equal(await gate.user({ user, password: PASSWORD }), user);
    });
  },
});
