import { deepEqual, equal } from "node:assert/strict";
import type { Address } from "../../../src/base/address.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { ConnectProbe } from "../../../src/postgres/health/connect_probe.ts";
import { gssEncRequest, sslRequest } from "../../../src/postgres/wire/startup_packet.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemoryNetwork } from "../../support/memory_driver.ts";
import type { MemoryPeer } from "../../support/memory_pipe.ts";

const ADDRESS: Address = { kind: "tcp", host: "10.0.0.1", port: 5432 };

/** A probe, the network that it is on, and what it found out. */
class Scene {
  readonly clock = new FakeClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly found: string[] = [];
  readonly probe = new ConnectProbe({ address: ADDRESS, timeoutMs: 500 }, {
    driver: this.network.driver(),
    clock: this.clock,
  });

  async check(): Promise<void> {
    this.probe.check((result) => {
      this.found.push(result.kind === "alive" ? "alive" : `${result.failure}: ${result.message}`);
    });
    await this.network.settle();
  }

  /** Nothing is left of it. */
  async rest(): Promise<void> {
    await this.network.settle();
    equal(this.clock.pending, 0);
    equal(this.network.sockets.length, 0);
    deepEqual(this.network.thrown, []);
  }
}

Deno.test("ConnectProbe finds a server alive that answers, whatever it answers", async () => {
  for (const answer of ["N", "G", "S"]) {
    const scene = new Scene();
    scene.network.answer(ADDRESS, "accept");
    await scene.check();
    const server: MemoryPeer = scene.network.accepted(ADDRESS).shift()!;
    deepEqual(server.take(), gssEncRequest());
    server.write(utf8(answer));
    await scene.network.settle();
    deepEqual(scene.found, ["alive"]);
    await scene.rest();
  }
});

Deno.test("ConnectProbe asks a server in another way that does not know the first one", async () => {
  const scene = new Scene();
  scene.network.answer(ADDRESS, "accept");
  await scene.check();
  scene.network.accepted(ADDRESS).shift()!.write(utf8("E\0\0\0\x05\0"));
  await scene.network.settle();
  await scene.check();
  const server: MemoryPeer = scene.network.accepted(ADDRESS).shift()!;
  deepEqual(server.take(), sslRequest());
  server.write(utf8("N"));
  await scene.network.settle();
  deepEqual(scene.found, ["alive", "alive"]);
  await scene.rest();
});

Deno.test("ConnectProbe tells apart who refuses, who says nothing, and who goes", async () => {
  const scene = new Scene();
  await scene.check();
  scene.network.answer(ADDRESS, "accept");
  await scene.check();
  await scene.clock.pass(499, () => scene.network.settle());
  equal(scene.found.length, 1);
  await scene.clock.pass(1, () => scene.network.settle());
  scene.network.accepted(ADDRESS).shift();
  await scene.check();
  scene.network.accepted(ADDRESS).shift()!.end();
  await scene.network.settle();
  deepEqual(scene.found, [
    "refused: Cannot connect to 10.0.0.1:5432: connection refused",
    "timeout: no answer within 500 ms",
    "unreachable: it closed the connection without an answer",
  ]);
  await scene.rest();
});

Deno.test("ConnectProbe leaves nothing behind, and says nothing, when it is closed", async () => {
  for (const answer of ["accept", "hang"] as const) {
    const scene = new Scene();
    scene.network.answer(ADDRESS, answer);
    scene.probe.check(() => scene.found.push("called"));
    if (answer === "accept") await scene.network.settle();
    scene.probe.close();
    await scene.clock.pass(1_000, () => scene.network.settle());
    deepEqual(scene.found, []);
    await scene.rest();
  }
});
