/**
 * Downloads: encrypted unless they are from this machine, and limited in size and time.
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";
import { concat } from "../../base/bytes.ts";
import { formatSize } from "../../base/size.ts";
import { printableMessage, quote } from "../../config/problems.ts";

const TIMEOUT_MS = 120_000;

const REDIRECTS_MAX = 5;

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** What servers say of files that there are not; some of those that nobody may list. */
const ABSENT: readonly number[] = [403, 404, 410];

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Downloads a file.
 *
 * @returns Undefined if the server has none.
 * @throws {Error} If it cannot be had, is too large, or would come unencrypted from elsewhere.
 */
export async function download(url: URL, sizeMax: number): Promise<Uint8Array | undefined> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let at = url;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    checkUrl(at);
    const response = await get(at, signal);
    const location = response.headers.get("location");
    if (REDIRECTS.includes(response.status) && location !== null) {
      await response.body?.cancel();
      const next = URL.parse(location, at);
      if (next === null) throw new Error(`${quote(urlText(at))} leads to no valid URL`);
      at = next;
      continue;
    }
    if (response.ok) return await bodyOf(response, at, sizeMax);
    await response.body?.cancel();
    if (ABSENT.includes(response.status)) return undefined;
    throw new Error(`cannot download ${quote(urlText(at))}: the server says ${response.status}`);
  }
  throw new Error(`cannot download ${quote(urlText(url))}: more than ${REDIRECTS_MAX} redirects`);
}

/** Without what may be a secret. */
export function urlText(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function checkUrl(url: URL): void {
  if (url.username !== "" || url.password !== "") {
    throw new Error("a URL with a user or a password is not used; download the file yourself");
  }
  const isLocal = url.protocol === "http:" && LOOPBACK.test(url.hostname);
  if (url.protocol !== "https:" && !isLocal) {
    throw new Error(`${quote(urlText(url))} is not used: only https, or http to this machine`);
  }
}

async function get(url: URL, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { redirect: "manual", signal });
  } catch (error) {
    throw new Error(`cannot download ${quote(urlText(url))}: ${reasonOf(error, signal)}`);
  }
}

async function bodyOf(response: Response, url: URL, sizeMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > sizeMax) throw new Error(`it is larger than ${formatSize(sizeMax)}`);
      parts.push(part);
    }
  } catch (error) {
    throw new Error(`cannot download ${quote(urlText(url))}: ${messageOf(error)}`);
  }
  return concat(...parts);
}

/** The runtime's words have the whole URL within them. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return `it took longer than ${TIMEOUT_MS / 1_000} s`;
  const cause = error instanceof Error ? error.cause ?? error : error;
  const words = messageOf(cause).replaceAll(/\(?https?:\/\/[^\s)]*\)?/g, "");
  return printableMessage(words.replaceAll(/\s+/g, " ").trim());
}
