/**
 * What is thrown when bytes make no sense.
 *
 * @module
 */

/**
 * The peer broke the protocol. The stream cannot be trusted past this point, so the only answer
 * is an ErrorResponse with this SQLSTATE, then close.
 */
export class ProtocolError extends Error {
  override readonly name: string = "ProtocolError";

  /**
   * `protocol_violation` unless the rule that was broken has a code of its own.
   * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
   */
  readonly sqlState: string;

  constructor(message: string, sqlState = "08P01") {
    super(message);
    this.sqlState = sqlState;
  }
}

/** A length is above the limit that somebody has set; the stream is lost all the same. */
export class TooLongError extends ProtocolError {
  override readonly name = "TooLongError";
}
