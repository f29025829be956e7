import { deepEqual, equal, ok } from "node:assert/strict";
import { int32At } from "../../src/base/bytes.ts";
import { fillEvent, firstScene, scenesFor, sizedScene } from "../../src/cli/plugin/scenes.ts";
import { knownSession } from "../../src/cli/plugin/session.ts";
import { FIELD, HookEvent } from "../../src/hooks/event.ts";
import { CAN, HOOK, HOOKS, MESSAGE_HOOKS } from "../../src/hooks/hooks.ts";

const ALL = HOOKS.map(({ number }) => number);

/** Bits of the flags that are verdicts. */
const VERDICTS = Object.values(CAN).reduce((sum, bit) => sum | bit, 0);

Deno.test("scenesFor has usual events and hostile ones for each hook, and no others", () => {
  deepEqual(scenesFor([]), []);
  for (const { name, number } of HOOKS) {
    const scenes = scenesFor([number]);
    deepEqual([...new Set(scenes.map(({ hook }) => hook))], [name]);
    const titles = scenes.map(({ title }) => title);
    equal(titles[0], firstScene(name).title);
    for (const title of ["an empty payload", "1 MiB", "a payload that is cut off"]) {
      ok(titles.includes(title), `${name}: ${title}`);
    }
    const sizes = scenes.map(({ payload }) => payload.length);
    ok(sizes.includes(0) && sizes.some((size) => size >= 1_048_576), name);
  }
});

Deno.test("Events have only verdicts that their hook may give, and sessions where there are some", () => {
  const event = new HookEvent();
  const session = knownSession();
  for (const scene of scenesFor(ALL)) {
    fillEvent(event, scene, session);
    const { number, can, place } = HOOKS[HOOK[scene.hook] - 1]!;
    equal(event.hook, number);
    equal(event.flags & VERDICTS & ~can, 0, `${scene.hook}: ${scene.title}`);
    equal(event.session !== undefined, place === "session");
    equal(event.payload, scene.payload);
    if (place === "session" && !scene.isSessionUnknown) equal(event.session, session);
  }
});

Deno.test("Messages are whole where nothing else is said, and have their type", () => {
  const hooks = MESSAGE_HOOKS.map((name) => HOOK[name]);
  const broken = /empty|cut off|header alone/;
  const scenes = scenesFor([...hooks, HOOK.onRow, HOOK.onError]);
  for (const { title, payload, messageType } of scenes.filter((one) => !broken.test(one.title))) {
    equal(payload[0], messageType, title);
    if (title !== "three rows") equal(int32At(payload, 1), payload.length - 1, title);
  }
});

Deno.test("A query's payload is its text, also when it is hostile", () => {
  const event = new HookEvent();
  const scenes = scenesFor([HOOK.onQuery]);
  for (const scene of scenes) {
    fillEvent(event, scene, knownSession());
    deepEqual(event.field(FIELD.text), event.payload, scene.title);
  }
  deepEqual(new Set(scenes.map(({ phase }) => phase)), new Set([1, 2, 3]));
  ok(scenes.some(({ fields }) => fields?.[FIELD.parameters] !== undefined));
});

Deno.test("sizedScene has payloads of the size that is asked for", () => {
  for (const { name } of HOOKS) {
    for (const size of [64, 1_024, 16_384]) {
      const scene = sizedScene(name, size);
      if (scene !== undefined) equal(scene.payload.length, size, name);
    }
  }
  equal(sizedScene("onOpened", 64), undefined);
});
