import { deepEqual, equal, ok } from "node:assert/strict";
import type { ActOptions } from "../../src/act/options.ts";
import { load, problemsOf, SMALLEST } from "./defaults.ts";

/** A file with policies, each the keys of one as YAML's flow style has them. */
function withPolicies(...policies: readonly string[]): string {
  return `${SMALLEST}act:\n  policies:\n${policies.map((one) => `    - { ${one} }\n`).join("")}`;
}

/** The one problem of a file with this policy, without its place. */
function problemOf(policy: string, env: Record<string, string> = {}): string {
  const problems = problemsOf(withPolicies(policy), {}, env);
  equal(problems.split("\n").length, 2, `${policy}: ${problems}`);
  return problems.trimEnd();
}

Deno.test("loadConfig reads policies with every default filled in", () => {
  deepEqual(load(SMALLEST).act, {
    defaultPolicy: "passthrough",
    actionTimeoutMs: 5_000,
    policies: [],
  });
  const text = `${SMALLEST}act:
  defaultPolicy: terminate
  actionTimeout: 2s
  policies:
    - name: block
      signal: sql-injection
      when: 'signal.score > policy.limit && hook == "onQuery" && user != "admin"'
      action: reject
      stop: true
      metadata: { limit: 0.8, name: x, quoted: "1", on: true }
      sqlstate: "42501"
      message: no
    - &slow { name: slow, signal: "*", action: delay, delay: 100ms }
    - { <<: *slow, name: slower, delay: 1s }
    - { name: limit, signal: a, action: rate-limit, rate: 0.5, key: client_address }
    - { name: elsewhere, signal: a, action: route, proxy: default }
    - { name: log, signal: log, action: log }
    - name: tell
      signal: a
      action: webhook
      url: "https://example.com/\${TOKEN}"
      headers:
        Authorization: "Bearer \${TOKEN}"
`;
  // What the room that carries policies out takes is what comes out of here.
  const act: ActOptions = load(text, {}, { TOKEN: "t0k" }).act;
  equal(act.defaultPolicy, "terminate");
  equal(act.actionTimeoutMs, 2_000);
  deepEqual(act.policies[0], {
    name: "block",
    signal: "sql-injection",
    when: 'signal.score > policy.limit && hook == "onQuery" && user != "admin"',
    stop: true,
    metadata: new Map<string, unknown>([
      ["limit", 0.8],
      ["name", "x"],
      ["quoted", "1"],
      ["on", true],
    ]),
    action: { kind: "reject", sqlState: "42501", message: "no", hint: "" },
  });
  deepEqual(act.policies.slice(1).map(({ name, when, action }) => [name, when, action]), [
    ["slow", "true", { kind: "delay", delayMs: 100 }],
    ["slower", "true", { kind: "delay", delayMs: 1_000 }],
    ["limit", "true", {
      kind: "rate-limit",
      key: "client_address",
      ratePerSecond: 0.5,
      burst: 1,
      exceeded: "reject",
      sqlState: "",
      message: "",
      hint: "",
    }],
    ["elsewhere", "true", { kind: "route", proxy: "default" }],
    ["log", "true", { kind: "log", level: "signal", message: "" }],
    ["tell", "true", {
      kind: "webhook",
      url: "https://example.com/t0k",
      headers: new Map([["Authorization", "Bearer t0k"]]),
      retries: 2,
    }],
  ]);
});

Deno.test("loadConfig reports all mistakes in policies at once, each with its place", () => {
  const text = `${SMALLEST}act:
  defaultPolicy: deny
  polices: []
  policies:
    - nam: a
      signal: b
      action: rejct
    - name: ok
      signal: b
      action: reject
      sqlState: "1"
      when: usr == "x"
    - name: ok
      action: delay
      delay: 2h
    - just text
`;
  deepEqual(problemsOf(text).trimEnd().split("\n"), [
    's.yaml:8:18: act.defaultPolicy: expected one of passthrough, terminate; got "deny"',
    's.yaml:9:3: act.polices: unknown key; did you mean "policies"?',
    's.yaml:22:7: act.policies: expected a list of at most 500 objects, each "- " and then the ' +
    'keys of a policy; got "just text"',
  ]);
  deepEqual(problemsOf(text.replace(/.*just text\n/, "")).trimEnd().split("\n"), [
    's.yaml:8:18: act.defaultPolicy: expected one of passthrough, terminate; got "deny"',
    's.yaml:9:3: act.polices: unknown key; did you mean "policies"?',
    's.yaml:11:7: act.policies[0].nam: unknown key; did you mean "name"?',
    "s.yaml:13:15: act.policies[0].action: expected one of passthrough, terminate, reject, log, " +
    'route, delay, rate-limit, webhook; got "rejct"; did you mean "reject"?',
    's.yaml:17:7: act.policies[1].sqlState: unknown key; did you mean "sqlstate"?',
    's.yaml:17:17: act.policies[1].sqlState: expected five of 0-9 and A-Z, or empty; got "1"',
    "s.yaml:18:13: act.policies[1].when: Unknown variable: usr (in column 1 of the expression); " +
    'did you mean "user"?',
    "s.yaml:19:7: act.policies[2].signal: this key is required; add it, as in " +
    '"signal: sql-injection"',
    's.yaml:19:13: act.policies[2].name: "ok" is already in line 14; rename one of them',
    "s.yaml:21:14: act.policies[2].delay: expected a duration from 0ms to 60s, such as 0ms; " +
    'got "2h", which is too long',
  ]);
});

/** What is said of a policy with one mistake, after its place. */
const MISTAKES: readonly (readonly [policy: string, problem: RegExp])[] = [
  ["action: route", /proxy: action: route needs proxy; add it$/],
  ["action: route, proxy: defult", /proxy: no proxy is named "defult"; did you mean "default"\?$/],
  ["action: delay", /delay: action: delay needs delay; add it$/],
  ["action: rate-limit", /rate: action: rate-limit needs rate; add it$/],
  ["action: webhook", /url: action: webhook needs url; add it$/],
  ["action: log, proxy: default", /proxy: only allowed with action: route; remove this key$/],
  ["action: log, hint: x", /hint: only allowed with action: reject or rate-limit; remove this/],
  ["action: webhook, url: 'ftp://s3cr3t/'", /url: expected an address such as https:\/\/exa[^$]*$/],
  ["action: webhook, url: 'https://s3cr3t:x@a/'", /must not have a user or a password/],
  ["action: webhook, url: 'http://a/', headers: { a: 's3cr3t☃' }", /header "a" has a value that/],
  ["action: webhook, url: 'http://a/', headers: { 'a b': s3cr3t }", /got another name$/],
  ["action: webhook, url: 'http://a/', headers: { a: [s3cr3t] }", /got a value of another kind$/],
  ["action: webhook, url: 'http://a/${SECRET}'", /variable SECRET is not set; set it$/],
  ["action: webhook, url: 'http://a/', headers: { a: '${SECRET}' }", /SECRET is not set; set it$/],
  ["action: log, message: '${SECRET}'", /stands for a variable in secrets only; write the value/],
  ["action: log, when: 'user ='", /when: .*\(in column \d+ of the expression\)$/],
  ["action: log, when: 'user'", /when: expected a condition, which is true or false; got a val/],
  ["action: rate-limit, rate: 1, key: '1'", /key: expected text; got a value of type int/],
  ["action: log, when: ''", /when: expected a condition in CEL, .* got empty text/],
  ["action: log, metadata: { a: }", /metadata\.a: expected keys below it.*another kind$/],
  ["action: log, metadata: x", /metadata: expected keys below it.*got no keys$/],
];

Deno.test("loadConfig says what is wrong with a policy, without its secrets", () => {
  for (const [policy, problem] of MISTAKES) {
    const line = problemOf(`name: a, signal: b, ${policy}`);
    ok(problem.test(line), `${policy}: ${line}`);
    ok(/^s\.yaml:9:\d+: act\.policies\[0\]\./.test(line), line);
    ok(!/s3cr3t/.test(line), line);
  }
});

Deno.test("loadConfig takes no policies from the environment, and says which keys there are", () => {
  const line = problemsOf(SMALLEST, {}, { SLUICE_ACT_POLICIES: "x" });
  ok(/SLUICE_ACT_POLICIES: unknown variable; the keys of act are defaultPolicy, action/.test(line));
  equal(
    load(SMALLEST, {}, { SLUICE_ACT_DEFAULT_POLICY: "terminate" }).act.defaultPolicy,
    "terminate",
  );
});

Deno.test("loadConfig refuses lists that are too long, and aliases that go round in circles", () => {
  const many = Array(501).fill("name: a, signal: b, action: log");
  ok(/got 501 of them/.test(problemOf(many.join(" }\n    - { "))));
  const circle =
    `${SMALLEST}act:\n  policies:\n    - &p { name: a, signal: b, action: log, metadata: *p }\n`;
  ok(/more than 8 values in each other/.test(problemsOf(circle)));
});
