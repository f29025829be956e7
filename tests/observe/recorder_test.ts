import { deepStrictEqual as assertEquals, throws as assertThrows } from "node:assert/strict";
import type { Fact } from "../../src/observe/facts.ts";
import { FACT_SAMPLES } from "./fact_samples.ts";
import { record, START_MS, waitEnded } from "./recording.ts";

const CONNECTED = FACT_SAMPLES.client_connected;
const READY = FACT_SAMPLES.session_ready;
const DISCONNECTED = FACT_SAMPLES.client_disconnected;
const ERROR = FACT_SAMPLES.error_reported;

Deno.test("Recorder.emit() logs a fact's fields, with what is known of its client", () => {
  const { records, emit, clock } = record();
  emit(CONNECTED);
  clock.nowMs += 3;
  emit(READY, ERROR, DISCONNECTED, ERROR);
  assertEquals(records.map(({ fields }) => fields), [
    { listener: "main", session: 7, peer: "10.0.0.9:50000" },
    {
      peer: "10.0.0.9:50000",
      session: 7,
      pool: "p",
      user: "app",
      database: "shop",
      application: "psql",
      server: "10.0.0.1:5432",
    },
    {
      peer: "10.0.0.9:50000",
      user: "app",
      database: "shop",
      session: 7,
      source: "gateway",
      sqlState: "53300",
      error: "Too many clients",
    },
    {
      peer: "10.0.0.9:50000",
      user: "app",
      database: "shop",
      listener: "main",
      session: 7,
      reason: "client closed",
      durationMs: 12,
    },
    // The client is gone, and so is what was known of it.
    { session: 7, source: "gateway", sqlState: "53300", error: "Too many clients" },
  ]);
  assertEquals(records.map(({ timeMs }) => timeMs - START_MS), [0, 3, 3, 3, 3]);
});

Deno.test("Recorder.emit() logs the end of a session as info, of a port check as debug", () => {
  const { records, emit } = record("info");
  emit(CONNECTED, DISCONNECTED, CONNECTED, READY, DISCONNECTED);
  assertEquals(records.map(({ message }) => message), ["session ready", "client disconnected"]);
});

for (
  const [level, count] of [
    ["trace", 5],
    ["debug", 4],
    ["info", 3],
    ["warn", 2],
    ["error", 1],
    ["off", 0],
  ] as const
) {
  Deno.test(`Recorder at level ${level} writes ${count} of one record a level`, () => {
    const { records, emit } = record(level);
    emit(
      waitEnded("acquired"),
      CONNECTED,
      { kind: "login_timeout", session: 7, listener: "main" },
      { kind: "client_refused", listener: "main", peer: "x", reason: "full" },
      { kind: "accept_failed", listener: "main", message: "no descriptors" },
    );
    assertEquals(records.length, count);
  });
}

Deno.test("Recorder drops what is above its limit, never errors, and says how many", () => {
  const { records, emit, clock } = record("info", 2);
  const error: Fact = { kind: "accept_failed", listener: "main", message: "x" };
  emit(ERROR, ERROR, ERROR, error, ERROR);
  assertEquals(records.map(({ level }) => level), ["warn", "warn", "error"]);
  clock.nowMs += 499;
  emit(ERROR);
  assertEquals(records.length, 3);
  clock.nowMs += 1; // the clock's next second
  emit({ kind: "wait_started", session: 7, pool: "p" });
  assertEquals(records.at(-1), {
    level: "warn",
    message: "log records dropped",
    fields: { count: 3, recordsPerSecondMax: 2 },
    timeMs: START_MS + 500,
  });
  emit(ERROR, ERROR);
  assertEquals(records.length, 6);
});

Deno.test("Recorder does not count as dropped what its level hides", () => {
  const { records, recorder, emit } = record("warn", 1);
  emit(CONNECTED, READY, DISCONNECTED, CONNECTED, READY, DISCONNECTED);
  recorder.flush();
  assertEquals(records, []);
});

Deno.test("Recorder.flush() says how many were dropped, once", () => {
  const { records, recorder, emit } = record("trace", 1);
  emit(ERROR, ERROR);
  recorder.flush();
  recorder.flush();
  assertEquals(records.map(({ message, fields }) => `${message} ${fields.count}`), [
    "error reported to client undefined",
    "log records dropped 1",
  ]);
});

Deno.test("Recorder.emit() reports a name without cells and does not throw", () => {
  const { records, emit } = record("error", 2);
  const fact: Fact = { kind: "wait_started", session: 7, pool: "nowhere" };
  emit(fact, fact, fact);
  assertEquals(records.map(({ level, message }) => `${level} ${message}`), [
    "error cannot count a fact",
    "error cannot count a fact",
  ]);
  assertEquals(records[0]!.fields.kind, "wait_started");
  record("off").emit(fact);
});

Deno.test("new Recorder() throws RangeError on a limit that is not a positive integer", () => {
  for (const max of [0, -1, 1.5, NaN]) assertThrows(() => record("info", max), RangeError);
});

Deno.test("Recorder.log has the recorder's level and shares its limit", () => {
  const { records, recorder, emit } = record("info", 2);
  const said = { message: "a policy matched", fields: {}, timeMs: 0 };
  recorder.log.write({ level: "debug", ...said });
  recorder.log.write({ level: "info", ...said });
  emit(ERROR, ERROR);
  recorder.log.write({ level: "info", ...said });
  recorder.log.write({ level: "error", ...said });
  recorder.flush();
  assertEquals(records.map(({ level, fields }) => `${level} ${fields.count}`), [
    "info undefined",
    "warn undefined",
    "error undefined",
    "warn 2",
  ]);
});
