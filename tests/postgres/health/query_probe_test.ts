import { deepEqual, equal } from "node:assert/strict";
import type { Address } from "../../../src/base/address.ts";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { ScramKeysCache } from "../../../src/postgres/auth/scram_keys_cache.ts";
import { QueryProbe } from "../../../src/postgres/health/query_probe.ts";
import { STATE_QUERY } from "../../../src/postgres/health/state_query.ts";
import {
  authenticationOk,
  errorResponse,
  message,
  readyForQuery,
  TERMINATE,
} from "../../../src/postgres/wire/messages.ts";
import { BACKEND, STATUS_IDLE } from "../../../src/postgres/wire/tags.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemoryNetwork } from "../../support/memory_driver.ts";
import type { MemoryPeer } from "../../support/memory_pipe.ts";

const ADDRESS: Address = { kind: "tcp", host: "10.0.0.1", port: 5432 };
const READY = readyForQuery(STATUS_IDLE);
const WELCOME = concat(authenticationOk(), READY);

function row(...values: (string | undefined)[]): Uint8Array {
  const parts = values.map((value) => {
    const text = utf8(value ?? "");
    return concat(int32(value === undefined ? -1 : text.length), text);
  });
  return message(BACKEND.dataRow, Uint8Array.of(0, values.length), ...parts);
}

function int32(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer).toReversed();
}

/** A probe, the network that it is on, and what it found out. */
class Scene {
  readonly clock = new FakeClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly found: unknown[] = [];
  lost = 0;
  readonly probe: QueryProbe;

  constructor() {
    const randomBytes = (size: number) => new Uint8Array(size);
    this.network.answer(ADDRESS, "accept");
    this.probe = new QueryProbe({ address: ADDRESS, timeoutMs: 500 }, {
      driver: this.network.driver(),
      clock: this.clock,
      randomBytes,
      keysCache: new ScramKeysCache({ entriesMax: 1, randomBytes }),
      login: () => ({
        user: "watcher",
        database: "postgres",
        credentials: undefined,
        tls: () => undefined,
      }),
      onLost: () => void (this.lost += 1),
    });
  }

  async check(): Promise<void> {
    this.probe.check((result) => {
      this.found.push(result.kind === "alive" ? result.state : result);
    });
    await this.network.settle();
  }

  async says(server: MemoryPeer, ...bytes: Uint8Array[]): Promise<void> {
    server.write(concat(...bytes));
    await this.network.settle();
  }

  /** The connection that was made last. */
  accepted(): MemoryPeer {
    return this.network.accepted(ADDRESS).shift()!;
  }

  async rest(): Promise<void> {
    this.probe.close();
    await this.clock.pass(1_000, () => this.network.settle());
    equal(this.clock.pending, 0);
    deepEqual(this.network.thrown, []);
  }
}

Deno.test("QueryProbe logs in once, asks, and reads what a primary says", async () => {
  const scene = new Scene();
  await scene.check();
  const server = scene.accepted();
  const text = new TextDecoder().decode(server.take());
  equal(text.includes("user\0watcher\0database\0postgres\0application_name\0sluice"), true);
  await scene.says(server, WELCOME);
  deepEqual(server.take(), STATE_QUERY);
  await scene.says(server, row("f", "3", "1234", "1234", undefined, undefined), READY);
  await scene.check();
  deepEqual(server.take(), STATE_QUERY);
  await scene.says(server, row("t", "3", "1000", undefined, "1200", "-5"), READY);
  deepEqual(scene.found, [
    {
      isInRecovery: false,
      timeline: 3,
      position: 1234,
      received: undefined,
      replayAgeMs: undefined,
    },
    { isInRecovery: true, timeline: 3, position: 1000, received: 1200, replayAgeMs: 0 },
  ]);
  equal(scene.network.accepted(ADDRESS).length, 0);
  scene.probe.close();
  await scene.network.settle();
  deepEqual(server.take(), TERMINATE);
  await scene.rest();
});

Deno.test("QueryProbe remembers the newest timeline of a replica while it is connected", async () => {
  const scene = new Scene();
  await scene.check();
  let server = scene.accepted();
  await scene.says(server, WELCOME, row("t", "4", "1", undefined, "1", undefined), READY);
  await scene.check();
  await scene.says(server, row("t", "3", "1", undefined, "1", undefined), READY);
  server.end();
  await scene.network.settle();
  await scene.check();
  server = scene.accepted();
  await scene.says(server, WELCOME, row("t", "3", "1", undefined, "1", undefined), READY);
  deepEqual(scene.found.map((one) => (one as { timeline: number }).timeline), [4, 4, 3]);
  await scene.rest();
});

Deno.test("QueryProbe says at once that its connection is lost between two checks", async () => {
  const scene = new Scene();
  await scene.check();
  const server = scene.accepted();
  await scene.says(server, WELCOME, row("f", "1", "1", "1", undefined, undefined), READY);
  equal(scene.lost, 0);
  server.end();
  await scene.network.settle();
  equal(scene.lost, 1);
  await scene.rest();
  equal(scene.lost, 1);
});

Deno.test("QueryProbe asks on a new connection when the old one turns out to be dead", async () => {
  const scene = new Scene();
  await scene.check();
  const server = scene.accepted();
  await scene.says(server, WELCOME, row("f", "1", "1", "1", undefined, undefined), READY);
  await scene.check();
  server.end();
  await scene.network.settle();
  await scene.says(scene.accepted(), WELCOME, row("f", "1", "2", "2", undefined, undefined), READY);
  equal(scene.found.length, 2);
  equal((scene.found[1] as { position: number }).position, 2);
  equal(scene.lost, 0);
  await scene.rest();
});

Deno.test("QueryProbe tells what kind of failure it is", async () => {
  const error = (sqlState: string, text: string) =>
    errorResponse({ severity: "FATAL", sqlState, message: text });
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [error("57P03", "the database system is starting up"), "starting"],
    [error("28P01", "password authentication failed"), "login"],
    [concat(WELCOME, error("42501", "permission denied"), READY), "query"],
    [concat(WELCOME, READY), "query"],
    [concat(WELCOME, row("x", "1", "1", "1", "1", "1"), READY), "query"],
    [concat(WELCOME, row("t", "one", "1", "1", "1", "1"), READY), "query"],
    [concat(WELCOME, row("t"), READY), "query"],
    [utf8("HTTP/1.1 400 Bad Request\r\n\r\n"), "login"],
  ];
  for (const [bytes, failure] of cases) {
    const scene = new Scene();
    await scene.check();
    const server = scene.accepted();
    await scene.says(server, bytes);
    equal((scene.found[0] as { failure: string }).failure, failure, String(bytes));
    await scene.rest();
    equal(scene.network.sockets.length, 0);
  }
});

Deno.test("QueryProbe takes a server that is full for one that is alive", async () => {
  const scene = new Scene();
  await scene.check();
  const fields = { severity: "FATAL", sqlState: "53300", message: "too many clients" } as const;
  await scene.says(scene.accepted(), errorResponse(fields));
  deepEqual(scene.found, [undefined]);
  await scene.rest();
});

Deno.test("QueryProbe gives up in time, wherever it hangs, and holds nothing then", async () => {
  for (const said of [undefined, new Uint8Array(), authenticationOk(), WELCOME]) {
    const scene = new Scene();
    if (said === undefined) scene.network.answer(ADDRESS, "hang");
    await scene.check();
    if (said !== undefined) await scene.says(scene.accepted(), said);
    await scene.clock.pass(499, () => scene.network.settle());
    deepEqual(scene.found, []);
    await scene.clock.pass(1, () => scene.network.settle());
    deepEqual(scene.found, [
      { kind: "failed", failure: "timeout", message: "no answer within 500 ms" },
    ]);
    await scene.network.settle();
    equal(scene.network.sockets.length, 0);
    await scene.rest();
  }
});

Deno.test("QueryProbe logs in anew when it is told to", async () => {
  const scene = new Scene();
  await scene.check();
  const server = scene.accepted();
  await scene.says(server, WELCOME, row("f", "1", "1", "1", undefined, undefined), READY);
  server.take();
  scene.probe.reconnect();
  await scene.check();
  deepEqual(server.take(), TERMINATE);
  await scene.says(scene.accepted(), WELCOME, row("f", "1", "2", "2", undefined, undefined), READY);
  equal(scene.found.length, 2);
  equal(scene.lost, 0);
  await scene.rest();
});

Deno.test("QueryProbe counts no header behind the last record for something that was written", async () => {
  const segment = 16 * 1024 * 1024;
  const cases: readonly (readonly [offset: number, end: number])[] = [
    [8_192 * 5 + 24, 8_192 * 5],
    [40, 0],
    [8_192 + 40, 8_192 + 40],
    [48, 48],
  ];
  for (const [offset, end] of cases) {
    const scene = new Scene();
    await scene.check();
    const position = String(segment + offset);
    const answer = row("f", "1", position, String(offset), undefined, undefined);
    await scene.says(scene.accepted(), WELCOME, answer, READY);
    equal((scene.found[0] as { position: number }).position, segment + end);
    await scene.rest();
  }
});
