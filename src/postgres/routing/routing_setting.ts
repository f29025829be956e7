/**
 * The setting of a session that says where its statements are to run: `SET sluice.role`. It is a
 * custom setting, which every PostgreSQL server takes as it is, so it also passes to the server.
 *
 * Source: https://www.postgresql.org/docs/current/runtime-config-custom.html
 *
 * @module
 */

import { textOf } from "../../base/bytes.ts";
import { readIdentifier } from "../sql/identifiers.ts";
import { Lexer } from "../sql/lexer.ts";

/** What a session asks for: `auto` lets each statement decide. */
export type RoleSetting = "primary" | "replica" | "auto";

/** What a text does to the setting, or why it is not understood. */
export type RoutingSetting =
  | {
    /** `default` is for what the session began with. */
    readonly role: RoleSetting | "default";
    readonly problem?: undefined;
  }
  | {
    /** What is wrong: one line. The server takes the text all the same. */
    readonly problem: string;
  };

/** The name of the setting. */
export const ROLE_SETTING = "sluice.role";

const ROLES: ReadonlySet<string> = new Set<RoleSetting>(["primary", "replica", "auto"]);

const QUOTE = 0x27;

/** What a problem quotes of a value, in characters. */
const QUOTE_LENGTH_MAX = 60;

/**
 * Reads what a text does to the setting once it has succeeded: SET [SESSION] sluice.role, RESET
 * sluice.role, RESET ALL and DISCARD ALL. What lasts for a transaction only (SET LOCAL) does
 * nothing, since a transaction is on one server; set_config() is not seen.
 *
 * Only worth to be asked for a text whose `Traits` have {@linkcode ROLE_SETTING} among their
 * parameters, or that reset all of them.
 *
 * @param standardConformingStrings The session's parameter of that name.
 * @returns Of the last statement that does something, or undefined if none does.
 */
export function routingSetting(
  text: Uint8Array,
  standardConformingStrings = true,
): RoutingSetting | undefined {
  const lexer = new Lexer();
  lexer.begin(text, standardConformingStrings);
  let setting: RoutingSetting | undefined;
  for (let kind = lexer.next(); kind !== "end"; kind = lexer.next()) {
    if (kind === ";") continue;
    setting = readStatement(lexer) ?? setting;
    while (lexer.kind !== ";" && lexer.kind !== "end") lexer.next();
  }
  return setting;
}

/** Reads a statement from its first token on, as far as it matters. */
function readStatement(lexer: Lexer): RoutingSetting | undefined {
  const command = lexer.word;
  if (command !== "set" && command !== "reset" && command !== "discard") return undefined;
  const kind = lexer.next();
  if (command === "discard") return lexer.word === "all" ? { role: "default" } : undefined;
  if (command === "reset") {
    if (lexer.word === "all" && kind === "word") return { role: "default" };
    return isRoleName(lexer) ? { role: "default" } : undefined;
  }
  if (lexer.word === "session") lexer.next();
  if (!isRoleName(lexer)) return undefined;
  const behind = lexer.next();
  if (behind !== "=" && lexer.word !== "to") return undefined; // the server refuses it
  return readValue(lexer);
}

/** Whether the current token and those behind it are the setting's name; steps over it. */
function isRoleName(lexer: Lexer): boolean {
  const schema = readIdentifier(lexer)?.toLowerCase();
  if (schema === ROLE_SETTING) return true; // quoted as a whole
  if (schema !== "sluice" || lexer.peek() !== ".") return false;
  lexer.next();
  lexer.next();
  return readIdentifier(lexer)?.toLowerCase() === "role";
}

function readValue(lexer: Lexer): RoutingSetting {
  const kind = lexer.next();
  if (lexer.word === "default") return { role: "default" };
  const value = kind === "string" ? stringValue(lexer) : readIdentifier(lexer);
  const following = lexer.peek();
  const isWhole = following === "end" || following === ";";
  if (value !== undefined && ROLES.has(value) && isWhole) return { role: value as RoleSetting };
  const shown = (value ?? "").replaceAll(/[^\x20-\x7e]/g, "?").slice(0, QUOTE_LENGTH_MAX);
  return { problem: `${ROLE_SETTING} must be "primary", "replica" or "auto", not "${shown}"` };
}

/** What is in a plain string; nothing else can be a role. */
function stringValue({ text, start, end }: Lexer): string | undefined {
  return text[start] === QUOTE ? textOf(text.subarray(start + 1, end - 1)) : undefined;
}
