/** The rules of the configuration. */

import { config, Counter, fingerprint } from "../sluice/sluice";
import { Pattern, Replacement } from "./pattern";

/** Longer texts are left as they are. */
export const TEXT_SIZE_MAX = 64 * 1024;

/** Why the configuration cannot be used; "" if it can. */
export let problem = "";

/** A rule for texts: one way to match, and what takes the text's place. */
class Rule {
  readonly counter: Counter;
  text: string | null = null;
  pattern: Pattern | null = null;
  fingerprint: string | null = null;

  constructor(
    readonly name: string,
    readonly replacement: Replacement,
    readonly ignoresCase: bool,
    readonly goesOn: bool,
  ) {
    this.counter = new Counter(`rewrite_queries_total{rule="${name}"}`);
  }

  /** What takes the text's place, or null. The fingerprint is that of the text that came. */
  apply(text: string): string | null {
    const compared = this.ignoresCase ? lowerCase(text) : text;
    const whole = this.text;
    if (whole !== null) return compared == whole ? this.replacement.apply([]) : null;
    const wanted = this.fingerprint;
    if (wanted !== null) return fingerprint() == wanted ? this.replacement.apply([]) : null;
    const captured = this.pattern!.match(compared, text);
    return captured === null ? null : this.replacement.apply(captured);
  }
}

/** Only A to Z: no letter may change the length. */
function lowerCase(text: string): string {
  let isLower = true;
  for (let i = 0; i < text.length && isLower; i++) {
    const c = text.charCodeAt(i);
    isLower = c < 65 || c > 90;
  }
  if (isLower) return text;
  const units = new StaticArray<u16>(text.length);
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    units[i] = <u16>(c >= 65 && c <= 90 ? c + 32 : c);
  }
  return String.UTF16.decodeUnsafe(changetype<usize>(units), text.length * 2);
}

export const rules: Rule[] = new Array<Rule>();

readRules();

function readRules(): void {
  for (let i = 0; ; i++) {
    const name = config(`rules.${i}.name`);
    if (name === null || problem != "") return;
    readRule(`rules.${i}`, name);
  }
}

function readRule(path: string, name: string): void {
  const ignoresCase = config(`${path}.ignoreCase`) == "true";
  const whole = config(`${path}.text`);
  const pattern = config(`${path}.pattern`);
  const prefix = config(`${path}.prefix`);
  const wanted = config(`${path}.fingerprint`);
  const ways = i32(whole !== null) + i32(pattern !== null) + i32(prefix !== null) +
    i32(wanted !== null);
  if (ways != 1) {
    problem = `rule "${name}" needs one of text, pattern, prefix and fingerprint, and has ${ways}`;
    return;
  }
  const text = config(`${path}.replacement`);
  const isLiteral = whole !== null || wanted !== null;
  const replacement = new Replacement(text === null ? "" : text, isLiteral);
  const rule = new Rule(name, replacement, ignoresCase, config(`${path}.goOn`) == "true");
  if (whole !== null) rule.text = ignoresCase ? lowerCase(whole) : whole;
  rule.fingerprint = wanted;
  const stars = pattern !== null ? pattern : prefix;
  if (stars !== null) {
    const made = new Pattern(ignoresCase ? lowerCase(stars) : stars, prefix !== null);
    const count = made.stars + i32(made.isPrefix);
    if (replacement.largest > count) {
      problem = `rule "${name}": there is no $${replacement.largest}, but ${count} at most`;
      return;
    }
    rule.pattern = made;
  }
  rules.push(rule);
}

/** A rule for a parameter of the StartupMessage. */
class ParameterRule {
  readonly counter: Counter;

  constructor(
    readonly name: string,
    readonly set: string | null,
    readonly fallback: string | null,
    readonly prefix: string | null,
    readonly append: string | null,
    readonly removes: bool,
  ) {
    this.counter = new Counter(`rewrite_parameters_total{parameter="${name}"}`);
  }

  /** The parameter's next value, null for none. */
  apply(value: string | null): string | null {
    if (this.removes) return null;
    const set = this.set, fallback = this.fallback, prefix = this.prefix, append = this.append;
    const given = set !== null ? set : value;
    let next = given === null ? "" : given as string;
    if (next == "" && fallback !== null) next = fallback;
    if (prefix !== null) next = prefix + next;
    if (append !== null) next = next == "" ? append : `${next} ${append}`;
    return next == "" && given === null ? null : next;
  }
}

export const parameterRules: ParameterRule[] = new Array<ParameterRule>();

readParameterRules();

function readParameterRules(): void {
  for (let i = 0; ; i++) {
    const path = `parameters.${i}`;
    const name = config(`${path}.name`);
    if (name === null || problem != "") return;
    if (name == "user" || name == "database" || name == "replication") {
      problem = `parameters: "${name}" says who the client is, and cannot be changed`;
      return;
    }
    parameterRules.push(
      new ParameterRule(
        name, config(`${path}.set`), config(`${path}.default`), config(`${path}.prefix`),
        config(`${path}.append`), config(`${path}.remove`) == "true",
      ),
    );
  }
}
