import { deepStrictEqual as assertEquals } from "node:assert/strict";
import { histogramOf, POOL_CELL } from "../../src/observe/counters.ts";
import type {
  CancelOutcome,
  ClientState,
  Fact,
  ServerState,
  SessionTimeout,
} from "../../src/observe/facts.ts";
import {
  AUTHENTICATION_FAILURES,
  CLOSE_REASONS,
  PIN_REASONS,
  SERVER_LOGIN_FAILURES,
} from "../../src/observe/label_values.ts";
import {
  clearGauges,
  CLIENT_STATE_CELL,
  SERVER_STATE_CELL,
} from "../../src/observe/state_cells.ts";
import { FACT_SAMPLES } from "./fact_samples.ts";
import { LAYOUT, moved, record, START_MS, waitEnded } from "./recording.ts";

function cancel(outcome: CancelOutcome): Fact {
  const message = outcome === "failed" || outcome === "refused" ? "why" : undefined;
  return { kind: "cancel", session: 7, listener: "main", outcome, message };
}

const CONNECTED = FACT_SAMPLES.client_connected;
const READY = FACT_SAMPLES.session_ready;
const DISCONNECTED = FACT_SAMPLES.client_disconnected;
const ERROR = FACT_SAMPLES.error_reported;

const TIMEOUT_CELLS: Readonly<Record<SessionTimeout, string>> = {
  "query": "queryTimeouts",
  "transaction": "transactionTimeouts",
  "idle_transaction": "idleTransactionTimeouts",
  "client_idle": "clientIdleTimeouts",
};

/** Each fact, the cells it moves, and its level and message. */
const TABLE: readonly (readonly [Fact, Record<string, number>, string | undefined])[] = [
  [CONNECTED, { clientsAccepted: 1 }, "debug client connected"],
  [FACT_SAMPLES.client_refused, { clientsRefused: 1 }, "warn client refused"],
  [FACT_SAMPLES.client_state, { clientsStartup: -1, clientsLogin: 1 }, undefined],
  [READY, { logins: 1 }, "info session ready"],
  [FACT_SAMPLES.session_connected, {}, "info session connected to server"],
  [DISCONNECTED, {}, "debug client disconnected"],
  [
    FACT_SAMPLES.server_state,
    { serversLogin: -1, serversActive: 1, assignments: 1 },
    undefined,
  ],
  [
    FACT_SAMPLES.server_dial_failed,
    { serverDialFailures: 1 },
    "warn cannot connect to server",
  ],
  [
    { ...FACT_SAMPLES.server_dial_failed, isTimeout: true },
    { serverDialFailures: 1, serverDialTimeouts: 1 },
    "warn cannot connect to server",
  ],
  [FACT_SAMPLES.server_lost, { serversLost: 1 }, "warn server connection lost"],
  [
    FACT_SAMPLES.wait_started,
    { waits: 1, waiters: 1, relayedWaitSince: START_MS },
    undefined,
  ],
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
  [FACT_SAMPLES.login_timeout, { loginTimeouts: 1 }, "info login timed out"],
  [ERROR, {}, "warn error reported to client"],
  [{ ...ERROR, source: "server", message: undefined }, {}, "debug error reported to client"],
  [cancel("forwarded"), { cancelsForwarded: 1 }, "debug cancel request"],
  [cancel("idle"), { cancelsIdle: 1 }, "debug cancel request"],
  [cancel("unknown"), { cancelsUnknown: 1 }, "debug cancel request"],
  [cancel("failed"), { cancelsFailed: 1 }, "warn cancel request"],
  [cancel("refused"), { cancelsRefused: 1 }, "warn cancel request"],
  ...AUTHENTICATION_FAILURES.map((cause, index) =>
    [
      { ...FACT_SAMPLES.authentication_failed, cause },
      { [`authenticationFailures[${index}]`]: 1 },
      "warn authentication failed",
    ] as const
  ),
  [FACT_SAMPLES.tls_accepted, { "tlsAccepted[0]": 1 }, "debug TLS established"],
  [
    { ...FACT_SAMPLES.tls_accepted, version: "TLSv1.2" },
    { "tlsAccepted[1]": 1 },
    "debug TLS established",
  ],
  [
    { ...FACT_SAMPLES.tls_accepted, version: "TLSv1.4" },
    { "tlsAccepted[2]": 1 },
    "debug TLS established",
  ],
  [FACT_SAMPLES.tls_failed, { tlsFailures: 1 }, "info cannot establish TLS with client"],
  [
    FACT_SAMPLES.server_secured,
    { "serversSecured[1]": 1 },
    "debug TLS established with server",
  ],
  [FACT_SAMPLES.server_opened, { serversOpened: 1 }, undefined],
  ...SERVER_LOGIN_FAILURES.map((cause, index) =>
    [
      { ...FACT_SAMPLES.server_login_failed, cause },
      {
        [`serverLoginFailures[${index}]`]: 1,
        ...(cause === "timeout" && { serverLoginTimeouts: 1 }),
      },
      `${cause === "request" ? "info" : "warn"} cannot log in to server`,
    ] as const
  ),
  ...CLOSE_REASONS.map((reason, index) =>
    [
      { ...FACT_SAMPLES.server_closed, reason },
      { [`serversClosed[${index}]`]: 1, ...(reason === "lost" ? { serversLost: 1 } : {}) },
      `${/lost|unclean/.test(reason) ? "warn" : "debug"} server connection closed`,
    ] as const
  ),
  ...[...PIN_REASONS, "something new"].map((reason, index) =>
    [
      { ...FACT_SAMPLES.session_pinned, reason },
      { [`pins[${Math.min(index, PIN_REASONS.length - 1)}]`]: 1 },
      "debug session pinned to its server",
    ] as const
  ),
  ...Object.entries(TIMEOUT_CELLS).map(([timeout, cell]) =>
    [
      { ...FACT_SAMPLES.session_timeout, timeout: timeout as SessionTimeout },
      { [cell]: 1 },
      "info session timed out",
    ] as const
  ),
  [
    FACT_SAMPLES.abandoned_query,
    {},
    "warn cannot cancel query of a client that is gone",
  ],
  [FACT_SAMPLES.verdict_ignored, {}, "warn verdict of a plugin ignored"],
  [FACT_SAMPLES.internal_error, {}, "error internal error"],
  [FACT_SAMPLES.mirror_dropped, {}, "warn copy of a session ended"],
  [FACT_SAMPLES.mirror_differed, {}, "warn mirror has answered otherwise"],
  [FACT_SAMPLES.plugin_failed, {}, "warn plugin failed"],
  [FACT_SAMPLES.plugin_switched_off, {}, "error plugin switched off"],
  [FACT_SAMPLES.plugin_said, {}, "info plugin says"],
  [FACT_SAMPLES.rule_failed, {}, "warn balancing rule cannot be evaluated"],
  [FACT_SAMPLES.accept_failed, {}, "error cannot accept clients"],
];

Deno.test("Recorder.emit() is tested with every kind of fact", () => {
  const kinds = new Set(TABLE.map(([fact]) => fact.kind));
  assertEquals([...kinds].sort(), Object.keys(FACT_SAMPLES).sort());
});

for (const [fact, cells, logged] of TABLE) {
  const variant = ["outcome", "source", "cause", "reason", "version", "timeout", "isTimeout"];
  const values = Object.entries(fact).filter(([name]) => variant.includes(name));
  const what = values.map(([name, value]) => `, ${name} ${value}`).join("");
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
  assertEquals(moved(counters), { serversOpened: 1, assignments: 1 });
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
    emit(FACT_SAMPLES.wait_started, waitEnded(outcome, 500));
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
Deno.test("clearGauges() zeroes what is there now and keeps what was counted", () => {
  const { counters, emit } = record();
  emit(
    CONNECTED,
    { kind: "client_state", listener: "main", from: undefined, to: "active" },
    { kind: "server_state", pool: "p", from: undefined, to: "connecting" },
    { kind: "server_state", pool: "p", from: "connecting", to: "active" },
    FACT_SAMPLES.wait_started,
  );
  clearGauges(LAYOUT, counters);
  assertEquals(moved(counters), {
    clientsAccepted: 1,
    serversOpened: 1,
    waits: 1,
    assignments: 1,
  });
});
