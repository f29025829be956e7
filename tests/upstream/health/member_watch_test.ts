import { deepEqual, equal } from "node:assert/strict";
import type { CheckResult, Probe } from "../../../src/upstream/health/check.ts";
import { MemberWatch } from "../../../src/upstream/health/member_watch.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const ALIVE: CheckResult = { kind: "alive", state: undefined };

/** A server whose checks a test answers, watched once a second. */
class Scene {
  readonly clock = new FakeClock();
  /** When checks began, and when they ended. */
  readonly began: number[] = [];
  readonly ended: string[] = [];
  isClosed = false;
  answer: ((result: CheckResult) => void) | undefined;
  readonly watch: MemberWatch;

  constructor() {
    const probe: Probe = {
      check: (onResult) => {
        equal(this.answer, undefined, "one at a time");
        this.answer = onResult;
      },
      close: () => void (this.isClosed = true),
    };
    let round = 0;
    this.watch = new MemberWatch({
      clock: this.clock,
      intervalMs: () => 1_000,
      probe,
      onBegin: () => {
        this.began.push(this.clock.nowMs());
        return round += 1;
      },
      onResult: (_, ofRound, tookMs) => void this.ended.push(`${ofRound} in ${tookMs}`),
    });
    this.watch.start();
  }

  async ends(result: CheckResult = ALIVE): Promise<void> {
    const answer = this.answer!;
    this.answer = undefined;
    answer(result);
    await this.clock.pass(0);
  }
}

Deno.test("MemberWatch begins at once, and pauses from the end of a check to the next", async () => {
  const scene = new Scene();
  await scene.clock.pass(300);
  await scene.ends();
  await scene.clock.pass(999);
  deepEqual(scene.began, [0]);
  await scene.clock.pass(1);
  deepEqual(scene.began, [0, 1_300]);
  deepEqual(scene.ended, ["1 in 300"]);
});

Deno.test("MemberWatch checks sooner when asked to, but not all the time", async () => {
  const scene = new Scene();
  await scene.clock.pass(0);
  await scene.ends();
  await scene.clock.pass(50);
  for (let i = 0; i < 5; i++) scene.watch.checkSoon();
  await scene.clock.pass(49);
  deepEqual(scene.began, [0]);
  await scene.clock.pass(1);
  deepEqual(scene.began, [0, 100]);
  await scene.ends();
  await scene.clock.pass(500);
  scene.watch.checkSoon();
  await scene.clock.pass(0);
  deepEqual(scene.began, [0, 100, 600]);
});

Deno.test("MemberWatch checks once more behind a check that was under way when asked", async () => {
  const scene = new Scene();
  await scene.clock.pass(20);
  scene.watch.checkSoon();
  scene.watch.checkSoon();
  await scene.ends();
  await scene.clock.pass(80);
  deepEqual(scene.began, [0, 100]);
  await scene.ends();
  await scene.clock.pass(999);
  deepEqual(scene.began, [0, 100]);
});

Deno.test("MemberWatch moves checks behind something else, and keeps its pace", async () => {
  const scene = new Scene();
  await scene.clock.pass(0);
  await scene.ends();
  await scene.clock.pass(10);
  scene.watch.moveTo(250, 1_000); // too soon
  await scene.clock.pass(490);
  deepEqual(scene.began, [0, 500]);
  await scene.ends();
  await scene.clock.pass(510);
  scene.watch.moveTo(250, 1_000);
  await scene.clock.pass(250);
  deepEqual(scene.began, [0, 500, 1_260]);
  await scene.ends();
  for (let i = 0; i < 150; i++) { // never put off for ever
    scene.watch.moveTo(250, 1_000);
    await scene.clock.pass(10);
  }
  deepEqual(scene.began, [0, 500, 1_260, 2_760]);
});

Deno.test("MemberWatch leaves nothing behind when it stops, and hears of no late result", async () => {
  for (const isUnderWay of [false, true]) {
    const scene = new Scene();
    await scene.clock.pass(0);
    if (!isUnderWay) await scene.ends();
    scene.watch.stop();
    equal(scene.isClosed, true);
    scene.answer?.(ALIVE);
    scene.watch.checkSoon();
    await scene.clock.pass(5_000);
    equal(scene.clock.pending, 0);
    deepEqual(scene.began, [0]);
    equal(scene.ended.length, isUnderWay ? 0 : 1);
  }
});
