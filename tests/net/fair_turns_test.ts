/**
 * That nobody waits for ever on Deno's event loop, whatever others have to say.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { FairTurns } from "../../src/net/fair_turns.ts";
import { isSupported } from "../../src/net/native/libc.ts";
import { NativeDriver } from "../../src/net/native/native_driver.ts";
import type { Driver, Socket } from "../../src/net/socket.ts";
import { whileRunning } from "../support/native_loop.ts";
import { PATIENCE_MS, pause } from "../support/wait.ts";

/** Sockets whose turns are asked for. */
function turnsOf(sockets: number): FairTurns {
  const turns = new FairTurns();
  for (let i = 0; i < sockets; i += 1) turns.join();
  return turns;
}

Deno.test("FairTurns keeps nobody waiting where there are few sockets", () => {
  const turns = turnsOf(63);
  for (let i = 0; i < 1_000; i += 1) equal(turns.next(), undefined);
});

Deno.test("FairTurns keeps nobody waiting where few of many sockets are served in a turn", async () => {
  const turns = turnsOf(1_000);
  for (let turn = 0; turn < 20; turn += 1) {
    for (let i = 0; i < 63; i += 1) equal(turns.next(), undefined);
    await pause(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

Deno.test("FairTurns lets who was served in a crowd go on once nobody else is", async () => {
  const turns = turnsOf(200);
  const gone: number[] = [];
  const ask = (from: number, to: number) => {
    for (let i = from; i < to; i += 1) void turns.next()?.then(() => gone.push(i));
  };
  ask(0, 100);
  // Others are still served for a while: nobody goes on.
  for (let round = 0; round < 5; round += 1) {
    ask(100 + round, 101 + round);
    await new Promise((resolve) => setImmediate(resolve));
    deepEqual(gone, []);
  }
  while (gone.length === 0) await pause(1);
  deepEqual(gone, Array.from({ length: 105 - 63 }, (_, i) => 63 + i), "in the order they came");
  equal(turns.next(), undefined, "the crowd is gone");
});

Deno.test("FairTurns keeps nobody waiting for ever for those who are new", async () => {
  const turns = turnsOf(200);
  let isGone = false;
  for (let i = 0; i < 63; i += 1) equal(turns.next(), undefined);
  void turns.next()?.then(() => isGone = true);
  let isEnough = false;
  const deadline = setTimeout(() => isEnough = true, PATIENCE_MS);
  while (!isGone && !isEnough) {
    void turns.next(); // somebody else
    await pause(0);
  }
  clearTimeout(deadline);
  equal(isGone, true);
});

Deno.test("FairTurns counts no socket that reads no more", () => {
  const turns = turnsOf(100);
  for (let i = 0; i < 50; i += 1) turns.leave();
  for (let i = 0; i < 1_000; i += 1) equal(turns.next(), undefined);
});

const CLIENTS = 500;
const ANSWERS = 30 * CLIENTS;

/** Clients that ask again as soon as they are answered. @returns How often each was. */
async function askAll(driver: Driver, port: number): Promise<number[]> {
  const answers = new Array<number>(CLIENTS).fill(0);
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let left = ANSWERS;
  const address = { kind: "tcp", host: "127.0.0.1", port } as const;
  const options = { address, timeoutMs: PATIENCE_MS, keepAlive: false, noDelay: true };
  const question = Uint8Array.of(7);
  const sockets: Socket[] = [];
  for (let i = 0; i < CLIENTS; i += 1) sockets.push(await driver.connect(options));
  sockets.forEach((socket, i) =>
    socket.start({
      onData(view) {
        answers[i]! += 1;
        left -= 1;
        if (left === 0) resolve();
        socket.write(question);
        return view.length;
      },
      onEnd() {},
      onClose() {},
    })
  );
  for (const socket of sockets) socket.write(question);
  await done;
  for (const socket of sockets) socket.destroy();
  return answers;
}

Deno.test({
  name: "DenoDriver serves all of its sockets alike, however many are busy",
  ignore: !isSupported(),
  async fn() {
    const url = new URL("../support/deno_echo_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const port = await new Promise<number>((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
    });
    const answers = await whileRunning((loop) => askAll(new NativeDriver(loop), port));
    worker.terminate();
    const [least, most] = [Math.min(...answers), Math.max(...answers)];
    ok(4 * least > most, `${least} to ${most} answers`);
  },
});
