/**
 * What a plugin tells the operator's policies: an opinion. What comes of it, the operator decides.
 *
 * @module
 */

/** One signal of one call. */
export interface Signal {
  /** One that policies know, or any other. */
  readonly name: string;
  /** JSON that the plugin chose. */
  readonly metadata: Readonly<Record<string, unknown>>;
}
