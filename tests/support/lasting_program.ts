/**
 * A program in a process of its own that runs until it is killed: what it leaves then is the test's
 * business.
 *
 * @module
 */

/** A program that has said something. */
export interface LastingProgram {
  readonly child: Deno.ChildProcess;
  /** The first line of what it wrote to its standard output. */
  readonly line: string;
  /** Kills it, if it still runs, and waits for its end. */
  kill(): Promise<void>;
}

/**
 * Starts it, and waits for its first line.
 *
 * @param source The program. It is kept alive behind its end.
 */
export async function startLasting(source: string): Promise<LastingProgram> {
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", `--config=${config}`, `${source}\nsetInterval(() => {}, 1000);`],
    stdout: "piped",
  }).spawn();
  const line = await firstLine(child.stdout);
  const kill = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
  };
  return { child, line, kill };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  throw new Error(`It ended without a line: ${text}`);
}
