/**
 * Addresses as people write them: `localhost:5432`, `[::1]:5432`, `/run/sluice/client.sock`.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";
import type { Address } from "../base/address.ts";
import { utf8 } from "../base/bytes.ts";

/**
 * Bytes of a Unix socket's path: struct sockaddr_un in linux/un.h has 108 for it, with a NUL.
 */
export const UNIX_PATH_SIZE_MAX = 107;

// RFC 1035, section 2.3.4: a name has at most 255 octets on the wire, 253 as text.
const HOST_SIZE_MAX = 253;

/** A TCP port is 16 bits: RFC 9293, section 3.1. */
export const PORT_MAX = 65_535;

/** Which addresses make sense where. */
export interface AddressRule {
  /** 0 where a listener may take any free port, otherwise 1. */
  readonly portMin: 0 | 1;
  readonly allowsUnix: boolean;
}

/** An address, or what is wrong with the text: a clause to put behind "got …, ". */
export type ParsedAddress =
  | { readonly ok: true; readonly address: Address }
  | { readonly ok: false; readonly reason: string };

/** Reads an address. IPv6 addresses lose their brackets. */
export function parseAddress(text: string, rule: AddressRule): ParsedAddress {
  if (text.startsWith("/")) return parseUnixPath(text, rule);
  if (text.includes("://")) return wrong("where a URL has no place: write its host:port only");
  const colon = text.lastIndexOf(":");
  if (isIPv6(text)) return wrong(`where brackets and a port are missing: [${text}]:5432`);
  if (colon < 0) {
    if (/^[0-9]+$/.test(text)) return wrong(`where the host is missing: 127.0.0.1:${text}`);
    return wrong("where the port is missing");
  }
  const host = parseHost(text.slice(0, colon));
  if (!host.ok) return host;
  const portText = text.slice(colon + 1);
  const port = /^[0-9]{1,5}$/.test(portText) ? Number.parseInt(portText, 10) : -1;
  if (port < rule.portMin || port > PORT_MAX) {
    return wrong(`where the port is not a number from ${rule.portMin} to ${PORT_MAX}`);
  }
  return { ok: true, address: { kind: "tcp", host: host.host, port } };
}

/**
 * True when two listeners cannot have these addresses at the same time. The wildcards 0.0.0.0 and
 * [::] take a port on every address of their family; port 0 never collides.
 */
export function collides(a: Address, b: Address): boolean {
  if (a.kind === "unix" || b.kind === "unix") {
    return a.kind === "unix" && b.kind === "unix" && a.path === b.path;
  }
  if (a.port !== b.port || a.port === 0) return false;
  return a.host.toLowerCase() === b.host.toLowerCase() || covers(a.host, b.host) ||
    covers(b.host, a.host);
}

function covers(wildcard: string, host: string): boolean {
  return wildcard === "0.0.0.0" ? isIPv4(host) : wildcard === "::" && isIPv6(host);
}

function parseUnixPath(path: string, rule: AddressRule): ParsedAddress {
  if (!rule.allowsUnix) return wrong("which is the path of a Unix socket");
  if (path.includes("\0")) return wrong("where the path has a NUL character");
  if (path.endsWith("/")) return wrong("which is a directory and not the path of a socket");
  if (utf8(path).length > UNIX_PATH_SIZE_MAX) {
    return wrong(`where the path is longer than ${UNIX_PATH_SIZE_MAX} bytes`);
  }
  return { ok: true, address: { kind: "unix", path } };
}

function parseHost(
  text: string,
): { readonly ok: true; readonly host: string } | { readonly ok: false; readonly reason: string } {
  if (text === "") {
    return wrong("where the host is missing: 0.0.0.0 is every IPv4 address, [::] every IPv6 one");
  }
  if (text.startsWith("[") && text.endsWith("]")) {
    const host = text.slice(1, -1);
    return isIPv6(host) ? { ok: true, host } : wrong("where the brackets hold no IPv6 address");
  }
  if (text.includes(":")) {
    return wrong("where an IPv6 address needs brackets");
  }
  if (/^[0-9.]+$/.test(text)) {
    return isIPv4(text) ? { ok: true, host: text } : wrong("where the host is no IPv4 address");
  }
  if (!/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?$/.test(text) || text.length > HOST_SIZE_MAX) {
    return wrong("where the host is neither a name nor an IP address");
  }
  return { ok: true, host: text };
}

function wrong(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
