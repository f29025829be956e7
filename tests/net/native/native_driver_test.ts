/**
 * How the driver on Linux's own calls gets at servers by name, and what it does where the system
 * has no more to give. What it has in common with others is in driver_contract_test.ts.
 *
 * @module
 */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { type Address, addressText, type TcpAddress } from "../../../src/base/address.ts";
import { EventLoop } from "../../../src/net/native/event_loop.ts";
import { ERRNO, isSupported, type LibC, LINUX } from "../../../src/net/native/libc.ts";
import { type Lookup, NativeDriver } from "../../../src/net/native/native_driver.ts";
import { ConnectTimeoutError, type ListenHandler, type Socket } from "../../../src/net/socket.ts";
import { failing } from "../../support/faulty_libc.ts";
import { freeAddress, LISTEN } from "../../support/net_harness.ts";
import { eventually, PATIENCE_MS, within } from "../../support/wait.ts";
import { openedLibC } from "../../support/opened_libc.ts";

const TCP: TcpAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };
const OPTIONS = { timeoutMs: PATIENCE_MS, keepAlive: true, noDelay: true } as const;

/** What a thread has; it ends, and all of its descriptors are closed, when it is disposed of. */
class Thread implements AsyncDisposable {
  readonly loop: EventLoop;
  readonly driver: NativeDriver;
  readonly #descriptors = new SharedArrayBuffer(1 << 16);
  readonly #running: Promise<void>;

  /** @param isWaiting Whether it waits in the kernel, as workers do. */
  constructor({ libC = openedLibC(), lookup, isWaiting = false }: {
    readonly libC?: LibC;
    readonly lookup?: Lookup;
    readonly isWaiting?: boolean;
  } = {}) {
    this.loop = new EventLoop(libC, this.#descriptors);
    this.driver = new NativeDriver(this.loop, lookup);
    this.#running = isWaiting ? this.loop.run() : this.loop.runBeside();
  }

  get openDescriptors(): readonly number[] {
    return [...new Uint8Array(this.#descriptors)].flatMap((isOpen, fd) => isOpen === 1 ? [fd] : []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.loop.stop();
    await this.#running;
    deepEqual(this.openDescriptors, [], "all is closed");
  }
}

/** Says who is there, and closes. */
const GREETING: ListenHandler = {
  onConnection(socket) {
    socket.start({ onData: (view) => view.length, onEnd() {}, onClose() {} });
    socket.write(Uint8Array.of(7));
    socket.end();
  },
  onAcceptError() {},
};

/** Reads what comes until the end, and closes. */
function heard(socket: Socket): Promise<number[]> {
  const { promise, resolve } = Promise.withResolvers<number[]>();
  const bytes: number[] = [];
  socket.start({
    onData(view) {
      bytes.push(...view);
      return view.length;
    },
    onEnd: () => socket.destroy(),
    onClose: () => resolve(bytes),
  });
  return promise;
}

Deno.test({
  name: "NativeDriver finds servers by name, in a thread that waits in the kernel",
  ignore: !isSupported(),
  async fn() {
    await using thread = new Thread({ isWaiting: true });
    const listener = await thread.driver.listen({ ...LISTEN, address: TCP }, GREETING);
    const { port } = listener.address as TcpAddress;
    for (let i = 0; i < 5; i += 1) {
      const address: Address = { kind: "tcp", host: "localhost", port };
      const connecting = thread.driver.connect({ ...OPTIONS, address });
      const socket = await within(PATIENCE_MS, "a connection", connecting);
      equal(socket.peer, addressText(listener.address));
      deepEqual(await within(PATIENCE_MS, "a greeting", heard(socket)), [7]);
    }
    const nobody: Address = { kind: "tcp", host: "nobody.invalid", port };
    await rejects(
      within(PATIENCE_MS, "an answer", thread.driver.connect({ ...OPTIONS, address: nobody })),
      /Cannot connect to nobody\.invalid:\d+: no address is known for "nobody\.invalid" \(/,
    );
    listener.close();
  },
});

Deno.test({
  name: "NativeDriver tries all addresses of a name, one after the other",
  ignore: !isSupported(),
  async fn() {
    const names: Record<string, readonly string[]> = {
      second: ["127.0.0.2", "127.0.0.1"],
      mixed: ["::1", "127.0.0.1"],
      refused: ["127.0.0.2", "127.0.0.3"],
      none: [],
    };
    const lookup = (host: string) => Promise.resolve(names[host]!);
    await using thread = new Thread({ lookup });
    const { driver } = thread;
    const listener = await driver.listen({ ...LISTEN, address: TCP }, GREETING);
    const { port } = listener.address as TcpAddress;
    const connect = (host: string) =>
      driver.connect({ ...OPTIONS, address: { kind: "tcp", host, port } });
    for (const name of ["second", "mixed"]) {
      const socket = await connect(name);
      equal(socket.peer, `127.0.0.1:${port}`);
      deepEqual(await heard(socket), [7]);
    }
    await rejects(connect("refused"), /Cannot connect to refused:\d+: connection refused$/);
    await rejects(connect("none"), /Cannot connect to none:\d+: its name stands for no address/);
    listener.close();
    await eventually("what was tried is closed", () => thread.openDescriptors.length === 2);
  },
});

Deno.test({
  name: "NativeDriver waits no longer for a name than for a connection",
  ignore: !isSupported(),
  async fn() {
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    await using thread = new Thread({ lookup: () => promise });
    const address: Address = { kind: "tcp", host: "slow.example", port: 5432 };
    await rejects(thread.driver.connect({ ...OPTIONS, address, timeoutMs: 20 }), {
      name: "ConnectTimeoutError",
      message: "Cannot connect to slow.example:5432: no answer within 20 ms",
    });
    resolve([]);
  },
});

Deno.test({
  name: "NativeDriver gives up a connect that is not answered in time, and closes it",
  ignore: !isSupported(),
  async fn() {
    await using thread = new Thread();
    // A queue of one that nobody empties: what comes after is not answered.
    using full = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const { port } = full.addr as Deno.NetAddr;
    const address: Address = { ...TCP, port };
    let failure: unknown;
    const sockets: Socket[] = [];
    for (let i = 0; i < 16 && failure === undefined; i++) {
      await thread.driver.connect({ ...OPTIONS, timeoutMs: 50, address }).then(
        (socket) => sockets.push(socket),
        (error) => failure = error,
      );
    }
    ok(failure instanceof ConnectTimeoutError);
    equal(failure.message, `Cannot connect to ${addressText(address)}: no answer within 50 ms`);
    equal(thread.openDescriptors.length, 2 + sockets.length);
    for (const socket of sockets) socket.destroy();
    await eventually("all are closed", () => thread.openDescriptors.length === 2);
  },
});

Deno.test({
  name: "NativeListener goes on when there are descriptors again",
  ignore: !isSupported(),
  async fn() {
    let isFull = true;
    const libC = failing(openedLibC(), "accept4", () => isFull ? ERRNO.EMFILE : undefined);
    await using thread = new Thread({ libC });
    const errors: string[] = [];
    const handler = {
      ...GREETING,
      onAcceptError: (error: Error) => void errors.push(String(error)),
    };
    const listener = await thread.driver.listen({ ...LISTEN, address: TCP }, handler);
    const { port } = listener.address as TcpAddress;
    const conns = [await Deno.connect({ port }), await Deno.connect({ port })];
    await eventually("it says so", () => errors.length >= 2);
    ok(errors.every((error) => error === "Error: Too many open files (os error 24)"), errors[0]!);
    ok(errors.length < 10, "and does not ask for ever what cannot be");
    isFull = false;
    conns.push(await Deno.connect({ port }));
    for (const conn of conns) {
      const buffer = new Uint8Array(2);
      equal(await within(PATIENCE_MS, "a greeting", conn.read(buffer)), 1);
      equal(await within(PATIENCE_MS, "the end", conn.read(buffer)), null);
      conn.close();
    }
    isFull = true;
    const before = errors.length;
    (await Deno.connect({ port })).close();
    await eventually("it says so again", () => errors.length > before);
    listener.close(); // while it pauses
    await eventually("all is closed", () => thread.openDescriptors.length === 2);
  },
});

Deno.test({
  name: "NativeDriver goes on when the kernel watches nothing more for it",
  ignore: !isSupported(),
  async fn() {
    const ENOSPC = 28;
    let isFull = false;
    const libC = failing(
      openedLibC(),
      "epoll_ctl",
      (_epoll, operation) => isFull && operation === LINUX.EPOLL_CTL_ADD ? ENOSPC : undefined,
    );
    await using thread = new Thread({ libC });
    const errors: string[] = [];
    const handler = {
      ...GREETING,
      onAcceptError: (error: Error) => void errors.push(String(error)),
    };
    const listener = await thread.driver.listen({ ...LISTEN, address: TCP }, handler);
    const { address } = listener;
    isFull = true;
    await rejects(thread.driver.connect({ ...OPTIONS, address }), /no space left on device/);
    const conn = await Deno.connect({ port: (address as TcpAddress).port });
    equal(await conn.read(new Uint8Array(1)).catch(() => null), null);
    conn.close();
    deepEqual([...new Set(errors)], ["Error: No space left on device (os error 28)"]);
    isFull = false;
    const socket = await thread.driver.connect({ ...OPTIONS, address });
    deepEqual(await heard(socket), [7]);
    listener.close();
    await eventually("all is closed", () => thread.openDescriptors.length === 2);
  },
});

Deno.test({
  name: "NativeListener goes on when the kernel watches it again",
  ignore: !isSupported(),
  async fn() {
    let problems: number[] = [];
    const real = openedLibC();
    const watching = failing(
      real,
      "epoll_ctl",
      (_epoll, operation) => operation === LINUX.EPOLL_CTL_ADD ? problems.shift() : undefined,
    );
    const accepts: number[] = [];
    await using thread = new Thread({ libC: failing(watching, "accept4", () => accepts.shift()) });
    const errors: string[] = [];
    const handler = {
      ...GREETING,
      onAcceptError: (error: Error) => void errors.push(String(error)),
    };
    const listener = await thread.driver.listen({ ...LISTEN, address: TCP }, handler);
    accepts.push(ERRNO.ENFILE);
    problems = [ERRNO.ENOMEM, ERRNO.ENOMEM];
    const conn = await Deno.connect({ port: (listener.address as TcpAddress).port });
    const buffer = new Uint8Array(1);
    equal(await within(PATIENCE_MS, "a greeting", conn.read(buffer)), 1);
    equal(errors.length, 3);
    conn.close();
    listener.close();
    await eventually("all is closed", () => thread.openDescriptors.length === 2);
  },
});

Deno.test({
  name: "NativeDriver refuses nobody's address at once, and one that is no address",
  ignore: !isSupported(),
  async fn() {
    await using thread = new Thread();
    const { driver } = thread;
    await rejects(driver.connect({ ...OPTIONS, address: freeAddress() }), /Cannot connect to /);
    const path = `/tmp/${"x".repeat(120)}`;
    await rejects(
      driver.connect({ ...OPTIONS, address: { kind: "unix", path } }),
      /the path has 125 bytes, and sockets' at most 107/,
    );
    equal(thread.openDescriptors.length, 2);
  },
});

function optionOf(libC: LibC, fd: number, level: number, option: number): boolean {
  const [value, size] = [new Uint8Array(4), Uint8Array.of(4, 0, 0, 0)];
  equal(libC.getsockopt(fd, level, option, value, size), 0);
  return value[0] !== 0;
}

Deno.test({
  name: "NativeDriver sets what is configured on connections that it accepts",
  ignore: !isSupported(),
  async fn() {
    for (const isOn of [true, false]) {
      await using thread = new Thread();
      const { libC } = thread.loop;
      const options = { ...LISTEN, address: TCP, noDelay: isOn, keepAlive: isOn };
      const before = thread.openDescriptors;
      let accepted: Socket | undefined;
      const listener = await thread.driver.listen(options, {
        onConnection: (socket) => accepted = socket,
        onAcceptError() {},
      });
      const { port } = listener.address as TcpAddress;
      using _client = await Deno.connect({ hostname: "127.0.0.1", port });
      await eventually("a connection is accepted", () => accepted !== undefined);
      const sockets = thread.openDescriptors.filter((fd) => !before.includes(fd));
      equal(sockets.length, 2, "the listener's and the connection's");
      for (const fd of sockets) {
        equal(optionOf(libC, fd, LINUX.IPPROTO_TCP, LINUX.TCP_NODELAY), isOn);
        equal(optionOf(libC, fd, LINUX.SOL_SOCKET, LINUX.SO_KEEPALIVE), isOn);
      }
      accepted!.destroy();
      listener.close();
    }
  },
});
