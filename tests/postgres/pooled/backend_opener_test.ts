import { deepEqual, equal, match } from "node:assert/strict";
import type { Address } from "../../../src/base/address.ts";
import { READ_BUFFER_SIZE_MAX, type Socket } from "../../../src/net/socket.ts";
import { TlsClientContext } from "../../../src/net/tls/client_context.ts";
import { ScramKeysCache } from "../../../src/postgres/auth/scram_keys_cache.ts";
import {
  BackendOpener,
  type LoggedIn,
  type OpenFailure,
} from "../../../src/postgres/pooled/backend_opener.ts";
import type { ServerTls } from "../../../src/postgres/server_dial.ts";
import { sslRequest } from "../../../src/postgres/wire/startup_packet.ts";
import { Certificates } from "../../support/certificates.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemoryNetwork } from "../../support/memory_driver.ts";
import {
  AUTH_OK,
  backendKeyData,
  type Bytes,
  error,
  message,
  parameterStatus,
  ready,
} from "../../support/messages.ts";
import { LISTEN } from "../../support/net_harness.ts";
import { Random } from "../../support/random.ts";
import { serverContextOf } from "../../support/tls_harness.ts";

const ADDRESS: Address = { kind: "tcp", host: "localhost", port: 5432 };
const KEY = Uint8Array.of(1, 2, 3, 4);
const contexts = makeContexts();

/** How a connection came, and what it is answered. */
type Answers = (isEncrypted: boolean, number: number) => readonly Bytes[];

/** Logs in to a server that agrees to TLS. */
async function logIn(mode: ServerTls["mode"] | "disable", answers: Answers, readSizeMax = 1e9) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  network.readSizeMax = readSizeMax;
  const driver = network.driver();
  const logins: ("plain" | "TLS")[] = [];
  await driver.listen({ ...LISTEN, address: ADDRESS }, {
    onConnection: (socket) =>
      serve(socket, (isEncrypted) => {
        logins.push(isEncrypted ? "TLS" : "plain");
        return answers(isEncrypted, logins.length);
      }),
    onAcceptError: (error) => network.thrown.push(error),
  });
  const random = new Random(1);
  const randomBytes = (size: number) => random.bytes(size);
  const keysCache = new ScramKeysCache({ entriesMax: 1, randomBytes });
  const opened: LoggedIn[] = [];
  const failures: OpenFailure[] = [];
  const target = {
    server: {
      name: "db",
      address: ADDRESS,
      dialTimeoutMs: 1_000,
      retries: 0,
      backoffMs: 10,
      backoffMultiplier: 1,
      keepAlive: false,
      noDelay: false,
    },
    tls: () =>
      mode === "disable"
        ? undefined
        : { mode, negotiation: "postgres", context: contexts.client } as const,
    database: "shop",
    user: "ann",
    credentials: () => undefined,
    loginTimeoutMs: 1_000,
    parameters: new Map(),
  };
  new BackendOpener(target, { driver, clock, randomBytes, keysCache }, {
    onOpened: (login) => opened.push(login),
    onFailed: (failure) => failures.push(failure),
    onState() {},
    onSecured() {},
    onFailedAttempt() {},
  });
  await clock.pass(5_000, () => network.settle());
  for (const { socket } of opened) socket.destroy();
  await clock.pass(5_000, () => network.settle());
  deepEqual([network.thrown, clock.pending], [[], 0]);
  return { logins, login: opened[0], failure: failures[0], outcomes: [opened, failures] };
}

/** Answers SSLRequest by yes, and a StartupMessage, inside of TLS or not, by what it is told. */
function serve(socket: Socket, answers: (isEncrypted: boolean) => readonly Bytes[]): void {
  const onStartup = (socket: Socket, isEncrypted: boolean) => ({
    onData(view: Uint8Array) {
      for (const bytes of answers(isEncrypted)) socket.write(bytes);
      return view.length;
    },
    onEnd: () => socket.end(),
    onClose() {},
  });
  socket.start({
    ...onStartup(socket, false),
    onData(view) {
      if (view.length < sslRequest().length) return 0;
      if (view.length > sslRequest().length) return onStartup(socket, false).onData(view);
      socket.write(new TextEncoder().encode("S"));
      const secured = contexts.server.accept(socket, () => {});
      secured.start(onStartup(secured, true));
      return view.length;
    },
  });
}

const NO_DATABASE = error("FATAL", "3D000", 'database "shop" does not exist');
const NO_ENTRY = error("FATAL", "28000", "no pg_hba.conf entry");
const LET_IN = [AUTH_OK, backendKeyData(7, KEY), ready()];

Deno.test("BackendOpener tries the other way only when it is refused before it is let in", async () => {
  const refused = await logIn("prefer", (isEncrypted) => isEncrypted ? [NO_ENTRY] : LET_IN);
  deepEqual([refused.logins, refused.failure], [["TLS", "plain"], undefined]);
  equal(refused.login?.isEncrypted, false);
  const allowed = await logIn("allow", (isEncrypted) => isEncrypted ? LET_IN : [NO_ENTRY]);
  deepEqual([allowed.logins, allowed.login?.isEncrypted], [["plain", "TLS"], true]);
  for (const [mode, way] of [["prefer", "TLS"], ["allow", "plain"]] as const) {
    const late = await logIn(mode, () => [AUTH_OK, NO_DATABASE]);
    deepEqual(late.logins, [way]);
    equal(late.failure?.kind === "refused" && late.failure.fields.get("C"), "3D000");
    const never = await logIn(mode, () => [NO_ENTRY]);
    equal(never.logins.length, 2, "and not a third time");
    equal(never.failure?.kind === "refused" && never.failure.fields.get("C"), "28000");
  }
});

Deno.test("BackendOpener forgets what a server said on the way that it has left", async () => {
  const early = [parameterStatus("TimeZone", "Mars"), backendKeyData(9, KEY), NO_ENTRY];
  const { login } = await logIn(
    "prefer",
    (isEncrypted) =>
      isEncrypted ? early : [AUTH_OK, parameterStatus("client_encoding", "UTF8"), ready()],
  );
  deepEqual([...login!.reported], [["client_encoding", "UTF8"]]);
  equal(login!.processId, 0);
});

Deno.test("BackendOpener takes messages as large as a read buffer, however they are cut", async () => {
  const fitting = READ_BUFFER_SIZE_MAX - message("N").length;
  for (const readSizeMax of [7_000, 1e9]) {
    for (const size of [20_000, fitting]) {
      const notice = message("N", "x".repeat(size));
      const { login } = await logIn("disable", () => [AUTH_OK, notice, ready()], readSizeMax);
      equal(login?.processId, 0, `${size} bytes in pieces of ${readSizeMax}`);
    }
    const tooLong = message("N", "x".repeat(fitting + 1));
    const { failure } = await logIn("disable", () => [AUTH_OK, tooLong, ready()], readSizeMax);
    match(failure?.kind === "login" ? failure.message : "", /^it broke the protocol: .* length/);
  }
});

function makeContexts() {
  using certificates = new Certificates();
  const { server } = certificates.standard();
  return {
    server: serverContextOf(server, ["postgresql"]),
    client: TlsClientContext.load({ mode: "require", ca: "system", minVersion: "TLSv1.2" }),
  };
}
