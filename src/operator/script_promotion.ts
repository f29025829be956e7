/**
 * Programs of the operator that are run when a group gets another primary.
 *
 * @module
 */

import { systemReason } from "../base/errors.ts";
import { formatDuration } from "../base/duration.ts";
import { argumentsOf } from "../health/failover_script.ts";
import type { Promote } from "./promotion.ts";

/** Of what a program says on standard error, in characters: its last words. */
const WORDS_MAX = 500;

/** How long its last words may take to come once it has ended: its children may keep the pipe. */
const WORDS_MS_MAX = 1_000;

/** Promotes by a program: it is told host and port of the old primary, then of the new one. */
export function scriptPromotion(path: string): Promote {
  return ({ from, to, timeoutMs }) =>
    runScript(path, [...argumentsOf(from.address), ...argumentsOf(to.address)], timeoutMs);
}

/**
 * Runs a program of the operator, and waits for its end.
 *
 * @throws {Error} If it cannot be started, does not end with 0, or not in time: then it is killed.
 */
export async function runScript(
  path: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<void> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(path, {
      args: [...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    throw new Error(`${path} cannot be run: ${systemReason(error)}`, { cause: error });
  }
  const words = new LastWords(child.stderr);
  let isTimeUp = false;
  const timer = setTimeout(() => {
    isTimeUp = true;
    try {
      child.kill("SIGKILL");
    } catch {
      // It has just ended by itself.
    }
  }, timeoutMs);
  const { code, signal } = await child.status;
  clearTimeout(timer);
  const said = await words.text();
  if (isTimeUp) {
    throw new Error(`${path} was killed: it took longer than ${formatDuration(timeoutMs)}`);
  }
  if (code === 0) return;
  const end = signal === null ? `exit code ${code}` : `signal ${signal}`;
  throw new Error(`${path} ended with ${end}${said === "" ? "" : `: ${said}`}`);
}

/** Reads all that a program says, and keeps the end of it. */
class LastWords {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #done: Promise<void>;
  #text = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    this.#done = this.#read().catch(() => {}); // what could not be read was not said
  }

  /** What was said last, on one line. */
  async text(): Promise<string> {
    const timer = setTimeout(() => void this.#reader.cancel(), WORDS_MS_MAX);
    await this.#done;
    clearTimeout(timer);
    const line = this.#text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
    return line.slice(-WORDS_MAX);
  }

  async #read(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      this.#text = (this.#text + value).slice(-2 * WORDS_MAX);
    }
  }
}
