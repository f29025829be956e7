/**
 * Cancels of sessions whose own connection is inside of TLS: the key is a secret, and goes the same
 * way or not at all.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import type { Address } from "../../src/base/address.ts";
import { concat } from "../../src/base/bytes.ts";
import type { Socket } from "../../src/net/socket.ts";
import { TlsClientContext } from "../../src/net/tls/client_context.ts";
import { Canceller, type CancelTarget } from "../../src/postgres/cancel.ts";
import type { ServerTls } from "../../src/postgres/server_dial.ts";
import { cancelRequest, sslRequest } from "../../src/postgres/wire/startup_packet.ts";
import { Certificates, pem } from "../support/certificates.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryNetwork } from "../support/memory_driver.ts";
import { LISTEN } from "../support/net_harness.ts";
import { serverContextOf } from "../support/tls_harness.ts";

const ADDRESS: Address = { kind: "tcp", host: "localhost", port: 5432 };
const KEY = Uint8Array.of(1, 2, 3, 4);
const REQUEST = cancelRequest(4711, KEY);
const contexts = makeContexts();

/** What a server does with its connections. */
interface Behaviour {
  /** What it answers to SSLRequest; "" is nothing at all. */
  readonly answer?: "S" | "N" | "";
  readonly negotiation?: ServerTls["negotiation"];
}

/** A server that notes what it hears outside and inside of TLS, and a canceller. */
async function scene({ answer = "S", negotiation = "postgres" }: Behaviour = {}) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  const driver = network.driver();
  const plain: Uint8Array[] = [];
  const secret: Uint8Array[] = [];
  const inside = (socket: Socket) => ({
    onData(view: Uint8Array) {
      secret.push(view.slice());
      socket.end(); // as PostgreSQL does when it has taken note
      return view.length;
    },
    onEnd() {},
    onClose() {},
  });
  const { address } = await driver.listen({ ...LISTEN, address: ADDRESS }, {
    onConnection(socket) {
      if (negotiation === "direct") {
        const secured = contexts.server.accept(socket, () => {});
        return secured.start(inside(secured));
      }
      socket.start({
        onData(view) {
          plain.push(view.slice());
          socket.write(new TextEncoder().encode(answer));
          if (answer === "S") {
            const secured = contexts.server.accept(socket, () => {});
            secured.start(inside(secured));
          }
          return view.length;
        },
        onEnd() {},
        onClose() {},
      });
    },
    onAcceptError(error) {
      throw error;
    },
  });
  const target = (mode: ServerTls["mode"], context = contexts.client): CancelTarget => ({
    server: {
      name: "db",
      address,
      dialTimeoutMs: 1_000,
      retries: 3,
      backoffMs: 10,
      backoffMultiplier: 1,
      keepAlive: false,
      noDelay: false,
    },
    tls: () => ({ mode, negotiation, context }),
    processId: 4711,
    key: KEY,
  });
  const canceller = new Canceller(driver, clock);
  const cancel = async (target: CancelTarget, passMs = 0) => {
    const promise = canceller.cancel(target);
    await network.settle();
    await clock.pass(passMs, () => network.settle());
    const result = await promise;
    await clock.pass(60_000, () => network.settle());
    equal(clock.pending, 0);
    return { ...result, plain: concat(...plain.splice(0)), secret: concat(...secret.splice(0)) };
  };
  return { cancel, target };
}

Deno.test("Canceller sends a key that came inside of TLS inside of TLS only", async () => {
  const { cancel, target } = await scene();
  for (const mode of ["allow", "prefer", "require", "verify-full"] as const) {
    deepEqual(await cancel(target(mode)), {
      outcome: "forwarded",
      plain: new Uint8Array(sslRequest()),
      secret: new Uint8Array(REQUEST),
    });
  }
});

Deno.test("Canceller speaks TLS from the first byte where the session does", async () => {
  const { cancel, target } = await scene({ negotiation: "direct" });
  const { outcome, secret } = await cancel(target("require"));
  equal(outcome, "forwarded");
  deepEqual(secret, new Uint8Array(REQUEST));
});

Deno.test("Canceller tells no key to a server that does not show who it is", async () => {
  const { cancel, target } = await scene();
  const { message, mayStillHit, ...result } = await cancel(target("verify-full", contexts.other));
  match(message ?? "", /TLS handshake/);
  equal(mayStillHit, undefined, "nothing was sent that could hit anybody");
  deepEqual(result, {
    outcome: "failed",
    plain: new Uint8Array(sslRequest()),
    secret: new Uint8Array(),
  });
});

Deno.test("Canceller does not fall back to a connection without TLS", async () => {
  const { cancel, target } = await scene({ answer: "N" });
  for (const mode of ["allow", "prefer", "require"] as const) {
    const { outcome, message, plain } = await cancel(target(mode));
    equal(outcome, "failed");
    match(message ?? "", /does not offer TLS/);
    deepEqual(plain, new Uint8Array(sslRequest()));
  }
});

Deno.test("Canceller gives up a server that does not agree on TLS in time", async () => {
  const { cancel, target } = await scene({ answer: "" });
  const { outcome, message, mayStillHit } = await cancel(target("require"), 1_000);
  deepEqual([outcome, mayStillHit], ["failed", undefined]);
  match(message ?? "", /no agreement on TLS within 1000 ms/);
});

Deno.test("Canceller sends nothing where TLS is not spoken any more, or cannot be", async () => {
  const { cancel, target } = await scene();
  const gone = await cancel({ ...target("require"), tls: () => undefined });
  match(gone.message ?? "", /its key was given inside of TLS/);
  const broken = (): ServerTls => {
    throw new Error("Cannot use ca.pem: it is broken");
  };
  const failed = await cancel({ ...target("require"), tls: broken });
  equal(failed.message, "Cannot use ca.pem: it is broken");
  deepEqual([gone.outcome, failed.outcome], ["failed", "failed"]);
  equal(gone.plain.length + failed.plain.length, 0);
});

function makeContexts() {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const stranger = certificates.make({ subject: "/CN=Another authority", isAuthority: true });
  const trusting = (certFile: string) =>
    TlsClientContext.load({ mode: "verify-full", ca: pem(certFile), minVersion: "TLSv1.2" });
  return {
    server: serverContextOf(server, ["postgresql"]),
    client: trusting(ca.certFile),
    other: trusting(stranger.certFile),
  };
}
