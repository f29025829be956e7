/**
 * Conditions that an operator writes, in the Common Expression Language: parsed and checked once,
 * evaluated often. Only this room knows the package that does it (docs/adr/0016-cel.md).
 *
 * An evaluation cannot be interrupted, so what it may cost is limited beforehand: see `cost.ts` for
 * what an expression may do, and `value.ts` for what it may be done with.
 *
 * Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md
 *
 * @module
 */

import {
  Environment,
  EvaluationError,
  ParseError,
  TypeError as CheckError,
} from "@marcbachmann/cel-js";
import { LinearRegExp } from "../base/linear_regexp.ts";
import { checkCost } from "./cost.ts";
import { ExpressionError } from "./expression_error.ts";
import type { ExpressionValue } from "./value.ts";

/** What a variable can be declared as. A map has text keys and values of any kind. */
export type VariableType = "string" | "bool" | "double" | "map";

/** Names and types of the variables that an expression may use. */
export type Variables = Readonly<Record<string, VariableType>>;

/** Values by the name of the variable. Names that are not declared are left unused. */
export type VariableValues = Readonly<Record<string, ExpressionValue>>;

/** What an expression comes to: a condition, or text. */
export type ResultType = "bool" | "string";

/** Length of an expression in UTF-16 code units. */
export const EXPRESSION_SIZE_MAX = 2_000;

const PATTERN_SIZE_MAX = 200;

/**
 * What all `matches` of one evaluation may do: steps of their expressions multiplied by characters
 * of their texts. One was measured to take 200 to 300 ns.
 */
const MATCH_STEPS_MAX = 50_000;

/**
 * What a call of `matches` is called in its place: as long, so that positions stay right. The
 * package's own uses JavaScript's regular expressions, whose time can explode.
 */
const MATCHES = "detects";

/** Deeper nesting and more nodes than anybody writes. */
const LIMITS = { maxAstNodes: 500, maxDepth: 30, maxListElements: 100, maxMapEntries: 100 };

const TYPE_NAMES: Readonly<Record<VariableType, string>> = {
  string: "string",
  bool: "bool",
  double: "double",
  map: "map<string, dyn>",
};

/** An expression that was parsed and checked. */
export class Expression {
  readonly #run: (values: VariableValues) => unknown;
  readonly #result: ResultType;
  /** As it was written. */
  readonly text: string;
  /** Names of the variables that it uses. */
  readonly uses: ReadonlySet<string>;

  /** For {@linkcode compile} only. */
  constructor(
    text: string,
    run: (values: VariableValues) => unknown,
    uses: ReadonlySet<string>,
    result: ResultType,
  ) {
    this.text = text;
    this.#run = run;
    this.uses = uses;
    this.#result = result;
  }

  /**
   * Whether the condition holds.
   *
   * @throws {ExpressionError} If there is no answer: a key that is missing, types that do not fit,
   * a division by zero; or a result that is neither true nor false.
   */
  evaluate(values: VariableValues): boolean {
    const result = this.#evaluate(values);
    if (this.#result === "bool" && typeof result === "boolean") return result;
    throw new ExpressionError(`expected true or false as the result; got ${kindOf(result)}`, 0);
  }

  /**
   * The text that it comes to.
   *
   * @throws {ExpressionError} As `evaluate`, if the result is no text.
   */
  evaluateText(values: VariableValues): string {
    const result = this.#evaluate(values);
    if (this.#result === "string" && typeof result === "string") return result;
    throw new ExpressionError(`expected text as the result; got ${kindOf(result)}`, 0);
  }

  #evaluate(values: VariableValues): unknown {
    try {
      return this.#run(values);
    } catch (error) {
      throw reasonOf(error);
    }
  }
}

/**
 * Parses an expression and checks its names and types.
 *
 * @param variables What it may use.
 * @param result What it has to come to.
 * @throws {ExpressionError} If it is malformed, uses what there is not, or could cost too much.
 */
export function compile(
  text: string,
  variables: Variables,
  result: ResultType = "bool",
): Expression {
  if (text.length > EXPRESSION_SIZE_MAX) {
    throw new ExpressionError(`longer than ${EXPRESSION_SIZE_MAX} characters`, EXPRESSION_SIZE_MAX);
  }
  try {
    return compileChecked(text, variables, result);
  } catch (error) {
    throw reasonOf(error);
  }
}

function compileChecked(text: string, variables: Variables, result: ResultType): Expression {
  const matcher = new Matcher();
  const environment = new Environment({ limits: LIMITS }).registerFunction(
    `string.${MATCHES}(string): bool`,
    (subject: string, pattern: string) => matcher.test(subject, pattern),
    { async: false },
  );
  for (const [name, type] of Object.entries(variables)) {
    environment.registerVariable(name, TYPE_NAMES[type]);
  }
  const found = checkCost(environment.parse(text).ast);
  let rewritten = text;
  for (const { at, pattern, patternAt } of found.matches) {
    matcher.add(pattern, patternAt);
    rewritten = rewritten.slice(0, at) + MATCHES + rewritten.slice(at + MATCHES.length);
  }
  const program = environment.parse(rewritten);
  const checked = program.check();
  if (!checked.valid) throw checked.error;
  if (checked.type !== result && checked.type !== "dyn") {
    const wanted = result === "bool" ? "a condition, which is true or false" : "text";
    throw new ExpressionError(`expected ${wanted}; got a value of type ${checked.type}`, 0);
  }
  const uses = new Set([...found.names].filter((name) => Object.hasOwn(variables, name)));
  const run = (values: VariableValues): unknown => {
    matcher.reset();
    return program(values);
  };
  return new Expression(text, run, uses, result);
}

/** The regular expressions of one expression. */
class Matcher {
  readonly #patterns = new Map<string, LinearRegExp>();
  #stepsLeft = 0;

  /** @throws {ExpressionError} If it is no regular expression. */
  add(pattern: string, at: number): void {
    if (pattern.length > PATTERN_SIZE_MAX) {
      const rule = `a regular expression has at most ${PATTERN_SIZE_MAX} characters`;
      throw new ExpressionError(rule, at);
    }
    try {
      this.#patterns.set(pattern, new LinearRegExp(pattern));
    } catch (error) {
      throw new ExpressionError(`not a regular expression: ${(error as Error).message}`, at);
    }
  }

  /** Before each evaluation. */
  reset(): void {
    this.#stepsLeft = MATCH_STEPS_MAX;
  }

  /** @throws {ExpressionError} If it could take too long. */
  test(subject: string, pattern: string): boolean {
    const expression = this.#patterns.get(pattern)!;
    this.#stepsLeft -= expression.size * (subject.length + 1);
    if (this.#stepsLeft < 0) {
      throw new ExpressionError("matches could take too long for text of this size", 0);
    }
    return expression.test(subject);
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return value instanceof Map ? "a map" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

/**
 * Returns what was thrown as an `ExpressionError`. What is not the package's own error, such as
 * the stack's end, is one, too: an expression never fails in another way.
 */
function reasonOf(error: unknown): ExpressionError {
  if (error instanceof ExpressionError) return error;
  if (
    error instanceof ParseError || error instanceof CheckError || error instanceof EvaluationError
  ) {
    const message = error.summary.replaceAll(/\s+/g, " ").replaceAll("detects(", "matches(")
      .replace(/^no such overload: /, "the types do not fit: ");
    return new ExpressionError(withoutValues(message, error.code), error.range?.start ?? 0);
  }
  return new ExpressionError("cannot be evaluated", 0);
}

/** Messages of a few codes repeat a value, which may be a part of a query. */
function withoutValues(message: string, code: string): string {
  if (/_conversion_error$|^numeric_overflow$/.test(code)) return message.replace(/:.*$/, "");
  return message;
}
