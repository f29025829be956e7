/**
 * Operators' verbs over HTTP: `GET /v1/status`, and `POST /v1/VERB` with what it is about as JSON.
 * Answers are JSON: what there is, `{"message": …}`, or `{"error": {"code": …, "message": …}}`.
 *
 * @module
 */

import { boundedText } from "../base/bounded_text.ts";
import { formatDuration, parseDuration } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import { nearest } from "../base/suggest.ts";
import {
  type OperatorVerbs,
  VerbError,
  type VerbFailure,
  type VerbForm,
  type VerbName,
  type VerbRequest,
  VERBS,
  WAIT_MS,
} from "./operator_verbs.ts";

/** Of a request's body, in bytes: it names a client, a server and a duration. */
export const BODY_SIZE_MAX = 16_384;

/** Requests that are answered at the same time: each may wait for an hour. */
const RUNNING_MAX = 64;

/** Of a name in a request, in characters: hosts have 253. */
const NAME_SIZE_MAX = 300;

const FIELDS: readonly string[] = ["client", "server", "wait"];

const STATUS_OF: Readonly<Record<VerbFailure, number>> = {
  unknown: 404,
  refused: 409,
  failed: 502,
  timeout: 504,
};

/** A request that makes no sense. */
class WrongRequest extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Makes what answers requests.
 *
 * @param onError Hears of what should not happen; who asked is told only that it did.
 */
export function answerVerbs(
  verbs: OperatorVerbs,
  onError: (error: unknown) => void,
): (request: Request) => Promise<Response> {
  let running = 0;
  return async (request) => {
    if (running >= RUNNING_MAX) {
      return failure(503, "busy", `${RUNNING_MAX} requests are being answered; wait for their end`);
    }
    running += 1;
    try {
      return await answer(verbs, request);
    } catch (error) {
      if (error instanceof WrongRequest) {
        return failure(error.status, "wrong_request", error.message);
      }
      if (error instanceof VerbError) {
        return failure(STATUS_OF[error.failure], error.failure, error.message);
      }
      onError(error);
      return failure(500, "internal", "the gateway has a defect: see its log");
    } finally {
      running -= 1;
    }
  };
}

async function answer(verbs: OperatorVerbs, request: Request): Promise<Response> {
  const path = pathOf(request.url);
  const verb = path.replace(/^\/v1\//, "");
  if (path === "/v1/status") {
    expectMethod(request, "GET");
    return Response.json({ clients: verbs.status() });
  }
  if (!path.startsWith("/v1/") || !isVerb(verb)) {
    const guess = nearest(verb, ["status", ...Object.keys(VERBS)]);
    const advice = guess === undefined ? "" : `; did you mean /v1/${guess}?`;
    throw new WrongRequest(404, `there is no such path${advice}`);
  }
  expectMethod(request, "POST");
  const message = await verbs.run(verb, requestOf(verb, await textOf(request)));
  return Response.json({ message });
}

function isVerb(name: string): name is VerbName {
  return Object.hasOwn(VERBS, name);
}

function expectMethod({ method }: Request, expected: "GET" | "POST"): void {
  if (method !== expected) throw new WrongRequest(405, `use ${expected} here`);
}

/** The path as it was sent. */
function pathOf(url: string): string {
  return /^[^:]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? "";
}

async function textOf({ body }: Request): Promise<string> {
  try {
    return await boundedText(body, BODY_SIZE_MAX);
  } catch (error) {
    if (error instanceof RangeError) {
      throw new WrongRequest(413, `a body has at most ${BODY_SIZE_MAX} bytes`);
    }
    throw new WrongRequest(400, "the body is no text in UTF-8, or did not come whole");
  }
}

/** @throws {WrongRequest} If it is not what the verb needs. */
function requestOf(verb: VerbName, text: string): VerbRequest {
  const body = objectIn(text);
  const unknown = Object.keys(body).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    const guess = nearest(unknown, FIELDS);
    const advice = guess === undefined ? "" : `; did you mean ${guess}?`;
    const shown = JSON.stringify(unknown.slice(0, NAME_SIZE_MAX));
    throw new WrongRequest(400, `${shown} is no field: there are ${FIELDS.join(", ")}${advice}`);
  }
  const client = nameIn(body, "client");
  const server = nameIn(body, "server");
  const form: VerbForm = VERBS[verb];
  if (client === "") throw new WrongRequest(400, `${verb} needs client, the name of a client`);
  if (form.server === "required" && server === "") {
    throw new WrongRequest(400, `${verb} needs server, the address of one of the client's servers`);
  }
  if (form.server === "none" && server !== "") {
    throw new WrongRequest(400, `${verb} is for all servers of a client: leave server out`);
  }
  if (!form.waits && body["wait"] !== undefined) {
    throw new WrongRequest(400, `${verb} waits for nothing: leave wait out`);
  }
  return { client, server, waitMs: waitIn(body["wait"]) };
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    const why = text === "" ? "it is empty" : messageOf(error);
    throw new WrongRequest(400, `the body is no JSON, such as {"client": "main"}: ${why}`);
  }
  if (typeof body === "object" && body !== null && !Array.isArray(body)) {
    return body as Readonly<Record<string, unknown>>;
  }
  throw new WrongRequest(400, 'the body is no object, such as {"client": "main"}');
}

function nameIn(body: Readonly<Record<string, unknown>>, field: "client" | "server"): string {
  const value = body[field] ?? "";
  if (typeof value === "string" && value.length <= NAME_SIZE_MAX) return value;
  throw new WrongRequest(400, `${field} is no text of at most ${NAME_SIZE_MAX} characters`);
}

function waitIn(value: unknown): number {
  if (value === undefined) return WAIT_MS.default;
  const ms = typeof value === "string" ? parseDuration(value) : undefined;
  if (ms !== undefined && ms <= WAIT_MS.max) return ms;
  const range = `from 0ms to ${formatDuration(WAIT_MS.max)}`;
  throw new WrongRequest(400, `wait is no duration ${range}, such as "30s"`);
}

function failure(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status });
}
