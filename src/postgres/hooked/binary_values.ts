/**
 * Turns values from PostgreSQL's text format into its binary format, for results that plugins make
 * up: drivers ask for binary where they know the type.
 *
 * Source: the types' recv functions, such as int4recv in PostgreSQL's int.c.
 *
 * @module
 */

import { concat, textOf } from "../../base/bytes.ts";

/** OIDs of pg_type. */
const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  float4: 700,
  float8: 701,
  varchar: 1043,
  uuid: 2950,
  jsonb: 3802,
} as const;

const JSONB_VERSION = Uint8Array.of(1);

/** @returns The value in binary, or undefined if it is none of the type, or the type not known. */
export function binaryValue(typeOid: number, value: Uint8Array): Uint8Array | undefined {
  switch (typeOid) {
    case OID.text:
    case OID.varchar:
    case OID.json:
      return value;
    case OID.jsonb:
      return concat(JSONB_VERSION, value);
    case OID.bool:
      return boolean(textOf(value));
    case OID.int2:
      return integer(textOf(value), 2);
    case OID.int4:
      return integer(textOf(value), 4);
    case OID.int8:
      return integer(textOf(value), 8);
    case OID.float4:
      return float(textOf(value), 4);
    case OID.float8:
      return float(textOf(value), 8);
    case OID.uuid:
      return hexadecimal(textOf(value).replaceAll("-", ""), 16);
    case OID.bytea: {
      const text = textOf(value);
      return text.startsWith("\\x") ? hexadecimal(text.slice(2), undefined) : undefined;
    }
  }
  return undefined;
}

function boolean(text: string): Uint8Array | undefined {
  if (/^(t|true|1)$/i.test(text)) return Uint8Array.of(1);
  return /^(f|false|0)$/i.test(text) ? Uint8Array.of(0) : undefined;
}

function integer(text: string, size: 2 | 4 | 8): Uint8Array | undefined {
  if (!/^-?\d{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  if (BigInt.asIntN(8 * size, value) !== value) return undefined;
  const wide = new Uint8Array(8);
  new DataView(wide.buffer).setBigInt64(0, value);
  return wide.subarray(8 - size);
}

function float(text: string, size: 4 | 8): Uint8Array | undefined {
  const word = text.toLowerCase();
  const isNumber = /^[+-]?(\d|\.\d)/.test(word) || /^(nan|[+-]?inf(inity)?)$/.test(word);
  if (!isNumber) return undefined;
  const value = Number(word.replace(/inf(inity)?$/, "Infinity").replace("nan", "NaN"));
  if (Number.isNaN(value) && word !== "nan") return undefined;
  const bytes = new Uint8Array(size);
  const data = new DataView(bytes.buffer);
  if (size === 4) data.setFloat32(0, value);
  else data.setFloat64(0, value);
  return bytes;
}

function hexadecimal(digits: string, size: number | undefined): Uint8Array | undefined {
  const length = digits.length / 2;
  if (!Number.isInteger(length) || length !== (size ?? length)) return undefined;
  if (/[^0-9a-f]/i.test(digits)) return undefined;
  return Uint8Array.from(
    { length },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}
