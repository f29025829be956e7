/**
 * The choice of the protocol that a connection is for (ALPN, RFC 7301), as a server.
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import { bytesAt, type Pointer } from "./openssl.ts";

// SSL_TLSEXT_ERR_OK and SSL_TLSEXT_ERR_ALERT_FATAL in tls1.h; the latter sends the alert
// no_application_protocol.
const CHOSEN = 0;
const REFUSED = 2;

/** Protocols have one byte for their length. */
const PROTOCOL_SIZE_MAX = 255;

/**
 * The lists in use, by the number that OpenSSL is given and gives back. They stay, as a handshake
 * can outlive the context it was begun with; there are as many as there are protocols to gateway.
 */
const lists: string[][] = [];

let callback: Deno.UnsafeCallback<typeof SELECT> | undefined;

const SELECT = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
  result: "i32",
} as const;

/** What `SSL_CTX_set_alpn_select_cb` is given. */
export interface AlpnSelection {
  readonly callback: Pointer;
  readonly argument: Deno.PointerValue;
}

/** Chooses the first of `protocols` that a client offers; refuses one that offers only others. */
export function alpnSelection(protocols: readonly string[]): AlpnSelection {
  callback ??= new Deno.UnsafeCallback(SELECT, select);
  const text = protocols.join();
  let index = lists.findIndex((list) => list.join() === text);
  if (index < 0) index = lists.push([...protocols]) - 1;
  // The argument is a number that looks like a pointer; null is no pointer, hence not 0.
  return { callback: callback.pointer, argument: Deno.UnsafePointer.create(BigInt(index + 1)) };
}

function select(
  _ssl: Deno.PointerValue,
  chosen: Deno.PointerValue,
  chosenSize: Deno.PointerValue,
  offered: Deno.PointerValue,
  offeredSize: number,
  argument: Deno.PointerValue,
): number {
  const list = lists[Number(Deno.UnsafePointer.value(argument)) - 1];
  if (list === undefined || chosen === null || chosenSize === null || offered === null) {
    return REFUSED;
  }
  const offers = protocolsOf(bytesAt(offered, offeredSize));
  const offer = list.map((name) => offers.find((each) => each.name === name)).find(Boolean);
  if (offer === undefined) return REFUSED;
  // The choice may point into the offer, which lives long enough.
  const address = BigInt(Deno.UnsafePointer.value(offered)) + BigInt(offer.offset);
  new DataView(Deno.UnsafePointerView.getArrayBuffer(chosen, 8)).setBigUint64(0, address, true);
  new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(chosenSize, 1))[0] = offer.name.length;
  return CHOSEN;
}

/** The names in a list as it is sent, and where they begin. */
function protocolsOf(bytes: Uint8Array): { readonly name: string; readonly offset: number }[] {
  const names = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes[at]!) {
    names.push({ name: textOf(bytes.subarray(at + 1, at + 1 + bytes[at]!)), offset: at + 1 });
  }
  return names;
}

/**
 * A list of names as it is sent.
 *
 * @throws {RangeError} If a name is empty, longer than 255 bytes, or not of ASCII.
 */
export function alpnList(protocols: readonly string[]): Uint8Array<ArrayBuffer> {
  for (const name of protocols) {
    if (!/^[\x21-\x7e]+$/.test(name) || name.length > PROTOCOL_SIZE_MAX) {
      throw new RangeError(`ALPN names have 1 to ${PROTOCOL_SIZE_MAX} characters: "${name}"`);
    }
  }
  return utf8(protocols.map((name) => String.fromCharCode(name.length) + name).join(""));
}
