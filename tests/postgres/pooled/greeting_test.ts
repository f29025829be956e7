import { deepEqual, equal, notEqual } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { Greetings } from "../../../src/postgres/pooled/greeting.ts";
import { parameterStatus } from "../../support/messages.ts";

const REPORTED = new Map([
  ["in_hot_standby", "off"],
  ["TimeZone", "Japan"],
  ["application_name", ""],
]);
const greetings = () => new Greetings(new Map([["timezone", "Japan"]]), REPORTED);

Deno.test("Greetings tell what servers report, and what the gateway knows better", () => {
  const greeting = greetings().of({ applicationName: "psql", hotStandby: "on" });
  deepEqual([...greeting.defaults.values], [["timezone", "Japan"], ["application_name", "psql"]]);
  equal(greeting.defaults.text, "timezone\0Japan\0application_name\0psql");
  const told = [["in_hot_standby", "on"], ["TimeZone", "Japan"], ["application_name", "psql"]];
  deepEqual([...greeting.told], told);
  const statuses = told.map(([name, value]) => parameterStatus(name!, value!));
  deepEqual(greeting.statuses, concat(...statuses));
});

Deno.test("Greetings leave as it is what nobody has a word on", () => {
  const nothing = { applicationName: undefined, hotStandby: undefined };
  const greeting = greetings().of(nothing);
  deepEqual([...greeting.told], [...REPORTED]);
  deepEqual([...greeting.defaults.values], [["timezone", "Japan"]]);
  // Servers before version 14 do not report it.
  const old = new Greetings(new Map(), new Map()).of({ ...nothing, hotStandby: "on" });
  deepEqual([...old.told], []);
});

Deno.test("Greetings are made once for clients that are alike, and few are kept", () => {
  const all = greetings();
  const of = (applicationName: string | undefined, hotStandby: "on" | "off" | undefined) =>
    all.of({ applicationName, hotStandby });
  const first = of("a", "on");
  equal(of("a", "on"), first);
  for (const [name, standby] of [["a", "off"], ["a", undefined], [undefined, "on"]] as const) {
    notEqual(of(name, standby), first);
  }
  equal(of("a", "on"), first);
  for (let i = 0; i < 8; i++) of(String(i), "on");
  notEqual(of("a", "on"), first, "the oldest goes");
});
