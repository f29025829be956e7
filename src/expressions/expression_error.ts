/**
 * What is wrong with an expression, and where.
 *
 * @module
 */

import { EvaluationError, ParseError, TypeError as CheckError } from "@marcbachmann/cel-js";

/** An expression cannot be used, or has no result. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
  /** Where in the expression, in UTF-16 code units from 0. */
  readonly offset: number;

  /** @param message One line, without a value of any variable. */
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Returns what was thrown as an `ExpressionError`. What is not the package's own error, such as
 * the stack's end, is one, too: an expression never fails in another way.
 */
export function reasonOf(error: unknown): ExpressionError {
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
