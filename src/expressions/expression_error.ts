/**
 * What is wrong with an expression, and where: without the language, which is loaded only where
 * there are expressions.
 *
 * @module
 */

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
