/**
 * Requests over HTTP in a thread that waits in the kernel: they go on, and when they are over
 * nobody keeps the thread from waiting.
 *
 * @module
 */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { EventLoop } from "../../../src/net/native/event_loop.ts";
import { heldFetch } from "../../../src/net/native/held_fetch.ts";
import { isSupported } from "../../../src/net/native/libc.ts";
import { failing } from "../../support/faulty_libc.ts";
import { passOn, whileRunning } from "../../support/native_loop.ts";
import { openedLibC } from "../../support/opened_libc.ts";

/** Longer than a loop that is held ever waits. */
const LONG_WAIT_MS = 10;

/** What a test has: `fetch`, a server's address, and whether the loop is held by nobody. */
interface Scene {
  readonly loop: EventLoop;
  readonly held: typeof fetch;
  readonly server: string;
  isFree(): Promise<boolean>;
}

function testFetch(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !isSupported(),
    async fn() {
      const worker = new Worker(new URL("../../support/http_worker.ts", import.meta.url), {
        type: "module",
      });
      const server = await new Promise<string>((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
      });
      let longest = 0;
      const libC = failing(openedLibC(), "epoll_wait", (_epoll, _events, _count, waitMs) => {
        longest = Math.max(longest, waitMs!);
        return undefined;
      });
      try {
        await whileRunning((loop) =>
          body({
            loop,
            held: heldFetch(loop),
            server,
            async isFree() {
              await passOn(loop, LONG_WAIT_MS); // for what has just ended
              longest = 0;
              await passOn(loop, 5 * LONG_WAIT_MS);
              return longest > LONG_WAIT_MS;
            },
          }), libC);
      } finally {
        worker.terminate();
      }
    },
    // Connections that may be used again are the runtime's.
    sanitizeResources: false,
    sanitizeOps: false,
  });
}

testFetch("heldFetch brings what comes in pieces, and what is large", async (scene) => {
  const { held, server } = scene;
  for (let i = 0; i < 3; i += 1) {
    const response = await held(`${server}/pieces`);
    const { status, statusText, headers } = response;
    deepEqual([status, statusText, headers.get("x-kind")], [200, "OK", "test"]);
    equal(await response.text(), "one two three");
    equal((await (await held(`${server}/large`)).text()).length, 3_000_000);
    ok(await scene.isFree());
  }
});

testFetch("heldFetch brings a response without a body", async (scene) => {
  const response = await scene.held(`${scene.server}/empty`, { method: "POST", body: "x" });
  deepEqual([response.status, response.body], [204, null]);
  ok(await scene.isFree());
});

testFetch("heldFetch is over when nobody reads on", async (scene) => {
  const { held, server } = scene;
  const unread = await held(`${server}/endless`);
  await unread.body!.cancel();
  ok(await scene.isFree(), "it is cancelled at once");
  for await (const piece of (await held(`${server}/endless`)).body!) {
    ok(piece.length > 0);
    break;
  }
  ok(await scene.isFree(), "it is cancelled later");
});

testFetch("heldFetch is over when it is called off, or the server is gone", async (scene) => {
  const { held, server, loop } = scene;
  for (const path of ["/silent", "/endless"]) {
    const controller = new AbortController();
    loop.after(30, () => controller.abort());
    await rejects(
      held(`${server}${path}`, { signal: controller.signal }).then((response) => response.text()),
      { name: "AbortError" },
    );
    ok(await scene.isFree(), path);
  }
  const broken = await held(`${server}/broken`);
  await rejects(broken.text());
  ok(await scene.isFree(), "broken off");
  await rejects(held("http://127.0.0.1:1/"), TypeError);
  ok(await scene.isFree(), "refused");
});

testFetch("heldFetch does not use connections that the server has closed", async (scene) => {
  const { held, server, loop } = scene;
  for (let i = 0; i < 10; i += 1) {
    // The server has closed, and the runtime has not looked since.
    const response = await new Promise<Response>((resolve) =>
      loop.after(100, () => resolve(held(`${server}/brief`, { method: "POST", body: "x" })))
    );
    equal(await response.text(), "brief");
  }
});
