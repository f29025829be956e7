/**
 * Thousands of connections on one ring that come, talk and go at any moment: no byte is lost,
 * none comes twice or at somebody else's, and nothing of the ring's memory or descriptors is left
 * behind.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { isSupported } from "../../../../src/net/native/libc.ts";
import { openRingDriver, type RingDriver } from "../../../../src/net/native/uring/ring_driver.ts";
import type { Socket } from "../../../../src/net/socket.ts";
import { openedLibC } from "../../../support/opened_libc.ts";
import { LISTEN, openFaultyRing } from "../../../support/net_harness.ts";
import { Random } from "../../../support/random.ts";
import { eventually } from "../../../support/wait.ts";

/** Bytes that one connection says at most: most say little, some much. */
const SAID_SIZES = [1, 100, 3_000, 20_000, 300_000];

/** Their numbers are smaller. */
const DESCRIPTORS_MAX = 65_536;

/** What is said at a position: different for each connection, and never the same soon. */
function byteAt(seed: number, position: number): number {
  return (seed * 31 + position * 7 + (position >> 8) * 13) & 0xff;
}

/** Says again what it hears, and takes less of it than it could now and then. */
function echo(socket: Socket, random: Random): void {
  socket.start({
    onData(view) {
      const taken = random.oneIn(3) ? random.below(view.length + 1) : view.length;
      if (taken === 0) {
        socket.reoffer();
        return 0;
      }
      const middle = random.below(taken);
      if (random.oneIn(2)) socket.write(view.subarray(0, middle));
      else socket.writeApart(view.subarray(0, middle));
      socket.write(random.oneIn(2) ? view.subarray(middle, taken) : view.slice(middle, taken));
      if (taken < view.length) socket.reoffer();
      return taken;
    },
    onEnd: () => random.oneIn(2) ? socket.end(50) : socket.destroy(),
    onClose: () => {},
  });
}

/** Talks with an echo. @returns How many bytes came back that were not said. */
async function talk(driver: RingDriver["driver"], port: number, random: Random, seed: number) {
  const socket = await driver.connect({
    address: { kind: "tcp", host: "127.0.0.1", port },
    timeoutMs: 30_000,
    keepAlive: true,
    noDelay: true,
  });
  const size = 1 + random.below(random.pick(SAID_SIZES));
  // Some leave in the middle.
  const heardMax = random.oneIn(4) ? random.below(size) : size;
  let [heard, wrong] = [0, 0];
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.start({
    onData(view) {
      for (const byte of view) {
        if (byte !== byteAt(seed, heard)) wrong += 1;
        heard += 1;
      }
      if (heard >= heardMax) {
        if (heardMax < size || random.oneIn(2)) socket.destroy();
        else socket.end(50);
      }
      return view.length;
    },
    onEnd: () => socket.end(50),
    onClose: () => resolve(),
  });
  const said = Uint8Array.from({ length: size }, (_, i) => byteAt(seed, i));
  for (const piece of random.pieces(said, 30_000)) socket.write(piece);
  await promise;
  if (heardMax === size) equal(heard, size, `all of connection ${seed} is heard`);
  return wrong;
}

/** So many connections, some at a time. */
async function soak(
  open: (book: SharedArrayBuffer) => RingDriver,
  connections: number,
  atOnce: number,
): Promise<void> {
  const book = new SharedArrayBuffer(DESCRIPTORS_MAX);
  const { loop, driver, memory } = open(book);
  const openAtFirst = openIn(book);
  // It waits in the kernel, as in workers: whoever is forgotten there is never called.
  const running = loop.run();
  const isBack = () => [memory.small, memory.large].every(({ free, used }) => free === used);
  const random = new Random(11);
  const listener = await driver.listen(
    { ...LISTEN, address: { kind: "tcp", host: "127.0.0.1", port: 0 } },
    {
      onConnection: (socket) => echo(socket, random),
      onAcceptError: (error) => ok(false, error.message),
    },
  );
  const { address } = listener;
  ok(address.kind === "tcp");
  let [begun, wrong] = [0, 0];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (begun < connections) wrong += await talk(driver, address.port, random, begun++);
  }));
  equal(wrong, 0);
  listener.close();
  await eventually("all buffers are back", isBack);
  // Echoes wait for who has left at most as long as they linger.
  await eventually("all is closed", () => openIn(book) <= openAtFirst);
  loop.stop();
  await running;
  equal(openIn(book), 0);
}

/** How many descriptors a driver has open; others of this process have theirs. */
function openIn(book: SharedArrayBuffer): number {
  return new Uint8Array(book).filter((isOpen) => isOpen === 1).length;
}

Deno.test({
  name: "Connections that come and go on a ring lose nothing",
  ignore: !isSupported(),
  fn: () => soak((book) => openRingDriver(openedLibC(), book), 2_000, 100),
});

Deno.test({
  name: "Connections lose nothing on a ring that is too small, and whose calls fail",
  ignore: !isSupported(),
  fn: () => soak((book) => openFaultyRing(new Random(5), book), 500, 30),
});

Deno.test({
  name: "Connections on a ring that is too small are not forgotten, though few others come",
  ignore: !isSupported(),
  fn: () => soak((book) => openFaultyRing(new Random(6), book), 100, 2),
});
