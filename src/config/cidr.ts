/**
 * Ranges of IP addresses as pg_hba.conf has them: `10.0.0.0/8`, `2001:db8::/32`, or an address and
 * a mask. They are brought into one form, so that two ways to write a range are one text.
 *
 * @module
 */

import { cidrText, parseCidr, parseIpAddress, parseMask } from "../base/ip_range.ts";

/** A range in its one form, or what is wrong: a clause to put behind "got …, ". */
export type ParsedRange =
  | { readonly ok: true; readonly range: string }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads an address with a prefix (`10.0.0.0/8`), or an address and a mask (`10.0.0.0`,
 * `255.0.0.0`). Bits behind the mask become 0, and a range of IPv4 addresses that are written as
 * IPv6 becomes one of IPv4.
 */
export function parseRange(address: string, mask: string | undefined): ParsedRange {
  const slash = address.indexOf("/");
  const host = slash < 0 ? address : address.slice(0, slash);
  if (parseIpAddress(host) === undefined) {
    return wrong("which is no IP address; names of hosts are not looked up");
  }
  const bits = host.includes(":") ? 128 : 32;
  if (slash < 0) {
    if (mask === undefined) {
      return wrong(`where the mask is missing; for one address: ${host}/${bits}`);
    }
    const read = parseMask(mask);
    if (read?.size === bits) return parseRange(`${host}/${read.prefixSize}`, undefined);
    const isAddress = mask.includes(":") === host.includes(":") &&
      parseIpAddress(mask) !== undefined;
    return isAddress
      ? wrong("behind which the mask is not ones followed by zeros")
      : wrong("behind which no mask of the same kind follows");
  }
  const isNumber = /^(0|[1-9][0-9]{0,2})$/.test(address.slice(slash + 1));
  const range = isNumber ? parseCidr(address) : undefined;
  if (range === undefined) return wrong(`where behind the / is no number from 0 to ${bits}`);
  return { ok: true, range: cidrText(range) };
}

/** True when every address of a range that `parseRange` gave is this machine's own. */
export function isLoopbackRange(range: string): boolean {
  const [host, prefix] = range.split("/");
  // RFC 1122, section 3.2.1.3, and RFC 4291, section 2.5.3.
  return host!.startsWith("127.") ? Number(prefix) >= 8 : range === "::1/128";
}

function wrong(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
