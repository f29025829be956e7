/**
 * `sluice run`.
 *
 * @module
 */

import { type RunningGateway, startGateway } from "../app.ts";
import { messageOf } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import { type Log, openLog } from "../observe/log.ts";
import { VERSION } from "../version.ts";
import { findConfig, type FoundConfig } from "./config_source.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import { onPauseSignals, onReopenSignal, stopSignals } from "./signals.ts";
import { printError } from "./terminal.ts";

/** Runs the gateway until it is told to stop. */
export async function runGateway(file: string | undefined): Promise<ExitCode> {
  const found = findConfig(file);
  if (found === undefined) return EXIT.config;
  // The demo starts programs; a gateway that serves must not be able to, unless it is told which.
  if (!namesScripts(found.config)) await Deno.permissions.revoke({ name: "run" });
  let log: Log;
  try {
    log = openLog(
      [...found.config.loggers].map(([name, logger]) => ({ name, ...logger })),
      { stdout: Deno.stdout.isTerminal(), stderr: Deno.stderr.isTerminal() },
    );
  } catch (error) {
    printError(`sluice: ${messageOf(error)}\n`);
    return EXIT.failed;
  }
  try {
    return await serve(found, log);
  } finally {
    log.close();
  }
}

/** Whether there is a program that is run when a primary changes. */
function namesScripts({ clients }: Config): boolean {
  return [...clients.values()].some(({ group }) =>
    group.failoverScript !== "" || group.switchoverScript !== ""
  );
}

async function serve(found: FoundConfig, log: Log): Promise<ExitCode> {
  const { config, source, notes, tried, origin } = found;
  const write = (level: "info" | "error", message: string, fields = {}) =>
    log.write({ level, message, fields, timeMs: Date.now() });
  write("info", "starting", { version: VERSION, config: source, workers: config.runtime.workers });
  for (const note of notes) write("info", "configuration note", { note });
  // Before anything is started: a signal that comes early must not be lost.
  let gateway: RunningGateway | undefined;
  using signals = stopSignals((name) => gateway?.onSignal(name));
  using _reopening = onReopenSignal(() => {
    for (const problem of log.reopen()) write("error", problem);
    gateway?.onSignal("SIGHUP");
    gateway?.refreshFiles();
  });
  const operate = (verb: "pause" | "resume", name: Deno.Signal) => () => {
    gateway?.onSignal(name);
    gateway?.operate(verb);
  };
  using _pausing = onPauseSignals(operate("pause", "SIGUSR1"), operate("resume", "SIGUSR2"));
  try {
    gateway = await startGateway(config, log, origin, tried);
  } catch (error) {
    write("error", "cannot start", { error: messageOf(error) });
    return EXIT.failed;
  }
  try {
    await Promise.race([signals.first, gateway.failure]);
  } catch (error) {
    write("error", "cannot go on", { error: messageOf(error) });
    await gateway.abort();
    return EXIT.failed;
  }
  const hasStopped = await Promise.race([
    gateway.stop().then(() => true),
    signals.second.then(() => false),
  ]);
  return hasStopped ? EXIT.ok : EXIT.interrupted;
}
