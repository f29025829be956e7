/**
 * Raw listeners of a gateway that runs: servers that tests make up, Redis, and PostgreSQL itself
 * without the gateway's knowing.
 *
 * @module
 */

import assert from "node:assert/strict";
import { concat, textOf, utf8 } from "../../src/base/bytes.ts";
import { isSupported } from "../../src/net/native/libc.ts";
import { Certificates } from "../support/certificates.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { clientBinary } from "../support/postgres.ts";
import { interruptPsql, psql } from "../support/psql.ts";
import { Random } from "../support/random.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";
import {
  closeQuietly,
  echo,
  readAll,
  readSize,
  TcpServer,
  writeAll,
} from "../support/tcp_server.ts";
import { eventually, pause } from "../support/wait.ts";

const MIB = 1024 * 1024;

/** Those that work here. */
const DRIVERS = isSupported() ? ["epoll", "io_uring", "deno"] : ["deno"];

function start(
  address: string,
  { server, client, ...settings }: Settings = {},
  driver = "auto",
): Promise<Gateway> {
  const config = configFor(address, {
    ...settings,
    server: { protocol: "raw", ...server },
    client: { retries: 0, ...client },
  });
  const runtime = { ...config["runtime"] as Record<string, unknown>, driver };
  return startGateway({ config: { ...config, runtime } });
}

function connect({ target }: Gateway): Promise<Deno.Conn> {
  return Deno.connect({ hostname: target.host, port: target.port });
}

/** A server that sends what comes back in capitals, once it has all. */
async function answerAtEnd(conn: Deno.Conn): Promise<void> {
  await writeAll(conn, utf8(textOf(await readAll(conn)).toUpperCase()));
}

for (const driver of DRIVERS) {
  Deno.test(`raw: bytes pass both ways, in bulk and to the last (driver ${driver})`, async () => {
    await using server = new TcpServer(echo);
    await using gateway = await start(server.address, { workers: 2 }, driver);
    const data = new Random(1).bytes(16 * MIB);
    const echoes = await Promise.all(Array.from({ length: 3 }, async () => {
      const conn = await connect(gateway) as Deno.TcpConn;
      const [back] = await Promise.all([
        readAll(conn),
        writeAll(conn, data).then(() => conn.closeWrite()),
      ]);
      closeQuietly(conn);
      return back;
    }));
    for (const back of echoes) {
      assert.equal(back.length, data.length);
      assert.ok(back.every((byte, i) => byte === data[i]));
    }
    await gateway.untilIdle();
    const bytes = await gateway.metrics();
    const passed = [...bytes].filter(([name]) => name.startsWith("sluice_relayed_bytes_total{"));
    assert.deepEqual(passed.map(([, value]) => value), [3 * data.length, 3 * data.length]);
  });

  Deno.test(`raw: one direction can end before the other (driver ${driver})`, async () => {
    await using server = new TcpServer(answerAtEnd);
    await using gateway = await start(server.address, {}, driver);
    const conn = await connect(gateway) as Deno.TcpConn;
    await writeAll(conn, utf8("a question"));
    await conn.closeWrite();
    assert.equal(textOf(await readAll(conn)), "A QUESTION");
    closeQuietly(conn);
    await gateway.untilIdle();
  });

  Deno.test(`raw: who does not read holds up who writes (driver ${driver})`, async () => {
    let written = 0;
    await using server = new TcpServer(async (conn) => {
      const chunk = new Uint8Array(MIB).fill(7);
      for (; written < 256 * MIB; written += chunk.length) await writeAll(conn, chunk);
    });
    await using gateway = await start(server.address, {}, driver);
    const before = gateway.residentBytes();
    gateway.resetPeak();
    const conn = await connect(gateway);
    let last = -1;
    await eventually("the server is held up", async () => {
      const isStill = written === last && written > 0;
      last = written;
      await pause(300);
      return isStill;
    });
    assert.ok(written < 64 * MIB, `${written} bytes are on their way`); // the kernel's buffers
    const buffer = new Uint8Array(64 * 1024);
    let total = 0;
    for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
      total += size;
    }
    assert.equal(total, 256 * MIB);
    closeQuietly(conn);
    const growth = gateway.peakResidentBytes() - before;
    assert.ok(growth < 48 * MIB, `memory grew by ${growth} bytes`);
  });
}

Deno.test("raw: clients wait for a place, and are served in turn", async () => {
  await using server = new TcpServer(echo);
  await using gateway = await start(server.address, { pool: { size: 2 }, workers: 2 });
  const conns = await Promise.all(Array.from({ length: 10 }, () => connect(gateway)));
  const done = conns.map(async (conn, i) => {
    await writeAll(conn, utf8(`client ${i}`));
    const back = textOf(await readSize(conn, 8));
    closeQuietly(conn);
    return back;
  });
  assert.deepEqual(await Promise.all(done), conns.map((_, i) => `client ${i}`));
  await gateway.untilIdle();
  assert.equal(await gateway.metric('sluice_pool_waits_total{pool="default"}'), 8);
});

Deno.test("raw: the next proxy serves clients whose server is gone", async () => {
  await using server = new TcpServer(echo);
  const closed = new TcpServer(echo);
  const gone = closed.address;
  await closed[Symbol.asyncDispose]();
  const config = configFor(gone, { server: { protocol: "raw", proxies: ["default", "second"] } });
  const clients = {
    default: { address: gone, retries: 0 },
    second: { address: server.address, retries: 0 },
  };
  await using gateway = await startGateway({ config: { ...config, clients } });
  const conn = await connect(gateway);
  await writeAll(conn, utf8("hello"));
  assert.equal(textOf(await readSize(conn, 5)), "hello");
  closeQuietly(conn);
  await gateway.untilLogged("cannot connect to server", { server: gone });
});

Deno.test("raw: sessions may finish when the gateway stops, and are ended in the end", async () => {
  await using server = new TcpServer(echo);
  await using gateway = await start(server.address, { shutdownTimeout: "2s" });
  const [busy, idle] = [await connect(gateway), await connect(gateway)];
  for (const conn of [busy, idle]) {
    await writeAll(conn, utf8("x"));
    await readSize(conn, 1);
  }
  gateway.signal("SIGTERM");
  await gateway.untilLogged("shutting down");
  await writeAll(busy, utf8("still"));
  assert.equal(textOf(await readSize(busy, 5)), "still");
  closeQuietly(busy);
  assert.equal((await readAll(idle)).length, 0);
  closeQuietly(idle);
  assert.equal(await gateway.exitCode(), 0);
});

Deno.test("raw: TLS is spoken from the first byte on, on either side", async () => {
  using certificates = new Certificates();
  const { ca, server: own } = certificates.standard();
  const pem = (file: string) => Deno.readTextFileSync(file);
  const tls = { cert: pem(own.certFile), key: pem(own.keyFile) };
  await using server = new TcpServer(answerAtEnd, tls);
  const towardsClients = { mode: "require", certFile: own.certFile, keyFile: own.keyFile };
  const towardsServer = { mode: "verify-full", caFile: ca.certFile };
  await using gateway = await start(server.address, {
    server: { tls: towardsClients },
    client: { tls: towardsServer },
  });
  const { host: hostname, port } = gateway.target;
  const conn = await Deno.connectTls({ hostname, port, caCerts: [pem(ca.certFile)] });
  await writeAll(conn, utf8("secret"));
  await (conn as Deno.TlsConn & Deno.TcpConn).closeWrite();
  assert.equal(textOf(await readAll(conn)), "SECRET");
  closeQuietly(conn);
  await gateway.untilLogged("TLS established with server");
  const check = await connect(gateway);
  closeQuietly(check);
  const plain = await connect(gateway);
  await writeAll(plain, utf8("not TLS at all, and long enough to be sure of it"));
  await readAll(plain).catch(() => {});
  closeQuietly(plain);
  await gateway.untilLogged("cannot establish TLS with client");
  await gateway.untilIdle();
  assert.equal(gateway.logText.split("cannot establish TLS with client").length, 2);
});

Deno.test("raw: rules choose a server by the name that a client asks for in TLS", async () => {
  using certificates = new Certificates();
  const { ca, server: own } = certificates.standard();
  const says = (words: string) => (conn: Deno.Conn) => writeAll(conn, utf8(words));
  await using first = new TcpServer(says("first"));
  await using second = new TcpServer(says("second"));
  const condition = 'tls_server_name == "localhost"';
  const rules = [{ condition, distribution: [{ proxyName: "second" }] }];
  const config = configFor(first.address, {
    server: {
      protocol: "raw",
      proxies: ["default", "second"],
      tls: { mode: "require", certFile: own.certFile, keyFile: own.keyFile },
      loadBalancer: { loadBalancingRules: rules },
    },
  });
  const clients = { default: { address: first.address }, second: { address: second.address } };
  await using gateway = await startGateway({ config: { ...config, clients } });
  const caCerts = [Deno.readTextFileSync(ca.certFile)];
  for (const [hostname, words] of [["localhost", "second"], ["127.0.0.1", "first"]] as const) {
    const conn = await Deno.startTls(await connect(gateway) as Deno.TcpConn, { hostname, caCerts });
    assert.equal(textOf(await readAll(conn)), words);
    closeQuietly(conn);
  }
});

// Redis -------------------------------------------------------------------------------------------

const redis = await clientBinary("redis-server");

/** The commands of Redis as arrays of bulk strings: https://redis.io/docs/reference/protocol-spec */
function command(...words: readonly string[]): Uint8Array {
  const bulks = words.map((word) => `$${utf8(word).length}\r\n${word}\r\n`);
  return utf8(`*${words.length}\r\n${bulks.join("")}`);
}

async function answers(conn: Deno.Conn, expected: string): Promise<void> {
  assert.equal(textOf(await readSize(conn, utf8(expected).length)), expected);
}

Deno.test({
  name: redis === undefined
    ? "raw: Redis behind it (this machine has no redis-server)"
    : "raw: Redis behind it",
  ignore: redis === undefined,
  async fn() {
    const folder = await Deno.makeTempDir();
    const free = new TcpServer(echo);
    const { address } = free;
    await free[Symbol.asyncDispose]();
    const port = address.split(":")[1]!;
    const child = new Deno.Command(redis!, {
      args: ["--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await eventually(
        "Redis listens",
        () =>
          Deno.connect({ hostname: "127.0.0.1", port: Number(port) })
            .then((conn) => (conn.close(), true), () => false),
      );
      await using gateway = await start(address, { workers: 2 });
      const [a, b] = [await connect(gateway), await connect(gateway)];
      await writeAll(a, command("SET", "key", "ä\0b"));
      await answers(a, "+OK\r\n");
      await writeAll(b, command("SUBSCRIBE", "news"));
      await answers(b, "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
      await writeAll(a, concat(command("GET", "key"), command("PUBLISH", "news", "hello")));
      await answers(a, "$4\r\nä\0b\r\n:1\r\n");
      await answers(b, "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
      const many = Array.from({ length: 10_000 }, () => command("INCR", "n"));
      const counted = many.map((_, i) => `:${i + 1}\r\n`).join("");
      await Promise.all([writeAll(a, concat(...many)), answers(a, counted)]);
      await writeAll(a, command("QUIT"));
      assert.equal(textOf(await readAll(a)), "+OK\r\n");
      for (const conn of [a, b]) closeQuietly(conn);
      await gateway.untilIdle();
    } finally {
      child.kill();
      await child.status;
      await Deno.remove(folder, { recursive: true });
    }
  },
});

// PostgreSQL --------------------------------------------------------------------------------------

const PLAIN = { env: { PGSSLMODE: "disable" } };

function startFor({ server: { host, port } }: ServerScene): Promise<Gateway> {
  return start(`${host}:${port}`, { workers: 2 });
}

await testOnServers("raw: PostgreSQL behind it", { newestOnly: true }, {
  "psql does not notice": async (scene) => {
    await using gateway = await startFor(scene);
    const via = targetAt(gateway.target);
    const script = "select 1;\nselect 1/0;\nselect count(*) from generate_series(1, 300000);\n";
    const { code, stdout, stderr } = await psql(via, script, PLAIN);
    assert.equal(code, 0);
    assert.equal(stdout, "1\n300000\n");
    assert.match(stderr, /22012: division by zero/);
    const rows = await psql(via, "select i, md5(i::text) from generate_series(1, 200000) i", PLAIN);
    assert.equal(rows.stdout.trimEnd().split("\n").length, 200_000);
    await gateway.untilIdle();
  },

  "its server cancels what it runs": async (scene) => {
    await using gateway = await startFor(scene);
    const { stderr } = await interruptPsql(targetAt(gateway.target), scene.direct);
    assert.match(stderr, /57014: canceling statement due to user request/);
  },
});
