/**
 * Addresses of sockets as the kernel lays them out: `sockaddr_in`, `sockaddr_in6`, `sockaddr_un`.
 *
 * Source: ip(7), ipv6(7), unix(7)
 *
 * @module
 */

import type { Address, TcpAddress } from "../../base/address.ts";
import { int32At, utf8 } from "../../base/bytes.ts";
import { type IpAddress, ipText, parseWrittenAddress } from "../../base/ip_range.ts";
import { LINUX } from "./libc.ts";

/** Bytes of the largest of them, `sockaddr_un`. */
export const SOCKET_ADDRESS_SIZE_MAX = 110;

/** Bytes of a Unix socket's path, without the NUL behind it. */
const PATH_SIZE_MAX = 107;

/** The family of sockets that an address is for. */
export function familyOf(bytes: Uint8Array): number {
  return bytes[0]! | bytes[1]! << 8;
}

/**
 * @param address Its host is an IPv4 or IPv6 address.
 * @returns Undefined if the host is a name.
 * @throws {Error} If a path is too long for the kernel.
 */
export function encodeSocketAddress(address: Address): Uint8Array | undefined {
  if (address.kind === "unix") return encodeUnix(address.path);
  const words = parseWrittenAddress(address.host);
  if (words === undefined) return undefined;
  return words.length === 1 ? encodeIpv4(words, address.port) : encodeIpv6(words, address.port);
}

function encodeUnix(path: string): Uint8Array {
  const bytes = utf8(path);
  if (bytes.length > PATH_SIZE_MAX) {
    throw new Error(`the path has ${bytes.length} bytes, and sockets' at most ${PATH_SIZE_MAX}`);
  }
  const address = new Uint8Array(2 + bytes.length + 1);
  address[0] = LINUX.AF_UNIX;
  address.set(bytes, 2);
  return address;
}

function encodeIpv4(words: IpAddress, port: number): Uint8Array {
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  address[0] = LINUX.AF_INET;
  view.setUint16(2, port);
  view.setUint32(4, words[0]!);
  return address;
}

function encodeIpv6(words: IpAddress, port: number): Uint8Array {
  const address = new Uint8Array(28);
  const view = new DataView(address.buffer);
  address[0] = LINUX.AF_INET6;
  view.setUint16(2, port);
  words.forEach((word, i) => view.setUint32(8 + 4 * i, word));
  return address;
}

/** @returns The address, or undefined for a Unix socket. */
export function decodeSocketAddress(bytes: Uint8Array): TcpAddress | undefined {
  const port = bytes[2]! << 8 | bytes[3]!;
  switch (familyOf(bytes)) {
    case LINUX.AF_INET:
      return { kind: "tcp", host: ipv4Host(int32At(bytes, 4) >>> 0), port };
    case LINUX.AF_INET6: {
      const words = [8, 12, 16, 20].map((at) => int32At(bytes, at) >>> 0);
      return { kind: "tcp", host: ipText(words), port };
    }
  }
  return undefined;
}

/** Places for addresses that came last, each of which its bits say. */
const RECENT_HOSTS = 256;

const RECENT_WORDS = new Uint32Array(RECENT_HOSTS);
const RECENT_TEXTS: string[] = new Array(RECENT_HOSTS).fill("0.0.0.0");

/** Who connects again is the same string again: maps find it by the hash that it has got. */
function ipv4Host(word: number): string {
  const place = (word ^ word >>> 8 ^ word >>> 16) & RECENT_HOSTS - 1;
  if (RECENT_WORDS[place] !== word) {
    RECENT_WORDS[place] = word;
    RECENT_TEXTS[place] = ipText([word]);
  }
  return RECENT_TEXTS[place]!;
}
