/**
 * When io_uring is used, what is said where it cannot be, and what becomes of its sockets when
 * things go wrong.
 *
 * @module
 */

import { deepEqual, equal, throws } from "node:assert/strict";
import type { TcpAddress } from "../../../../src/base/address.ts";
import { chooseDriver } from "../../../../src/net/choose_driver.ts";
import { ERRNO, isSupported, type LibC } from "../../../../src/net/native/libc.ts";
import { closeDescriptors, threadMemory } from "../../../../src/net/native/thread_memory.ts";
import {
  OFFSET,
  OPERATION,
  type RingCalls,
  ringCalls,
} from "../../../../src/net/native/uring/ring_calls.ts";
import { openRingDriver, RING_OPTIONS } from "../../../../src/net/native/uring/ring_driver.ts";
import { openTestedRing } from "../../../../src/net/native/uring/ring_self_test.ts";
import type { Socket } from "../../../../src/net/socket.ts";
import { openedLibC } from "../../../support/opened_libc.ts";
import { LISTEN } from "../../../support/net_harness.ts";
import { eventually, PATIENCE_MS, within } from "../../../support/wait.ts";

const ignore = !isSupported();

const ADDRESS = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

const ENTRY_WORDS = 16;
const WORD = { operation: 0, fd: 1, sendFlags: 7 } as const;
const MSG_WAITALL = 0x100;

/** Calls on an entry of the ring before the kernel sees it. */
function changed(change: (entries: Int32Array, at: number) => void): RingCalls {
  const calls = ringCalls();
  let entries = new Int32Array();
  return {
    ...calls,
    map(fd, size, offset) {
      const mapped = calls.map(fd, size, offset);
      if (mapped !== undefined && offset === OFFSET.ENTRIES) {
        entries = new Int32Array(mapped.buffer);
      }
      return mapped;
    },
    enter(fd, submit, ...rest) {
      for (let at = 0; at < entries.length; at += ENTRY_WORDS) change(entries, at);
      return calls.enter(fd, submit, ...rest);
    },
  };
}

/** The system calls, of which the ring's setup fails. */
function failing(errno: number): { readonly libC: LibC; readonly calls: RingCalls } {
  const libC = Object.defineProperty({ ...openedLibC() }, "errno", { get: () => errno }) as LibC;
  return { libC, calls: { ...ringCalls(), setup: () => -1 } };
}

Deno.test({
  name: "chooseDriver takes io_uring where it works",
  ignore,
  async fn() {
    const asked = await chooseDriver("io_uring", 4);
    deepEqual(asked, { driver: "io_uring", reason: "runtime.driver says so" });
    const first = await chooseDriver("auto", 4);
    deepEqual(first, { driver: "io_uring", reason: "its self-test has passed" });
  },
});

Deno.test({
  name: "openTestedRing says why there is no ring",
  ignore,
  fn() {
    const reasons: readonly (readonly [number, RegExp])[] = [
      [ERRNO.ENOSYS, /^Error: the kernel has no io_uring: Function not implemented/],
      [ERRNO.EPERM, /^Error: io_uring is not allowed: .*seccomp.*sysctl kernel\.io_uring_disabled/],
      [ERRNO.EINVAL, /^Error: the kernel's io_uring is too old; Linux 6\.1/],
      [ERRNO.ENOMEM, /^Error: io_uring gets no memory: .*ulimit -l/],
      [ERRNO.EMFILE, /^Error: io_uring cannot be set up: Too many open files/],
    ];
    for (const [errno, reason] of reasons) {
      const { libC, calls } = failing(errno);
      throws(() => openTestedRing(libC, 1, undefined, calls), reason);
    }
  },
});

Deno.test({
  name: "openTestedRing notices a kernel that does not tell of short sends",
  ignore,
  fn() {
    const calls = changed((entries, at) => {
      if ((entries[at + WORD.operation]! & 0xff) !== OPERATION.SEND) return;
      entries[at + WORD.sendFlags]! &= ~MSG_WAITALL;
    });
    throws(
      () => openTestedRing(openedLibC(), 1, undefined, calls),
      /does not tell what it has sent/,
    );
  },
});

Deno.test({
  name: "A listener on a ring tells why it cannot accept, and tries again",
  ignore,
  async fn() {
    let isBroken = true;
    const calls = changed((entries, at) => {
      const isAccept = (entries[at + WORD.operation]! & 0xff) === OPERATION.ACCEPT;
      if (isAccept && isBroken) entries[at + WORD.fd] = -1;
    });
    const { loop, driver } = openRingDriver(openedLibC(), undefined, RING_OPTIONS, calls);
    const running = loop.runBeside();
    const errors: Error[] = [];
    const sockets: Socket[] = [];
    const listener = await driver.listen({ ...LISTEN, address: ADDRESS }, {
      onConnection: (socket) => void sockets.push(socket),
      onAcceptError(error) {
        errors.push(error);
        isBroken = false;
      },
    });
    const { port } = listener.address as TcpAddress;
    const conn = await Deno.connect({ hostname: ADDRESS.host, port });
    await eventually("it is accepted", () => sockets.length === 1);
    deepEqual(errors.map(({ message }) => message), ["Bad file descriptor (os error 9)"]);
    sockets[0]!.destroy();
    listener.close();
    conn.close();
    loop.stop();
    await running;
  },
});

Deno.test({
  name: "Sockets of a ring end with their thread, even if the ring does not",
  ignore,
  async fn() {
    const memory = threadMemory(1);
    const libC = openedLibC();
    const { loop, driver } = openRingDriver(libC, memory.descriptors[0]);
    const sockets: Socket[] = [];
    const listener = await driver.listen({ ...LISTEN, address: ADDRESS }, {
      onConnection(socket) {
        sockets.push(socket);
        socket.start({ onData: (view) => view.length, onEnd() {}, onClose() {} });
      },
      onAcceptError() {},
    });
    const { port } = listener.address as TcpAddress;
    const conn = await Deno.connect({ hostname: ADDRESS.host, port });
    await eventually("it is received from", () => {
      loop.turn(0);
      return sockets.length === 1;
    });
    loop.turn(0);
    // The ring has no turn any more.
    closeDescriptors(memory, 0, libC);
    const ended = conn.read(new Uint8Array(1)).catch(() => null);
    equal(await within(PATIENCE_MS, "the end", ended), null);
    conn.close();
  },
});
