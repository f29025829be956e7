/**
 * Which rule decides how a client is authenticated: the first that fits its connection, database,
 * user and address, as in pg_hba.conf. Whoever fits none is refused.
 *
 * Source: https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";
import {
  type Cidr,
  type IpAddress,
  matchesCidr,
  parseCidr,
  parseIpAddress,
} from "../../base/ip_range.ts";
import { LinearRegExp } from "../../base/linear_regexp.ts";

/** A rule, with words already split; what a matching rule asks for is its user's business. */
export interface HbaRule {
  readonly type: "local" | "host" | "hostssl" | "hostnossl";
  /** Names, `/` and a regular expression, or `all`, `sameuser`, `replication`. */
  readonly databases: readonly string[];
  /** Names, `/` and a regular expression, or `all`. */
  readonly users: readonly string[];
  /** A range in CIDR notation; undefined or `all` for every address. */
  readonly address?: string | undefined;
}

/** What is known of a client when it has sent its StartupMessage. */
export interface HbaConnection {
  readonly isUnix: boolean;
  readonly isTls: boolean;
  /** The user's name where the client named no database; any for physical replication. */
  readonly database: string;
  readonly user: string;
  /** The peer's IP address, without a port; not needed for a Unix socket. */
  readonly address?: string;
  /** With `replication=true`: it has no database, so only rules for `replication` are for it. */
  readonly isPhysicalReplication?: boolean;
}

/** A rule that cannot be matched. Its message says which and why. */
export class HbaError extends Error {
  override readonly name = "HbaError";
}

/**
 * Longest name that rules are tried on, in characters; PostgreSQL's have at most 63. Longer ones
 * fit no rule, not even one that rejects, and are refused with everybody who fits none.
 */
const NAME_LENGTH_MAX = 256;

/** Names of one column, ready to be compared. */
interface Names {
  readonly isAll: boolean;
  readonly isSameUser: boolean;
  readonly isReplication: boolean;
  readonly literals: ReadonlySet<string>;
  readonly expressions: readonly LinearRegExp[];
}

interface CompiledRule<Rule> {
  readonly rule: Rule;
  readonly type: HbaRule["type"];
  readonly databases: Names;
  readonly users: Names;
  /** Undefined for every address. */
  readonly range: Cidr | undefined;
}

const DATABASE_KEYWORDS: ReadonlySet<string> = new Set(["all", "sameuser", "replication"]);
const USER_KEYWORDS: ReadonlySet<string> = new Set(["all"]);

/** Rules in their order, compiled once. */
export class HbaRules<Rule> {
  readonly #rules: readonly CompiledRule<Rule>[];

  /** @throws {HbaError} If an expression or address is malformed, or a keyword not supported. */
  constructor(rules: readonly (Rule & HbaRule)[]) {
    this.#rules = rules.map((rule, i) => compiled(rule, `rule ${i + 1}`));
  }

  /** The first rule that fits, or undefined if none does: then the client is refused. */
  find(connection: HbaConnection): Rule | undefined {
    const { isUnix, user, database } = connection;
    if (user.length > NAME_LENGTH_MAX || database.length > NAME_LENGTH_MAX) return undefined;
    const address = isUnix ? undefined : peerAddress(connection.address ?? "");
    if (!isUnix && address === undefined) return undefined;
    return this.#rules.find((rule) =>
      fitsType(rule.type, connection) &&
      (address === undefined || rule.range === undefined || matchesCidr(rule.range, address)) &&
      fitsDatabase(rule.databases, connection) && fitsUser(rule.users, user)
    )?.rule;
  }
}

/** What a client is told whom `rule` rejects, or whom no rule fits; its SQLSTATE is 28000. */
export function rejectionMessage(connection: HbaConnection, rule: object | undefined): string {
  const { isUnix, isTls, address, user, database, isPhysicalReplication } = connection;
  const host = isUnix ? "[local]" : address ?? "";
  const target = isPhysicalReplication ? "replication" : `database "${database}"`;
  const encryption = isUnix ? "" : isTls ? ", TLS" : ", no encryption";
  const verdict = rule === undefined ? "no rule for" : "a rule rejects connections from";
  return `${verdict} host "${host}", user "${user}", ${target}${encryption}`;
}

function compiled<Rule>(rule: Rule & HbaRule, place: string): CompiledRule<Rule> {
  const role = rule.users.find((user) => user.startsWith("+"));
  if (role !== undefined) {
    throw new HbaError(
      `${place}: user "${role}" means the members of a role, whom only the server knows: ` +
        "name the users, or use a regular expression",
    );
  }
  const unsupported = rule.databases.find((name) => name === "samerole" || name === "samegroup");
  if (unsupported !== undefined) {
    throw new HbaError(
      `${place}: database "${unsupported}" asks for the members of a role, whom only the server ` +
        "knows: name the databases, or use a regular expression",
    );
  }
  const { address } = rule;
  const isEvery = rule.type === "local" || address === undefined || address === "all";
  const range = isEvery ? undefined : parseCidr(address);
  if (!isEvery && range === undefined) {
    throw new HbaError(
      `${place}: address "${address}" must be "all" or a range like 10.0.0.0/8 or ::1/128; ` +
        "names of hosts, samehost and samenet are not supported",
    );
  }
  return {
    rule,
    type: rule.type,
    databases: compiledNames(rule.databases, DATABASE_KEYWORDS, place),
    users: compiledNames(rule.users, USER_KEYWORDS, place),
    range,
  };
}

function compiledNames(
  words: readonly string[],
  keywords: ReadonlySet<string>,
  place: string,
): Names {
  const isKeyword = (word: string) => keywords.has(word) && words.includes(word);
  const expressions = words.filter((word) => word.startsWith("/"));
  const literals = words.filter((word) => !word.startsWith("/") && !keywords.has(word));
  return {
    isAll: isKeyword("all"),
    isSameUser: isKeyword("sameuser"),
    isReplication: isKeyword("replication"),
    literals: new Set(literals),
    expressions: expressions.map((word) => compiledExpression(word, place)),
  };
}

function compiledExpression(word: string, place: string): LinearRegExp {
  try {
    return new LinearRegExp(word.slice(1));
  } catch (cause) {
    throw new HbaError(`${place}: regular expression "${word}": ${messageOf(cause)}`, { cause });
  }
}

/** An address as a socket gives it: an IPv6 one may come with the zone it is valid in. */
function peerAddress(text: string): IpAddress | undefined {
  return parseIpAddress(text.includes(":") ? text.replace(/%.*$/s, "") : text);
}

function fitsType(type: HbaRule["type"], { isUnix, isTls }: HbaConnection): boolean {
  switch (type) {
    case "local":
      return isUnix;
    case "host":
      return !isUnix;
    case "hostssl":
      return !isUnix && isTls;
    case "hostnossl":
      return !isUnix && !isTls;
  }
}

function fitsDatabase(names: Names, connection: HbaConnection): boolean {
  const { database, user, isPhysicalReplication = false } = connection;
  if (isPhysicalReplication) return names.isReplication;
  return names.isAll || (names.isSameUser && database === user) || fitsName(names, database);
}

function fitsUser(names: Names, user: string): boolean {
  return names.isAll || fitsName(names, user);
}

function fitsName({ literals, expressions }: Names, name: string): boolean {
  return literals.has(name) || expressions.some((expression) => expression.test(name));
}
