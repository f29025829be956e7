/**
 * `sluice plugin bench`: how long calls of a plugin take, and how much fuel.
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";
import { HookEvent } from "../../hooks/event.ts";
import { HOOKS } from "../../hooks/hooks.ts";
import type { LoadedPlugin } from "../../plugins/plugin_loader.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { print, printError } from "../terminal.ts";
import { fillEvent, firstScene, type Scene, sizedScene } from "./scenes.ts";
import { knownSession } from "./session.ts";
import { loadSubject, readSubject } from "./subject.ts";
import { grouped, harmless, tableText } from "./table.ts";
import { Trial } from "./trial.ts";

/** Of payloads, in bytes. */
const SIZES = [64, 1_024, 16_384] as const;

/** How long one hook with one payload is measured, in milliseconds. */
const MEASURED_MS = 150;

/** As long as it takes V8 to make fast code of a module. */
const WARM_UP_MS = 50;

/** Calls between two looks at the clock. */
const BATCH = 64;

/** Calls whose fuel is looked at: garbage is collected in some of so many. */
const FUEL_CALLS = 20_000;

const STARTS = 5;

/** One hook with one payload; the shape of an item of `--json`. */
export interface BenchResult {
  readonly hook: string;
  /** Bytes of the payload; undefined where the hook has none of this kind. */
  readonly payloadSize: number | undefined;
  /** Of the fastest and of the median batch of 64 calls. */
  readonly microsecondsMin: number;
  readonly microsecondsMedian: number;
  /** Of the call that used most. */
  readonly fuelMax: number;
  readonly verdict: string;
  /** "" if no call failed. */
  readonly failure: string;
}

/** Measures a plugin. */
export async function benchPlugin(
  file: string,
  { config, json = false }: { readonly config?: string; readonly json?: boolean },
): Promise<ExitCode> {
  const subject = await readSubject(file, config);
  if (typeof subject === "number") return subject;
  const loaded = await loadSubject(subject);
  if (typeof loaded === "number") return loaded;
  try {
    const { kvMax } = subject.source.settings;
    const startMs = await startTime(loaded, kvMax);
    using trial = await Trial.start(loaded, kvMax);
    const results = scenesOf(loaded.hooks).map(({ scene, isSized }) =>
      measure(trial, scene, isSized)
    );
    const report = { name: loaded.name, sha256: loaded.sha256, startMs, results };
    print(json ? `${JSON.stringify(report, null, 2)}\n` : reportText(startMs, results));
    return results.some(({ failure }) => failure !== "") ? EXIT.failed : EXIT.ok;
  } catch (error) {
    printError(`sluice: ${harmless(messageOf(error))}\n`);
    return EXIT.failed;
  }
}

/** Median time to compile the module and make an instance, in milliseconds. */
async function startTime(loaded: LoadedPlugin, kvMax: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const startMs = performance.now();
    using _trial = await Trial.start(loaded, kvMax);
    times.push(performance.now() - startMs);
  }
  return median(times);
}

/** An event that is measured, and whether its payload has one of {@linkcode SIZES}. */
interface Measured {
  readonly scene: Scene;
  readonly isSized: boolean;
}

function scenesOf(hooks: readonly number[]): readonly Measured[] {
  return HOOKS.filter(({ number }) => hooks.includes(number)).flatMap(
    ({ name }): readonly Measured[] => {
      const sized = SIZES.map((size) => sizedScene(name, size)).filter((one) => one !== undefined);
      if (sized.length > 0) return sized.map((scene) => ({ scene, isSized: true }));
      return [{ scene: firstScene(name), isSized: false }];
    },
  );
}

function measure(trial: Trial, scene: Scene, isSized: boolean): BenchResult {
  const event = new HookEvent();
  fillEvent(event, scene, knownSession());
  const { verdict, failure } = trial.call(event);
  const batches = failure === undefined ? timesOf(trial, event) : [0];
  return {
    hook: scene.hook,
    payloadSize: isSized ? scene.payload.length : undefined,
    microsecondsMin: Math.min(...batches),
    microsecondsMedian: median(batches),
    fuelMax: failure === undefined ? mostFuel(trial, event) : 0,
    verdict,
    failure: failure === undefined ? "" : `${failure.reason}: ${harmless(failure.message)}`,
  };
}

/** Microseconds of a call, for each batch. */
function timesOf({ plugin }: Trial, event: HookEvent): readonly number[] {
  const times: number[] = [];
  const startMs = performance.now();
  for (let nowMs = startMs; nowMs - startMs < WARM_UP_MS + MEASURED_MS || times.length === 0;) {
    for (let i = 0; i < BATCH; i++) plugin.call(event);
    const endMs = performance.now();
    if (endMs - startMs >= WARM_UP_MS) times.push((endMs - nowMs) * 1_000 / BATCH);
    nowMs = endMs;
  }
  return times;
}

/** Apart from the time, which looking at the fuel adds to. */
function mostFuel({ plugin }: Trial, event: HookEvent): number {
  let most = 0;
  const endMs = performance.now() + MEASURED_MS;
  for (let i = 0; i < FUEL_CALLS && performance.now() < endMs; i++) {
    plugin.call(event);
    most = Math.max(most, plugin.fuelUsed);
  }
  return most;
}

function reportText(startMs: number, results: readonly BenchResult[]): string {
  const rows = results.map((one) => [
    one.hook,
    one.payloadSize === undefined ? "-" : grouped(one.payloadSize),
    one.failure === "" ? one.microsecondsMedian.toFixed(2) : "-",
    one.failure === "" ? one.microsecondsMin.toFixed(2) : "-",
    grouped(one.fuelMax),
    one.failure === "" ? one.verdict : one.failure,
  ]);
  const heading = ["hook", "bytes", "µs", "fastest µs", "most fuel", "verdict"];
  return `start: ${startMs.toFixed(1)} ms\n\n${tableText([heading, ...rows], [1, 2, 3, 4])}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
