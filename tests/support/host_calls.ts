/**
 * Single calls of host functions, and what comes of them.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { HOOK } from "../../src/hooks/hooks.ts";
import type { Permission } from "../../src/plugin_host/plugin_spec.ts";
import { moduleOf, type PluginOptions, type PluginWorld, startPlugin, TEXT_AT } from "./plugins.ts";

/** Where the text is, as the assembler wants it. */
export const T = `(i32.const ${TEXT_AT})`;
/** Where results are copied to. */
export const BUFFER = "(i32.const 4096)";

/** A hook that shows what `call` returns, as the text of its replacement. */
function shown(call: string): string {
  return `(i32.store (i32.const 8192) ${call})
    (drop (call $write (i32.const 8192) (i32.const 4))) (i32.const 1)`;
}

/** What a call of a host function returns; the text is at TEXT_AT. */
export async function result(
  call: string,
  text = "",
  options: PluginOptions & { readonly change?: Parameters<PluginWorld["query"]>[1] } = {},
): Promise<number> {
  // A number may have zero bytes, which the text of a query has not.
  const world = await startPlugin(moduleOf(shown(call), "", text, "onTrafficFromClient"), options);
  const verdict = world.query("select 1", (event) => {
    options.change?.(event);
    event.hook = HOOK.onTrafficFromClient;
    event.messageType = 0;
  });
  equal(world.failures[0]?.message, undefined);
  ok(verdict.kind === "replace", verdict.kind);
  return new DataView(verdict.bytes.buffer).getInt32(0, true);
}

/** What is in the plugin's buffer after a call that returns a size. */
export async function copied(
  call: string,
  text = "",
  options: PluginOptions & { readonly change?: Parameters<PluginWorld["query"]>[1] } = {},
): Promise<string> {
  const body = `(drop (call $write ${BUFFER} ${call})) (i32.const 1)`;
  const { query, failures } = await startPlugin(moduleOf(body, "", text), options);
  const verdict = query("select 1", options.change);
  equal(failures[0]?.message, undefined);
  ok(verdict.kind === "replace", verdict.kind);
  return new TextDecoder().decode(verdict.bytes);
}

/** A plugin that may not do one thing. */
export function without(permission: Permission): PluginOptions {
  return { spec: { permissions: ["replace", "kv"].filter((one) => one !== permission) as never } };
}
