/**
 * `sluice plugin check`: has a plugin live through a session, and shows what came of it.
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";
import { formatSize } from "../../base/size.ts";
import { HookEvent, type SessionFacts } from "../../hooks/event.ts";
import { HOOK, hookNames } from "../../hooks/hooks.ts";
import type { LoadedPlugin } from "../../plugins/plugin_loader.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { print, printError } from "../terminal.ts";
import { fillEvent, type Scene, scenesFor } from "./scenes.ts";
import { knownSession } from "./session.ts";
import { loadSubject, readSubject, type Subject } from "./subject.ts";
import { grouped, harmless, listed, tableText } from "./table.ts";
import { Trial, type TrialFailure } from "./trial.ts";

/** Failures that are shown of each hook. */
const FAILURES_SHOWN_MAX = 5;

/** What came of one hook. */
interface HookReport {
  readonly hook: string;
  calls: number;
  readonly verdicts: Map<string, number>;
  fuelMax: number;
  readonly failures: { readonly title: string; readonly failure: TrialFailure }[];
  /** Where it used all of its fuel, and may. */
  readonly tooLarge: string[];
}

/** What the command line says beside the file. */
export interface CheckOptions {
  /** Path of a configuration. */
  readonly config?: string;
  /** Texts of queries that the plugin is shown beside the usual ones. */
  readonly query?: readonly string[];
}

/** Tries a plugin. */
export async function checkPlugin(
  file: string,
  { config, query = [] }: CheckOptions,
): Promise<ExitCode> {
  const subject = await readSubject(file, config);
  if (typeof subject === "number") return subject;
  const loaded = await loadSubject(subject);
  if (typeof loaded === "number") return loaded;
  let trial: Trial;
  try {
    trial = await Trial.start(loaded, subject.source.settings.kvMax);
  } catch (error) {
    printError(`sluice: ${harmless(messageOf(error))}\n`);
    return EXIT.failed;
  }
  using running = trial;
  const reports = await tryAll(running, loaded, query);
  print(headText(subject, loaded));
  print(reportText(reports));
  print(summaryText(running, loaded, reports));
  const failed = reports.reduce((sum, { failures }) => sum + failures.length, 0);
  print(failed === 0 ? `${file}: fine\n` : `${file}: ${failed} failed\n`);
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

async function tryAll(
  trial: Trial,
  loaded: LoadedPlugin,
  texts: readonly string[],
): Promise<readonly HookReport[]> {
  const reports = new Map<string, HookReport>();
  for (const hook of hookNames(loaded.hooks)) {
    const counts = { calls: 0, verdicts: new Map(), fuelMax: 0, failures: [], tooLarge: [] };
    reports.set(hook, { hook, ...counts });
  }
  const event = new HookEvent();
  const session = knownSession();
  for (const scene of scenesFor(loaded.hooks, texts)) {
    if (!wants(trial, scene)) continue;
    tryOne(trial, event, scene, session, reports.get(scene.hook)!);
    if (trial.plugin.state === "off") break; // it could not be started again
  }
  for (const failure of await trial.lateFailures()) {
    const report = reports.get("onHook")!;
    report.calls += 1;
    report.failures.push({ title: "an answer to its own request", failure });
  }
  return [...reports.values()];
}

function wants({ plugin }: Trial, { hook, messageType = 0 }: Scene): boolean {
  return messageType === 0 || plugin.messageTypes(HOOK[hook])[messageType] === 1;
}

function tryOne(
  trial: Trial,
  event: HookEvent,
  scene: Scene,
  session: SessionFacts,
  report: HookReport,
): void {
  fillEvent(event, scene, session);
  const { verdict, failure, fuel } = trial.call(event);
  report.calls += 1;
  if (failure?.reason === "fuel" && scene.mayUseAllFuel) {
    report.tooLarge.push(scene.title);
    return;
  }
  if (failure !== undefined) {
    report.failures.push({ title: scene.title, failure });
    return;
  }
  report.verdicts.set(verdict, (report.verdicts.get(verdict) ?? 0) + 1);
  report.fuelMax = Math.max(report.fuelMax, fuel);
}

function headText(
  { source, isConfigured, contents }: Subject,
  { name, version, abi, sha256 }: LoadedPlugin,
): string {
  const { permissions } = source.settings;
  const reason = isConfigured ? "by the configuration" : "all that it asks for";
  return `${name} ${version === "" ? "without a version" : version}, ` +
    `${grouped(contents.size)} bytes, ABI ${abi}, SHA-256 ${sha256}\n` +
    `granted: ${permissions.length === 0 ? "nothing" : permissions.join(", ")} (${reason})\n\n`;
}

function reportText(reports: readonly HookReport[]): string {
  const rows = reports.map(({ hook, calls, verdicts, fuelMax, failures }) => [
    hook,
    grouped(calls),
    listed([...verdicts].map(([verdict, count]) => `${verdict} ${count}`)),
    grouped(fuelMax),
    failures.length === 0 ? "-" : grouped(failures.length),
  ]);
  const table = tableText([["hook", "calls", "verdicts", "most fuel", "failed"], ...rows], [
    1,
    3,
    4,
  ]);
  const failures = reports.map(failuresText).join("");
  return `${table}\n${failures}${failures === "" ? "" : "\n"}`;
}

function failuresText({ hook, failures }: HookReport): string {
  const shown = failures.slice(0, FAILURES_SHOWN_MAX).map(({ title, failure }) => {
    const log = failure.log.map((line) => `    it said ${harmless(line)}\n`).join("");
    return `${hook} failed at ${harmless(title)}: ${failure.reason}: ` +
      `${harmless(failure.message)}\n${log}`;
  });
  const left = failures.length - shown.length;
  return shown.join("") + (left > 0 ? `${hook} failed ${left} times more\n` : "");
}

function summaryText(
  { plugin, signals, metrics }: Trial,
  { memoryMax, fuelPerCall }: LoadedPlugin,
  reports: readonly HookReport[],
): string {
  const fuelMax = Math.max(...reports.map((one) => one.fuelMax));
  const counts = [...signals].map(([name, count]) => `${harmless(name)} ${count}`);
  const notes = reports.flatMap(({ hook, tooLarge }) =>
    tooLarge.map((title) =>
      `note: ${hook} used all of its fuel at ${title}: such calls fail, unless fuelPerCall is more`
    )
  );
  const lines = [
    `memory: ${formatSize(plugin.memorySize)} of ${formatSize(memoryMax)}`,
    `fuel: at most ${grouped(fuelMax)} of ${grouped(fuelPerCall)} in a call`,
    ...(metrics.size === 0 ? [] : [`metrics: ${[...metrics].join(", ")}`]),
    ...(counts.length === 0 ? [] : [`signals: ${counts.join(", ")}`]),
    ...notes,
  ];
  return `${lines.join("\n")}\n\n`;
}
