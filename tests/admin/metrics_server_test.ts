import type { TcpAddress } from "../../src/base/address.ts";
import {
  deepStrictEqual as assertEquals,
  match as assertMatch,
  rejects as assertRejects,
} from "node:assert/strict";
import {
  type MetricsServer,
  type MetricsServerOptions,
  shareRunning,
  startMetricsServer,
} from "../../src/admin/metrics_server.ts";

const LOOPBACK: TcpAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };

async function withServer(
  more: Partial<MetricsServerOptions>,
  test: (url: string, server: MetricsServer) => Promise<void>,
): Promise<void> {
  const server = await startMetricsServer({
    address: LOOPBACK,
    path: "/metrics",
    text: () => Promise.resolve("up 1\n"),
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    onError: (error) => {
      throw error;
    },
    ...more,
  });
  try {
    await test(
      server.address.kind === "tcp" ? `http://127.0.0.1:${server.address.port}` : "",
      server,
    );
  } finally {
    await server.stop();
  }
}

/** Sends `text` and reads until the answer has `until` in it, or ends. */
async function exchange(connection: Deno.Conn, text: string, until: string): Promise<string> {
  await connection.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(4096);
  let answer = "";
  while (!answer.includes(until)) {
    const count = await connection.read(buffer);
    if (count === null) break;
    answer += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return answer;
}

function get(path: string, host = "localhost"): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

Deno.test("startMetricsServer() answers GET and HEAD of the path", async () => {
  await withServer({}, async (url) => {
    const got = await fetch(`${url}/metrics?name=x`);
    assertEquals([got.status, await got.text()], [200, "up 1\n"]);
    assertEquals(got.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assertEquals(got.headers.get("cache-control"), "no-store");
    assertEquals(got.headers.get("x-content-type-options"), "nosniff");
    const head = await fetch(`${url}/metrics`, { method: "HEAD" });
    assertEquals([head.status, await head.text()], [200, ""]);
    for (const name of ["content-type", "content-length"]) {
      assertEquals(head.headers.get(name), got.headers.get(name));
    }
  });
});

Deno.test("startMetricsServer() answers / with a link to the path, escaped", async () => {
  await withServer({ path: '/m"<&' }, async (url) => {
    const got = await fetch(url);
    assertEquals(got.status, 200);
    assertEquals(got.headers.get("content-type"), "text/html; charset=utf-8");
    assertEquals(got.headers.get("content-security-policy"), "default-src 'none'");
    assertMatch(await got.text(), /<a href="\/m&#34;&#60;&#38;">/);
  });
});

for (
  const [method, path, status, allow] of [
    ["GET", "/metrics/", 404, null],
    ["GET", "/Metrics", 404, null],
    ["GET", "//metrics", 404, null],
    ["GET", "/favicon.ico", 404, null],
    ["POST", "/nothing", 404, null],
    ["POST", "/metrics", 405, "GET, HEAD"],
    ["DELETE", "/", 405, "GET, HEAD"],
    ["OPTIONS", "/metrics", 405, "GET, HEAD"],
  ] as const
) {
  Deno.test(`startMetricsServer() answers ${method} ${path} with ${status}`, async () => {
    await withServer({}, async (url) => {
      const got = await fetch(`${url}${path}`, { method });
      await got.text();
      assertEquals([got.status, got.headers.get("allow")], [status, allow]);
    });
  });
}

Deno.test("startMetricsServer() answers whatever the Host header is", async () => {
  await withServer({}, async (_url, server) => {
    if (server.address.kind !== "tcp") return;
    const { host: hostname, port } = server.address;
    for (const host of ["a b", "[bad", "x/metrics", ""]) {
      using connection = await Deno.connect({ hostname, port });
      const answer = await exchange(connection, get("/metrics", host), "\r\n\r\n");
      assertMatch(answer, /^HTTP\/1\.1 (200|400|404) /, host);
    }
  });
});

Deno.test("startMetricsServer() says 500 and no more when collecting fails", async () => {
  const heard: unknown[] = [];
  const failures: (() => Promise<string>)[] = [
    () => Promise.reject(new Error("secret path /etc/x")),
    () => {
      throw new Error("secret, at once");
    },
  ];
  const text = () => failures.shift()?.() ?? Promise.resolve("up 1\n");
  await withServer({ text, onError: (error) => heard.push(error) }, async (url) => {
    for (const expected of [/secret path/, /at once/]) {
      const got = await fetch(`${url}/metrics`);
      assertEquals(got.status, 500);
      assertEquals(await got.text(), "Cannot collect the metrics: see the gateway's log\n");
      assertMatch(String(heard.pop()), expected);
    }
    assertEquals(await (await fetch(`${url}/metrics`)).text(), "up 1\n");
  });
});

Deno.test("shareRunning() runs once for all who ask meanwhile, and anew after that", async () => {
  const runs: PromiseWithResolvers<string>[] = [];
  const ask = shareRunning(() => {
    runs.push(Promise.withResolvers<string>());
    return runs.at(-1)!.promise;
  });
  const first = [ask(), ask(), ask()];
  assertEquals(runs.length, 1);
  runs[0]!.resolve("first");
  assertEquals(await Promise.all(first), ["first", "first", "first"]);
  const second = [ask(), ask()];
  assertEquals(runs.length, 2);
  runs[1]!.reject(new Error("second"));
  for (const answer of second) await assertRejects(answer, /second/);
  const third = ask();
  runs[2]!.resolve("third");
  assertEquals([await third, runs.length], ["third", 3]);
});

Deno.test("startMetricsServer() rejects when the address is taken", async () => {
  await withServer({}, async (_url, server) => {
    await assertRejects(withServer({ address: server.address }, async () => {}), (error: Error) => {
      assertMatch(
        error.message,
        /^Cannot serve metrics on 127\.0\.0\.1:\d+: something else listens/,
      );
      assertMatch(error.message, /choose another metrics\.address/);
      return true;
    });
  });
});

Deno.test("startMetricsServer() rejects when the host is not one of this machine", async () => {
  const address: TcpAddress = { kind: "tcp", host: "192.0.2.1", port: 0 }; // RFC 5737
  await assertRejects(
    withServer({ address }, async () => {}),
    /192\.0\.2\.1:0: this machine does not have that address; choose another metrics\.address$/,
  );
});

Deno.test("MetricsServer.stop() ends idle, half-sent and running requests at once", async () => {
  const called = Promise.withResolvers<void>();
  const text = () => {
    called.resolve();
    return new Promise<string>(() => {}); // never done
  };
  const server = await startMetricsServer({
    address: LOOPBACK,
    path: "/metrics",
    text,
    contentType: "text/plain",
    onError: () => {},
  });
  if (server.address.kind !== "tcp") throw new Error("not TCP");
  const at = { hostname: server.address.host, port: server.address.port };
  const [idle, half, running] = [
    await Deno.connect(at),
    await Deno.connect(at),
    await Deno.connect(at),
  ];
  await exchange(idle, get("/"), "</html>");
  await half.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHo"));
  await running.write(new TextEncoder().encode(get("/metrics")));
  await called.promise;
  await server.stop();
  for (const connection of [idle, half, running]) {
    const read = await connection.read(new Uint8Array(1)).catch(() => null);
    assertEquals(read, null);
    connection.close();
  }
  await assertRejects(Deno.connect(at), Deno.errors.ConnectionRefused);
  await server.stop();
});

Deno.test("startMetricsServer() listens on IPv6, and the port is the actual one", async () => {
  const hasIpv6 = await Deno.connect({ hostname: "::1", port: 1 }).then(
    () => true,
    (error) => error instanceof Deno.errors.ConnectionRefused,
  );
  const host = hasIpv6 ? "::1" : "127.0.0.1";
  await withServer({ address: { kind: "tcp", host, port: 0 } }, async (_url, server) => {
    if (server.address.kind !== "tcp") throw new Error("not TCP");
    using connection = await Deno.connect({ hostname: host, port: server.address.port });
    assertMatch(await exchange(connection, get("/metrics"), "up 1"), /up 1/);
  });
});
