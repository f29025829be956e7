import { deepEqual, equal } from "node:assert/strict";
import type { Config } from "../src/config/config.ts";
import { FileRefresh } from "../src/file_refresh.ts";
import { POOL_DEFAULTS } from "./support/configs.ts";
import { inTemporaryFolder } from "./support/postgres.ts";

Deno.test("FileRefresh notices at its start what has changed since it was made", async () => {
  await inTemporaryFolder(async (folder) => {
    const limitsFile = `${folder}/limits`;
    await Deno.writeTextFile(limitsFile, "a b 1\n");
    const config = {
      servers: new Map(),
      clients: new Map(),
      pools: new Map([["main", { ...POOL_DEFAULTS, limitsFile }]]),
    } as unknown as Config;
    const events: string[] = [];
    const refresh = new FileRefresh({
      config,
      reload: () => config,
      apply: () => void events.push("applied"),
      onRefreshed: () => void events.push("refreshed"),
      onFailed: (message) => void events.push(message),
    });
    await Deno.writeTextFile(limitsFile, "a b 1 disabled\n");
    equal(events.length, 0, "nobody is ready yet");
    refresh.start();
    refresh.stop();
    deepEqual(events, ["applied", "refreshed"]);
  });
});
