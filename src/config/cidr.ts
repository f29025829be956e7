/**
 * Ranges of IP addresses as pg_hba.conf has them: `10.0.0.0/8`, `2001:db8::/32`, or an address and
 * a mask. They are brought into one form, so that two ways to write a range are one text.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";

/** An address in network byte order: 4 bytes or 16. */
type AddressBytes = readonly number[];

/** A range in its one form, or what is wrong: a clause to put behind "got …, ". */
export type ParsedRange =
  | { readonly ok: true; readonly range: string }
  | { readonly ok: false; readonly reason: string };

/** RFC 4291, section 2.5.5.2: IPv4 addresses begin with these 96 bits when they look like IPv6. */
const MAPPED_PREFIX: AddressBytes = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/**
 * Reads an address with a prefix (`10.0.0.0/8`), or an address and a mask (`10.0.0.0`,
 * `255.0.0.0`). Bits behind the mask become 0, and a range of IPv4 addresses that are written as
 * IPv6 becomes one of IPv4.
 */
export function parseRange(address: string, mask: string | undefined): ParsedRange {
  const slash = address.indexOf("/");
  const host = slash < 0 ? address : address.slice(0, slash);
  const bytes = addressBytes(host);
  if (bytes === undefined) return wrong("which is no IP address; names of hosts are not looked up");
  const bits = bytes.length * 8;
  if (slash >= 0) {
    const text = address.slice(slash + 1);
    const prefix = /^(0|[1-9][0-9]{0,2})$/.test(text) ? Number(text) : bits + 1;
    if (prefix > bits) return wrong(`where behind the / is no number from 0 to ${bits}`);
    return { ok: true, range: rangeText(bytes, prefix) };
  }
  if (mask === undefined) {
    return wrong(`where the mask is missing; for one address: ${host}/${bits}`);
  }
  const maskBytes = addressBytes(mask);
  if (maskBytes === undefined || maskBytes.length !== bytes.length) {
    return wrong("behind which no mask of the same kind follows");
  }
  const prefix = prefixOf(maskBytes);
  if (prefix === undefined) return wrong("behind which the mask is not ones followed by zeros");
  return { ok: true, range: rangeText(bytes, prefix) };
}

/** True when every address of a range that `parseRange` gave is this machine's own. */
export function isLoopbackRange(range: string): boolean {
  const [host, prefix] = range.split("/");
  // RFC 1122, section 3.2.1.3, and RFC 4291, section 2.5.3.
  return host!.startsWith("127.") ? Number(prefix) >= 8 : range === "::1/128";
}

/** Returns the bytes of an address, or undefined when the text is none. */
function addressBytes(text: string): AddressBytes | undefined {
  if (isIPv4(text)) return text.split(".").map(Number);
  // A zone such as %eth0 means something on one machine only.
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head, tail] = text.split("::");
  const front = groupBytes(head!);
  if (tail === undefined) return front;
  const back = groupBytes(tail);
  return [...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back];
}

/** `1:2:10.0.0.1` is 1, 2, and the two groups that an IPv4 address makes. */
function groupBytes(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** Returns how many ones a mask begins with, or undefined when another one follows a zero. */
function prefixOf(mask: AddressBytes): number | undefined {
  const bits = mask.map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const prefix = bits.indexOf("0") < 0 ? bits.length : bits.indexOf("0");
  return bits.indexOf("1", prefix) < 0 ? prefix : undefined;
}

function rangeText(bytes: AddressBytes, prefix: number): string {
  const isMapped = bytes.length === 16 && prefix >= 96 &&
    MAPPED_PREFIX.every((byte, i) => bytes[i] === byte);
  if (isMapped) return rangeText(bytes.slice(12), prefix - 96);
  const network = bytes.map((byte, i) => {
    const ones = Math.min(8, Math.max(0, prefix - i * 8));
    return byte & (0xff00 >> ones) & 0xff;
  });
  const host = network.length === 4 ? network.join(".") : ipv6Text(network);
  return `${host}/${prefix}`;
}

/** RFC 5952: no leading zeros, and the first of the longest runs of two or more zeros is `::`. */
function ipv6Text(bytes: AddressBytes): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes[i]! * 256 + bytes[i + 1]!);
  let [start, length] = [0, 1];
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (groups[end] === 0) end += 1;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function wrong(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
