/**
 * Requests over HTTP, which are Deno's work, in a thread that waits in the kernel.
 *
 * @module
 */

import type { EventLoop } from "./event_loop.ts";

/**
 * As the global `fetch`; the loop is held until the response has been read, or given up by
 * cancelling its body or aborting the request: one of them has to happen.
 */
export function heldFetch(loop: EventLoop): typeof fetch {
  return async (...request) => {
    const response = await loop.hold(fetch(...request));
    const { body, status, statusText, headers } = response;
    if (body === null) return response;
    const passing = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
    // What breaks it off breaks off who reads it, who says so.
    loop.hold(body.pipeTo(passing.writable)).catch(() => {});
    return new Response(passing.readable, { status, statusText, headers });
  };
}
