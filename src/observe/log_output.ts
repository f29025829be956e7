/**
 * Where lines go, and what happens when they cannot: a reader that went away or a full disk must
 * not stop the gateway, so a line that cannot be written is counted, and the count is told with
 * the first line that can.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";

/** What a log is written to. Deno's files and standard streams are such. */
export interface LineWriter {
  /** Writes some of `bytes` and returns how many; throws if it cannot. */
  writeSync(bytes: Uint8Array): number;
}

/** One place that lines are written to. */
export class LogOutput {
  #writer: LineWriter;
  #lost = 0;
  #lostBefore = 0;
  /** Whether the last line was left without its end. */
  #isTorn = false;
  readonly #lostLine: (count: number) => string;

  /** @param lostLine Makes the line that says how many were lost. */
  constructor(writer: LineWriter, lostLine: (count: number) => string) {
    this.#writer = writer;
    this.#lostLine = lostLine;
  }

  /** Lines that could not be written since the start. */
  get lost(): number {
    return this.#lostBefore + this.#lost;
  }

  /** Writes `line`, which ends with "\n". Never throws. */
  write(line: string): void {
    if (!this.#put(line)) {
      this.#lost += 1;
      return;
    }
    if (this.#lost === 0 || !this.#put(this.#lostLine(this.#lost))) return;
    this.#lostBefore += this.#lost;
    this.#lost = 0;
  }

  /** Writes to `writer` from now on. */
  redirect(writer: LineWriter): void {
    this.#writer = writer;
    this.#isTorn = false;
  }

  /** Whether all of `line` was written. */
  #put(line: string): boolean {
    const bytes = utf8(this.#isTorn ? `\n${line}` : line);
    let written = 0;
    try {
      while (written < bytes.length) {
        const count = this.#writer.writeSync(bytes.subarray(written));
        if (count === 0) break;
        written += count;
      }
    } catch {
      // Nobody can be told: this is the log. The count is what remains.
    }
    if (written > 0) this.#isTorn = written < bytes.length;
    return written === bytes.length;
  }
}
