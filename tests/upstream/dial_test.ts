import { deepEqual, equal } from "node:assert/strict";
import type { Socket } from "../../src/net/socket.ts";
import { Dial, type ServerAddress } from "../../src/upstream/dial.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryNetwork } from "../support/memory_driver.ts";

const ADDRESS = { kind: "tcp", host: "10.0.0.1", port: 5432 } as const;

const SERVER: ServerAddress = {
  name: "db",
  address: ADDRESS,
  dialTimeoutMs: 50,
  retries: 2,
  backoffMs: 100,
  backoffMultiplier: 2,
  keepAlive: true,
  noDelay: true,
};

function fixture(server: Partial<ServerAddress> = {}) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  const events: string[] = [];
  const sockets: Socket[] = [];
  const note = (event: string) => events.push(`${clock.nowMs()}: ${event}`);
  const begin = () =>
    new Dial(network.driver(), clock, { ...SERVER, ...server }, {
      onConnected(socket) {
        note("connected");
        sockets.push(socket);
      },
      onFailedAttempt: ({ attempt, attempts, isTimeout }) =>
        note(`${attempt} of ${attempts} ${isTimeout ? "timed out" : "failed"}`),
      onGivenUp: ({ message }) => note(`given up: ${message}`),
    });
  const pass = (ms: number) => clock.pass(ms, () => network.settle());
  return { clock, network, events, sockets, begin, pass };
}

Deno.test("Dial tries retries times more, with pauses that grow", async () => {
  const { events, begin, pass } = fixture({ retries: 3 });
  begin();
  await pass(10_000);
  deepEqual(events, [
    "0: 1 of 4 failed",
    "100: 2 of 4 failed",
    "300: 3 of 4 failed",
    "700: 4 of 4 failed",
    "700: given up: Cannot connect to 10.0.0.1:5432: connection refused",
  ]);
});

Deno.test("Dial waits dialTimeoutMs for each attempt", async () => {
  const { network, events, begin, pass } = fixture({ retries: 1 });
  network.answer(ADDRESS, "hang");
  begin();
  await pass(10_000);
  deepEqual(events, [
    "50: 1 of 2 timed out",
    "200: 2 of 2 timed out",
    "200: given up: Cannot connect to 10.0.0.1:5432: no answer within 50 ms",
  ]);
});

Deno.test("Dial never pauses longer than a minute", async () => {
  const { events, begin, pass } = fixture({ backoffMs: 50_000, backoffMultiplier: 100 });
  begin();
  await pass(1_000_000);
  deepEqual(events.slice(0, 3), [
    "0: 1 of 3 failed",
    "50000: 2 of 3 failed",
    "110000: 3 of 3 failed",
  ]);
});

Deno.test("Dial stops at the first connection", async () => {
  const { clock, network, events, sockets, begin, pass } = fixture();
  begin();
  await pass(0);
  network.answer(ADDRESS, "accept");
  await pass(10_000);
  deepEqual(events, ["0: 1 of 3 failed", "100: connected"]);
  equal(sockets.length, 1);
  equal(clock.pending, 0);
});

Deno.test("Dial that is cancelled says nothing, and closes a connection that still comes", async () => {
  const { network, events, begin, pass } = fixture();
  network.answer(ADDRESS, "accept");
  begin().cancel();
  await pass(10_000);
  deepEqual(events, []);
  equal(network.sockets.length, 0);
  equal(network.accepted(ADDRESS)[0]!.hasSeenEnd, true);
});

Deno.test("Dial that is cancelled during a pause forgets it", async () => {
  const { clock, events, begin, pass } = fixture();
  const dial = begin();
  await pass(0);
  dial.cancel();
  equal(clock.pending, 0);
  await pass(10_000);
  deepEqual(events, ["0: 1 of 3 failed"]);
});
