import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import type { ClientConfig } from "../src/config/config.ts";
import { Destinations } from "../src/destinations.ts";
import { type OpenSsl, openSsl } from "../src/net/tls/openssl.ts";
import type { Admitted } from "../src/postgres/client_gate.ts";
import { pairCaps } from "../src/pair_settings.ts";
import type { Pair } from "../src/pool/server_pool_types.ts";
import { PoolUse, ServerPools } from "../src/pool/server_pools.ts";
import { placesBuffer, SharedPlaces } from "../src/pool/shared_places.ts";
import { OPTIONS } from "./pool/pool_world_parts.ts";
import { CLIENT_DEFAULTS, POOL_DEFAULTS } from "./support/configs.ts";
import { FakeClock } from "./support/fake_clock.ts";
import { membersOf } from "../src/upstream/members.ts";

openSsl(); // a test that loads it and leaves it there is taken for one that leaks

function client(host: string): ClientConfig {
  return { ...CLIENT_DEFAULTS, address: { kind: "tcp", host, port: 5432 } };
}

Deno.test("Destinations leads a walsender to each server of a shared pool by a name of its own", () => {
  const clients = new Map([["a", client("a")], ["b", client("b")]]);
  const members = membersOf(clients);
  const destinations = new Destinations(clients);
  const parameters = new Map([["user", "ann"], ["replication", "true"]]);
  const admitted = { session: 7, startup: { parameters } } as unknown as Admitted;
  const [first, second] = ["a", "b"].map((name) =>
    destinations.replication(members.get(name)![0]!, "shared", admitted)
  );
  notEqual(first, second);
  equal(destinations.get(first!).clientName, "a");
  equal(destinations.get(second!).clientName, "b");
});

Deno.test("Destinations gives names that pools have room for, however long they are configured", () => {
  const [name, pool, listener] = ["c", "p", "l"].map((letter) => letter.repeat(63));
  const clients = new Map([[name!, { ...client("a"), others: [client("b").address] }]]);
  const member = membersOf(clients).get(name!)![1]!;
  const destinations = new Destinations(clients);
  const parameters = new Map([["replication", "true"]]);
  const session = Number.MAX_SAFE_INTEGER;
  const admitted = { session, startup: { parameters } } as unknown as Admitted;
  const query = { sql: "", user: "", password: "", database: "" };
  const names = [
    destinations.shared(member, pool!),
    destinations.replication(member, pool!, admitted),
    destinations.authQuery(member, pool!, listener!, query),
  ];
  const config = { ...POOL_DEFAULTS, databaseSizeMax: 1, userSizeMax: 1 };
  const clock = new FakeClock();
  const pools = new ServerPools<object>({
    places: new SharedPlaces(placesBuffer(1), 0, 1, () => clock.nowMs()),
    clock,
    random: () => 0,
    settingsFor: (pair: Pair) => ({
      options: OPTIONS,
      caps: pairCaps(pair, pool!, config, 1),
      observer: { onWaitEnded() {}, onOpenEnded() {}, onClosed() {} },
      connector: { open: () => ({ cancel() {} }), close() {}, validate() {} },
    }),
    tell() {},
  });
  for (const pool of names) {
    for (const letter of ["x", "ü", "\u{1f418}"]) {
      const use = pools.use({ pool, database: letter.repeat(63), user: letter.repeat(63) });
      ok(use instanceof PoolUse, `${letter}: ${use}`);
    }
  }
});

/** One client whose TLS is as given. */
function withTls(tls: Partial<ClientConfig["tls"]>, password = ""): Map<string, ClientConfig> {
  const base = client("localhost");
  return new Map([["db", { ...base, password, tls: { ...base.tls, ...tls } }]]);
}

/** Has all collected that nobody has any more: V8 tells of what is gone only after it has. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    let isCollected = false;
    const registry = new FinalizationRegistry(() => isCollected = true);
    registry.register({}, undefined);
    for (let rounds = 0; !isCollected; rounds++) {
      ok(rounds < 2_000, "memory is collected");
      Array.from({ length: 100_000 }, (_, number) => ({ number }));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

/** Counts the contexts of OpenSSL's that are made by `run` and not freed by its end. */
async function contextsLeft(run: () => void): Promise<{ made: number; left: number }> {
  const library = openSsl() as { -readonly [Name in keyof OpenSsl]: OpenSsl[Name] };
  const { contextNew, contextFree } = library;
  const left = new Set<bigint>();
  let made = 0;
  library.contextNew = (method) => {
    const context = contextNew(method);
    left.add(Deno.UnsafePointer.value(context));
    made += 1;
    return context;
  };
  library.contextFree = (context) => {
    left.delete(Deno.UnsafePointer.value(context));
    contextFree(context);
  };
  try {
    run();
    await collectGarbage();
  } finally {
    Object.assign(library, { contextNew, contextFree });
  }
  return { made, left: left.size };
}

Deno.test("Destinations leaves no TLS contexts behind, however often files change", async () => {
  const destinations = new Destinations(withTls({ mode: "verify-full" }));
  const counts = await contextsLeft(() => {
    for (let i = 0; i < 20; i++) {
      const minVersion = i % 2 === 0 ? "TLSv1.3" : "TLSv1.2";
      destinations.refresh(withTls({ mode: "verify-full", minVersion }));
      destinations.tlsOf("db");
    }
  });
  deepEqual(counts, { made: 20, left: 1 });
});

Deno.test("Destinations takes no TLS context away from who has it", async () => {
  const destinations = new Destinations(withTls({ mode: "require" }));
  const kept: unknown[] = [];
  const counts = await contextsLeft(() => {
    kept.push(destinations.tlsOf("db"));
    destinations.refresh(withTls({ mode: "require", minVersion: "TLSv1.3" }));
  });
  deepEqual(counts, { made: 1, left: 1 });
  equal(kept.length, 1);
});

Deno.test("Destinations makes a TLS context anew only where TLS has changed", () => {
  const destinations = new Destinations(withTls({ mode: "require" }));
  const before = destinations.tlsOf("db");
  equal(destinations.refresh(withTls({ mode: "require" }, "secret")), true);
  equal(destinations.tlsOf("db"), before);
  equal(destinations.refresh(withTls({ mode: "require", minVersion: "TLSv1.3" }, "secret")), true);
  notEqual(destinations.tlsOf("db"), before);
});
