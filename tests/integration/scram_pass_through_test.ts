/**
 * SCRAM pass-through: the gateway knows a verifier and no password, and logs in to the server with
 * what the client's proof gives away, because the server stores the very same verifier.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DRIVERS, type Gate, scramSecret, startGate, usersFile } from "../support/gate.ts";
import { inTemporaryFolder, queryOnce } from "../support/postgres.ts";
import { ProtocolClient, rowsOf } from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { type ServerScene, type Stories, type Target, testOnServers } from "../support/stories.ts";

const PASSWORD = "Tr0ub4dor & 3";
const NEW_PASSWORD = "an entirely new one";

/** What the server stores of a role. */
async function storedSecret(direct: Target, role: string): Promise<string> {
  const [row] = await queryOnce(
    direct,
    "select rolpassword from pg_catalog.pg_authid where rolname = $1",
    [role],
  );
  const secret = String(row?.["rolpassword"]);
  assert.match(secret, /^SCRAM-SHA-256\$/);
  return secret;
}

async function withRole(
  { server, direct }: ServerScene,
  body: (file: string, start: () => Promise<Gate>, folder: string) => Promise<void>,
): Promise<void> {
  const made = await psql(
    direct,
    `drop role if exists alice; create role alice login password '${PASSWORD}';`,
  );
  assert.equal(made.stderr.replaceAll(/NOTICE.*\n(LOCATION.*\n)?/g, ""), "");
  await inTemporaryFolder(async (folder) => {
    const secret = await storedSecret(direct, "alice");
    const file = await usersFile(folder, { alice: secret });
    const secrets = [PASSWORD, NEW_PASSWORD, ...secret.split("$")[2]!.split(":")];
    const auth = { method: "scram-sha-256", usersFile: file };
    const start = () => startGate(server, { auth, secrets, pool: { size: 3 } });
    await body(file, start, folder);
  });
}

/** What the log says of a login that is right at the gate, and fails at the server. */
async function whyNot(gate: Gate): Promise<string> {
  return await gate.whyLoginFailed(async () => {
    assert.equal(await gate.code({ user: "alice", password: PASSWORD }), "08004");
  });
}

const STORIES: Stories<ServerScene> = {
  "every driver's proof logs the gateway in as the client": async (scene) => {
    await withRole(scene, async (_, start) => {
      for (const driver of DRIVERS) {
        await using gate = await start();
        const who = { user: "alice", password: PASSWORD };
        assert.deepEqual(await gate.logIn(who, driver), { user: "alice" }, driver);
      }
    });
  },

  "a wrong proof lets nobody in, also while connections of the right user are idle": async (
    scene,
  ) => {
    await withRole(scene, async (_, start) => {
      await using gate = await start();
      assert.equal(await gate.code({ user: "alice", password: "wrong" }), "28P01");
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
      assert.equal(await gate.code({ user: "alice", password: "wrong" }), "28P01");
    });
  },

  "one proof is good for all further server connections": async (scene) => {
    await withRole(scene, async (_, start) => {
      await using gate = await start();
      const target = { ...gate.target(), user: "alice", password: PASSWORD, database: "postgres" };
      const clients = await Promise.all([1, 2, 3].map(() => ProtocolClient.logIn(target)));
      for (const client of clients) {
        assert.deepEqual(rowsOf(await client.query("begin; select 'in'")), [["in"]]);
      }
      for (const client of clients) client.close();
    });
  },

  "a new password on the server: the old proof is of no use, and the log says why": async (
    scene,
  ) => {
    await withRole(scene, async (_, start) => {
      await using gate = await start();
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
      await psql(
        scene.direct,
        `alter role alice password '${NEW_PASSWORD}';
        select pg_terminate_backend(pid) from pg_stat_activity where usename = 'alice';`,
      );
      assert.match(await whyNot(gate), /verifier is not the one/);
      // Its own file has the old one still, so the new one is wrong at the gate.
      assert.equal(await gate.code({ user: "alice", password: NEW_PASSWORD }), "28P01");
    });
  },

  "looked up in the database, a changed password works at once": async (scene) => {
    await withRole(scene, async (file) => {
      await using gate = await startGate(scene.server, {
        auth: {
          method: "scram-sha-256",
          authQuery: "select rolname, rolpassword from pg_catalog.pg_authid where rolname = $1",
          authUser: "postgres",
          authPassword: scene.direct.password,
          authDatabase: "postgres",
        },
        secrets: [PASSWORD, NEW_PASSWORD],
      });
      assert.ok(file.length > 0);
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
      await psql(
        scene.direct,
        `alter role alice password '${NEW_PASSWORD}';
        select pg_terminate_backend(pid) from pg_stat_activity where usename = 'alice';`,
      );
      assert.equal(await gate.code({ user: "alice", password: PASSWORD }), "28P01");
      assert.equal(await gate.user({ user: "alice", password: NEW_PASSWORD }), "alice");
    });
  },

  "a verifier of the same password with another salt does not do": async (scene) => {
    await withRole(scene, async (_, __, folder) => {
      const other = await usersFile(folder, { alice: scramSecret(PASSWORD) }, "other");
      const auth = { method: "scram-sha-256", usersFile: other };
      await using gate = await startGate(scene.server, { auth, secrets: [PASSWORD] });
      assert.match(await whyNot(gate), /store the very same verifier in both places/);
    });
  },
};

await testOnServers("SCRAM pass-through", {}, STORIES);
