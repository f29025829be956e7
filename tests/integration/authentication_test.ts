/**
 * Every authentication method that needs no certificate, right and wrong: what a client is told
 * through the gateway is what the server would have told it without.
 *
 * @module
 */

import assert from "node:assert/strict";
import pg from "pg";
import { psql } from "../support/psql.ts";
import { type Scene, type Target, testThroughGateway } from "../support/stories.ts";

const METHODS = ["trust", "password", "md5", "scram-sha-256"] as const;

/** How somebody logs in who has the role of the method's name. */
const ATTEMPTS: Readonly<Record<string, Partial<Target>>> = {
  "with the right password": {},
  "with a wrong password": { password: "wrong" },
  "with an empty password": { password: "" },
  "to an unknown database": { database: "nowhere" },
  "to a database with an odd name": { database: "o'dd däta" },
};

/** How everybody else does, in whatever way the server asks them. */
const OTHERS: Readonly<Record<string, Partial<Target>>> = {
  "as an unknown user": { user: "nobody_knows" },
  "as a user that may not log in": { user: "locked" },
  "as a user without a password": { user: "without" },
  "as a user with an odd name": { user: 'o"dd näme' },
  "as a user whom pg_hba.conf rejects": { user: "rejected" },
  "as a user whom pg_hba.conf does not know": { user: "stranger" },
  "as a user with too many connections": { user: "crowded" },
};

interface Outcome {
  readonly code?: string;
  readonly severity?: string;
  readonly message?: string;
  readonly user?: string;
}

async function logIn(target: Target): Promise<Outcome> {
  const client = new pg.Client({ ...target, ssl: false });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query("select current_user || '@' || current_database() as u");
    return { user: rows[0].u };
  } catch (error) {
    const { code, severity, message } = error as Outcome;
    return { code: code!, severity: severity!, message: message! };
  } finally {
    await client.end().catch(() => {});
  }
}

/** Makes roles and databases, and a pg_hba.conf with a line for each role. */
async function furnish({ server, direct }: Scene): Promise<void> {
  const password = `password '${direct.password}'`;
  const { code, stderr } = await psql(
    direct,
    [
      "set client_min_messages = error",
      `create role "trust" login ${password}`,
      `create role "password" login ${password}`,
      `create role "scram-sha-256" login ${password}`,
      `create role locked nologin ${password}`,
      "create role without login",
      `create role "o""dd näme" login ${password}`,
      `create role rejected login ${password}`,
      `create role stranger login ${password}`,
      `create role crowded login connection limit 0 ${password}`,
      "set password_encryption = md5",
      `create role "md5" login ${password}`,
      `create database "o'dd däta"`,
    ].map((statement) => `${statement};\n`).join(""),
  );
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const lines = METHODS.map((method) => `host all "${method}" all ${method}`);
  lines.push("host all rejected all reject");
  const known = ["postgres", "nobody_knows", "locked", "without", '"o""dd näme"', "crowded"];
  for (const name of known) {
    lines.push(`host all ${name} all scram-sha-256`);
  }
  await Deno.writeTextFile(`${server.dataDir}/pg_hba.conf`, lines.join("\n") + "\n");
  await server.restart();
}

async function compareDrivers(direct: Target, via: Target): Promise<Outcome> {
  const expected = await logIn(direct);
  assert.deepEqual(await logIn(via), expected);
  return expected;
}

async function comparePsql(direct: Target, via: Target): Promise<void> {
  const expected = await psql(direct, "select current_user");
  const actual = await psql(via, "select current_user");
  const words = ({ stderr }: { readonly stderr: string }) => stderr.replaceAll(/port \d+/g, "port");
  assert.equal(words(actual), words(expected));
  assert.equal(actual.stdout, expected.stdout);
  assert.equal(actual.code, expected.code);
}

await testThroughGateway("authentication through the gateway", { workers: [2] }, {
  "roles, databases and pg_hba.conf are made": furnish,

  ...Object.fromEntries(METHODS.flatMap((method) =>
    Object.entries(ATTEMPTS).map(([name, who]) => [
      `${method} ${name}: as without the gateway`,
      async ({ direct, via }: Scene) => {
        const user = { ...who, user: method };
        const { code } = await compareDrivers({ ...direct, ...user }, { ...via, ...user });
        await comparePsql({ ...direct, ...user }, { ...via, ...user });
        // The comparison says little if all attempts end in the same way.
        if (name === "to an unknown database") assert.equal(code, "3D000");
        if (name === "with a wrong password") {
          assert.equal(code, method === "trust" ? undefined : "28P01");
        }
        if (name === "with the right password") assert.equal(code, undefined);
      },
    ])
  )),

  ...Object.fromEntries(
    Object.entries(OTHERS).map(([name, who]) => [
      `${name}: as without the gateway`,
      async ({ direct, via }: Scene) => {
        await compareDrivers({ ...direct, ...who }, { ...via, ...who });
        await comparePsql({ ...direct, ...who }, { ...via, ...who });
      },
    ]),
  ),

  "an error is counted with the server as its source": async ({ gateway }) => {
    const wrong = await gateway.metric('sluice_errors_total{source="server",sqlstate="28P01"}');
    assert.ok(wrong >= METHODS.length - 1);
  },

  "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
});
