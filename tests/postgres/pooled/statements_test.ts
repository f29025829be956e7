import { deepEqual, equal, notEqual } from "node:assert/strict";
import { textOf, utf8 } from "../../../src/base/bytes.ts";
import { Greetings } from "../../../src/postgres/pooled/greeting.ts";
import { PairState } from "../../../src/postgres/pooled/pair_state.ts";
import {
  ServerStatements,
  SharedStatements,
  type Statement,
} from "../../../src/postgres/pooled/statements.ts";
import { QueryScanner } from "../../../src/postgres/sql/query_scanner.ts";

function definition(text: string, types = "\0\0"): Uint8Array {
  return utf8(`${text}\0${types}`);
}

function shared(generation: () => number = () => 0): SharedStatements {
  return new SharedStatements(generation, new QueryScanner());
}

Deno.test("SharedStatements finds the same statement for the same text and types", () => {
  const statements = shared();
  const one = statements.find(definition("select 1"));
  equal(statements.find(definition("select 1")), one);
  for (const other of [definition("select 2"), definition("select 1", "\0\u0001\0\0\0\u0017")]) {
    notEqual(statements.find(other), one);
    notEqual(textOf(statements.find(other).serverName), textOf(one.serverName));
  }
});

Deno.test("SharedStatements tells texts apart that are no UTF-8", () => {
  const statements = shared();
  const texts = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte, 0, 0, 0));
  equal(new Set(texts.map((text) => statements.find(text))).size, 256);
});

Deno.test("SharedStatements keeps a copy of a definition that is a view", () => {
  const statements = shared();
  const view = definition("select 1");
  const one = statements.find(view);
  view.fill(0xdd);
  equal(textOf(one.definition), "select 1\0\0\0");
  equal(statements.find(definition("select 1")), one);
});

Deno.test("SharedStatements begins anew when the schema changes, under names that are new", () => {
  let generation = 0;
  const statements = shared(() => generation);
  const before = statements.find(definition("select 1"));
  generation = 1;
  const after = statements.find(definition("select 1"));
  notEqual(textOf(after.serverName), textOf(before.serverName));
  equal(statements.find(definition("select 1")), after);
});

Deno.test("SharedStatements gives a statement that it was told to forget another name", () => {
  const statements = shared();
  const before = statements.find(definition("select 1"));
  statements.forget(before);
  notEqual(statements.find(definition("select 1")), before);
});

Deno.test("SharedStatements says what a statement does", () => {
  const statements = shared();
  deepEqual(statements.find(definition("listen a")).traits.pins, ["listen"]);
  deepEqual(statements.unnamed(definition("set a = 1")).traits.parameters, ["a"]);
  deepEqual(statements.unnamed(utf8("set a = 1")).traits.parameters, ["a"], "without its end");
});

Deno.test("SharedStatements does not grow without end", () => {
  const statements = shared();
  const first = statements.find(definition("select 0"));
  for (let i = 1; i <= 20_000; i++) statements.find(definition(`select ${i}`));
  notEqual(statements.find(definition("select 0")), first);
});

Deno.test("SharedStatements tells texts apart by the statements that they name", () => {
  const statements = shared();
  const [one, two] = [statements.find(definition("select 1")), statements.find(definition("2"))];
  const text = definition("execute sluice_1");
  const alone = statements.find(text);
  const named = statements.find(text, { names: "", requires: one });
  notEqual(named, alone);
  deepEqual([alone.requires, named.requires], [undefined, one]);
  equal(statements.find(text, { names: "", requires: one }), named);
  equal(statements.find(text, { names: "", requires: two }).requires, two);
});

Deno.test("SharedStatements tells texts apart by what their names depend on", () => {
  const statements = shared();
  const text = definition("select 1");
  const [plain, a] = [statements.find(text), statements.find(text, { names: "a" })];
  notEqual(plain, a);
  equal(statements.find(text, { names: "a" }), a);
  notEqual(statements.find(text, { names: "b" }), a);
  const crafted = new Uint8Array([0x61, 0, ...text]);
  notEqual(statements.find(crafted), a);
  statements.forget(a);
  notEqual(statements.find(text, { names: "a" }), a);
  equal(statements.find(text), plain);
  const unknown = { names: undefined };
  notEqual(statements.find(text, unknown), statements.find(text, unknown));
});

function made(count: number): Statement[] {
  const statements = shared();
  return Array.from({ length: count }, (_, i) => statements.find(definition(`select ${i}`)));
}

Deno.test("ServerStatements gives up what was used least", () => {
  const server = new ServerStatements(2);
  const [a, b, c] = made(3) as [Statement, Statement, Statement];
  deepEqual([server.use(a), server.add(a), server.add(b)], [false, undefined, undefined]);
  equal(server.use(a), true);
  equal(server.add(c), b);
  deepEqual([server.use(a), server.use(b), server.use(c)], [true, false, true]);
});

Deno.test("ServerStatements takes back what was not closed after all", () => {
  const server = new ServerStatements(1);
  const [a, b] = made(2) as [Statement, Statement];
  server.add(a);
  equal(server.add(b), a);
  server.delete(b);
  server.restore(a);
  deepEqual([server.use(a), server.use(b)], [true, false]);
  server.deleteNamed(textOf(a.serverName));
  equal(server.use(a), false);
  server.add(b);
  server.clear();
  equal(server.use(b), false);
});

Deno.test("PairState remembers what servers accepted, of each set of settings", () => {
  const state = new PairState();
  const accepted = new Greetings(new Map([["a", "1"]]), new Map());
  state.accept(new Map([["a", "01"]]), accepted);
  equal(state.accepted(new Map([["a", "01"]])), accepted);
  equal(state.accepted(new Map([["a", "1"]])), undefined);
  for (let i = 0; i < 100; i++) state.accept(new Map([["b", String(i)]]), accepted);
  equal(state.accepted(new Map([["a", "01"]])), undefined, "the oldest goes");
  equal(state.accepted(new Map([["b", "99"]])), accepted);
});

Deno.test("PairState forgets everything when servers report other things", () => {
  const state = new PairState();
  const accepted = new Greetings(new Map(), new Map());
  state.onReported(new Map([["server_version", "18.0"]]));
  state.accept(new Map(), accepted);
  state.onReported(new Map([["server_version", "18.0"]]));
  equal(state.accepted(new Map()), accepted);
  state.onReported(new Map([["server_version", "19.0"]]));
  equal(state.accepted(new Map()), undefined);
});
