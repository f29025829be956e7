/**
 * A worker that says again to each connection what it hears, on Deno's own event loop. It posts its
 * port first.
 *
 * @module
 */

import { DenoDriver } from "../../src/net/deno_driver.ts";
import { LISTEN } from "./net_harness.ts";

const scope = globalThis as unknown as { postMessage(data: unknown): void };

const { address } = await new DenoDriver().listen({
  ...LISTEN,
  address: { kind: "tcp", host: "127.0.0.1", port: 0 },
}, {
  onConnection: (socket) =>
    socket.start({
      onData(view) {
        socket.write(view);
        return view.length;
      },
      onEnd: () => socket.end(),
      onClose() {},
    }),
  onAcceptError(error) {
    throw error;
  },
});
scope.postMessage(address.kind === "tcp" ? address.port : undefined);
