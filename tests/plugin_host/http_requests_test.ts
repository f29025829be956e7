/**
 * HTTP requests of plugins: whom, how much, and what comes back.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, match, ok } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import {
  HTTP_LIMIT,
  HttpRequests,
  type HttpResponse,
} from "../../src/plugin_host/http_requests.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { moduleOf, startPlugin, TEXT_AT } from "../support/plugins.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";

/** A server on 127.0.0.1, and the requests of a plugin that may ask it. */
async function withServer(
  handler: (request: Request, url: URL) => Response | Promise<Response>,
  test: (
    send: (method: string, path: string, headers?: string, body?: string) => Promise<HttpResponse>,
    origin: string,
  ) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => handler(request, new URL(request.url)),
  );
  const host = `127.0.0.1:${server.addr.port}`;
  const waiting = new Map<number, (response: HttpResponse) => void>();
  const requests = new HttpRequests({
    hosts: [host],
    fetch,
    clock: SYSTEM_CLOCK,
    onResponse: (response) => waiting.get(response.request)!(response),
  });
  const send = (method: string, path: string, headers = "", body = "") => {
    const url = utf8(new URL(path, `http://${host}`).href);
    const number = requests.send(utf8(method), url, utf8(headers), utf8(body));
    ok(number > 0, `refused with ${number}`);
    return new Promise<HttpResponse>((resolve) => waiting.set(number, resolve));
  };
  try {
    await test(send, `http://${host}`);
  } finally {
    requests.close();
    await server.shutdown();
  }
}

Deno.test("http_send sends what it is given, and on-hook is called with the response", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      const key = request.headers.get("x-key");
      return new Response(`${request.method} ${key} ${body}`, { status: 201 });
    },
  );
  const host = `127.0.0.1:${server.addr.port}`;
  const url = `http://${host}/a`;
  const text = `POST${url}x-key: kbody`;
  const at = (offset: number, size: number) =>
    `(i32.const ${TEXT_AT + offset}) (i32.const ${size})`;
  const send = `(i32.sub (call $http_send ${at(0, 4)} ${at(4, url.length)}
    ${at(4 + url.length, 8)} ${at(12 + url.length, 4)}) (i32.const 1))`;
  const onHook = `(func (export "onHook") (result i32)
    (drop (call $log (i32.const 2) (i32.const 4096)
      (call $read (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 100))))
    (drop (call $log (i32.const 2) (i32.const 4096)
      (call $read (i32.const 26) (i32.const 0) (i32.const 4096) (i32.const 100))))
    (i32.const 0))`;
  const world = await startPlugin(moduleOf(send, onHook, text), {
    spec: { hosts: [host] },
    ports: { fetch, clock: SYSTEM_CLOCK },
  });
  world.query("a");
  assertEquals(world.failures, [], "the request has number 1");
  while (world.logs.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(world.logs, ["tested info POST k body", "tested info 201"]);
  equal(world.counts().calls.get("onHook"), 1);
  world.plugin.close();
  await server.shutdown();
});

Deno.test("HttpRequests refuses other hosts, methods, headers and what is too large", () => {
  let sent = 0;
  const requests = new HttpRequests({
    hosts: ["api.example.com", "127.0.0.1:8080"],
    fetch: () => {
      sent += 1;
      return new Promise(() => {});
    },
    clock: new FakeClock(),
    onResponse: () => {},
  });
  const send = (method: string, url: string, headers = "", body = "") =>
    requests.send(utf8(method), utf8(url), utf8(headers), utf8(body));
  const url = "https://api.example.com/x";
  for (const other of ["https://example.com", "https://api.example.com:8443", "http://127.0.0.1"]) {
    equal(send("GET", other), -2, other);
  }
  for (const bad of ["", "api.example.com", "file:///etc/passwd", "https://a:b@api.example.com/"]) {
    equal(send("GET", bad), -4, bad);
  }
  for (const method of ["get", "CONNECT", "TRACE", "", "GET /"]) equal(send(method, url), -4);
  for (const header of ["Host: b", "content-length: 3", "nothing", ": x", "a b: c", "a: b\0"]) {
    equal(send("GET", url, header), -4, header);
  }
  equal(send("GET", url, "a: " + "x".repeat(HTTP_LIMIT.headSize)), -3);
  equal(send("POST", url, "", "x".repeat(HTTP_LIMIT.requestSize + 1)), -3);
  equal(sent, 0);
  for (let i = 1; i <= HTTP_LIMIT.outstanding; i++) equal(send("GET", url, "a: b\r\nc: d\n"), i);
  equal(send("GET", url), -3);
  equal(sent, HTTP_LIMIT.outstanding);
  requests.close();
  equal(requests.outstanding, 0);
  equal(send("GET", url), -3);
});

Deno.test("HttpRequests follows redirects on the same origin only, five of them", async () => {
  await withServer((request, url) => {
    const to = (location: string, status = 302) =>
      new Response(null, { status, headers: { location } });
    if (url.pathname === "/same") return to("/end", 303);
    if (url.pathname === "/other") return to("http://127.0.0.2:1/");
    if (url.pathname === "/round") return to("/round");
    return new Response(request.method);
  }, async (send) => {
    const same = await send("POST", "/same", "", "x");
    assertEquals([same.status, new TextDecoder().decode(same.body)], [200, "GET"]);
    equal((await send("GET", "/other")).status, 302);
    equal((await send("GET", "/round")).status, 302);
  });
});

Deno.test("HttpRequests takes no response that is too large, and says why there is none", async () => {
  await withServer((_, { pathname }) => {
    const size = pathname === "/large" ? HTTP_LIMIT.responseSize + 1 : HTTP_LIMIT.responseSize;
    return new Response(new Uint8Array(size));
  }, async (send) => {
    const large = await send("GET", "/large?key=secret");
    equal(large.status, undefined);
    match(large.problem, /more than 1048576 bytes/);
    equal((await send("GET", "/")).body.length, HTTP_LIMIT.responseSize);
  });
  const refused = Promise.withResolvers<HttpResponse>();
  const nobody = new HttpRequests({
    hosts: ["127.0.0.1:1"],
    fetch,
    clock: SYSTEM_CLOCK,
    onResponse: refused.resolve,
  });
  nobody.send(utf8("GET"), utf8("http://127.0.0.1:1/?key=secret"), utf8(""), utf8(""));
  const { status, problem } = await refused.promise;
  equal(status, undefined);
  ok(!problem.includes("secret") && problem !== "", problem);
});

Deno.test("HttpRequests gives up after its time", async () => {
  const clock = new FakeClock();
  const late = Promise.withResolvers<HttpResponse>();
  const requests = new HttpRequests({
    hosts: ["api.example.com"],
    fetch: (_, options) =>
      new Promise((_, reject) => {
        options?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      }),
    clock,
    onResponse: late.resolve,
  });
  requests.send(utf8("GET"), utf8("http://api.example.com/"), utf8(""), utf8(""));
  await clock.pass(HTTP_LIMIT.timeoutMs);
  match((await late.promise).problem, /within 10000 ms/);
  equal(requests.outstanding, 0);
  equal(clock.pending, 0);
});
