/**
 * Clients that the gateway itself authenticates: every method with every kind of stored secret,
 * through drivers that answer in different ways. Servers are logged in to with one user, so that
 * all that is tested is who gets in.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  DRIVERS,
  FORCED,
  type Gate,
  md5Secret,
  type Outcome,
  scramSecret,
  startGate,
  usersFile,
} from "../support/gate.ts";
import { findPython } from "../support/python.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { type ServerScene, type Stories, testOnServers } from "../support/stories.ts";

const METHODS = ["trust", "password", "md5", "scram-sha-256"] as const;

const PASSWORD = "Tr0ub4dor & 3 / \\ ' \" ünïcødé";
const WRONG = "not this one, sorry";

/** Kinds of stored secrets by the user that has one. */
const USERS: Readonly<Record<string, string>> = {
  plain: PASSWORD,
  hashed: md5Secret("hashed", PASSWORD),
  salted: scramSecret(PASSWORD),
  iterated: scramSecret(PASSWORD, 20_000),
  'o"dd näme': PASSWORD,
};

/** What must not be seen of them. */
const SECRETS = [
  PASSWORD,
  WRONG,
  ...Object.values(USERS),
  ...Object.values(USERS).flatMap((secret) =>
    secret.startsWith("SCRAM") ? secret.split("$")[2]!.split(":") : []
  ),
];

/** Whether the right password lets a user in. SCRAM cannot be done with an MD5 hash. */
function isPossible(method: string, user: string): boolean {
  return !(method === "scram-sha-256" && user === "hashed");
}

/** What PostgreSQL says to anybody whose password is wrong. */
function failure(user: string): Outcome {
  return { code: "28P01", message: `password authentication failed for user "${user}"` };
}

async function withGate(
  { server }: ServerScene,
  method: string,
  body: (gate: Gate) => Promise<void>,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const file = await usersFile(folder, USERS);
    const options = {
      auth: { method, usersFile: file },
      client: FORCED,
      secrets: SECRETS,
    };
    await using gate = await startGate(server, options);
    await body(gate);
  });
}

function withoutCode({ code: _, ...rest }: Outcome): Outcome {
  return rest;
}

const STORIES: Stories<ServerScene> = Object.fromEntries(METHODS.flatMap((method) => [
  [
    `${method}: every kind of secret, the right password`,
    (scene: ServerScene) =>
      withGate(scene, method, async (gate) => {
        for (const driver of DRIVERS) {
          for (const user of Object.keys(USERS)) {
            const outcome = await gate.logIn({ user, password: PASSWORD }, driver);
            const expected = isPossible(method, user) ? { user: "postgres" } : failure(user);
            const comparable = driver === "psql" ? withoutCode(expected) : expected;
            assert.deepEqual(outcome, comparable, `${driver} as ${user}`);
          }
        }
      }),
  ],
  [
    `${method}: every kind of secret and none, a wrong password`,
    (scene: ServerScene) =>
      withGate(scene, method, async (gate) => {
        for (const driver of DRIVERS) {
          for (const user of [...Object.keys(USERS), "nobody", "postgres"]) {
            const outcome = await gate.logIn({ user, password: WRONG }, driver);
            const expected = method === "trust" ? { user: "postgres" } : failure(user);
            const comparable = driver === "psql" ? withoutCode(expected) : expected;
            assert.deepEqual(outcome, comparable, `${driver} as ${user}`);
          }
        }
      }),
  ],
]));

await testOnServers("clients of the gateway", { newestOnly: true }, {
  ...STORIES,

  "password: one as long as a token of a cloud provider, and one that is too long": async (
    { server },
  ) => {
    await inTemporaryFolder(async (folder) => {
      const long = "t0ken.".repeat(10_000);
      const file = await usersFile(folder, { long });
      const auth = { method: "password", usersFile: file };
      await using gate = await startGate(server, { auth, client: FORCED, secrets: [long] });
      assert.equal(await gate.user({ user: "long", password: long }), "postgres");
      assert.equal(await gate.code({ user: "long", password: long.slice(1) }), "28P01");
      assert.match(await gate.code({ user: "long", password: long + long }), /^(08P01|28P01)$/);
      assert.equal(await gate.user({ user: "long", password: long }), "postgres");
    });
  },

  "a stored secret is not a password": async (scene) => {
    for (const method of ["password", "md5", "scram-sha-256"]) {
      await withGate(scene, method, async (gate) => {
        for (const user of ["hashed", "salted"]) {
          assert.deepEqual(await gate.logIn({ user, password: USERS[user]! }), failure(user));
        }
      });
    }
  },

  "an empty password never lets anybody in": async (scene) => {
    for (const method of ["password", "md5", "scram-sha-256"]) {
      await withGate(scene, method, async (gate) => {
        for (const user of ["plain", "hashed", "salted", "nobody"]) {
          // Drivers refuse to send it, or PostgreSQL's words say it: nobody is let in.
          const { user: in_ } = await gate.logIn({ user, password: "" });
          assert.equal(in_, undefined, `${method} as ${user}`);
        }
      });
    }
  },

  "names are told apart as PostgreSQL does: by case, and cut at 63 bytes": async ({ server }) => {
    await inTemporaryFolder(async (folder) => {
      const cut = "n".repeat(63);
      const file = await usersFile(folder, { [cut]: PASSWORD, Upper: PASSWORD });
      const auth = { method: "scram-sha-256", usersFile: file };
      await using gate = await startGate(server, { auth, client: FORCED, secrets: SECRETS });
      assert.equal(await gate.user({ user: cut + "more", password: PASSWORD }), "postgres");
      assert.equal(await gate.user({ user: "Upper", password: PASSWORD }), "postgres");
      assert.equal(await gate.code({ user: "upper", password: PASSWORD }), "28P01");
      assert.equal(await gate.code({ user: "n".repeat(62), password: PASSWORD }), "28P01");
    });
  },

  "the log says why, and counts it; the client hears only that it failed": async (scene) => {
    await withGate(scene, "scram-sha-256", async (gate) => {
      const reasons = {
        plain: /wrong/,
        nobody: /unknown/,
        hashed: /MD5 hash/,
      };
      for (const [user, reason] of Object.entries(reasons)) {
        assert.deepEqual(await gate.logIn({ user, password: WRONG }), failure(user));
        const line = await gate.gateway.untilLogged("authentication failed", { user });
        assert.match(String(line["reason"]), reason);
      }
      const metrics = await gate.gateway.metrics();
      // Who reaches the metrics must not learn from them which users there are.
      const failures = [...metrics].filter(([name, value]) =>
        name.startsWith("sluice_authentication_failures_total") && value > 0
      );
      const series = 'sluice_authentication_failures_total{listener="default",reason="password"}';
      assert.deepEqual(failures, [[series, 3]]);
    });
  },
});

const python = await findPython();

if ("unavailable" in python) {
  const reason = python.unavailable.split("\n")[0];
  Deno.test({ name: `psycopg at the gate (${reason})`, ignore: true, fn: () => {} });
} else {
  await testOnServers("psycopg at the gate", { newestOnly: true, programs: [] }, {
    "every method, right and wrong": async (scene) => {
      for (const method of METHODS) {
        await withGate(scene, method, async (gate) => {
          const { host, port } = gate.target();
          const who = { "PGHOST": host, "PGPORT": String(port), "PGDATABASE": "postgres" };
          const script = new URL("./psycopg_login.py", import.meta.url);
          const users = Object.keys(USERS).filter((user) => isPossible(method, user));
          for (const password of [PASSWORD, WRONG]) {
            const env = { ...who, "PGPASSWORD": password };
            const { stdout, stderr, code } = await python.run(script, users, env);
            assert.equal(code, 0, stderr);
            const isIn = password === PASSWORD || method === "trust";
            const expected = users.map((user) =>
              isIn ? "postgres" : `password authentication failed for user "${user}"`
            );
            assert.deepEqual(gate.tell(stdout).trimEnd().split("\n"), expected);
          }
        });
      }
    },
  });
}
