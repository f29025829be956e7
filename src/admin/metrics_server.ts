/**
 * Where Prometheus scrapes: one page over HTTP, and a page at `/` that says where it is. It asks
 * for the text and knows nothing of what is in it.
 *
 * @module
 */

import { addressText, type TcpAddress } from "../base/address.ts";
import { systemReason } from "../base/errors.ts";

/** What is served, and where. */
export interface MetricsServerOptions {
  /** Port 0 takes any free one. */
  readonly address: TcpAddress;
  /** Of the page with the metrics; begins with "/" and is longer. */
  readonly path: string;
  /** Collects the metrics; not called again before it is done. */
  readonly text: () => Promise<string>;
  readonly contentType: string;
  /** Hears why collecting failed; a scraper is told only that it did. */
  readonly onError: (error: unknown) => void;
}

/** A server that runs. */
export interface MetricsServer {
  /** Where it listens; the port is the actual one. */
  readonly address: TcpAddress;
  /** Closes every connection, also those that are being answered, and the socket. */
  stop(): Promise<void>;
}

const COMMON_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/**
 * Starts to serve.
 *
 * @throws {Error} If the address cannot be listened on; says which and why.
 */
export function startMetricsServer(options: MetricsServerOptions): MetricsServer {
  const { address } = options;
  const abort = new AbortController();
  const server = listen(address, () =>
    Deno.serve({
      hostname: address.host,
      port: address.port,
      signal: abort.signal,
      onListen: () => {},
      onError: failureReply(options),
    }, handlerOf(options)));
  return {
    address: { ...address, port: server.addr.port },
    // Not shutdown(): it waits until every keep-alive connection is done.
    async stop() {
      abort.abort();
      await server.finished;
    },
  };
}

type Handler = (request: Request) => Promise<Response> | Response;

function handlerOf(options: MetricsServerOptions): Handler {
  const collect = shareRunning(options.text);
  return async (request) => {
    const path = pathOf(request.url);
    if (path !== "/" && path !== options.path) {
      return reply(404, "Not found: the metrics are elsewhere, see /\n");
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return reply(405, "Method not allowed: use GET\n", { allow: "GET, HEAD" });
    }
    // The body of an answer to HEAD is left out where it is written (RFC 9110, section 9.3.2).
    return path === "/"
      ? reply(200, indexPage(options.path), {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'",
      })
      : reply(200, await collect(), { "content-type": options.contentType });
  };
}

/**
 * Runs `run` once at a time: who asks while it runs gets that run's result. So more scrapers make
 * no more work.
 */
export function shareRunning<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => running ??= run().finally(() => running = undefined);
}

function failureReply(options: MetricsServerOptions): (error: unknown) => Response {
  return (error) => {
    options.onError(error);
    return reply(500, "Cannot collect the metrics: see the gateway's log\n");
  };
}

function reply(status: number, text: string, headers: Record<string, string> = {}): Response {
  const contentType = { "content-type": "text/plain; charset=utf-8" };
  return new Response(text, { status, headers: { ...COMMON_HEADERS, ...contentType, ...headers } });
}

/** The path as it was sent. Not `new URL()`: it throws where a Host header is no host. */
function pathOf(url: string): string {
  return /^[^:]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] || "/";
}

function indexPage(path: string): string {
  const href = path.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<!DOCTYPE html>
<html lang="en"><title>Sluice</title><h1>Sluice</h1><p><a href="${href}">Metrics</a></p></html>
`;
}

/** @throws {Error} That says where listening failed, and why. */
function listen<T>(address: TcpAddress, start: () => T): T {
  try {
    return start();
  } catch (error) {
    const stop = error instanceof Deno.errors.AddrInUse ? " or stop it" : "";
    const reason = `${systemReason(error)}; choose another metrics.address${stop}`;
    throw new Error(`Cannot serve metrics on ${addressText(address)}: ${reason}`, { cause: error });
  }
}
