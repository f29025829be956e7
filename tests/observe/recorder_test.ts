import { deepStrictEqual as assertEquals, throws as assertThrows } from "node:assert/strict";
import {
  counterBuffer,
  histogramOf,
  LISTENER_CELL,
  POOL_CELL,
  WorkerCounters,
} from "../../src/observe/counters.ts";
import type {
  CancelOutcome,
  ClientState,
  Fact,
  ServerState,
  WaitOutcome,
} from "../../src/observe/facts.ts";
import type { LogLevel, LogRecord } from "../../src/observe/log_record.ts";
import { Recorder } from "../../src/observe/recorder.ts";
import {
  clearGauges,
  CLIENT_STATE_CELL,
  SERVER_STATE_CELL,
} from "../../src/observe/state_cells.ts";

const LAYOUT = { listeners: ["main", "other"], pools: ["p", "q"] };
const START_MS = 1_795_000_000_500;

function record(level: LogLevel | "off" = "trace", recordsPerSecondMax = 1000) {
  const counters = new WorkerCounters(LAYOUT, counterBuffer(LAYOUT));
  const records: LogRecord[] = [];
  const clock = { nowMs: START_MS };
  const recorder = new Recorder({
    counters,
    sink: { write: (one) => void records.push(one) },
    nowMs: () => clock.nowMs,
    level,
    recordsPerSecondMax,
  });
  const emit = (...facts: readonly Fact[]) => {
    for (const fact of facts) recorder.emit(fact);
  };
  return { counters, records, clock, recorder, emit };
}

/** The cells of `main` or `p` that are not zero, by name; histograms are checked on their own. */
function moved(counters: WorkerCounters): Record<string, number> {
  const listener = counters.listener("main");
  const pool = counters.pool("p");
  const names: [string, number][] = [
    ...Object.entries(LISTENER_CELL).map(([name, cell]) => [name, listener.get(cell)] as const),
    ...Object.entries(POOL_CELL)
      .filter(([name]) => !name.endsWith("Seconds"))
      .map(([name, cell]) => [name, pool.get(cell)] as const),
  ].filter(([name, value]) => name !== "size" && value !== 0).map(([name, n]) => [name, n!]);
  return Object.fromEntries(names);
}

function waitEnded(outcome: WaitOutcome, waitMs = 1): Fact {
  return { kind: "wait_ended", session: 7, pool: "p", outcome, waitMs };
}

function cancel(outcome: CancelOutcome): Fact {
  const message = outcome === "failed" || outcome === "refused" ? "why" : undefined;
  return { kind: "cancel", session: 7, listener: "main", outcome, message };
}

const CONNECTED: Fact = {
  kind: "client_connected",
  listener: "main",
  session: 7,
  peer: "10.0.0.9:50000",
};
const READY: Fact = {
  kind: "session_ready",
  session: 7,
  pool: "p",
  user: "app",
  database: "shop",
  application: "psql",
  server: "10.0.0.1:5432",
};
const DISCONNECTED: Fact = {
  kind: "client_disconnected",
  listener: "main",
  session: 7,
  reason: "client closed",
  durationMs: 12,
};
const ERROR: Fact = {
  kind: "error_reported",
  session: 7,
  source: "gateway",
  sqlState: "53300",
  message: "Too many clients",
};

/** Each fact, the cells it moves, and its level and message. */
const TABLE: readonly (readonly [Fact, Record<string, number>, string | undefined])[] = [
  [CONNECTED, { clientsAccepted: 1 }, "debug client connected"],
  [
    { kind: "client_refused", listener: "main", peer: "x", reason: "full" },
    { clientsRefused: 1 },
    "warn client refused",
  ],
  [READY, {}, "info session ready"],
  [DISCONNECTED, {}, "debug client disconnected"],
  [
    {
      kind: "server_dial_failed",
      pool: "p",
      server: "s",
      attempt: 1,
      attempts: 4,
      message: "refused",
    },
    { serverDialFailures: 1 },
    "warn cannot connect to server",
  ],
  [
    { kind: "server_lost", session: 7, pool: "p", server: "s", message: "reset" },
    { serversLost: 1 },
    "warn server connection lost",
  ],
  [{ kind: "wait_started", pool: "p" }, { waits: 1, waiters: 1 }, undefined],
  [waitEnded("acquired"), { waiters: -1 }, "trace wait for server connection ended"],
  [waitEnded("abandoned"), { waiters: -1 }, "debug wait for server connection ended"],
  [
    waitEnded("timeout"),
    { waiters: -1, waitTimeouts: 1 },
    "debug wait for server connection ended",
  ],
  [
    waitEnded("refused"),
    { waiters: -1, waitsRefused: 1 },
    "debug wait for server connection ended",
  ],
  [
    { kind: "login_timeout", session: 7, listener: "main" },
    { loginTimeouts: 1 },
    "info login timed out",
  ],
  [ERROR, {}, "warn error reported to client"],
  [
    { ...ERROR, source: "server", message: undefined },
    {},
    "debug error reported to client",
  ],
  [cancel("forwarded"), { cancelsForwarded: 1 }, "debug cancel request"],
  [cancel("unknown"), { cancelsUnknown: 1 }, "debug cancel request"],
  [cancel("failed"), { cancelsFailed: 1 }, "warn cancel request"],
  [cancel("refused"), { cancelsRefused: 1 }, "warn cancel request"],
  [
    { kind: "abandoned_query", session: 7, pool: "p", server: "s", message: "refused" },
    {},
    "warn cannot cancel query of a client that is gone",
  ],
  [
    { kind: "internal_error", session: 7, message: "Error: x\n    at y" },
    {},
    "error internal error",
  ],
  [
    { kind: "accept_failed", listener: "main", message: "no descriptors" },
    {},
    "error cannot accept clients",
  ],
];

for (const [fact, cells, logged] of TABLE) {
  const what = "outcome" in fact ? ` ${fact.outcome}` : "source" in fact ? ` ${fact.source}` : "";
  Deno.test(`Recorder.emit() counts and logs ${fact.kind}${what}`, () => {
    const { counters, records, emit } = record();
    emit(fact);
    assertEquals(moved(counters), cells);
    const lines = records.map(({ level, message }) => `${level} ${message}`);
    assertEquals(lines, logged === undefined ? [] : [logged]);
  });
}

Deno.test("Recorder.emit() moves a client from state to state, in its listener only", () => {
  const { counters, emit, records } = record();
  const path: (ClientState | undefined)[] = [
    undefined,
    "startup",
    "waiting",
    "connecting",
    "login",
    "active",
    "closing",
    undefined,
  ];
  for (const [index, to] of path.entries()) {
    if (index === 0) continue;
    emit({ kind: "client_state", listener: "main", from: path[index - 1], to });
    for (const [state, cell] of Object.entries(CLIENT_STATE_CELL)) {
      assertEquals(counters.listener("main").get(cell), state === to ? 1 : 0, `${state} at ${to}`);
      assertEquals(counters.listener("other").get(cell), 0);
    }
  }
  assertEquals(moved(counters), {});
  assertEquals(records, []);
});

Deno.test("Recorder.emit() moves a server connection and counts it once, when it is open", () => {
  const { counters, emit } = record();
  const path: (ServerState | undefined)[] = [
    undefined,
    "connecting",
    "login",
    "active",
    "closing",
    undefined,
  ];
  for (const [index, to] of path.entries()) {
    if (index === 0) continue;
    emit({ kind: "server_state", pool: "p", from: path[index - 1], to });
    for (const [state, cell] of Object.entries(SERVER_STATE_CELL)) {
      assertEquals(counters.pool("p").get(cell), state === to ? 1 : 0, `${state} at ${to}`);
      assertEquals(counters.pool("q").get(cell), 0);
    }
  }
  assertEquals(moved(counters), { serversOpened: 1 });
});

Deno.test("Recorder.emit() does not count a server connection that never opened", () => {
  const { counters, emit } = record();
  emit(
    { kind: "server_state", pool: "p", from: undefined, to: "connecting" },
    { kind: "server_state", pool: "p", from: "connecting", to: undefined },
  );
  assertEquals(moved(counters), {});
});

Deno.test("Recorder.emit() observes how long a wait was, but not one that was refused", () => {
  const { counters, emit } = record();
  for (const outcome of ["acquired", "timeout", "abandoned", "refused"] as const) {
    emit({ kind: "wait_started", pool: "p" }, waitEnded(outcome, 500));
  }
  const { buckets, sumSeconds } = histogramOf([counters.pool("p")], POOL_CELL.waitSeconds);
  assertEquals(sumSeconds, 1.5);
  assertEquals(buckets.reduce((a, b) => a + b), 3);
  assertEquals(moved(counters), { waits: 4, waitTimeouts: 1, waitsRefused: 1 });
});

Deno.test("Recorder.emit() counts errors by source and SQLSTATE", () => {
  const { counters, emit } = record("off");
  emit(ERROR, ERROR, { ...ERROR, source: "server", sqlState: "23505" });
  assertEquals([...counters.sqlStates.entries()].map((e) => Object.values(e).join(" ")).sort(), [
    "gateway 53300 2",
    "server 23505 1",
  ]);
});

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
  emit({ kind: "wait_started", pool: "p" });
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
  const fact: Fact = { kind: "wait_started", pool: "nowhere" };
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

Deno.test("clearGauges() zeroes what is there now and keeps what was counted", () => {
  const { counters, emit } = record();
  emit(
    CONNECTED,
    { kind: "client_state", listener: "main", from: undefined, to: "active" },
    { kind: "server_state", pool: "p", from: undefined, to: "connecting" },
    { kind: "server_state", pool: "p", from: "connecting", to: "active" },
    { kind: "wait_started", pool: "p" },
  );
  clearGauges(LAYOUT, counters);
  assertEquals(moved(counters), { clientsAccepted: 1, serversOpened: 1, waits: 1 });
});
