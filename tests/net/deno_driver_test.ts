import { type Address, addressText } from "../../src/base/address.ts";
import { deepEqual, equal, rejects } from "node:assert/strict";
import { assertCanListen, DenoDriver } from "../../src/net/deno_driver.ts";
import type { ListenHandler, Socket } from "../../src/net/socket.ts";
import { freeAddress, LISTEN, sleep } from "../support/net_harness.ts";

const NOBODY: ListenHandler = { onConnection: (socket) => socket.destroy(), onAcceptError() {} };
const TCP: Address = { kind: "tcp", host: "127.0.0.1", port: 0 };

Deno.test({
  name: "DenoDriver gives up a connect that is not answered in time",
  // Deno.connect cannot be called off: what was given up goes on until the system ends it, too.
  sanitizeOps: false,
  async fn() {
    // A queue of one that nobody empties: what comes after is not answered.
    const full = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const { port } = full.addr as Deno.NetAddr;
    const address: Address = { ...TCP, port } as Address;
    const options = { address, timeoutMs: 50, keepAlive: true, noDelay: true };
    const driver = new DenoDriver();
    let failure: unknown;
    const sockets: Socket[] = [];
    for (let i = 0; i < 16 && failure === undefined; i++) {
      await driver.connect(options).then(
        (socket) => sockets.push(socket),
        (error) => failure = error,
      );
    }
    equal(
      String(failure),
      `ConnectTimeoutError: Cannot connect to ${addressText(address)}: no answer within 50 ms`,
    );
    for (const socket of sockets) socket.destroy();
    full.close();
  },
});

Deno.test({
  name: "DenoDriver takes the place of a socket file that nobody answers on",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/s`;
    // Listening and moving the file away leaves a file behind, as a killed process does.
    const killed = Deno.listen({ transport: "unix", path });
    await Deno.rename(path, `${path}.kept`);
    killed.close();
    await Deno.rename(`${path}.kept`, path);
    const options = { ...LISTEN, socketMode: 0o600, address: { kind: "unix", path } } as const;
    const driver = new DenoDriver();
    const listener = await driver.listen(options, NOBODY);
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    await rejects(
      driver.listen(options, NOBODY),
      /another process answers there; choose another address or stop it$/,
    );
    listener.close();
    await rejects(Deno.stat(path), Deno.errors.NotFound);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "DenoDriver never deletes what is not a socket",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/precious`;
    await Deno.writeTextFile(path, "data");
    const options = { ...LISTEN, address: { kind: "unix", path } } as const;
    await rejects(new DenoDriver().listen(options, NOBODY), /Cannot listen on .*precious/);
    equal(await Deno.readTextFile(path), "data");
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "DenoDriver makes socket files with the mode asked for, and leaves the umask alone",
  ignore: Deno.build.os === "windows",
  async fn() {
    const before = Deno.umask();
    const folder = await Deno.makeTempDir();
    const modes = [];
    for (const socketMode of [0o600, 0o660, 0o777]) {
      const path = `${folder}/${socketMode}`;
      const address = { kind: "unix", path } as const;
      const listener = await new DenoDriver().listen({ ...LISTEN, socketMode, address }, NOBODY);
      modes.push((await Deno.stat(path)).mode! & 0o777);
      listener.close();
    }
    deepEqual(modes, [0o600, 0o660, 0o777]);
    equal(Deno.umask(), before);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "DenoDriver shares a port when asked to, and assertCanListen notices",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const driver = new DenoDriver();
    const options = { ...LISTEN, reusePort: true };
    const first = await driver.listen({ ...options, address: TCP }, NOBODY);
    await rejects(assertCanListen(keyed([first.address])), /Cannot listen on 127\.0\.0\.1:\d+: /);
    const second = await driver.listen({ ...options, address: first.address }, NOBODY);
    deepEqual(second.address, first.address);
    await rejects(assertCanListen(keyed([TCP, first.address])), /Cannot listen on /);
    second.close();
    first.close();
    for (let isFree = false; !isFree; await sleep(1)) {
      // The system frees the address a moment after the listener is closed.
      isFree = await resolves(assertCanListen(keyed([first.address])));
    }
  },
});

Deno.test("assertCanListen refuses one address twice, and holds none after that", async () => {
  const address = freeAddress();
  const twice = [address, { ...address }];
  await rejects(
    assertCanListen(keyed(twice)),
    new RegExp(
      `^Error: Cannot listen on ${addressText(address)}: something else listens there already; ` +
        "choose another servers.1.address or stop it$",
    ),
  );
  await assertCanListen(keyed([address]));
  await assertCanListen(keyed([TCP, TCP, TCP])); // any free port is another one each time
  await assertCanListen(keyed([]));
});

Deno.test({
  name: "assertCanListen says what is wrong with a Unix socket's path, and leaves no file",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/file`, "data");
    const at = (name: string) => keyed([{ kind: "unix", path: `${folder}/${name}` }]);
    const choose = "choose another servers.0.address";
    const reasons: readonly (readonly [name: string, reason: string])[] = [
      ["file", `the file there is no socket; ${choose}, or remove it`],
      ["no/socket", `its folder does not exist; make it, or ${choose}`],
      ["file/socket", `a part of its path is no folder; ${choose}`],
    ];
    for (const [name, reason] of reasons) {
      const message = `Cannot listen on ${folder}/${name}: ${reason}`;
      await rejects(assertCanListen(at(name)), { message });
    }
    await assertCanListen(at("free"));
    deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["file"]);
    equal(await Deno.readTextFile(`${folder}/file`), "data");
    const address = { kind: "unix", path: `${folder}/socket` } as const;
    const listener = await new DenoDriver().listen({ ...LISTEN, address }, NOBODY);
    await rejects(assertCanListen(at("socket")), /another process answers there; .* or stop it$/);
    equal((await Deno.lstat(address.path)).isSocket, true);
    listener.close();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "assertCanListen refuses two names of one address",
  // Where "localhost" is ::1, it is another address.
  ignore: localhostAddress() !== "127.0.0.1",
  async fn() {
    const address = freeAddress();
    const names = [address, { ...address, host: "localhost" }];
    await rejects(assertCanListen(keyed(names)), /^Error: Cannot listen on localhost:\d+: /);
    for (const name of names) await assertCanListen(keyed([name]));
  },
});

Deno.test("DenoDriver serves IPv6 where there is any, and addressText writes it with brackets", async () => {
  const address: Address = { kind: "tcp", host: "::1", port: 0 };
  equal(addressText(address), "[::1]:0");
  equal(addressText({ kind: "unix", path: "/run/s" }), "/run/s");
  let listener;
  try {
    listener = await new DenoDriver().listen({ ...LISTEN, address }, NOBODY);
  } catch {
    return; // a machine without IPv6
  }
  const conn = await Deno.connect({
    hostname: "::1",
    port: listener.address.kind === "tcp" ? listener.address.port : 0,
  });
  equal(await conn.read(new Uint8Array(1)).catch(() => null), null);
  conn.close();
  listener.close();
});

function localhostAddress(): string {
  using listener = Deno.listen({ hostname: "localhost", port: 0 });
  return (listener.addr as Deno.NetAddr).hostname;
}

function resolves(promise: Promise<void>): Promise<boolean> {
  return promise.then(() => true, () => false);
}

/** As listeners called 0, 1, and so on would have them. */
function keyed(addresses: readonly Address[]): Map<string, Address> {
  return new Map(addresses.map((address, i) => [`servers.${i}.address`, address]));
}
