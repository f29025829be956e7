/**
 * IP addresses and ranges of them. An IPv4 address that comes mapped into IPv6, as it does on a
 * socket that listens for both, is the IPv4 address that it stands for.
 *
 * @module
 */

/** An address as 32-bit words without a sign: one for IPv4, four for IPv6. */
export type IpAddress = readonly number[];

/** All addresses that begin with the same bits. */
export interface Cidr {
  /** The range's own bits; those behind the prefix are zero. */
  readonly network: IpAddress;
  /** 0 to 32, or 0 to 128. */
  readonly prefixSize: number;
}

/** The longest text of an address is an IPv6 one with an IPv4 one at its end. */
const ADDRESS_LENGTH_MAX = 45;

const DOT = 0x2e;
const DIGIT_0 = 0x30;

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2. */
const MAPPED_PREFIX_SIZE = 96;

/** Reads an address, without brackets, port or zone; undefined if it is none. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const words = writtenWords(text);
  return words !== undefined && isMapped(words) ? words.slice(3) : words;
}

/** Reads an address as {@linkcode parseIpAddress} does; one that is mapped stays an IPv6 one. */
export function parseWrittenAddress(text: string): IpAddress | undefined {
  return writtenWords(text);
}

/** The one text of an address: "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1". */
export function ipText(address: IpAddress): string {
  if (address.length === 1) return ipv4Text(address[0]!);
  return isMapped(address) ? `::ffff:${ipv4Text(address[3]!)}` : ipv6Text(address);
}

/**
 * Reads a mask such as `255.240.0.0` or `ffff::`.
 *
 * @returns How many ones it begins with, and how many bits it has; undefined if it is no mask, as
 * with a one behind a zero.
 */
export function parseMask(
  text: string,
): { readonly prefixSize: number; readonly size: number } | undefined {
  const bits = writtenWords(text)?.map((word) => word.toString(2).padStart(32, "0")).join("");
  const ones = /^(1*)0*$/.exec(bits ?? "x")?.[1];
  return ones === undefined ? undefined : { prefixSize: ones.length, size: bits!.length };
}

/** The one text of a range: two ways to write it give the same. */
export function cidrText({ network, prefixSize }: Cidr): string {
  return `${ipText(network)}/${prefixSize}`;
}

/**
 * Reads a range such as `10.0.0.0/8` or `2001:db8::/32`. An address alone is a range of one; bits
 * behind the prefix do not matter.
 *
 * @returns Undefined if it is neither.
 */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([0-9A-Fa-f.:]+)(?:\/([0-9]{1,3}))?$/.exec(text);
  const address = parseIpAddress(match?.[1] ?? "");
  if (match === null || address === undefined) return undefined;
  const isWrittenAsIpv6 = match[1]!.includes(":");
  const sizeMax = isWrittenAsIpv6 ? 128 : 32;
  const written = Number(match[2] ?? sizeMax);
  if (written > sizeMax) return undefined;
  const isTurnedIntoIpv4 = isWrittenAsIpv6 && address.length === 1;
  // A range larger than that of all mapped addresses holds real IPv6 addresses, and is theirs.
  if (isTurnedIntoIpv4 && written < MAPPED_PREFIX_SIZE) {
    return range(ipv6Words(match[1]!)!, written);
  }
  return range(address, isTurnedIntoIpv4 ? written - MAPPED_PREFIX_SIZE : written);
}

/** Whether an address is in a range; one of IPv4 never is in one of IPv6. */
export function matchesCidr(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.network.length !== address.length) return false;
  return cidr.network.every((word, i) => word === (address[i]! & maskOf(cidr.prefixSize, i)) >>> 0);
}

function ipv4Text(word: number): string {
  return `${word >>> 24}.${word >>> 16 & 0xff}.${word >>> 8 & 0xff}.${word & 0xff}`;
}

/** RFC 5952: no leading zeros, and the first of the longest runs of two or more zeros is `::`. */
function ipv6Text(words: IpAddress): string {
  const all = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  let [start, length] = [0, 1];
  for (let i = 0; i < all.length; i++) {
    let end = i;
    while (all[end] === 0) end += 1;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(all);
  return `${text(all.slice(0, start))}::${text(all.slice(start + length))}`;
}

/** The words of an address as it is written, without looking through a mapping. */
function writtenWords(text: string): IpAddress | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return undefined;
  return text.includes(":") ? ipv6Words(text) : ipv4Words(text);
}

function range(address: IpAddress, prefixSize: number): Cidr {
  const network = address.map((word, i) => (word & maskOf(prefixSize, i)) >>> 0);
  return { network, prefixSize };
}

/** The bits of word `index` that belong to a prefix. */
function maskOf(prefixSize: number, index: number): number {
  const bits = Math.min(32, Math.max(0, prefixSize - 32 * index));
  return bits === 0 ? 0 : -1 << (32 - bits);
}

function isMapped(words: IpAddress): boolean {
  return words.length === 4 && words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}

/** Four decimal numbers; leading zeros, which some programs read as octal, are refused. */
function ipv4Words(text: string): IpAddress | undefined {
  let [word, part, digits, dots] = [0, 0, 0, 0];
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === DOT && digits > 0) {
      word = word << 8 | part;
      dots += 1;
      part = digits = 0;
      continue;
    }
    const digit = code - DIGIT_0;
    const hasLeadingZero = digits > 0 && part === 0;
    part = 10 * part + digit;
    digits += 1;
    if (digit < 0 || digit > 9 || hasLeadingZero || part > 255) return undefined;
  }
  return dots === 3 && digits > 0 ? [(word << 8 | part) >>> 0] : undefined;
}

function ipv6Words(text: string): IpAddress | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const isShortened = halves.length === 2;
  const head = groups(halves[0]!, !isShortened);
  const tail = groups(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // Where "::" stands for nothing, the address has another way to be written.
  if (isShortened ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return [0, 2, 4, 6].map((i) => (all[i]! << 16 | all[i + 1]!) >>> 0);
}

/** The 16-bit groups of a part of an IPv6 address; its last may be an IPv4 address. */
function groups(text: string, isLast: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const found: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      found.push(Number.parseInt(part, 16));
      continue;
    }
    const word = isLast && i === parts.length - 1 ? ipv4Words(part)?.[0] : undefined;
    if (word === undefined) return undefined;
    found.push(word >>> 16, word & 0xffff);
  }
  return found;
}
