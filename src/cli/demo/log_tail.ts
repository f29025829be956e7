/**
 * Keeps the last lines of a server's log in memory, for the error message when it does not start.
 *
 * @module
 */

const LINES_MAX = 40;
const LINE_LENGTH_MAX = 500;

/** Reads a stream of text to its end and remembers its last 40 lines, 500 characters of each. */
export class LogTail {
  readonly #lines: string[] = [];
  #partial = "";
  /** Resolves when the stream has ended. */
  readonly done: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.done = this.#read(stream);
  }

  /** Oldest first, at most 40. */
  get lines(): readonly string[] {
    return this.#partial === "" ? this.#lines : [...this.#lines, this.#partial];
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) this.#add(decoder.decode(bytes, { stream: true }));
  }

  #add(text: string): void {
    const lines = (this.#partial + text).split(/\r?\n/);
    this.#partial = (lines.pop() ?? "").slice(0, LINE_LENGTH_MAX);
    for (const line of lines) this.#lines.push(line.slice(0, LINE_LENGTH_MAX));
    this.#lines.splice(0, this.#lines.length - LINES_MAX);
  }
}
