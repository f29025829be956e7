/**
 * Whatever servers say, in whatever order it is heard, there is one primary at most, and none whose
 * timeline is known to be over.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { FLAG, ROLE } from "../../../src/upstream/server_table.ts";
import { Random } from "../../support/random.ts";
import { GroupScene } from "./scene.ts";

const ROUNDS = 300;
const STEPS = 60;

Deno.test("GroupHealth never names two primaries, nor one that is outdated or fenced", () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    const scene = new GroupScene();
    const newest = [0, 0, 0];
    const said: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      const place = random.below(3);
      const timeline = 1 + random.below(4);
      const what = random.below(8);
      said.push(`${what}:${place}@${timeline}`);
      if (what < 3) scene.primary(place, timeline);
      else if (what < 6) scene.replica(place, timeline);
      else if (what === 6) scene.fails(place);
      else scene.dies(place);
      if (what < 6) newest[place] = timeline;
      const about = `seed ${seed}: ${said.join(" ")}`;
      ok(scene.primariesMax <= 1, about);
      for (const one of [0, 1, 2]) {
        if (scene.table.role(one) !== ROLE.primary) continue;
        ok(scene.table.timeline(one) >= Math.max(...newest), `outdated, ${about}`);
        ok((scene.table.flags(one) & FLAG.fenced) === 0, `fenced, ${about}`);
      }
    }
  }
});
