/**
 * Statements that a pool's settings do not allow.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import type { Traits } from "../sql/traits.ts";
import type { PoolSettings } from "./pooled_context.ts";
import { REFUSAL } from "./statements.ts";

/**
 * A statement that raises an error in place of one that would pin the session where that is not
 * allowed. The server raises it, so it comes where it belongs in a pipeline, and aborts what it
 * must.
 */
export function refusalOf(
  traits: Traits,
  { pin, mode, pool }: PoolSettings,
): { readonly text: Uint8Array; readonly definition: Uint8Array } | undefined {
  if (mode === "statement" && traits.beginsTransaction) {
    const hint = "Use a pool in transaction mode.";
    return raising("transaction blocks are not allowed in statement mode", hint);
  }
  if (pin || mode === "session" || traits.pins.length === 0) return undefined;
  const message = `a session of pool "${pool}" may not hold its server: ${traits.pins[0]}`;
  return raising(message, `Use session mode, or set pools.${pool}.pin to true.`);
}

function raising(
  message: string,
  hint: string,
): { readonly text: Uint8Array; readonly definition: Uint8Array } {
  const text = utf8(
    `${REFUSAL}BEGIN RAISE EXCEPTION USING ERRCODE='0A000',MESSAGE='${escaped(message)}',` +
      `HINT='${escaped(hint)}';END$sluice$`,
  );
  // Behind the text's NUL: no parameter types.
  const definition = new Uint8Array(text.length + 3);
  definition.set(text);
  return { text, definition };
}

function escaped(text: string): string {
  return text.replaceAll("'", "''").replaceAll("\\", "/").replaceAll("$", "");
}
