import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import type { Socket } from "../../src/net/socket.ts";
import type { TlsInfo } from "../../src/net/tls/tls_connection.ts";
import type { Fact } from "../../src/observe/facts.ts";
import { FailureThrottle } from "../../src/postgres/auth/failure_throttle.ts";
import type { HbaConnection } from "../../src/postgres/auth/hba.ts";
import { ScramKeysCache } from "../../src/postgres/auth/scram_keys_cache.ts";
import {
  type Admitted,
  ClientGate,
  DatabaseRefused,
  type GateContext,
  type GateRule,
} from "../../src/postgres/client_gate.ts";
import { parseSecret, type Secret } from "../../src/postgres/secrets/secret.ts";
import type { UpstreamOwner } from "../../src/postgres/upstream.ts";
import { readStartupPacket } from "../../src/postgres/wire/startup_packet.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { auth, AUTH_OK, password, startup, textOfMessages } from "../support/messages.ts";

const TRUST: GateRule = {
  method: "trust",
  clientCertificate: undefined,
  isNameRight: (name, user) => name === user,
};

const RELAY: GateRule = { ...TRUST, method: "relay" };

const PASSWORD: GateRule = { ...TRUST, method: "password" };

function tls(commonName: string | undefined, isVerified = true): TlsInfo {
  return {
    protocol: "TLSv1.3",
    cipher: "TLS_AES_256_GCM_SHA384",
    alpn: undefined,
    serverName: undefined,
    peerCertificate: {
      commonName,
      subject: `CN=${commonName}`,
      subjectAltNames: [],
      isVerified,
      verifyError: undefined,
    } as unknown as TlsInfo["peerCertificate"],
    serverEndPoint: new Uint8Array(32),
  };
}

interface Options {
  readonly rule: GateRule | undefined;
  readonly secret: Secret | undefined | Promise<Secret | undefined>;
  readonly tls: TlsInfo | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly peerAddress: Socket["peerAddress"];
  readonly refusal: string | undefined;
}

/** A client at a gate, and all that happens to it, in order. */
class Scene {
  readonly events: string[] = [];
  readonly facts: Fact[] = [];
  readonly written: Uint8Array[] = [];
  readonly asked: HbaConnection[] = [];
  readonly looked: string[] = [];
  readonly clock = new FakeClock();
  readonly throttle: FailureThrottle = new FailureThrottle({
    clock: this.clock,
    failuresMax: 10,
    windowMs: 60_000,
    banMs: 60_000,
    addressesMax: 10,
  });
  admitted: Admitted | undefined;
  signal: AbortSignal | undefined;
  readonly gate: ClientGate;

  constructor(options: Partial<Options> = {}) {
    const { rule = PASSWORD, parameters = { user: "ann" } } = options;
    const read = readStartupPacket(startup(parameters), 10_000);
    ok(read?.packet.kind === "startup");
    this.gate = new ClientGate(this.#context("rule" in options ? options.rule : rule, options), {
      client: this.#socket(options.peerAddress ?? { kind: "tcp", host: "127.0.0.1", port: 1 }),
      session: 7,
      tls: options.tls,
      startup: read.packet,
      owner: this.#owner(),
      proxy: undefined,
      onRelayed: () => void this.events.push("relayed"),
      onAdmitted: () => void this.events.push("admitted"),
    });
    this.gate.start();
  }

  /** What the client has been sent. */
  get sent(): string[] {
    return textOfMessages(concat(...this.written));
  }

  says(bytes: Uint8Array): void {
    equal(this.gate.onClientData(bytes), bytes.length);
  }

  #context(rule: GateRule | undefined, { secret, refusal }: Partial<Options>): GateContext {
    const randomBytes = (size: number) => new Uint8Array(size).fill(1);
    return {
      listener: "main",
      clock: this.clock,
      observer: { emit: (fact: Fact) => void this.facts.push(fact) },
      shared: {
        randomBytes,
        mockKey: new Uint8Array(32),
        iterations: 1,
        secretKinds: new Set(["plain"]),
        keysCache: new ScramKeysCache({ entriesMax: 10, randomBytes }),
      },
      throttle: this.throttle,
      findRule: (connection) => {
        this.asked.push(connection);
        return rule;
      },
      secretOf: (user, database, signal) => {
        this.signal = signal();
        this.looked.push(`${user}@${database}`);
        return secret;
      },
      admit: (admitted, onAdmitted, onRefused) => {
        this.admitted = admitted;
        if (refusal === undefined) return onAdmitted(() => ({}) as never);
        onRefused({ severity: "FATAL", sqlState: "53300", message: refusal }, "refused");
      },
    };
  }

  #socket(peerAddress: Socket["peerAddress"]): Socket {
    return {
      peer: "peer",
      peerAddress,
      write: (bytes: Uint8Array) => void this.written.push(bytes.slice()),
      reoffer: () => void this.events.push("reoffer"),
    } as unknown as Socket;
  }

  #owner(): UpstreamOwner {
    return {
      guard: (act: () => void) => act(),
      fail: ({ sqlState, message }: { sqlState: string; message: string }) => {
        this.events.push(`failed ${sqlState}: ${message}`);
        this.gate.stop(); // as the session does
      },
      end: () => void this.events.push("ended"),
      onTerminate: () => void this.events.push("terminated"),
      runLoginTime: (isRunning: boolean) => void this.events.push(`login time ${isRunning}`),
    } as unknown as UpstreamOwner;
  }
}

/** Lets promises that are settled be heard. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

Deno.test("ClientGate lets everybody in with trust, as who they say they are", () => {
  const scene = new Scene({ rule: TRUST });
  deepEqual(scene.events, ["admitted"]);
  deepEqual(scene.sent, textOfMessages(AUTH_OK));
  equal(scene.admitted?.user, "ann");
  equal(scene.admitted?.database, "ann");
  equal(scene.admitted?.session, 7);
  equal(scene.admitted?.learned, undefined);
});

Deno.test("ClientGate cuts names as PostgreSQL does: at 63 bytes, and never a character", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["x".repeat(63), "x".repeat(63)],
    ["x".repeat(64), "x".repeat(63)],
    ["x".repeat(62) + "ä", "x".repeat(62)],
    ["ä".repeat(40), "ä".repeat(31)],
    ["x".repeat(60) + "😀", "x".repeat(60)],
  ];
  for (const [name, expected] of cases) {
    const scene = new Scene({ rule: TRUST, parameters: { user: name } });
    equal(scene.admitted?.user, expected);
    equal(scene.admitted?.database, expected);
  }
});

Deno.test("ClientGate asks for the rule with all that rules go by", () => {
  const database = { user: "ann", database: "d" };
  const tcp = new Scene({ parameters: { ...database, replication: "true" }, tls: tls("ann") });
  deepEqual(tcp.asked, [{
    isUnix: false,
    isTls: true,
    database: "d",
    user: "ann",
    address: "127.0.0.1",
    isPhysicalReplication: true,
  }]);
  const unix = new Scene({
    parameters: { ...database, replication: "database" },
    peerAddress: { kind: "unix" },
  });
  equal(unix.asked[0]?.isUnix, true);
  equal(unix.asked[0]?.isTls, false);
  equal(unix.asked[0]?.isPhysicalReplication, false, "logical replication has a database");
});

Deno.test("ClientGate leaves to the server whom a rule relays", () => {
  const scene = new Scene({ rule: { ...TRUST, method: "relay" } });
  deepEqual(scene.events, ["relayed"]);
  deepEqual(scene.written, []);
  deepEqual(scene.looked, []);
});

Deno.test("ClientGate refuses whom no rule fits and whom one rejects, and looks nothing up", () => {
  for (const rule of [undefined, { ...TRUST, method: "reject" as const }]) {
    const scene = new Scene({ rule });
    equal(scene.events.length, 1);
    ok(scene.events[0]!.startsWith("failed 28000: "), scene.events[0]);
    deepEqual(scene.looked, []);
    equal(scene.facts[0]?.kind, "authentication_failed");
  }
});

Deno.test("ClientGate waits for a secret that is looked up, at the cost of its own time", async () => {
  const { promise, resolve } = Promise.withResolvers<Secret | undefined>();
  const scene = new Scene({ secret: promise });
  deepEqual(scene.events, ["login time false"]);
  equal(scene.gate.onClientData(password("secret")), 0, "what comes early is left for later");
  resolve(parseSecret("secret"));
  await settled();
  deepEqual(scene.events, ["login time false", "login time true", "reoffer"]);
  deepEqual(scene.sent, textOfMessages(auth(3)));
  scene.says(password("secret"));
  deepEqual(scene.events.at(-1), "admitted");
  equal(scene.admitted?.learned?.kind, "password");
});

Deno.test("ClientGate says that a lookup failed, and not why; the log says why", async () => {
  const scene = new Scene({ secret: Promise.reject(new Error("42P01: no such table")) });
  await settled();
  const [, failed] = scene.events;
  ok(failed!.startsWith("failed 08006: "), failed);
  equal(failed!.includes("42P01"), false);
  const [fact] = scene.facts;
  ok(fact?.kind === "authentication_failed");
  equal(fact.cause, "lookup");
  equal(fact.reason, "the secret cannot be looked up: 42P01: no such table");
});

Deno.test("ClientGate counts it as a failure if the client's database is none to look up in", async () => {
  const fields = { severity: "FATAL", sqlState: "57P03", message: "disabled" } as const;
  for (const error of [new DatabaseRefused("not there", fields), new Error("not there")]) {
    const scene = new Scene({ secret: Promise.reject(error) });
    await settled();
    const verdict = scene.throttle.check("127.0.0.1", "ann");
    const isClients = error instanceof DatabaseRefused;
    equal(verdict.kind === "allow" && verdict.delayMs === 0, !isClients);
    equal(scene.events.at(-1) === "failed 57P03: disabled", isClients);
  }
});

Deno.test("ClientGate calls off a lookup when its client is gone", () => {
  const scene = new Scene({ secret: Promise.withResolvers<Secret | undefined>().promise });
  equal(scene.signal?.aborted, false);
  scene.gate.stop();
  equal(scene.signal?.aborted, true);
});

Deno.test("ClientGate takes for replication what PostgreSQL does, and refuses other words", () => {
  const physical = ["true", "TRU", "tr", "t", "1", "on", "y", "ye", "yes"];
  for (const replication of physical) {
    const { asked } = new Scene({ parameters: { user: "ann", replication } });
    equal(asked[0]?.isPhysicalReplication, true, replication);
  }
  for (const replication of ["database", "f", "fals", "of", "off", "n", "0"]) {
    const { asked } = new Scene({ parameters: { user: "ann", replication } });
    equal(asked[0]?.isPhysicalReplication, false, replication);
  }
  for (const replication of ["o", "truee", "2", "DATABASE", "data", "", " true"]) {
    throws(
      () => new Scene({ rule: RELAY, parameters: { user: "ann", replication } }),
      { sqlState: "22023" },
      replication,
    );
  }
});

Deno.test("ClientGate forgets a client that is gone before its secret is there", async () => {
  for (const outcome of ["found", "failed"]) {
    const { promise, resolve, reject } = Promise.withResolvers<Secret | undefined>();
    const scene = new Scene({ secret: promise });
    scene.gate.stop();
    if (outcome === "found") resolve(parseSecret("secret"));
    else reject(new Error("lost"));
    await settled();
    deepEqual(scene.events, ["login time false"]);
    deepEqual(scene.written, []);
    deepEqual(scene.facts, []);
  }
});

Deno.test("ClientGate with cert lets in whom a verified certificate names", () => {
  const rule: GateRule = { ...TRUST, method: "cert" };
  const cases: readonly (readonly [TlsInfo | undefined, boolean])[] = [
    [tls("ann"), true],
    [tls("bob"), false],
    [tls("ann", false), false],
    [tls(undefined), false],
    [tls(""), false],
    [{ ...tls("ann"), peerCertificate: undefined }, false],
    [undefined, false],
  ];
  for (const [index, [info, isIn]] of cases.entries()) {
    const scene = new Scene({ rule, tls: info });
    const expected = isIn
      ? "admitted"
      : 'failed 28000: certificate authentication failed for user "ann"';
    deepEqual(scene.events, [expected], `case ${index}`);
  }
});

Deno.test("ClientGate with clientcert wants a certificate before it asks for a password", () => {
  const cases = [
    ["verify-ca", tls("ann"), true],
    ["verify-ca", tls("bob"), true],
    ["verify-ca", tls("ann", false), false],
    ["verify-ca", undefined, false],
    ["verify-full", tls("ann"), true],
    ["verify-full", tls("bob"), false],
    ["verify-full", tls("ann", false), false],
    ["verify-full", undefined, false],
  ] as const;
  for (const [clientCertificate, info, isAsked] of cases) {
    const scene = new Scene({
      rule: { ...PASSWORD, clientCertificate },
      secret: parseSecret("secret"),
      tls: info,
    });
    deepEqual(scene.sent, isAsked ? textOfMessages(auth(3)) : []);
    equal(scene.events.at(-1)?.startsWith("failed 28000"), !isAsked);
  }
});

Deno.test("ClientGate says why a session may not begin, and not that it may", () => {
  const scene = new Scene({ rule: TRUST, refusal: "no room" });
  deepEqual(scene.events, ["failed 53300: no room"]);
  deepEqual(scene.sent, []);
});

Deno.test("ClientGate offers channel binding over TLS only", () => {
  const rule: GateRule = { ...TRUST, method: "scram-sha-256" };
  const secret = parseSecret("secret");
  const offers = [undefined, tls(undefined)].map((info) =>
    new Scene({ rule, secret, tls: info }).sent.join().includes("SCRAM-SHA-256-PLUS")
  );
  deepEqual(offers, [false, true]);
});

Deno.test("ClientGate tells the kinds of failures apart, as they are counted", () => {
  const secret = parseSecret("secret");
  const refused = { clientCertificate: "verify-ca" } as const;
  const cases: readonly (readonly [Scene, string])[] = [
    [new Scene({ rule: undefined }), "rule"],
    [new Scene({ rule: { ...TRUST, method: "reject" } }), "rule"],
    [new Scene({ rule: { ...TRUST, method: "cert" } }), "certificate"],
    [new Scene({ rule: { ...PASSWORD, ...refused }, secret }), "certificate"],
    [new Scene({ secret }), "password"],
    [new Scene({ rule: { ...TRUST, method: "scram-sha-256" }, secret }), "protocol"],
  ];
  for (const [scene, cause] of cases) {
    if (cause === "password" || cause === "protocol") scene.says(password("a wrong one"));
    const [fact] = scene.facts;
    ok(fact?.kind === "authentication_failed");
    equal(fact.cause, cause);
  }
});

Deno.test("ClientGate emits who failed and why, without what was sent", () => {
  const scene = new Scene({ secret: parseSecret("secret") });
  scene.says(password("a wrong one"));
  deepEqual(scene.facts, [{
    kind: "authentication_failed",
    session: 7,
    listener: "main",
    user: "ann",
    database: "ann",
    cause: "password",
    reason: "the password is wrong",
  }]);
  equal(JSON.stringify(scene.facts).includes("a wrong one"), false);
});
