/**
 * Signals as promises.
 *
 * @module
 */

/** Windows knows no SIGTERM. */
const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/** The first two requests to stop. */
export interface StopSignals extends Disposable {
  readonly first: Promise<void>;
  readonly second: Promise<void>;
}

/**
 * Listens for requests to stop, until it is disposed of.
 *
 * @param onEach Is told of each signal as it comes.
 */
export function stopSignals(onEach: (name: Deno.Signal) => void): StopSignals {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const onSignal = (name: Deno.Signal) => {
    onEach(name);
    count += 1;
    if (count === 1) first.resolve();
    else second.resolve();
  };
  const listeners = STOP_SIGNALS.map((name) => [name, () => onSignal(name)] as const);
  for (const [name, listener] of listeners) Deno.addSignalListener(name, listener);
  return {
    first: first.promise,
    second: second.promise,
    [Symbol.dispose]() {
      for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}

/** Calls `reopen` at each SIGHUP, until it is disposed of. Does nothing on Windows. */
export function onReopenSignal(reopen: () => void): Disposable {
  return onSignals({ SIGHUP: reopen });
}

/**
 * Calls `pause` at each SIGUSR1 and `resume` at each SIGUSR2, as PgBouncer has them, until it is
 * disposed of. Does nothing on Windows.
 */
export function onPauseSignals(pause: () => void, resume: () => void): Disposable {
  return onSignals({ SIGUSR1: pause, SIGUSR2: resume });
}

function onSignals(listeners: Partial<Record<Deno.Signal, () => void>>): Disposable {
  const entries = Deno.build.os === "windows"
    ? []
    : Object.entries(listeners) as [Deno.Signal, () => void][];
  for (const [name, listener] of entries) Deno.addSignalListener(name, listener);
  return {
    [Symbol.dispose]() {
      for (const [name, listener] of entries) Deno.removeSignalListener(name, listener);
    },
  };
}
