/**
 * One client's unnamed statement on whichever server it has. A server has one for all who use it
 * in turn: `Backend.unnamed` says whose it is, and a client that finds another one there has its
 * own prepared again, unseen.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import type { Traits } from "../sql/traits.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import type { Backend } from "./backend.ts";
import { bindNothing, closeStatement, parse } from "./extended_messages.ts";
import { REPLY } from "./reply_queue.ts";
import {
  isRefusal,
  type SharedStatements,
  type Statement,
  type UnnamedStatement,
} from "./statements.ts";

/** A message, or the first piece of a large one, in a view. */
export interface Piece {
  readonly view: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** True if the message ends with it. */
  readonly isWhole: boolean;
}

/** What is sent in place of a message: `undefined` is the message as it is, empty is nothing. */
export type Replacement = Uint8Array | undefined;

/** What a Bind or Describe has become, and the statement it is about, if that is known. */
export interface Translated {
  readonly replacement: Replacement;
  readonly traits?: Traits;
  /** Only one with a name that servers share. */
  readonly statement?: Statement;
}

/** What is prepared in place of a statement. */
export interface Meant {
  readonly definition: Uint8Array;
  readonly requires?: Statement;
}

/** What it needs of the client's statements that have names. */
export interface NamedStatements {
  /** What is prepared in place of a statement, if it is not what it is. */
  meant(statement: UnnamedStatement): Meant | undefined;
  /** What must be sent ahead of a statement whose text names another one. */
  require(backend: Backend, statement: UnnamedStatement): Uint8Array;
}

const NOTHING = new Uint8Array();

/** The unnamed statement of one client. */
export class ClientUnnamedStatement {
  readonly #shared: SharedStatements;
  readonly #named: NamedStatements;
  #current: UnnamedStatement | undefined;
  /** The server whose unnamed statement is the client's although its text was too long to keep. */
  #keptOn: Backend | undefined;
  /** Changes with each change, so that what undoes an older one leaves a newer one alone. */
  #version = 0;

  constructor(shared: SharedStatements, named: NamedStatements) {
    this.#shared = shared;
    this.#named = named;
  }

  /** True if only the server that the client has now knows its text. */
  get needsItsServer(): boolean {
    return this.#keptOn !== undefined;
  }

  /** There is none any more, wherever it was. */
  clear(): void {
    this.#current = undefined;
    this.#keptOn = undefined;
    this.#version += 1;
  }

  /** There is none any more, on the client's server either. */
  forget(backend: Backend): void {
    this.clear();
    backend.unnamed = undefined;
  }

  /** A Parse of it is going to be sent. */
  onParse(backend: Backend, { view, start, end, isWhole }: Piece): Replacement {
    const [before, beforeOn, version] = [this.#current, this.#keptOn, this.#version];
    let replacement: Replacement;
    if (!backend.replies.isSkipping) {
      let unnamed = this.#shared.unnamed(view.subarray(start + HEADER_SIZE + 1, end));
      const meant = isWhole ? this.#named.meant(unnamed) : undefined;
      if (meant !== undefined) {
        unnamed = this.#shared.unnamed(meant.definition, meant.requires);
        const required = this.#named.require(backend, unnamed);
        replacement = concat(required, parse(NOTHING, meant.definition));
      }
      this.#current = isWhole ? unnamed : undefined;
      this.#keptOn = isWhole ? undefined : backend;
      this.#version += 1;
      backend.unnamed = this.#current;
    }
    backend.replies.push(REPLY.parse, (hasFailed) => {
      backend.unnamed = undefined;
      // What has come behind it in the pipeline counts more: a Query has ended the statement.
      if (this.#version !== version + 1) return;
      this.#version = version;
      // A Parse that fails has dropped the unnamed statement before; one that is skipped has not.
      this.#current = hasFailed ? undefined : before;
      this.#keptOn = hasFailed ? undefined : beforeOn;
    });
    return replacement;
  }

  /**
   * A Bind or Describe of it is going to be sent.
   *
   * @param nameStart Where its empty name is in the view.
   * @param reply What the message waits for.
   */
  translate(
    backend: Backend,
    { view, start, end }: Piece,
    nameStart: number,
    reply: number,
  ): Translated {
    const current = this.#current;
    const traits = current === undefined ? {} : { traits: current.traits };
    if (current !== undefined && reply === REPLY.bind && isRefusal(current)) {
      const portal = view.subarray(start + HEADER_SIZE, nameStart);
      backend.unnamed = current;
      backend.replies.push(REPLY.parseInjected, () => {
        backend.unnamed = undefined;
      });
      backend.replies.push(reply);
      return {
        replacement: concat(parse(NOTHING, current.definition), bindNothing(portal, NOTHING)),
      };
    }
    const isThere = backend.unnamed === current && current !== undefined &&
      current.requires === undefined;
    if (isThere || this.#keptOn === backend || backend.replies.isSkipping) {
      backend.replies.push(reply);
      return { replacement: undefined, ...traits };
    }
    if (current === undefined) {
      // Somebody else's may be there: it must not answer. PostgreSQL says 26000 to this name, too.
      const ahead = closeStatement(NOTHING);
      backend.replies.push(REPLY.closeInjected);
      backend.unnamed = undefined;
      backend.replies.push(reply);
      return { replacement: concat(ahead, view.subarray(start, end)) };
    }
    const ahead = concat(this.#named.require(backend, current), parse(NOTHING, current.definition));
    backend.replies.push(REPLY.parseInjected, () => {
      backend.unnamed = undefined;
    });
    backend.unnamed = current;
    backend.replies.push(reply);
    return { replacement: concat(ahead, view.subarray(start, end)), ...traits };
  }
}
