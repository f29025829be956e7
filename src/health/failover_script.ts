/**
 * Runs the operator's program when a group has another primary, as pgagroal's failover_script: with
 * the host and the port of the old one and those of the new one, one run at a time, and without a
 * shell.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { concat, textOf } from "../base/bytes.ts";
import { messageOf } from "../base/errors.ts";

/** How long one run may take. */
const TIMEOUT_MS = 60_000;

/** Runs that wait for their turn; more than that, and the oldest is left out. */
const WAITING_MAX = 16;

/** What of its output is kept for the log. */
const OUTPUT_SIZE_MAX = 4_096;
const OUTPUT_LINES_MAX = 5;

/** What a script works with. */
export interface FailoverScriptOptions {
  readonly path: string;
  /** @param output Its first lines, of standard output and error. */
  readonly onFailed: (error: string, output: string) => void;
  readonly onDone: (durationMs: number) => void;
  /** {@linkcode TIMEOUT_MS} unless given. */
  readonly timeoutMs?: number;
}

/** One group's. */
export class FailoverScript {
  readonly #options: FailoverScriptOptions;
  readonly #waiting: (readonly string[])[] = [];
  #running: Promise<void> | undefined;
  #child: Deno.ChildProcess | undefined;
  #isStopped = false;

  constructor(options: FailoverScriptOptions) {
    this.#options = options;
  }

  /** Runs it, after the run that is under way. Returns at once. */
  run(from: Address, to: Address): void {
    if (this.#isStopped) return;
    this.#waiting.push([...argumentsOf(from), ...argumentsOf(to)]);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    this.#running ??= this.#runAll().finally(() => this.#running = undefined);
  }

  /** Kills the run that is under way; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#waiting.length = 0;
    kill(this.#child);
    await this.#running;
  }

  async #runAll(): Promise<void> {
    for (;;) {
      const args = this.#waiting.shift();
      if (args === undefined) return;
      await this.#runOne(args);
    }
  }

  /** Never throws. */
  async #runOne(args: readonly string[]): Promise<void> {
    const { path, onFailed, onDone, timeoutMs = TIMEOUT_MS } = this.#options;
    const beganMs = performance.now();
    const output: Uint8Array[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLate = false;
    try {
      const child = new Deno.Command(path, {
        args: [...args],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      this.#child = child;
      timer = setTimeout(() => {
        isLate = true;
        kill(child);
      }, timeoutMs);
      const done = new AbortController();
      const outputs = [child.stdout, child.stderr].map((one) => collect(one, output, done.signal));
      const { code, signal } = await child.status;
      // What it has started may go on, and hold on to its output.
      const grace = setTimeout(() => done.abort(), OUTPUT_GRACE_MS);
      await Promise.all(outputs);
      clearTimeout(grace);
      if (this.#isStopped) return;
      if (isLate) {
        onFailed(`it took longer than ${timeoutMs} ms, and was killed`, firstLines(output));
      } else if (signal !== null) onFailed(`it was ended by ${signal}`, firstLines(output));
      else if (code !== 0) onFailed(`it ended with exit code ${code}`, firstLines(output));
      else onDone(Math.round(performance.now() - beganMs));
    } catch (error) {
      onFailed(`cannot run ${path}: ${messageOf(error)}`, firstLines(output));
    } finally {
      clearTimeout(timer);
      this.#child = undefined;
    }
  }
}

/** How long output is read on when the program has ended. */
const OUTPUT_GRACE_MS = 100;

/** Reads to the end, so that the program never waits for a reader; keeps the beginning. */
async function collect(
  stream: ReadableStream<Uint8Array>,
  into: Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  const reader = stream.getReader();
  signal.addEventListener("abort", () => void reader.cancel().catch(() => {}));
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) return;
    const size = into.reduce((sum, part) => sum + part.length, 0);
    if (size < OUTPUT_SIZE_MAX) into.push(value.subarray(0, OUTPUT_SIZE_MAX - size));
  }
}

function firstLines(output: readonly Uint8Array[]): string {
  return textOf(concat(...output)).split("\n").slice(0, OUTPUT_LINES_MAX).join("\n").trimEnd();
}

/** Host and port, as programs are told; a Unix socket's are its path and 0. */
export function argumentsOf(address: Address): readonly [string, string] {
  if (address.kind === "unix") return [address.path, "0"];
  return [address.host, String(address.port)];
}

function kill(child: Deno.ChildProcess | undefined): void {
  try {
    child?.kill("SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
