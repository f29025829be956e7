/**
 * Sizes for single databases and users, in the format of pgagroal_databases.conf:
 *
 *     DATABASE[=ALIAS,ALIAS] USER MAX_SIZE [INITIAL_SIZE [MIN_SIZE]] [disabled]
 *
 * `all` stands for every database or user, and as MAX_SIZE for all that the pool has. What pgagroal
 * adjusts with a warning, such as an initial size above the largest, is a problem here. The word
 * `disabled` at the end refuses new clients.
 *
 * @module
 */

import type { PoolLimit } from "./config.ts";
import { type Field, fieldsOf, linesOf, type Word } from "./lines.ts";
import { type Place, type Problems, quote } from "./problems.ts";

/** Size of a limits file in bytes. */
export const LIMITS_FILE_SIZE_MAX = 1_048_576;

/** Every new pair of a database and a user goes through them. */
export const LIMITS_MAX = 10_000;

/** pgagroal has at most 8 aliases for a database. */
export const ALIASES_MAX = 8;

/** What `pools.NAME.size` can be at most. */
const SIZE_MAX = 10_000;

const SHAPE = "DATABASE[=ALIAS,ALIAS] USER MAX_SIZE [INITIAL_SIZE [MIN_SIZE]] [disabled]";

/** A limit and where it is written. */
export interface PlacedLimit {
  readonly limit: PoolLimit;
  readonly place: Place;
}

/** Returns the limits in the order of the file; what is wrong goes to `problems`. */
export function parseLimitsFile(
  text: string,
  fileName: string,
  problems: Problems,
): readonly PlacedLimit[] {
  const limits: PlacedLimit[] = [];
  for (const line of linesOf(text, fileName)) {
    const fields = fieldsOf(line, problems);
    if (fields.length === 0) continue;
    const limit = parseLimit(fields, problems);
    if (limit === undefined) continue;
    if (limits.length === LIMITS_MAX) {
      problems.add(line.place, `more than ${LIMITS_MAX} limits; remove some`);
      break;
    }
    limits.push({ limit, place: fields[0]![0].place });
  }
  checkNames(limits, problems);
  return limits;
}

/**
 * Returns the limit for a pair, or undefined when the pool's own size is all there is. The one for
 * the database and the user comes first, then for every database and the user, for the database
 * and every user, and for everything. `database` is not an alias: see {@linkcode realDatabase}.
 */
export function limitsFor(
  limits: readonly PoolLimit[],
  database: string,
  user: string,
): PoolLimit | undefined {
  const find = (wantedDatabase: string | undefined, wantedUser: string | undefined) =>
    limits.find((limit) => limit.database === wantedDatabase && limit.user === wantedUser);
  return find(database, user) ?? find(undefined, user) ?? find(database, undefined) ??
    find(undefined, undefined);
}

/** Returns the name that the server knows a database by: `name` itself unless it is an alias. */
export function realDatabase(limits: readonly PoolLimit[], name: string): string {
  return limits.find(({ aliases }) => aliases.includes(name))?.database ?? name;
}

function parseLimit(fields: readonly Field[], problems: Problems): PoolLimit | undefined {
  const last = fields.at(-1)![0];
  const isDisabled = last.text === "disabled" && !last.isQuoted && fields.length > 3;
  const written = isDisabled ? fields.slice(0, -1) : fields;
  if (written.length < 3 || written.length > 5) {
    problems.add(last.place, `the line has ${fields.length} words; it should be ${SHAPE}`);
    return undefined;
  }
  const list = written.slice(1).find((field) => field.length > 1);
  if (list !== undefined) {
    problems.add(list[0].place, `only a database can have a list, of its aliases; ${SHAPE}`);
    return undefined;
  }
  const names = parseDatabase(written[0]!, problems);
  const sizes = parseSizes(written.slice(2).map(([word]) => word), problems);
  if (names === undefined || sizes === undefined) return undefined;
  return { ...names, user: nameOrAll(written[1]![0]), ...sizes, isDisabled };
}

function nameOrAll({ text, isQuoted }: Word): string | undefined {
  return text === "all" && !isQuoted ? undefined : text;
}

/** Reads `name`, `all` or `name=alias1,alias2`. */
function parseDatabase(
  [first, ...others]: Field,
  problems: Problems,
): Pick<PoolLimit, "database" | "aliases"> | undefined {
  const equals = first.text.indexOf("=");
  const name = equals < 0 ? first : { ...first, text: first.text.slice(0, equals) };
  const database = nameOrAll(name);
  const aliases = equals < 0 ? [] : [first.text.slice(equals + 1)];
  aliases.push(...others.map(({ text }) => text));
  const fail = (message: string) => problems.add(first.place, message);
  if (database === "") {
    fail(`the name of the database is missing; ${SHAPE}`);
  } else if (equals < 0 && others.length > 0) {
    fail(`aliases follow a "=", as in ${SHAPE}; several databases need a line each`);
  } else if (aliases.includes("")) {
    fail("an alias is empty; write a name, or remove the comma or the =");
  } else if (aliases.length > 0 && database === undefined) {
    fail("all cannot have aliases; name the database");
  } else if (aliases.length > ALIASES_MAX) {
    fail(`the database has ${aliases.length} aliases; at most ${ALIASES_MAX} are allowed`);
  } else {
    return { database, aliases };
  }
  return undefined;
}

type Sizes = Pick<PoolLimit, "sizeMax" | "initialSize" | "minSize">;

function parseSizes(words: readonly Word[], problems: Problems): Sizes | undefined {
  const [max, initial, min] = words;
  const isAll = max!.text === "all" && !max!.isQuoted;
  const sizeMax = isAll ? undefined : parseSize(max!, 1, problems);
  const minSize = min === undefined ? 0 : parseSize(min, 0, problems);
  // As in pgagroal, the initial size is the least one when nobody says otherwise.
  const initialSize = initial === undefined ? minSize : parseSize(initial, 0, problems);
  if ((!isAll && sizeMax === undefined) || minSize === undefined || initialSize === undefined) {
    return undefined;
  }
  const most = sizeMax ?? SIZE_MAX;
  if (initialSize > most) {
    problems.add(initial!.place, `INITIAL_SIZE ${initialSize} is above MAX_SIZE ${most}; lower it`);
  } else if (minSize > most) {
    problems.add(min!.place, `MIN_SIZE ${minSize} is above MAX_SIZE ${most}; lower it`);
  } else if (initialSize < minSize) {
    const rule = `INITIAL_SIZE ${initialSize} is below MIN_SIZE ${minSize}`;
    problems.add(initial!.place, `${rule}; raise it`);
  } else {
    return { sizeMax, initialSize, minSize };
  }
  return undefined;
}

function parseSize(word: Word, min: number, problems: Problems): number | undefined {
  const size = /^(0|[1-9][0-9]{0,5})$/.test(word.text) ? Number(word.text) : -1;
  if (size >= min && size <= SIZE_MAX) return size;
  const orAll = min === 1 ? " or all" : "";
  const rule = `expected a whole number from ${min} to ${SIZE_MAX}${orAll}`;
  problems.add(word.place, `${rule}; got ${quote(word.text)}`);
  return undefined;
}

/** An alias must mean one database, and a pair must have one line. */
function checkNames(limits: readonly PlacedLimit[], problems: Problems): void {
  const databases = new Set(limits.map(({ limit }) => limit.database));
  const owners = new Map<string, string | undefined>();
  const lines = new Map<string, number>();
  for (const { limit, place } of limits) {
    const pair = JSON.stringify([limit.database ?? null, limit.user ?? null]);
    const first = lines.get(pair);
    if (first !== undefined) {
      problems.add(place, `line ${first} is for the same database and user; remove one of them`);
    }
    lines.set(pair, first ?? place.line);
    for (const [i, alias] of limit.aliases.entries()) {
      const owner = owners.get(alias);
      const isTwice = limit.aliases.indexOf(alias) < i;
      if (databases.has(alias)) {
        problems.add(place, `the alias ${quote(alias)} is the name of a database; choose another`);
      } else if (isTwice || (owner !== undefined && owner !== limit.database)) {
        problems.add(place, `the alias ${quote(alias)} is there twice; remove one of them`);
      }
      owners.set(alias, limit.database);
    }
  }
}
