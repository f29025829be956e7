/**
 * Clients that stay connected and ask when a test says so: between two questions nothing of theirs
 * is under way, so whatever happens to servers meanwhile is none of their business.
 *
 * @module
 */

import pg from "pg";
import type { Target } from "./stories.ts";
import { within } from "./wait.ts";

/** Longer than a gateway lets clients wait for a failover. */
const TIMEOUT_MS = 45_000;

/** Which server it is. */
export const PORT = "select current_setting('port')";

/** Several of them. Disposing of it lets them leave. */
export class AskingClients implements AsyncDisposable {
  readonly #clients: readonly pg.Client[];
  /** What each was told that nobody had asked for. */
  readonly #told: string[][];

  private constructor(clients: readonly pg.Client[], told: string[][]) {
    this.#clients = clients;
    this.#told = told;
  }

  /** @throws What the driver throws if one of them cannot connect. */
  static async connect(
    target: Target,
    count: number,
    options: { readonly application?: string } = {},
  ): Promise<AskingClients> {
    const { application = "asking" } = options;
    const told: string[][] = Array.from({ length: count }, () => []);
    const clients = told.map((mine) => {
      const client = new pg.Client({ ...target, ssl: false, "application_name": application });
      client.on("error", (error: unknown) => {
        const code = codeOf(error);
        // The end of a connection comes behind the reason for it.
        if (isSqlState(code) || mine.length === 0) mine.push(code);
      });
      return client;
    });
    const connecting = Promise.all(clients.map((client) => client.connect()));
    await within(TIMEOUT_MS, "all clients connect", connecting);
    return new AskingClients(clients, told);
  }

  /** What each was told without a question: SQLSTATEs, or the driver's words for a mere end. */
  get told(): readonly (readonly string[])[] {
    return this.#told;
  }

  /** What each is answered: the first value of the first row, "" without any, or a SQLSTATE. */
  async ask(text: string): Promise<string[]> {
    const answers = this.#clients.map((client) => client.query(text).then(valueOf, codeOf));
    return await within(TIMEOUT_MS, "all clients are answered", Promise.all(answers));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = this.#clients.map((client) => client.end().catch(() => {}));
    await within(TIMEOUT_MS, "all clients leave", Promise.all(ends));
  }
}

/** What a client is told that asks once, as {@linkcode AskingClients.ask} tells. */
export async function askOnce(
  target: Target,
  text: string,
  options: { readonly application?: string } = {},
): Promise<string> {
  try {
    await using client = await AskingClients.connect(target, 1, options);
    return (await client.ask(text))[0]!;
  } catch (error) {
    return codeOf(error);
  }
}

function valueOf({ rows }: { readonly rows: readonly object[] }): string {
  return String(Object.values(rows[0] ?? {})[0] ?? "");
}

/** With the message of who has no code. */
function codeOf(error: unknown): string {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  return code ?? message;
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code);
}
