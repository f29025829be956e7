/**
 * Messages with another text in them.
 *
 * @module
 */

import { concat, utf8 } from "../../base/bytes.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { message } from "../wire/messages.ts";
import { FRONTEND } from "../wire/tags.ts";

const NUL = new Uint8Array(1);

/** A Query. A NUL in the text would end it: what is behind is left out, as a server would. */
export function queryWithText(text: Uint8Array): Uint8Array {
  return message(FRONTEND.query, cut(text), NUL);
}

/** A Parse with the name and the types of another one. */
export function parseWithText(
  parse: Uint8Array,
  { name, textEnd }: { readonly name: string; readonly textEnd: number },
  text: Uint8Array,
): Uint8Array {
  const nameEnd = parse.indexOf(0, HEADER_SIZE) + 1;
  const before = name === "" ? NUL : parse.subarray(HEADER_SIZE, nameEnd);
  return message(FRONTEND.parse, before, cut(text), NUL, parse.subarray(textEnd));
}

/** A name that no client can have given to a portal, as long as none gets to know it. */
export const FAILING_PORTAL = crypto.randomUUID();

/** An Execute that fails: so the server's transaction does, when a plugin has refused something. */
export function failingExecute(plugin: string): Uint8Array {
  return executing(`${FAILING_PORTAL} rejected by plugin ${plugin}`);
}

/** An Execute that fails, and whose error the client may see. */
export function executeNothing(): Uint8Array {
  return executing(`${crypto.randomUUID()} bind it again, plugins do not know what it holds`);
}

function executing(portal: string): Uint8Array {
  return message(FRONTEND.execute, utf8(portal), NUL, new Uint8Array(4));
}

/** A Query that fails, in whichever state a transaction is: the server's log says why. */
export function failingQuery(plugin: string): Uint8Array {
  return message(FRONTEND.query, utf8(`rejected by plugin "${plugin}"`), NUL);
}

function cut(text: Uint8Array): Uint8Array {
  const end = text.indexOf(0);
  return concat(end < 0 ? text : text.subarray(0, end));
}
