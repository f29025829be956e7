/**
 * A client that speaks PostgreSQL's protocol message by message and hides nothing: a test says
 * which bytes go out, in which pieces, and sees every message that comes back. It costs so little
 * that one process can have thousands of them.
 *
 * @module
 */

import { concat, int32At, textOf } from "../../src/base/bytes.ts";
import { ClientLogin } from "./client_login.ts";
import { cancelRequest, errorFields, query, startup, TERMINATE } from "./messages.ts";
import { PATIENCE_MS, within } from "./wait.ts";

const READ_SIZE = 8 * 1024;

/** Tag and length. */
const HEADER_SIZE = 5;

/** One message as it came. */
export interface Message {
  readonly tag: string;
  /** All of it, header included: a copy, safe to keep. */
  readonly bytes: Uint8Array;
}

/** Where to connect, and as whom. */
export interface ClientTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** How to log in beyond the target. */
export interface LogInOptions {
  /** Parameters of the StartupMessage besides user and database. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Of protocol 3. Default 0. */
  readonly minorVersion?: number;
}

/** The server closed the connection while something was awaited from it. */
export class ConnectionEnd extends Error {
  override readonly name = "ConnectionEnd";
  /** What came before the end, oldest first. */
  readonly messages: readonly Message[];

  constructor(messages: readonly Message[]) {
    super(`The connection ended after ${messages.map(({ tag }) => tag).join("") || "nothing"}`);
    this.messages = messages;
  }
}

/** The server refused a login; `code` is the SQLSTATE. */
export class LogInRefused extends Error {
  override readonly name = "LogInRefused";
  readonly code: string;
  readonly fields: ReadonlyMap<string, string>;

  constructor(bytes: Uint8Array) {
    const fields = errorFields(bytes);
    super(`${fields.get("C")}: ${fields.get("M")}`);
    this.fields = fields;
    this.code = fields.get("C") ?? "";
  }
}

/** One connection. Disposing of it closes it at once, without a Terminate. */
export class ProtocolClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #target: { readonly host: string; readonly port: number };
  #buffer = new Uint8Array(READ_SIZE);
  /** What came and was not taken lies between the two. */
  #start = 0;
  #end = 0;
  #isOpen = true;
  #writing: Promise<unknown> = Promise.resolve();
  #processId = 0;
  #key: Uint8Array = new Uint8Array();
  #status = "I";
  /** What the server said of its parameters, the newest value of each. */
  readonly parameters = new Map<string, string>();

  private constructor(conn: Deno.TcpConn, target: { host: string; port: number }) {
    this.#conn = conn;
    this.#target = target;
  }

  /** Connects, and says nothing. */
  static async open(target: { host: string; port: number }): Promise<ProtocolClient> {
    const conn = await Deno.connect({ hostname: target.host, port: target.port });
    conn.setNoDelay();
    return new ProtocolClient(conn, target);
  }

  /**
   * Connects and logs in.
   *
   * @throws {LogInRefused} If the server answers with an error.
   * @throws {ConnectionEnd} If it says nothing and hangs up.
   */
  static async logIn(target: ClientTarget, options: LogInOptions = {}): Promise<ProtocolClient> {
    const client = await ProtocolClient.open(target);
    try {
      const { user, database } = target;
      const parameters = { user, database, ...options.parameters };
      client.send(startup(parameters, options.minorVersion));
      await within(
        2 * PATIENCE_MS,
        "a client logs in",
        client.untilLoggedIn(user, target.password),
      );
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Transaction status of the last ReadyForQuery: I, T or E. */
  get status(): string {
    return this.#status;
  }

  /** The process id for cancels that the server gave. */
  get processId(): number {
    return this.#processId;
  }

  /** The key for cancels that the server gave. */
  get key(): Uint8Array {
    return this.#key;
  }

  /** False once one side has closed, as far as this side has noticed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Answers what is asked after a StartupMessage, up to the first ReadyForQuery. */
  async untilLoggedIn(user: string, password: string): Promise<Message[]> {
    const login = new ClientLogin(user, password);
    const messages: Message[] = [];
    for (;;) {
      const got = await this.next();
      if (got === undefined) throw new ConnectionEnd(messages);
      messages.push(got);
      if (got.tag === "E") throw new LogInRefused(got.bytes);
      if (got.tag === "K") {
        this.#processId = int32At(got.bytes, HEADER_SIZE);
        this.#key = got.bytes.slice(HEADER_SIZE + 4);
      }
      if (got.tag === "Z") return messages;
      const answer = got.tag === "R" ? login.answer(got.bytes) : undefined;
      if (answer !== undefined) this.send(answer);
    }
  }

  /** Sends all in one write, behind what was sent before. That it fails is seen by reading. */
  send(...messages: readonly Uint8Array[]): void {
    const bytes = messages.length === 1 ? messages[0]! : concat(...messages);
    this.#writing = this.#writing.then(async () => {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    }).catch(() => {});
  }

  /** Resolves when all that was sent is with the kernel, or cannot be sent any more. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** The next message, or undefined when the connection has ended. */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const size = this.#messageSize();
      if (size !== undefined) return this.#take(size);
      if (!await this.#read()) return undefined;
    }
  }

  /**
   * All messages up to the one that `isLast` says is the last.
   *
   * @throws {ConnectionEnd} If the connection ends before.
   */
  async until(isLast: (message: Message) => boolean): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const got = await this.next();
      if (got === undefined) throw new ConnectionEnd(messages);
      messages.push(got);
      if (isLast(got)) return messages;
    }
  }

  /** All messages up to the ReadyForQuery number `count`. @throws {ConnectionEnd} As `until`. */
  async untilReady(count = 1): Promise<Message[]> {
    let left = count;
    return await this.until(({ tag }) => tag === "Z" && --left === 0);
  }

  /** Every message until the server closes. */
  async untilEnd(): Promise<Message[]> {
    const messages: Message[] = [];
    for (let got = await this.next(); got !== undefined; got = await this.next()) {
      messages.push(got);
    }
    return messages;
  }

  /** Every byte until the server closes, one character each: for what need not be messages. */
  async rest(): Promise<string> {
    const decoder = new TextDecoder("latin1");
    let text = "";
    do {
      text += decoder.decode(this.#buffer.subarray(this.#start, this.#end));
      this.#start = this.#end = 0;
    } while (await this.#read());
    return text;
  }

  /** Sends a Query and gives its answer. @throws {ConnectionEnd} As `until`. */
  async query(text: string): Promise<Message[]> {
    this.send(query(text));
    return await within(PATIENCE_MS, text.slice(0, 100), this.untilReady());
  }

  /** Asks on another connection to cancel what this one runs; resolves when it is closed. */
  async cancel(): Promise<void> {
    using other = await ProtocolClient.open(this.#target);
    other.send(cancelRequest(this.#processId, this.#key));
    await other.untilEnd();
  }

  /** Sends nothing more, and still reads. */
  async endWriting(): Promise<void> {
    await this.#writing;
    await this.#conn.closeWrite().catch(() => {});
  }

  /** Says goodbye, waits until the server has closed too. */
  async end(): Promise<void> {
    this.send(TERMINATE);
    await within(PATIENCE_MS, "the other side closes too", this.untilEnd());
    this.close();
  }

  /** Closes at once, whatever is under way. A second time it does nothing. */
  close(): void {
    this.#isOpen = false;
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Bytes of the first message, if all of it is there. */
  #messageSize(): number | undefined {
    const available = this.#end - this.#start;
    if (available < HEADER_SIZE) return undefined;
    const size = 1 + int32At(this.#buffer, this.#start + 1);
    if (size < HEADER_SIZE) throw new Error(`A message claims to have ${size} bytes`);
    if (size > this.#buffer.length) this.#grow(size);
    return size <= available ? size : undefined;
  }

  #take(size: number): Message {
    const bytes = this.#buffer.slice(this.#start, this.#start + size);
    this.#start += size;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    const tag = String.fromCharCode(bytes[0]!);
    if (tag === "Z") this.#status = String.fromCharCode(bytes[HEADER_SIZE]!);
    if (tag === "S") {
      const [name, value] = textOf(bytes.subarray(HEADER_SIZE)).split("\0");
      this.parameters.set(name!, value!);
    }
    return { tag, bytes };
  }

  /** @returns False at the end of the connection. */
  async #read(): Promise<boolean> {
    if (this.#end === this.#buffer.length) this.#grow(this.#buffer.length);
    const size = await this.#conn.read(this.#buffer.subarray(this.#end)).catch(() => null);
    if (size === null) {
      this.#isOpen = false;
      return false;
    }
    this.#end += size;
    return true;
  }

  /** Makes room behind what is there, for a message of `size` bytes at least. */
  #grow(size: number): void {
    const needed = Math.max(size, this.#end - this.#start + READ_SIZE);
    const buffer = needed > this.#buffer.length ? new Uint8Array(needed) : this.#buffer;
    buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = buffer;
    this.#end -= this.#start;
    this.#start = 0;
  }
}

/** The rows among `messages`, their values as text. */
export function rowsOf(messages: readonly Message[]): (string | null)[][] {
  return messages.filter(({ tag }) => tag === "D").map(({ bytes }) => {
    const values: (string | null)[] = [];
    let at = HEADER_SIZE + 2;
    while (at < bytes.length) {
      const size = int32At(bytes, at);
      at += 4;
      values.push(size < 0 ? null : textOf(bytes.subarray(at, at + size)));
      at += Math.max(size, 0);
    }
    return values;
  });
}

/** The SQLSTATEs of the errors among `messages`, in order. */
export function sqlStatesOf(messages: readonly Message[]): string[] {
  return messages.filter(({ tag }) => tag === "E").map(({ bytes }) =>
    errorFields(bytes).get("C") ?? ""
  );
}

/** The types of `messages`, one letter each: "TDCZ" is a Query's answer of one row. */
export function tagsOf(messages: readonly Message[]): string {
  return messages.map(({ tag }) => tag).join("");
}

/** Asks for one value. @throws {Error} If the answer has an error. */
export async function valueOf(client: ProtocolClient, text: string): Promise<string | null> {
  const messages = await client.query(text);
  const errors = sqlStatesOf(messages);
  if (errors.length > 0) throw new Error(`${text}: ${errors.join()}`);
  return rowsOf(messages)[0]?.[0] ?? null;
}

/** The fields of the error that a client hears before the connection ends. */
export async function lastError(client: ProtocolClient): Promise<ReadonlyMap<string, string>> {
  const messages = await within(PATIENCE_MS, "the connection ends", client.untilEnd());
  const error = messages.findLast(({ tag }) => tag === "E");
  if (error === undefined) throw new Error("The connection ended without an ErrorResponse");
  return errorFields(error.bytes);
}
