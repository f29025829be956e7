import { deepEqual, equal, rejects } from "node:assert/strict";
import {
  BalancingRules,
  type FailedCondition,
  parseConditions,
  type RuledClient,
} from "../src/balancing_rules.ts";
import type { PeerAddress } from "../src/net/socket.ts";

const TCP: PeerAddress = { kind: "tcp", host: "192.0.2.7", port: 50112 };

function client(
  parameters: Readonly<Record<string, string>>,
  others: Partial<RuledClient> = {},
): RuledClient {
  const map = new Map(Object.entries(parameters));
  return { listener: "main", address: TCP, parameters: map, tlsServerName: "", ...others };
}

/** Rules of these conditions; each leads to a proxy that is called by its number, from 1. */
async function rulesOf(...conditions: readonly string[]) {
  const failed: FailedCondition[] = [];
  const written = conditions.map((condition, i) => ({
    condition,
    distribution: [{ proxyName: `${i + 1}`, weight: 1 }],
  }));
  const parsed = await parseConditions(written);
  const rules = new BalancingRules(written, parsed, (one) => failed.push(one));
  const chosen = (of: RuledClient) => {
    const shares = rules.choose(of);
    return shares === undefined ? undefined : [...shares.keys()].join();
  };
  return { chosen, failed };
}

async function holds(condition: string, of: RuledClient): Promise<boolean> {
  const { chosen, failed } = await rulesOf(condition);
  const isChosen = chosen(of) === "1";
  deepEqual(failed, [], condition);
  return isChosen;
}

Deno.test("BalancingRules take the first rule that holds", async () => {
  const { chosen } = await rulesOf('user == "bob"', 'user.startsWith("b")', "DEFAULT", "true");
  equal(chosen(client({ user: "bob" })), "1");
  equal(chosen(client({ user: "berta" })), "2");
  equal(chosen(client({ user: "alice" })), "3");
});

Deno.test("BalancingRules choose nothing if no rule holds, or there is none", async () => {
  equal((await rulesOf('user == "bob"')).chosen(client({ user: "alice" })), undefined);
  equal((await rulesOf()).chosen(client({ user: "alice" })), undefined);
});

Deno.test("BalancingRules know a client by all variables", async () => {
  const of = client({
    user: "bob",
    database: "shop",
    application_name: "report",
    search_path: "tenant_42",
  }, { tlsServerName: "eu.example.com" });
  const right = [
    'user == "bob"',
    'database == "shop"',
    'application == "report"',
    'client_address == "192.0.2.7"',
    'listener == "main"',
    'tls_server_name == "eu.example.com"',
    'parameters.search_path == "tenant_42"',
    'has(parameters.search_path) && !has(parameters.role) && parameters["user"] == "bob"',
    'client_address.matches("^192[.]0[.]2[.]") && user in ["alice", "bob"]',
  ];
  for (const condition of right) equal(await holds(condition, of), true, condition);
  for (const condition of right) equal(await holds(`!(${condition})`, of), false, condition);
});

Deno.test("BalancingRules know what a client does not say", async () => {
  const of = client({ user: "bob" }, { address: { kind: "unix" } });
  const right = [
    'database == "bob"',
    'application == ""',
    'tls_server_name == ""',
    'client_address == "unix"',
  ];
  for (const condition of right) equal(await holds(condition, of), true, condition);
  equal(await holds('user == ""', client({})), true);
  equal(await holds('database == "bob"', client({ user: "bob", database: "" })), true);
});

Deno.test("BalancingRules give the weights of the rule, and add up those of one proxy", () => {
  const distribution = [
    { proxyName: "a", weight: 2 },
    { proxyName: "b", weight: 0 },
    { proxyName: "a", weight: 0.5 },
  ];
  const rules = new BalancingRules([{ condition: "DEFAULT", distribution }], new Map(), () => {});
  deepEqual(rules.choose(client({})), new Map([["a", 2.5], ["b", 0]]));
});

Deno.test("BalancingRules pass over a condition that fails, and say so once for each rule", async () => {
  const { chosen, failed } = await rulesOf(
    'parameters.role == "x"',
    'parameters.no == "y"',
    "DEFAULT",
  );
  equal(chosen(client({ user: "bob" })), "3");
  equal(chosen(client({ user: "alice" })), "3");
  equal(chosen(client({ role: "x" })), "1");
  equal(chosen(client({ role: "y", no: "y" })), "2");
  deepEqual(failed.map(({ rule, condition }) => [rule, condition]), [
    [1, 'parameters.role == "x"'],
    [2, 'parameters.no == "y"'],
  ]);
  equal(failed[0]!.reason.includes("role"), true, failed[0]!.reason);
});

Deno.test("BalancingRules fail for values that are too large, and only who asks for them", async () => {
  const { chosen, failed } = await rulesOf('has(parameters.x) && user == "bob"', 'user == "bob"');
  equal(chosen(client({ user: "bob", secret: "s".repeat(9_000) })), "2");
  deepEqual(failed.map(({ rule }) => rule), [1]);
  equal(failed[0]!.reason.includes("ss"), false, "a value is not told");
});

Deno.test("BalancingRules are not misled by names that JavaScript knows", async () => {
  const of = client({ user: "bob", ["__proto__"]: "y" });
  equal(await holds("has(parameters.constructor) || has(parameters.toString)", of), false);
  equal(await holds('parameters["__proto__"] == "y"', of), true);
});

Deno.test("BalancingRules are not made of conditions that are wrong", async () => {
  await rejects(rulesOf("user ="), { name: "ExpressionError" });
  await rejects(rulesOf("plugin == user"), { name: "ExpressionError" });
  await rejects(rulesOf("user"), { name: "ExpressionError" });
});
