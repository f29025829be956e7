/**
 * Talks to a running gateway: HTTP over its control socket.
 *
 * @module
 */

import { type IncomingMessage, request } from "node:http";
import { messageOf } from "../../base/errors.ts";

/** Of an answer, in bytes: the status of a hundred thousand servers. */
const ANSWER_SIZE_MAX = 33_554_432;

/** What a gateway has answered. */
export interface ControlAnswer {
  readonly status: number;
  /** As JSON was read. */
  readonly body: unknown;
}

/**
 * Asks the gateway whose control socket this is. It waits as long as the gateway does.
 *
 * @param path Of the socket's file.
 * @param target Of the request, such as `/v1/status`.
 * @param body Sent as JSON by POST; undefined for GET.
 * @throws {Error} If there is no gateway, or no answer that makes sense; says what to do.
 */
export async function askGateway(
  path: string,
  target: string,
  body?: unknown,
): Promise<ControlAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asked = request({
    socketPath: path,
    path: target,
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json" },
  }, resolve);
  asked.on("error", (error) => reject(new Error(`${path}: ${whyNot(error)}`, { cause: error })));
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  const answer = await promise;
  try {
    return { status: answer.statusCode ?? 0, body: JSON.parse(await textOf(answer)) };
  } catch (error) {
    throw new Error(`${path}: what answers there is no gateway: ${messageOf(error)}`);
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > ANSWER_SIZE_MAX) throw new Error(`it says more than ${ANSWER_SIZE_MAX} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function whyNot(error: Error): string {
  const { code } = error as { code?: unknown };
  switch (code) {
    case "ENOENT":
      return "there is no such socket; is the gateway running, with this runtime.controlSocket?";
    case "ECONNREFUSED":
      return "nobody answers there; the gateway has ended";
    case "EACCES":
      return "permission denied; only the gateway's own user, or root, may use it";
    case "ECONNRESET":
      return "the gateway has ended meanwhile";
    default:
      return messageOf(error);
  }
}
