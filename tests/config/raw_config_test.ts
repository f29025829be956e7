import { deepEqual, equal } from "node:assert/strict";
import { CERT, type Files, KEY, load, notesOf, problemsOf, SMALLEST } from "./defaults.ts";

const FILES: Files = {
  "users.txt": '"app" "secret"\n',
  "limits.conf": "all all all\n",
  "gw.crt": CERT,
  "gw.key": KEY,
};

/** The smallest file with a raw listener, with further keys of it, and more sections. */
function raw(keys: string, ...sections: readonly string[]): string {
  const text = SMALLEST.replace("clients:", `    protocol: raw\n    ${keys}\nclients:`);
  return text + sections.map((section) => `${section}\n`).join("");
}

const NEEDS = "needs to understand what clients say, and protocol: raw does not; remove it, or " +
  'write "protocol: postgres"';
const ADVICE = "but servers.default has protocol: raw; use another pool there";
const OUTLIVES = "needs connections that outlive a client";

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}

Deno.test("loadConfig takes a raw listener, with what means something to every protocol", () => {
  const keys = "tls: { mode: require, certFile: gw.crt, keyFile: gw.key }\n" +
    "    clientIdleTimeout: 1h\n    auth: { method: relay }";
  const server = load(raw(keys), FILES).servers.get("default")!;
  deepEqual([server.protocol, server.tls.mode], ["raw", "require"]);
  equal(notesOf(raw("clientsMax: 7")), "");
});

Deno.test("loadConfig refuses what a raw listener cannot have", () => {
  const wrong: readonly (readonly [text: string, problems: readonly string[]])[] = [
    [raw("auth: { method: scram-sha-256, usersFile: users.txt }"), [
      `s.yaml:5:21: servers.default.auth.method: auth.method ${NEEDS}`,
      `s.yaml:5:47: servers.default.auth.usersFile: auth.usersFile ${NEEDS}`,
    ]],
    [raw("messageSizeMax: 1MiB"), [
      `s.yaml:5:21: servers.default.messageSizeMax: messageSizeMax ${NEEDS}`,
    ]],
    [raw("routingHints: false"), [
      `s.yaml:5:19: servers.default.routingHints: routingHints ${NEEDS}`,
    ]],
    [raw("tls: { mode: prefer, certFile: gw.crt, keyFile: gw.key }"), [
      "s.yaml:5:18: servers.default.tls.mode: prefer needs a protocol in which clients ask for " +
      'TLS, and raw has no words; write "require" or "disable"',
    ]],
    [raw("loadBalancer: { strategy: CONSISTENT_HASH, key: user }"), [
      "s.yaml:5:53: servers.default.loadBalancer.key: with protocol: raw, nothing but " +
      'client-address is known of a client; write "client-address"',
    ]],
    [raw("clientsMax: 7", "pools: { default: { mode: transaction } }"), [
      "s.yaml:9:27: pools.default.mode: mode: transaction needs to know where a transaction " +
      `ends, ${ADVICE}`,
    ]],
    [raw("clientsMax: 7", "pools: { default: { minSize: 1, limitsFile: limits.conf } }"), [
      `s.yaml:9:30: pools.default.minSize: minSize ${OUTLIVES}, ${ADVICE}`,
      `s.yaml:9:45: pools.default.limitsFile: limitsFile ${OUTLIVES}, ${ADVICE}`,
    ]],
  ];
  for (const [text, problems] of wrong) equal(problemsOf(text, FILES), lines(problems), text);
});

Deno.test("loadConfig notes what the server of a raw listener is not told", () => {
  const text = raw("clientsMax: 7") + "    user: app\n    tls: { mode: prefer }\n";
  const notes = [
    "s.yaml:9:11: clients.default.user: not used for all clients, because servers.default has " +
    "protocol: raw",
    "s.yaml:10:18: clients.default.tls.mode: TLS is not used by all, because servers.default has " +
    "protocol: raw, where nobody can ask for it; require uses it from the first byte on",
  ];
  equal(notesOf(text), lines(notes));
});
