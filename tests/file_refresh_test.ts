import { deepEqual, equal } from "node:assert/strict";
import type { Config } from "../src/config/config.ts";
import { FileRefresh } from "../src/file_refresh.ts";
import { POOL_DEFAULTS } from "./support/configs.ts";
import { inTemporaryFolder } from "./support/postgres.ts";
import { promisesToSettle } from "./support/promises.ts";

function configWith(limitsFile: string): Config {
  return {
    servers: new Map(),
    clients: new Map(),
    pools: new Map([["main", { ...POOL_DEFAULTS, limitsFile }]]),
  } as unknown as Config;
}

Deno.test("FileRefresh notices at its start what has changed since it was made", async () => {
  await inTemporaryFolder(async (folder) => {
    const limitsFile = `${folder}/limits`;
    await Deno.writeTextFile(limitsFile, "a b 1\n");
    const config = configWith(limitsFile);
    const events: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const refresh = new FileRefresh({
      config,
      reload: () => config,
      apply: () => {
        events.push("applied");
        return Promise.resolve();
      },
      onRefreshed() {
        events.push("refreshed");
        resolve();
      },
      onFailed: (message) => void events.push(message),
    });
    await Deno.writeTextFile(limitsFile, "a b 1 disabled\n");
    equal(events.length, 0, "nobody is ready yet");
    refresh.start();
    refresh.stop();
    await promise;
    deepEqual(events, ["applied", "refreshed"]);
  });
});

Deno.test("FileRefresh says that files were read again when they are used, and not before", async () => {
  await inTemporaryFolder(async (folder) => {
    const limitsFile = `${folder}/limits`;
    const config = configWith(limitsFile);
    const events: string[] = [];
    const applied: PromiseWithResolvers<void>[] = [];
    const refresh = new FileRefresh({
      config,
      reload: () => config,
      apply: () => {
        applied.push(Promise.withResolvers<void>());
        return applied.at(-1)!.promise;
      },
      onRefreshed: () => void events.push("refreshed"),
      onFailed: (message) => void events.push(message),
    });
    await Deno.writeTextFile(limitsFile, "a b 1\n");
    refresh.check();
    await Deno.writeTextFile(limitsFile, "a b 12\n");
    refresh.check();
    await promisesToSettle();
    deepEqual(events, []);
    applied[0]!.reject(new Error("worker 1: no"));
    await promisesToSettle();
    deepEqual(events, ["worker 1: no"]);
    applied[1]!.resolve();
    await promisesToSettle();
    deepEqual(events, ["worker 1: no", "refreshed"]);
  });
});
