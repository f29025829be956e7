/**
 * What conditions, logs and webhooks are told of an event.
 *
 * @module
 */

import { textOf } from "../base/bytes.ts";
import type { ExpressionValue } from "../expressions/value.ts";
import { FIELD, type HookEvent } from "../hooks/event.ts";
import { HOOKS } from "../hooks/hooks.ts";

/** What ReadyForQuery says, in words. */
const TRANSACTION_STATUS: Readonly<Record<number, string>> = {
  [0x49]: "idle",
  [0x54]: "transaction",
  [0x45]: "failed",
};

/** How each is found, by the name of the variable. */
const READERS = new Map<string, (event: HookEvent) => string>([
  ["hook", hookName],
  ["user", (event) => fieldText(event, FIELD.user)],
  ["database", (event) => fieldText(event, FIELD.database)],
  ["application", (event) => fieldText(event, FIELD.applicationName)],
  ["client_address", (event) => withoutPort(fieldText(event, FIELD.clientAddress))],
  ["listener", (event) => fieldText(event, FIELD.listener)],
  ["transaction_status", (event) => TRANSACTION_STATUS[event.transactionStatus] ?? "unknown"],
]);

/** Name of the event's hook; "" for none. */
export function hookName(event: HookEvent): string {
  return HOOKS[event.hook - 1]?.name ?? "";
}

/** Returns those of the variables that are about the event; "" where it does not say. */
export function eventValues(
  event: HookEvent,
  names: Iterable<string>,
): Record<string, ExpressionValue> {
  const values: Record<string, ExpressionValue> = {};
  for (const name of names) {
    const read = READERS.get(name);
    if (read !== undefined) values[name] = read(event);
  }
  return values;
}

/** What an event says of itself where somebody reads it: only what it does say. */
export function eventFields(event: HookEvent): Readonly<Record<string, string>> {
  const fields = {
    hook: hookName(event),
    user: fieldText(event, FIELD.user),
    database: fieldText(event, FIELD.database),
    application: fieldText(event, FIELD.applicationName),
    client: fieldText(event, FIELD.clientAddress),
    listener: fieldText(event, FIELD.listener),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== ""));
}

function fieldText(event: HookEvent, field: number): string {
  const bytes = event.field(field);
  return bytes === undefined ? "" : textOf(bytes);
}

/** `192.0.2.1:50112` is 192.0.2.1, `[::1]:50112` is ::1, and `unix` itself. */
function withoutPort(address: string): string {
  return /^\[(.*)\]:[0-9]+$/.exec(address)?.[1] ?? address.replace(/:[0-9]+$/, "");
}
