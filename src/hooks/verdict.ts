/**
 * What a hook asks for.
 *
 * @module
 */

/** Numbers of the verdicts, as a plugin returns them. */
export const VERDICT = {
  forward: 0,
  replace: 1,
  respond: 2,
  reject: 3,
  close: 4,
  route: 5,
} as const;

/** One column of a result that a plugin made. */
export interface ResultColumn {
  readonly name: string;
  /** OID in pg_type. */
  readonly typeOid: number;
}

/** What a client gets instead of a server's answer, without what only its request can tell. */
export type Reply =
  /** Messages from RowDescription, if there is one, to CommandComplete, as a server sent them. */
  | { readonly kind: "messages"; readonly bytes: Uint8Array }
  /** Text values in rows, each as long as there are columns. */
  | {
    readonly kind: "result";
    readonly columns: readonly ResultColumn[];
    readonly rows: readonly (readonly (Uint8Array | undefined)[])[];
    /** Undefined: SELECT and the number of rows. */
    readonly tag: string | undefined;
  };

/** An error that a plugin has made up. */
export interface Rejection {
  /** Five of 0-9 and A-Z. */
  readonly sqlState: string;
  readonly message: string;
  /** "" for none. */
  readonly hint: string;
}

/** What a chain of hooks has come to. */
export type Verdict =
  | { readonly kind: "forward" }
  /** What takes the payload's place; `payload` of the event has been set to it. */
  | { readonly kind: "replace"; readonly bytes: Uint8Array }
  | { readonly kind: "respond"; readonly reply: Reply; readonly plugin: string }
  | { readonly kind: "reject"; readonly rejection: Rejection; readonly plugin: string }
  | { readonly kind: "close"; readonly plugin: string }
  | { readonly kind: "route"; readonly proxy: string; readonly plugin: string };

/** Nobody wants anything. */
export const FORWARD: Verdict = { kind: "forward" };
