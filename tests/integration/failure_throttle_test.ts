/**
 * Whoever fails to log in again and again is refused for a while, and nobody else is.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { errorFields, message, startup } from "../support/messages.ts";
import { FORCED, type Gate, startGate, usersFile } from "../support/gate.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { type ServerScene, type Stories, testOnServers } from "../support/stories.ts";
import { eventually, PATIENCE_MS, within } from "../support/wait.ts";

const PASSWORD = "Tr0ub4dor & 3";
const WRONG = "not this one";

/** Failures before the ban. Few: each of them makes the next login wait longer. */
const FAILURES_MAX = 4;

const BANNED = "too many authentication failures from your address";

async function withThrottle(
  { server }: ServerScene,
  more: Readonly<Record<string, unknown>>,
  body: (gate: Gate, folder: string) => Promise<void>,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const auth = {
      method: "password",
      usersFile: await usersFile(folder, { alice: PASSWORD, bob: PASSWORD }),
      failuresMax: FAILURES_MAX,
      banTime: "1h",
      ...more,
    };
    await using gate = await startGate(server, {
      auth,
      client: FORCED,
      secrets: [PASSWORD, WRONG],
      isThrottled: true,
      more: {
        servers: {
          default: { address: "127.0.0.1:0", auth },
          dual: { address: "[::]:0", auth, proxies: ["default"] },
          local: { address: `${folder}/.s.PGSQL.5432`, auth, proxies: ["default"] },
        },
      },
    });
    await body(gate, folder);
  });
}

interface From {
  /** Where to, unless it is the default listener. */
  readonly host?: string;
  readonly port?: number;
  /** Of a Unix socket, instead of the gateway's address. */
  readonly path?: string;
}

/** The SQLSTATE of a login from an address of one's own; "" if it succeeds. */
async function codeFrom(gate: Gate, from: From, user: string, password: string): Promise<string> {
  const { path, ...place } = from;
  const socket = connect(path === undefined ? { ...gate.target(), ...place } : { path });
  try {
    const answered = new Promise<string>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("data", (bytes: Uint8Array) => {
        const tag = String.fromCharCode(bytes[0]!);
        if (tag === "E") resolve(errorFields(bytes).get("C")!);
        else if (bytes[8] === 3) socket.write(message("p", `${password}\0`));
        else resolve("");
      });
    });
    socket.write(startup({ user, database: "postgres" }));
    return await within(PATIENCE_MS, "the gateway answers", answered);
  } finally {
    socket.destroy();
  }
}

async function failUntilBanned(gate: Gate, from: From): Promise<void> {
  for (let i = 0; i < FAILURES_MAX; i++) {
    // Names make no difference: neither known ones nor others.
    assert.equal(await codeFrom(gate, from, ["alice", "nobody"][i % 2]!, WRONG), "28P01");
  }
  assert.equal(await codeFrom(gate, from, "alice", WRONG), "28000");
}

const STORIES: Stories<ServerScene> = {
  "an address that failed too often is refused, the right password included": async (scene) => {
    await withThrottle(scene, {}, async (gate) => {
      await failUntilBanned(gate, {});
      const outcome = await gate.logIn({ user: "alice", password: PASSWORD });
      assert.deepEqual(outcome, { code: "28000", message: BANNED });
      const line = await gate.gateway.untilLogged("authentication failed", {
        reason: "too many failures of this address",
      });
      assert.match(String(line["peer"]), /^127\.0\.0\.1:/);
    });
  },

  "other addresses are not": async (scene) => {
    // Two listeners have two counts, so it is one with both addresses.
    await withThrottle(scene, {}, async (gate) => {
      const target = { port: gate.target("dual").port };
      await failUntilBanned(gate, { ...target, host: "127.0.0.1" });
      assert.equal(await codeFrom(gate, { ...target, host: "::1" }, "alice", PASSWORD), "");
      assert.equal(
        await codeFrom(gate, { ...target, host: "127.0.0.1" }, "alice", PASSWORD),
        "28000",
      );
    });
  },

  "who has logged in before is not locked out by others at the address": async (scene) => {
    await withThrottle(scene, {}, async (gate) => {
      assert.equal(await codeFrom(gate, {}, "alice", PASSWORD), "");
      for (let i = 0; i < FAILURES_MAX; i++) {
        assert.equal(await codeFrom(gate, {}, "nobody", WRONG), "28P01");
      }
      assert.equal(await codeFrom(gate, {}, "bob", PASSWORD), "28000", "new here");
      for (let i = 0; i < 5; i++) assert.equal(await codeFrom(gate, {}, "alice", PASSWORD), "");
    });
  },

  "nobody can guess the password of one who has logged in before either": async (scene) => {
    await withThrottle(scene, {}, async (gate) => {
      assert.equal(await codeFrom(gate, {}, "alice", PASSWORD), "");
      for (let i = 0; i < FAILURES_MAX; i++) {
        assert.equal(await codeFrom(gate, {}, "alice", WRONG), "28P01");
      }
      assert.equal(await codeFrom(gate, {}, "alice", PASSWORD), "28000");
      assert.equal(await codeFrom(gate, {}, "bob", PASSWORD), "", "it was not the address");
    });
  },

  "many at the same time have no more attempts than one after the other": async (scene) => {
    await withThrottle(scene, {}, async (gate) => {
      const codes = await Promise.all(
        Array.from({ length: 50 }, () => codeFrom(gate, {}, "alice", WRONG)),
      );
      assert.equal(codes.filter((code) => code === "28P01").length, FAILURES_MAX);
      assert.equal(codes.filter((code) => code === "28000").length, 50 - FAILURES_MAX);
    });
  },

  "the ban ends": async (scene) => {
    await withThrottle(scene, { banTime: "1s" }, async (gate) => {
      await failUntilBanned(gate, {});
      await eventually(
        "the ban ends",
        async () => await codeFrom(gate, {}, "alice", PASSWORD) === "",
      );
    });
  },

  "clients of a Unix socket have one address, and are not banned": async (scene) => {
    await withThrottle(scene, {}, async (gate, folder) => {
      const from = { path: `${folder}/.s.PGSQL.5432` };
      for (let i = 0; i < FAILURES_MAX + 3; i++) {
        assert.equal(await codeFrom(gate, from, "alice", WRONG), "28P01");
      }
      assert.equal(await codeFrom(gate, from, "alice", PASSWORD), "");
    });
  },

  "failuresMax 0 counts nothing": async (scene) => {
    await withThrottle(scene, { failuresMax: 0 }, async (gate) => {
      for (let i = 0; i < 30; i++) {
        assert.equal(await codeFrom(gate, {}, "alice", WRONG), "28P01");
      }
      assert.equal(await codeFrom(gate, {}, "alice", PASSWORD), "");
    });
  },

  "a client that goes away while it has to wait leaves nothing behind": async (scene) => {
    await withThrottle(scene, { failuresMax: 100 }, async (gate) => {
      for (let i = 0; i < 3; i++) await codeFrom(gate, {}, "alice", WRONG);
      for (let i = 0; i < 20; i++) {
        const socket = connect(gate.target());
        socket.on("error", () => {});
        socket.write(startup({ user: "alice", database: "postgres" }));
        await new Promise((resolve) => socket.once("connect", resolve));
        socket.destroy();
      }
      await eventually("all of them are gone", async () => {
        const metrics = await gate.gateway.metrics();
        const clients = [...metrics].filter(([name]) => /^sluice_client_connections\{/.test(name));
        return clients.length > 0 && clients.every(([, count]) => count === 0);
      });
      assert.equal(await codeFrom(gate, {}, "alice", PASSWORD), "");
    });
  },
};

await testOnServers("repeated failures", { newestOnly: true, programs: [] }, STORIES);
