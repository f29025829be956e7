/**
 * The messages of the extended query protocol with all their fields, COPY and the function call,
 * beside the short forms in messages.ts.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

import { concat, utf8 } from "../../src/base/bytes.ts";
import { type Bytes, int32, message } from "./messages.ts";

/** OIDs of pg_type that the tests name. */
export const TYPE_OIDS = { int4: 23, int8: 20, text: 25 } as const;

/** A big-endian 16-bit integer. */
export function int16(value: number): Bytes {
  return Uint8Array.of(value >>> 8 & 0xff, value & 0xff);
}

/** Parse; "" is the unnamed statement. `types` are OIDs, 0 lets the server choose. */
export function parseNamed(name: string, text: string, types: readonly number[] = []): Bytes {
  return message("P", `${name}\0${text}\0`, int16(types.length), ...types.map(int32));
}

/** What a Bind says. */
export interface BindOptions {
  readonly portal?: string;
  readonly statement?: string;
  /** Texts, or bytes with format 1; null is NULL. */
  readonly values?: readonly (string | Uint8Array | null)[];
  /** Format codes of the parameters: none, one for all, or one each. */
  readonly formats?: readonly number[];
  readonly resultFormats?: readonly number[];
}

/** Bind. */
export function bind(options: BindOptions = {}): Bytes {
  const { portal = "", statement = "", values = [], formats = [], resultFormats = [] } = options;
  const encoded = values.map((value) => {
    if (value === null) return int32(-1);
    const bytes = typeof value === "string" ? utf8(value) : value;
    return concat(int32(bytes.length), bytes);
  });
  return message(
    "B",
    `${portal}\0${statement}\0`,
    int16(formats.length),
    ...formats.map(int16),
    int16(encoded.length),
    ...encoded,
    int16(resultFormats.length),
    ...resultFormats.map(int16),
  );
}

/** Describe of a statement ("S") or a portal ("P"). */
export function describe(kind: "S" | "P", name = ""): Bytes {
  return message("D", `${kind}${name}\0`);
}

/** Close of a statement ("S") or a portal ("P"). */
export function close(kind: "S" | "P", name = ""): Bytes {
  return message("C", `${kind}${name}\0`);
}

/** Execute; `rowsMax` 0 is all rows. */
export function execute(portal = "", rowsMax = 0): Bytes {
  return message("E", `${portal}\0`, int32(rowsMax));
}

/** CopyFail with its reason. */
export function copyFail(reason: string): Bytes {
  return message("f", `${reason}\0`);
}

/** FunctionCall by OID, its arguments and its result in text. */
export function functionCall(oid: number, values: readonly (string | null)[]): Bytes {
  const encoded = values.map((value) =>
    value === null ? int32(-1) : concat(int32(utf8(value).length), utf8(value))
  );
  return message(
    "F",
    int32(oid),
    int16(1),
    int16(0),
    int16(values.length),
    ...encoded,
    int16(0),
  );
}
