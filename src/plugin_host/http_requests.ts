/**
 * HTTP requests of one plugin in one worker: sent at once, answered later, and limited in number,
 * size and time. Nothing of a request or a response is logged here: both may hold secrets.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { concat, textOf } from "../base/bytes.ts";
import { messageOf } from "../base/errors.ts";
import { HOST_ERROR } from "./host_error.ts";

/** What a plugin may ask for. */
export const HTTP_LIMIT = {
  outstanding: 64,
  /** Bytes of method, address and headers. */
  headSize: 16_384,
  requestSize: 1_048_576,
  responseSize: 1_048_576,
  timeoutMs: 10_000,
  /** On the same origin; others are not followed. */
  redirects: 5,
} as const;

const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
]);

/** Headers that say where a request ends, or whom it is for: those are ours to say. */
const RESERVED_HEADERS = ["connection", "content-length", "host", "transfer-encoding", "upgrade"];

const SEE_OTHER = 303;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, SEE_OTHER, 307, 308]);

/** What came of a request. */
export interface HttpResponse {
  /** As `http_send` returned it. */
  readonly request: number;
  /** Undefined if there was none: then `problem` says why. */
  readonly status: number | undefined;
  readonly body: Uint8Array;
  readonly problem: string;
}

/** What is needed to send requests. */
export interface HttpOptions {
  /** As in a URL, with the port if it is not the usual one. */
  readonly hosts: readonly string[];
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Called with each response, never while `send` runs. */
  readonly onResponse: (response: HttpResponse) => void;
}

interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A plugin's requests. */
export class HttpRequests {
  readonly #options: HttpOptions;
  readonly #outstanding = new Set<AbortController>();
  #last = 0;
  #isClosed = false;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** How many have not been answered. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /**
   * Sends a request. What it is given may be views: all is copied.
   *
   * @returns Its number, from 1, or one of `HOST_ERROR`: denied if the host is not allowed.
   */
  send(method: Uint8Array, url: Uint8Array, headers: Uint8Array, body: Uint8Array): number {
    if (method.length + url.length + headers.length > HTTP_LIMIT.headSize) {
      return HOST_ERROR.overLimit;
    }
    if (body.length > HTTP_LIMIT.requestSize) return HOST_ERROR.overLimit;
    if (this.#isClosed || this.#outstanding.size >= HTTP_LIMIT.outstanding) {
      return HOST_ERROR.overLimit;
    }
    const request = requestOf(textOf(method), textOf(url), textOf(headers), body);
    if (request === undefined) return HOST_ERROR.invalid;
    if (!this.#options.hosts.includes(request.url.host)) return HOST_ERROR.denied;
    // Numbers are those of an i32; nobody waits so long that one comes again.
    this.#last = this.#last === 0x7fffffff ? 1 : this.#last + 1;
    void this.#run(this.#last, request);
    return this.#last;
  }

  /** Ends all requests without an answer, and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const controller of this.#outstanding) controller.abort();
    this.#outstanding.clear();
  }

  async #run(number: number, request: HttpRequest): Promise<void> {
    const controller = new AbortController();
    this.#outstanding.add(controller);
    let isLate = false;
    const timer = this.#options.clock.after(HTTP_LIMIT.timeoutMs, () => {
      isLate = true;
      controller.abort();
    });
    let response: HttpResponse;
    try {
      const { status, body } = await this.#fetch(request, controller.signal);
      response = { request: number, status, body, problem: "" };
    } catch (error) {
      const problem = isLate
        ? `there was no whole response within ${HTTP_LIMIT.timeoutMs} ms`
        : problemOf(error);
      response = { request: number, status: undefined, body: new Uint8Array(), problem };
    } finally {
      timer.cancel();
      this.#outstanding.delete(controller);
    }
    if (!this.#isClosed) this.#options.onResponse(response);
  }

  async #fetch(
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<{ status: number; body: Uint8Array }> {
    let { method, url } = request;
    for (let redirects = 0;; redirects++) {
      const hasBody = method !== "GET" && method !== "HEAD" && request.body.length > 0;
      const response = await this.#options.fetch(url, {
        method,
        headers: request.headers,
        body: hasBody ? request.body : null,
        redirect: "manual",
        signal,
      });
      const next = redirectOf(response, url);
      if (next === undefined || redirects === HTTP_LIMIT.redirects) {
        return { status: response.status, body: await bodyOf(response) };
      }
      await response.body?.cancel();
      // As browsers do: what was posted is not posted again, unless 307 or 308 say so.
      if (response.status === SEE_OTHER || (response.status < SEE_OTHER && method === "POST")) {
        method = "GET";
      }
      url = next;
    }
  }
}

/** @returns Undefined if the request cannot be sent. */
function requestOf(
  method: string,
  address: string,
  lines: string,
  body: Uint8Array,
): HttpRequest | undefined {
  const url = URL.parse(address);
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  if (url === null || !isHttp || !METHODS.has(method)) return undefined;
  // fetch refuses them, and addresses are kept in more places than headers are.
  if (url.username !== "" || url.password !== "") return undefined;
  const headers = headersOf(lines);
  return headers === undefined ? undefined : { method, url, headers, body: body.slice() };
}

function headersOf(lines: string): Headers | undefined {
  const headers = new Headers();
  for (const line of lines.split(/\r?\n/)) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (colon <= 0 || RESERVED_HEADERS.includes(name.toLowerCase())) return undefined;
    try {
      headers.append(name, line.slice(colon + 1).trim());
    } catch (error) {
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  }
  return headers;
}

/** Where a response leads, if that is on the same origin. */
function redirectOf({ status, headers }: Response, from: URL): URL | undefined {
  const location = headers.get("location");
  if (!REDIRECTS.has(status) || location === null) return undefined;
  const to = URL.parse(location, from);
  return to !== null && to.origin === from.origin ? to : undefined;
}

/** @throws {RangeError} If it is too large. */
async function bodyOf(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > HTTP_LIMIT.responseSize) {
      throw new RangeError(`the response has more than ${HTTP_LIMIT.responseSize} bytes`);
    }
    chunks.push(chunk);
  }
  return concat(...chunks);
}

/** Why there was no response, without the address: the runtime says "... for url (...): why". */
function problemOf(thrown: unknown): string {
  return messageOf(thrown).replace(/ for url \(.*\)(?=:|$)/s, "");
}
