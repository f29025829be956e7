/**
 * `${NAME}` in secrets: the value of an environment variable, so that a file can be shown to
 * others and kept beside the code.
 *
 * Only there: every other value may be shown in messages and logs, so a secret must not get there
 * by a reference to it, and has a `SLUICE_` variable of its own. Where somebody expects it all the
 * same, it is a problem: taken as it is, it would be a user or a file of that odd name.
 *
 * @module
 */

import { keysOf, SECTIONS } from "./declarations.ts";
import type { KeyType } from "./key_types.ts";
import { ENVIRONMENT, type Place, type Problems } from "./problems.ts";
import type { Settings, WrittenValue } from "./settings.ts";

/** `$${` is `${` itself; every other `$` stands for itself too. */
const REFERENCE = /\$?\$\{([^}]*)(\}?)/g;

/**
 * Puts the values of variables into every secret of the file. What a `SLUICE_` variable says is
 * taken as it is: whoever sets it has no need for another variable in it.
 */
export function expandSecrets(
  settings: Settings,
  env: Readonly<Record<string, string>>,
  problems: Problems,
): void {
  for (const section of SECTIONS) {
    for (const [name, group] of settings.get(section.name)!.groups) {
      for (const [key, { type }] of Object.entries(keysOf(section, name))) {
        const written = group.keys.get(key);
        if (!type.isSecret && type.items === undefined) continue;
        if (written === undefined || written.place.file === ENVIRONMENT) continue;
        group.keys.set(key, expandedIn(written, type, env, problems));
      }
    }
  }
}

/** Returns a value with every secret in it expanded: itself, or those of its objects and keys. */
function expandedIn(
  written: WrittenValue,
  type: KeyType<unknown>,
  env: Readonly<Record<string, string>>,
  problems: Problems,
): WrittenValue {
  const { items } = type;
  if (type.isFree === true) return expandedAll(written, env, problems);
  if (written.kind === "text" && type.isSecret) return expanded(written, env, problems);
  if (written.kind === "list" && items !== undefined) {
    const objects = written.items.map((item) => expandedIn(item, type, env, problems));
    return { ...written, items: objects };
  }
  if (written.kind !== "keys") return written;
  const entries = written.entries.map((entry) => {
    const below = items === undefined ? type : items[entry.key]?.type;
    const isSecret = below !== undefined && below.isSecret;
    const { value } = entry;
    return isSecret ? { ...entry, value: expandedIn(value, below, env, problems) } : entry;
  });
  return { ...written, entries };
}

/** Returns the first `${NAME}` of a value, and where it is; undefined if there is none. */
export function referenceIn(
  written: WrittenValue,
): { readonly name: string; readonly place: Place } | undefined {
  if (written.kind === "list") {
    return written.items.map(referenceIn).find((found) => found !== undefined);
  }
  if (written.kind !== "text") return undefined;
  const name = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/.exec(written.text)?.[0];
  return name === undefined ? undefined : { name, place: written.place };
}

/** Of keys and lists, every text. */
function expandedAll(
  written: WrittenValue,
  env: Readonly<Record<string, string>>,
  problems: Problems,
): WrittenValue {
  switch (written.kind) {
    case "text":
      return expanded(written, env, problems);
    case "list":
      return { ...written, items: written.items.map((item) => expandedAll(item, env, problems)) };
    case "keys":
      return {
        ...written,
        entries: written.entries.map((entry) => ({
          ...entry,
          value: expandedAll(entry.value, env, problems),
        })),
      };
    case "nothing":
      return written;
  }
}

function expanded(
  written: WrittenValue & { readonly kind: "text" },
  env: Readonly<Record<string, string>>,
  problems: Problems,
): WrittenValue {
  const text = written.text.replaceAll(REFERENCE, (found: string, name: string, end: string) => {
    if (found.startsWith("$$")) return found.slice(1);
    if (end === "" || !/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      // What follows is not repeated: it may be a part of the secret.
      const advice = "write $${ for the characters themselves";
      problems.add(written.place, `expected the name of a variable and } behind \${; ${advice}`);
      return "";
    }
    const value = Object.hasOwn(env, name) ? env[name]! : "";
    if (value === "") {
      const state = Object.hasOwn(env, name) ? "is empty" : "is not set";
      problems.add(written.place, `the environment variable ${name} ${state}; set it`);
    }
    return value;
  });
  // What a variable says is text, also where it looks like a number.
  return { ...written, text, isQuoted: written.isQuoted || text !== written.text };
}
