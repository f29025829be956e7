/**
 * What a driver sends to run a statement once: Parse, Bind, Describe and Execute of the unnamed
 * statement and portal, or the last three. Nothing of it is passed on before its Execute has been
 * decided, so that a plugin can answer all of it and no server is needed. A server would not have
 * answered before either: only a Sync or a Flush makes it.
 *
 * @module
 */

import type { Entry } from "./entry.ts";

/** The part of a unit that has come. */
export interface Unit {
  /** What it has made, in order. */
  readonly entries: Entry[];
  /** Its own Parse. */
  parse: LateParse | undefined;
  /** A Parse of before, which had not been passed on, and goes ahead of it. */
  late: LateParse | undefined;
  bind: Entry | undefined;
  describe: Entry | undefined;
  /** Whether the server has got anything since the last Sync, without the unit. */
  readonly hadServer: boolean;
}

/** What has become of the unnamed statement, of which no server knows: its Parse, or a Close. */
export interface LateParse {
  readonly message: Uint8Array;
  /** The client's message. */
  readonly entry: Entry;
  readonly isClose?: true;
  /** The server has been told that what it has is none. */
  isDropped: boolean;
}

/** @returns A unit that has just begun. */
export function newUnit(hadServer: boolean): Unit {
  return {
    entries: [],
    parse: undefined,
    late: undefined,
    bind: undefined,
    describe: undefined,
    hadServer,
  };
}
