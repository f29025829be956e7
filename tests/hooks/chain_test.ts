import { deepEqual, equal } from "node:assert/strict";
import { HookChain, NO_HOOKS, type Subscriber } from "../../src/hooks/chain.ts";
import { HookEvent } from "../../src/hooks/event.ts";
import { HOOK } from "../../src/hooks/hooks.ts";
import {
  answers,
  CLOSES,
  type Handlers,
  rejects,
  replaces,
  routes,
  subscriber,
  text,
} from "../support/subscribers.ts";

function run(chain: HookChain, hook: number, messageType = 0) {
  const event = new HookEvent();
  event.clear(hook, undefined);
  event.payload = new TextEncoder().encode("first");
  event.messageType = messageType;
  return { verdict: chain.run(event), event };
}

function named(name: string, priority: number, handlers: Handlers): Subscriber {
  return subscriber(handlers, { name, priority });
}

Deno.test("HookChain calls by priority, then by name", () => {
  const called: string[] = [];
  const says = (name: string): Handlers => ({ onQuery: () => void called.push(name) });
  const those: [string, number][] = [["d", 1], ["b", 5], ["a", 9], ["a1", 5], ["c", 5]];
  const chain = new HookChain(those.map(([name, priority]) => named(name, priority, says(name))));
  equal(run(chain, HOOK.onQuery).verdict.kind, "forward");
  deepEqual(called, ["d", "a1", "b", "c", "a"]);
});

Deno.test("HookChain shows a replacement to who comes next, as the text, too", () => {
  const seen: (string | undefined)[] = [];
  const chain = new HookChain([
    named("a", 1, { onQuery: () => replaces("second") }),
    named("b", 2, {
      onQuery(event) {
        seen.push(text(event, "payload"), text(event, "text"));
        return replaces("third");
      },
    }),
    named("c", 3, { onQuery: (event) => void seen.push(text(event, "payload")) }),
  ]);
  const { verdict, event } = run(chain, HOOK.onQuery);
  deepEqual(seen, ["second", "second", "third"]);
  equal(verdict.kind, "replace");
  equal(text(event, "payload"), "third");
  equal(text(event, "text"), "third");
});

Deno.test("HookChain leaves fields alone where the payload is a message", () => {
  const chain = new HookChain([named("a", 1, { onTrafficFromClient: () => replaces("x") })]);
  const { event } = run(chain, HOOK.onTrafficFromClient, 0x51);
  equal(event.text, undefined);
});

Deno.test("HookChain ends with the first respond, reject or close", () => {
  for (const verdict of [answers("1"), rejects("no"), CLOSES]) {
    const chain = new HookChain([
      named("a", 1, { onQuery: () => routes("elsewhere") }),
      named("b", 2, { onQuery: () => verdict }),
      named("c", 3, { onQuery: () => routes("called") }),
    ]);
    equal(run(chain, HOOK.onQuery).verdict, verdict);
  }
});

Deno.test("HookChain goes on behind a route, and the last one counts", () => {
  const chain = new HookChain([
    named("a", 1, { onQuery: () => routes("one") }),
    named("b", 2, { onQuery: () => replaces("text") }),
    named("c", 3, { onQuery: () => routes("two") }),
    named("d", 4, { onQuery: () => replaces("last") }),
  ]);
  const { verdict, event } = run(chain, HOOK.onQuery);
  deepEqual(verdict, routes("two"));
  equal(text(event, "payload"), "last");
});

Deno.test("HookChain calls for the types of messages that each one wants", () => {
  const called: string[] = [];
  const handlers = (name: string): Handlers => ({
    onTrafficFromClient: () => void called.push(name),
  });
  const chain = new HookChain([
    subscriber(handlers("a"), { name: "a", types: "QP" }),
    subscriber(handlers("b"), { name: "b", types: "P" }),
  ]);
  const hook = HOOK.onTrafficFromClient;
  deepEqual(["Q", "P", "B"].map((type) => chain.wantsType(hook, type.charCodeAt(0))), [
    true,
    true,
    false,
  ]);
  run(chain, hook, "Q".charCodeAt(0));
  run(chain, hook, "P".charCodeAt(0));
  run(chain, hook, "B".charCodeAt(0));
  deepEqual(called, ["a", "a", "b"]);
  equal(chain.wantsType(HOOK.onTrafficToServer, "Q".charCodeAt(0)), false);
});

Deno.test("HookChain knows what is wanted of it", () => {
  equal(NO_HOOKS.wantsTraffic, false);
  equal(NO_HOOKS.mayRespond, false);
  const opened = new HookChain([subscriber({ onOpened: () => {} })]);
  deepEqual([opened.wantsTraffic, opened.mayRespond, opened.wants[HOOK.onOpened]], [
    false,
    false,
    1,
  ]);
  const query = new HookChain([subscriber({ onQuery: () => {} }, { mayRespond: false })]);
  deepEqual([query.wantsTraffic, query.mayRespond], [true, false]);
  equal(new HookChain([subscriber({ onQuery: () => {} })]).mayRespond, true);
});
