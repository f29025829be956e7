/**
 * Rules in the syntax of pg_hba.conf: PostgreSQL manual, section 20.1.
 *
 * A rule that would be read differently from PostgreSQL lets somebody in who should stay out, so
 * everything that is not understood here is a problem that says what is.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import { parseRange } from "./cidr.ts";
import type { HbaMethod, HbaOptions, HbaRule } from "./config.ts";
import { type Field, fieldsOf, joinContinued, type Line, type Word } from "./lines.ts";
import { didYouMean, type Place, type Problems, quote } from "./problems.ts";
import { patternOf, wrongPattern } from "./regular_expression.ts";

/** Every new connection tries rules in order; files that people maintain have a few hundred. */
export const RULES_MAX = 10_000;

const TYPES = ["local", "host", "hostssl", "hostnossl"] as const;

const METHODS: readonly HbaMethod[] = [
  "trust",
  "reject",
  "password",
  "md5",
  "scram-sha-256",
  "cert",
  "relay",
];

/** Words that mean something in front of a rule's methods, and names when they are quoted. */
const DATABASE_KEYWORDS: readonly string[] = ["all", "sameuser", "replication"];
const USER_KEYWORDS: readonly string[] = ["all"];

/** What PostgreSQL knows and this gateway does not. */
const UNSUPPORTED_KEYWORDS: readonly string[] = ["samerole", "samegroup"];

/** A rule and where it is written. */
export interface PlacedRule {
  readonly rule: HbaRule;
  readonly place: Place;
}

/** Returns the rules, and adds everything that is wrong with the others to `problems`. */
export function parseHba(lines: readonly Line[], problems: Problems): readonly PlacedRule[] {
  const rules: PlacedRule[] = [];
  for (const line of joinContinued(lines)) {
    const fields = fieldsOf(line, problems);
    if (fields.length === 0) continue;
    const rule = new RuleReader(fields, problems).read();
    if (rule === undefined) continue;
    if (rules.length === RULES_MAX) {
      problems.add(line.place, `more than ${RULES_MAX} rules; remove some`);
      break;
    }
    rules.push({ rule, place: fields[0]![0].place });
  }
  return rules;
}

/** Takes one rule apart, field by field. */
class RuleReader {
  readonly #fields: readonly Field[];
  readonly #problems: Problems;
  #next = 0;
  #isWrong = false;

  constructor(fields: readonly Field[], problems: Problems) {
    this.#fields = fields;
    this.#problems = problems;
  }

  /** The rule, or undefined when something is wrong, which was reported. */
  read(): HbaRule | undefined {
    const type = this.#type();
    // Without it, what the other fields are is unknown.
    if (type === undefined) return undefined;
    const databases = this.#names("database", DATABASE_KEYWORDS);
    const users = this.#names("user", USER_KEYWORDS);
    const address = type === "local" ? undefined : this.#address();
    const method = this.#method(type);
    if (databases === undefined || users === undefined || method === undefined) return undefined;
    const options = this.#options(type, method);
    if (this.#isWrong) return undefined;
    return { type, databases, users, address, method, options };
  }

  #type(): HbaRule["type"] | undefined {
    const word = this.#single("connection type");
    const type = TYPES.find((one) => one === word?.text);
    if (type !== undefined || word === undefined) return type;
    const got = `expected ${TYPES.join(", ")} in front of a rule; got ${quote(word.text)}`;
    const isInclude = /^(@.*|include|include_if_exists|include_dir)$/.test(word.text);
    const hint = isInclude
      ? ", which would include a file; put its rules here instead"
      : didYouMean(nearest(word.text, TYPES));
    this.#fail(word.place, got + hint);
    return undefined;
  }

  /** The names of a list, with keywords kept apart from names that look like them. */
  #names(what: "database" | "user", keywords: readonly string[]): readonly string[] | undefined {
    const field = this.#field(`a ${what} or all`);
    return field?.map((word) => this.#name(word, what, keywords));
  }

  #name(word: Word, what: "database" | "user", keywords: readonly string[]): string {
    const { text, isQuoted, place } = word;
    if (text === "") {
      this.#fail(place, `the name of a ${what} is empty; write all for every ${what}`);
    } else if (text.startsWith("/")) {
      const reason = wrongPattern(text.slice(1));
      if (reason !== undefined) this.#fail(place, `${quote(text)} is ${reason}`);
    } else if (isQuoted) {
      return this.#quotedName(word, what, keywords);
    } else if (text.startsWith("+")) {
      this.#fail(
        place,
        `${quote(text)} means the members of a role, which the gateway does not know; name the ` +
          "users, or write a regular expression such as /^app_",
      );
    } else if (text.startsWith("@")) {
      this.#fail(place, `${quote(text)} would include a file; put its names here instead`);
    } else if (what === "database" && UNSUPPORTED_KEYWORDS.includes(text)) {
      this.#fail(
        place,
        `${text} needs the roles of the database, which the gateway does not know; supported are ` +
          `names, regular expressions and ${keywords.join(", ")}`,
      );
    }
    return text;
  }

  /** The text of a rule does not say what was quoted, but a regular expression says it all. */
  #quotedName(
    { text, place }: Word,
    what: "database" | "user",
    keywords: readonly string[],
  ): string {
    const isKeyword = keywords.includes(text) ||
      (what === "database" && UNSUPPORTED_KEYWORDS.includes(text));
    if (!isKeyword && !text.startsWith("+")) return text;
    const pattern = patternOf(text);
    const reason = wrongPattern(pattern);
    if (reason !== undefined) this.#fail(place, `as a name, ${quote(text)} is ${reason}`);
    return `/${pattern}`;
  }

  /** The range of addresses in its one form; undefined for all, and when it is wrong. */
  #address(): string | undefined {
    const word = this.#single("address");
    if (word === undefined || (word.text === "all" && !word.isQuoted)) return undefined;
    const hasMask = /^[0-9a-fA-F.:]+$/.test(this.#fields[this.#next]?.[0].text ?? "") &&
      !word.text.includes("/");
    const mask = hasMask ? this.#single("mask") : undefined;
    const parsed = parseRange(word.text, mask?.text);
    if (parsed.ok) return parsed.range;
    this.#fail(
      word.place,
      `expected all, an address with a prefix such as 10.0.0.0/8, or an address and a mask; ` +
        `got ${quote(word.text)}, ${parsed.reason}`,
    );
    return undefined;
  }

  #method(type: HbaRule["type"]): HbaMethod | undefined {
    const word = this.#single("method");
    if (word === undefined) return undefined;
    const method = METHODS.find((one) => one === word.text);
    if (method === undefined) {
      this.#fail(
        word.place,
        `expected a method: one of ${METHODS.join(", ")}; got ${quote(word.text)}` +
          didYouMean(nearest(word.text, METHODS)),
      );
    } else if (method === "cert" && type !== "hostssl") {
      this.#fail(word.place, "method cert needs TLS; write hostssl in front of the rule");
    }
    return method;
  }

  #options(type: HbaRule["type"], method: HbaMethod): HbaOptions {
    let map = "";
    let clientCertificate: HbaOptions["clientCertificate"];
    const seen = new Set<string>();
    for (let field = this.#take(); field !== undefined; field = this.#take()) {
      for (const { text, place } of field) {
        const [, name, value] = /^([^=]*)=(.*)$/s.exec(text) ?? ["", text, ""];
        if (seen.has(name!)) this.#fail(place, `${quote(name!)} is there twice; remove one`);
        seen.add(name!);
        if (name === "map" && value !== "") {
          map = value!;
          if (method !== "cert") this.#fail(place, "map= has a meaning with method cert only");
        } else if (name === "clientcert" && (value === "verify-ca" || value === "verify-full")) {
          clientCertificate = value;
          this.#checkClientCertificate(type, method, value, place);
        } else {
          const rule = "expected map=NAME, clientcert=verify-ca or clientcert=verify-full";
          this.#fail(place, `${rule} behind the method; got ${quote(text)}`);
        }
      }
    }
    return { map, clientCertificate };
  }

  #checkClientCertificate(
    type: HbaRule["type"],
    method: HbaMethod,
    value: "verify-ca" | "verify-full",
    place: Place,
  ): void {
    if (type !== "hostssl") {
      this.#fail(place, "clientcert= needs TLS; write hostssl in front of the rule");
    } else if (method === "cert" && value === "verify-ca") {
      this.#fail(place, "method cert always checks the name; remove clientcert=verify-ca");
    }
  }

  /** A field with one word. */
  #single(what: string): Word | undefined {
    const field = this.#field(`the ${what}`);
    const second = field?.[1];
    if (second !== undefined) this.#fail(second.place, `the ${what} of a rule cannot be a list`);
    return field?.[0];
  }

  #field(what: string): Field | undefined {
    const field = this.#take();
    if (field !== undefined || this.#isWrong) return field;
    const { place } = this.#fields.at(-1)![0];
    const order = "TYPE DATABASE USER ADDRESS METHOD, where local has no ADDRESS";
    this.#fail(place, `the rule ends where ${what} should follow; a rule is ${order}`);
    return undefined;
  }

  #take(): Field | undefined {
    return this.#fields[this.#next++];
  }

  #fail(place: Place, message: string): void {
    this.#problems.add(place, message);
    this.#isWrong = true;
  }
}
