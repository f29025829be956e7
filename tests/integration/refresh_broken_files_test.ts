/**
 * Files that change while the gateway runs into something that a gate could not use: every worker
 * goes on with what was there, the log says what is wrong and where, and a mended file is taken.
 *
 * @module
 */

import assert from "node:assert/strict";
import { change, countOf, READ_AGAIN, REFUSED, replace } from "../support/changed_files.ts";
import { FORCED, type Gate, scramSecret, startGate, usersFile, type Who } from "../support/gate.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { ProtocolClient, rowsOf } from "../support/protocol_client.ts";
import { type ServerScene, type Stories, testOnServers } from "../support/stories.ts";

const OLD = "the 0ld password";
const NEW = "the n3w password";

/** Every worker lets the user in as before; a broken file ends none of them. */
async function stillServes(gate: Gate, who: Who): Promise<void> {
  for (let i = 0; i < 6; i++) assert.equal(await gate.user(who), "postgres");
  assert.equal(countOf(gate, READ_AGAIN), 0);
  assert.equal(countOf(gate, "worker died"), 0);
}

/** What the log said when files were refused last. */
function lastRefusal({ gateway }: Gate): string {
  return String(gateway.logs.filter(({ msg }) => msg === REFUSED).at(-1)?.["error"]);
}

const STORIES: Stories<ServerScene> = {
  "users file: a SCRAM secret that cannot be checked keeps the old file": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, { alice: OLD });
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: file },
        client: FORCED,
        secrets: [OLD, NEW],
        workers: 2,
      });
      const target = { ...gate.target(), user: "alice", password: OLD, database: "postgres" };
      using stays = await ProtocolClient.logIn(target);
      const secret = scramSecret(NEW);
      const tooMany = secret.replace("$4096:", "$2000000:");
      const notBase64 = secret.replace(/=$/, "");
      for (const broken of [tooMany, notBase64]) {
        await change(gate, REFUSED, () => usersFile(folder, { bob: OLD, alice: broken }));
        await stillServes(gate, { user: "alice", password: OLD });
      }
      assert.match(lastRefusal(gate), /users\.txt:2:9: invalid SCRAM secret: .* copy it from pg_a/);
      await change(gate, READ_AGAIN, () => usersFile(folder, { alice: secret }));
      for (let i = 0; i < 6; i++) {
        assert.equal(await gate.user({ user: "alice", password: NEW }), "postgres");
        assert.equal(await gate.code({ user: "alice", password: OLD }), "28P01");
      }
      assert.deepEqual(rowsOf(await stays.query("select 'still here'")), [["still here"]]);
    });
  },

  "rules file: an expression that cannot be used keeps the old file": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const rulesFile = `${folder}/rules`;
      const rest = "host all all 127.0.0.1/32 trust\n";
      await replace(rulesFile, `host all bob all reject\n${rest}`);
      await using gate = await startGate(scene.server, {
        auth: { method: "rules", rulesFile },
        client: FORCED,
        workers: 2,
      });
      const target = { ...gate.target(), user: "alice", password: "", database: "postgres" };
      using stays = await ProtocolClient.logIn(target);
      const tooLarge = ['"/^app_[a-z]{1,300}$"', '"/^(?:(?:a{1,200}){1,200})$"', "/[\\w-z]"];
      for (const names of tooLarge) {
        await change(gate, REFUSED, () => replace(rulesFile, `host all ${names} all reject\n`));
        await stillServes(gate, { user: "alice" });
        assert.equal(await gate.code({ user: "bob" }), "28000");
      }
      assert.match(lastRefusal(gate), /rules:1:10: .* is no regular expression that can be used: /);
      await change(
        gate,
        READ_AGAIN,
        () => replace(rulesFile, `host all "/^app_[a-z]{1,200}$" all reject\n${rest}`),
      );
      for (let i = 0; i < 6; i++) {
        assert.equal(await gate.user({ user: "bob" }), "postgres");
        assert.equal(await gate.code({ user: "app_x" }), "28000");
      }
      assert.deepEqual(rowsOf(await stays.query("select 'still here'")), [["still here"]]);
    });
  },
};

await testOnServers("files that are broken", { newestOnly: true }, STORIES);
