/**
 * What plugins are told while the gateway stops, and what they are not.
 *
 * @module
 */

import assert from "node:assert/strict";
import { COUNTER, sayingPlugin } from "../support/counter_plugin.ts";
import { configFor, startGateway } from "../support/gateway.ts";
import { pooledSettings } from "../support/pooled_gateway.ts";
import { ProtocolClient, valueOf } from "../support/protocol_client.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";
import { eventually, pause } from "../support/wait.ts";

/** Many ticks. */
const TICKS_MS = 500;

const TICKS = 'plugin_ticks_total{plugin="ticker"}';

async function shutDown({ server }: ServerScene): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
  const said = { onShutdown: "shutdown", onClosing: "closing", onClosed: "closed" };
  await Deno.writeFile(`${folder}/teller.wasm`, sayingPlugin(said));
  await Deno.writeFile(`${folder}/ticker.wasm`, COUNTER);
  const settings = pooledSettings({ mode: "transaction", size: 1 });
  const config = {
    ...configFor(`${server.host}:${server.port}`, settings),
    plugins: { directory: folder, tickInterval: "10ms", teller: { permissions: ["log"] } },
  };
  try {
    await using gateway = await startGateway({ config });
    const ticks = async () => (await gateway.metrics()).get(TICKS) ?? 0;
    await eventually("it ticks", async () => await ticks() > 0);
    using client = await ProtocolClient.logIn(targetAt(gateway.target));
    await client.query("begin");
    gateway.signal("SIGTERM");
    await gateway.untilLogged("shutting down");
    // The worker has been told when nobody can connect any more.
    await eventually("nobody new is let in", async () => {
      const other = await ProtocolClient.logIn(targetAt(gateway.target)).catch(() => undefined);
      other?.close();
      return other === undefined;
    });
    const before = await ticks();
    await pause(TICKS_MS);
    assert.equal(await ticks(), before, "while it drains, no time is told");
    assert.equal(await valueOf(client, "select 1"), "1", "who is there is served");
    const heard = () =>
      gateway.logs.filter(({ msg }) => msg === "plugin says").map((line) => line["said"]);
    const others = heard().filter((text) => text !== "shutdown").length;
    assert.equal(heard().length - others, 1, "onShutdown");
    await client.query("commit");
    client.close();
    await eventually("the session's end is told", () => heard().length === others + 3);
    assert.deepEqual(heard().slice(-2), ["closing", "closed"]);
    assert.equal(await gateway.exitCode(), 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await testOnServers("plugins of a gateway that stops", { newestOnly: true, programs: [] }, {
  "hear onShutdown and the ends of sessions, and no more ticks": shutDown,
});
