/**
 * How many server connections single databases and users may have: the limits file with its sizes,
 * aliases and disabled databases, what is opened before anybody asks, and how many clients a user
 * may have.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Gate, type GateOptions, startGate } from "../support/gate.ts";
import { inTemporaryFolder, queryOnce, TEST_PASSWORD } from "../support/postgres.ts";
import {
  ConnectionEnd,
  LogInRefused,
  ProtocolClient,
  rowsOf,
  sqlStatesOf,
} from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { type ServerScene, type Stories, type Target, testOnServers } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const ROLES = ["alice", "bob", "carol"];

/** The server's sessions of each user in each database, as "user@database: number". */
async function sessions(direct: Target): Promise<string[]> {
  const rows = await queryOnce(
    direct,
    `select usename || '@' || datname || ': ' || count(*) as line from pg_stat_activity
     where backend_type = 'client backend' and pid <> pg_backend_pid()
     group by usename, datname order by 1`,
  );
  return rows.map(({ line }) => String(line));
}

async function untilSessions(direct: Target, expected: readonly string[]): Promise<void> {
  let last: string[] = [];
  await eventually(`the server has ${expected}`, async () => {
    last = await sessions(direct);
    return last.join() === expected.join();
  }).catch((error) => {
    throw new Error(`${error.message}; it has ${last}`);
  });
}

/** A client of `user` that holds a server connection: it is in a transaction. */
async function holder(gate: Gate, user: string, database: string): Promise<ProtocolClient> {
  const client = await ProtocolClient.logIn({ ...gate.target(), user, password: "", database });
  try {
    assert.deepEqual(rowsOf(await client.query("begin; select 'held'")), [["held"]]);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** The SQLSTATE of the error that a login, or the first query, ends with; "" if none. */
async function codeOf(gate: Gate, user: string, database: string): Promise<string> {
  try {
    (await holder(gate, user, database)).close();
    return "";
  } catch (error) {
    if (error instanceof LogInRefused) return error.code;
    if (error instanceof ConnectionEnd) return sqlStatesOf(error.messages).join();
    throw error;
  }
}

async function withLimits(
  scene: ServerScene,
  lines: readonly string[],
  options: Partial<GateOptions>,
  body: (gate: Gate) => Promise<void>,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const limitsFile = `${folder}/limits`;
    await Deno.writeTextFile(limitsFile, lines.map((line) => `${line}\n`).join(""));
    const pool = { size: 10, waitersMax: 0, limitsFile, ...options.pool };
    await using gate = await startGate(scene.server, {
      auth: { method: "trust" },
      ...options,
      pool: lines.length === 0 ? { ...pool, limitsFile: "" } : pool,
    });
    await body(gate);
  });
  await untilSessions(scene.direct, []);
}

const SIZES: Stories<ServerScene> = {
  "roles and databases are made": async ({ direct }) => {
    const roles = ROLES.map((role) => `create role ${role} login;\n`).join("");
    const made = await psql(direct, `${roles} create database one; create database two;`);
    assert.equal(made.stderr, "");
  },

  "the line for the database and the user counts, then the others in their order": async (
    scene,
  ) => {
    const lines = ["one alice 1", "all bob 2", "two all 3", "all all 4"];
    await withLimits(scene, lines, {}, async (gate) => {
      const sizes: readonly (readonly [string, string, number])[] = [
        ["alice", "one", 1],
        ["alice", "two", 3],
        ["bob", "one", 2],
        ["bob", "two", 2],
        ["carol", "one", 4],
        ["carol", "two", 3],
      ];
      for (const [user, database, size] of sizes) {
        const held: ProtocolClient[] = [];
        for (let i = 0; i < size; i++) held.push(await holder(gate, user, database));
        assert.equal(await codeOf(gate, user, database), "53300", `${user}@${database}`);
        for (const client of held) client.close();
      }
    });
  },

  "an alias is the database: both share what it may have": async (scene) => {
    const lines = ["one=eins,uno all 2", "two all all"];
    await withLimits(scene, lines, {}, async (gate) => {
      const first = await holder(gate, "alice", "eins");
      assert.deepEqual(rowsOf(await first.query("select current_database()")), [["one"]]);
      const second = await holder(gate, "alice", "one");
      assert.equal(await codeOf(gate, "alice", "uno"), "53300");
      assert.equal(await codeOf(gate, "alice", "two"), "");
      assert.equal(await codeOf(gate, "alice", "drei"), "3D000");
      for (const client of [first, second]) client.close();
    });
  },

  "a disabled database refuses clients, by its aliases too, and others do not": async (scene) => {
    const lines = ["one=eins all 2 disabled", "two alice 2 disabled"];
    await withLimits(scene, lines, {}, async (gate) => {
      for (const database of ["one", "eins"]) {
        const { code, message } = await gate.logIn({ user: "alice", database });
        assert.equal(code, "57P03");
        assert.equal(message, `database "${database}" is disabled at the gateway`);
      }
      assert.equal(await gate.code({ user: "alice", database: "two" }), "57P03");
      assert.equal(await gate.user({ user: "bob", database: "two" }), "bob");
    });
  },

  "what the file says is opened before anybody asks": async (scene) => {
    const lines = ["one alice 5 3 1", "two bob 5 2", "two carol 5 4 disabled", "one all 5 5"];
    await withLimits(scene, lines, {}, async (gate) => {
      await untilSessions(scene.direct, ["alice@one: 3", "bob@two: 2"]);
      assert.equal(await gate.user({ user: "alice", database: "one" }), "alice");
      assert.deepEqual(await sessions(scene.direct), ["alice@one: 3", "bob@two: 2"]);
    });
  },

  "minSize: one user and one database are opened at the start, others once they are used": async (
    scene,
  ) => {
    const client = { user: "alice", database: "one" };
    await withLimits(scene, [], { client, pool: { minSize: 3 } }, async (gate) => {
      await untilSessions(scene.direct, ["alice@one: 3"]);
      assert.equal(await gate.user({ user: "whoever", database: "whatever" }), "alice");
      assert.deepEqual(await sessions(scene.direct), ["alice@one: 3"]);
      await queryOnce(
        scene.direct,
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'alice'",
      );
      await untilSessions(scene.direct, ["alice@one: 3"]);
    });
    await withLimits(scene, [], { pool: { minSize: 2 }, workers: 2 }, async (gate) => {
      assert.deepEqual(await sessions(scene.direct), []);
      assert.equal(await gate.user({ user: "bob", database: "two" }), "bob");
      await untilSessions(scene.direct, ["bob@two: 2"]);
    });
  },

  "the caps of a database, of a user and of the gateway": async (scene) => {
    const caps = [
      { pool: { databaseSizeMax: 2 }, free: ["alice", "two"], full: ["bob", "one"] },
      { pool: { userSizeMax: 2 }, free: ["bob", "one"], full: ["alice", "two"] },
      { more: { runtime: { serverConnectionsMax: 2 } }, full: ["bob", "two"] },
    ] as const;
    for (const { free, full, ...options } of caps.map((cap) => ({ free: undefined, ...cap }))) {
      await withLimits(scene, [], options as Partial<GateOptions>, async (gate) => {
        const held = [await holder(gate, "alice", "one"), await holder(gate, "alice", "one")];
        assert.match(
          await codeOf(gate, full[0], full[1]),
          /^53300$|ended/,
          JSON.stringify(options),
        );
        if (free !== undefined) assert.equal(await codeOf(gate, free[0], free[1]), "");
        for (const client of held) client.close();
        await eventually(
          "what was full is free again",
          async () => await codeOf(gate, full[0], full[1]) === "",
        );
      });
    }
  },
};

const CLIENTS: Stories<ServerScene> = {
  "users.X.connectionsMax, over all workers and listeners": async (scene) => {
    for (const workers of [1, 4]) {
      const auth = { method: "trust" };
      await using gate = await startGate(scene.server, {
        auth,
        workers,
        more: {
          users: { alice: { connectionsMax: 3 } },
          servers: { second: { address: "127.0.0.1:0", proxies: ["default"], auth } },
        },
      });
      const logIn = async (user: string, listener = "default") =>
        await ProtocolClient.logIn({
          ...gate.target(listener),
          user,
          password: TEST_PASSWORD,
          database: "one",
        });
      const clients = [await logIn("alice"), await logIn("alice", "second"), await logIn("alice")];
      for (const listener of ["default", "second"]) {
        for (let i = 0; i < 8; i++) {
          const { code, message } = await gate.logIn(
            { user: "alice", database: "one" },
            "pg",
            listener,
          );
          assert.equal(code, "53300");
          assert.equal(message, 'too many connections for user "alice": at most 3');
        }
      }
      const others = await Promise.all(Array.from({ length: 5 }, () => logIn("bob")));
      for (const client of others) client.close();
      for (let i = 0; i < 8; i++) {
        clients.pop()!.close();
        clients.push(
          await eventually("there is room again", () => logIn("alice").catch(() => undefined)),
        );
      }
      for (const client of clients) client.close();
    }
  },

  "a login that fails takes none of a user's places": async (scene) => {
    await using gate = await startGate(scene.server, {
      auth: { method: "trust" },
      more: { users: { alice: { connectionsMax: 1 } } },
    });
    for (let i = 0; i < 5; i++) {
      assert.equal(await gate.code({ user: "alice", database: "nowhere" }), "3D000");
    }
    assert.equal(await gate.user({ user: "alice", database: "one" }), "alice");
  },
};

await testOnServers(
  "limits",
  { newestOnly: true, postgres: { auth: "trust" } },
  { ...SIZES, ...CLIENTS },
);
