/**
 * What is the same for all drivers of the real network: what to do about addresses that cannot be
 * listened on, and about files of Unix sockets.
 *
 * @module
 */

import { type Address, addressText, type TcpAddress, type UnixAddress } from "../base/address.ts";
import { systemReason } from "../base/errors.ts";
import { ConnectTimeoutError, NobodyListensError } from "./socket.ts";

/** What an address is called where nobody says which key it is from. */
const ANY_KEY = "address";

/**
 * Binds a TCP address.
 *
 * @param key Of the configuration, that says the address.
 * @throws {Error} If `bind` fails; the message names the address and says what to do.
 */
export async function bindTcp<Bound>(
  address: TcpAddress,
  bind: () => Bound | Promise<Bound>,
  key = ANY_KEY,
): Promise<Bound> {
  try {
    return await bind();
  } catch (error) {
    throw cannotListen(address, key, error);
  }
}

/**
 * Binds a Unix socket's file, in the place of one that nobody listens on any more.
 *
 * @param socketMode Permission bits of the file.
 * @param key Of the configuration, that says the address.
 * @throws {Error} If it cannot; the message names the file and says what to do.
 */
export async function bindUnix<Bound>(
  address: UnixAddress,
  socketMode: number,
  bind: () => Bound,
  key = ANY_KEY,
): Promise<Bound> {
  await removeStaleSocketFile(address.path, key);
  // The file must never exist with wider permissions than asked for, not even for an instant.
  const umask = Deno.build.os === "windows" ? 0 : Deno.umask(0o777 & ~socketMode);
  try {
    return bind();
  } catch (error) {
    throw cannotListen(address, key, error);
  } finally {
    if (Deno.build.os !== "windows") Deno.umask(umask);
  }
}

function cannotListen(address: Address, key: string, error: unknown): Error {
  const reason = whyNot(address, key, error);
  return new Error(`Cannot listen on ${addressText(address)}: ${reason}`, { cause: error });
}

function whyNot(address: Address, key: string, error: unknown): string {
  const { AddrInUse, NotFound, PermissionDenied } = Deno.errors;
  const choose = `choose another ${key}`;
  if (error instanceof AddrInUse) {
    // One that is a socket is somebody's, or was removed before.
    return address.kind === "unix" && !isSocket(address.path)
      ? `the file there is no socket; ${choose}, or remove it`
      : `${systemReason(error)}; ${choose} or stop it`;
  }
  if (address.kind === "unix" && error instanceof NotFound) {
    return `its folder does not exist; make it, or ${choose}`;
  }
  const isReserved = address.kind === "tcp" && address.port < 1024 &&
    error instanceof PermissionDenied;
  const right = isReserved ? "; ports below 1024 need the right CAP_NET_BIND_SERVICE" : "";
  return `${systemReason(error)}${right}; ${choose}`;
}

function isSocket(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return true; // gone meanwhile
  }
}

/** A gateway that was killed leaves its socket's file behind, and nobody can bind it again. */
async function removeStaleSocketFile(path: string, key: string): Promise<void> {
  try {
    // Connecting to a file that is no socket is refused, too: a mistyped path must not cost a file.
    if (!Deno.lstatSync(path).isSocket) return;
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) removeFile(path);
    return;
  }
  const advice = `choose another ${key} or stop it`;
  throw new Error(`Cannot listen on ${path}: another process answers there; ${advice}`);
}

/** Removes a Unix socket's file, if it is there. */
export function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Gone already.
  }
}

/** Why there is no connection, as an error of the port. */
export function cannotConnect(address: Address, error: unknown): Error {
  const message = `Cannot connect to ${addressText(address)}: ${systemReason(error)}`;
  if (error instanceof ConnectTimeoutError) return new ConnectTimeoutError(message);
  const { ConnectionRefused, NotFound } = Deno.errors;
  // A Unix socket's file is there as long as its server is.
  const isNobodyThere = error instanceof ConnectionRefused ||
    address.kind === "unix" && error instanceof NotFound;
  if (isNobodyThere) return new NobodyListensError(message, { cause: error });
  return new Error(message, { cause: error });
}

/** Nobody has answered in time. */
export function noAnswer(timeoutMs: number): ConnectTimeoutError {
  return new ConnectTimeoutError(`no answer within ${timeoutMs} ms`);
}
