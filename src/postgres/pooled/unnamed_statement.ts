/**
 * One client's unnamed statement on whichever server it has. A server has one for all who use it
 * in turn: `Backend.unnamed` says whose it is, and a client that finds another one there has its
 * own prepared again, unseen.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import type { Traits } from "../sql/traits.ts";
import { bindNothing, closeStatement, parse } from "../wire/extended_messages.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import type { Backend } from "./backend.ts";
import type { Meanings } from "./meant.ts";
import { ensureRequired } from "./preparing.ts";
import { REPLY } from "./reply_kinds.ts";
import type { ReplyQueue } from "./reply_queue.ts";
import type { Undo } from "./reply_ring.ts";
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
  /** What it executes by name. */
  readonly requires?: Statement | undefined;
  /** Only one with a name that servers share. */
  readonly statement?: Statement;
}

const NOTHING = new Uint8Array();

/** What the unnamed statement is from one message on. */
interface Version {
  /** The number of that message's entry: see `ReplyQueue.entryCount`. */
  readonly entry: number;
  /** The request of that message: see `ReplyQueue.requestCount`. */
  readonly request: number;
  statement: UnnamedStatement | undefined;
  /** The server whose unnamed statement is the client's although its text was too long to keep. */
  keptOn: Backend | undefined;
}

/** The unnamed statement of one client. */
export class ClientUnnamedStatement {
  readonly #shared: SharedStatements;
  readonly #meanings: Meanings;
  /**
   * What it is at the end, and what it is if messages on their way turn out to be skipped: the last
   * one whose message has been answered, and those behind it.
   */
  #versions: Version[] = [];
  /** The last request in which it was prepared again, unseen: see `ReplyQueue.requestCount`. */
  #repeated = 0;

  constructor(shared: SharedStatements, meanings: Meanings) {
    this.#shared = shared;
    this.#meanings = meanings;
  }

  /** True if only the server that the client has now knows its text. */
  get needsItsServer(): boolean {
    return this.#keptOn !== undefined;
  }

  /**
   * Whether what it is, or whether it is there, depends on a request before the one that is being
   * sent: what fails there may have had the message skipped that changed it.
   */
  isUnsure(replies: ReplyQueue): boolean {
    if (replies.isDue(this.#repeated)) return true;
    const version = this.#versions.at(-1);
    return version !== undefined && replies.isDue(version.request);
  }

  /** What it is, as far as is known. */
  get statement(): UnnamedStatement | undefined {
    return this.#current;
  }

  get #current(): UnnamedStatement | undefined {
    return this.#versions.at(-1)?.statement;
  }

  get #keptOn(): Backend | undefined {
    return this.#versions.at(-1)?.keptOn;
  }

  /**
   * A Query or Close is going to be sent, which ends it.
   *
   * @returns To be called if the message turns out to be skipped, if there is anything to undo.
   */
  end(backend: Backend): Undo | undefined {
    if (this.#versions.length === 0) return void (backend.unnamed = undefined);
    const version = this.#change(backend, undefined, undefined);
    backend.unnamed = undefined;
    return () => this.#drop(version);
  }

  #change(
    { replies }: Backend,
    statement: UnnamedStatement | undefined,
    keptOn: Backend | undefined,
  ): Version {
    const versions = this.#versions;
    const [entry, request] = [replies.entryCount + 1, replies.requestCount + 1];
    const version = { entry, request, statement, keptOn };
    if (versions.length === 0 && statement === undefined && keptOn === undefined) return version;
    let answered = versions.length - 1;
    while (answered > 0 && versions[answered]!.entry > replies.doneCount) answered -= 1;
    if (answered > 0) versions.splice(0, answered);
    versions.push(version);
    return version;
  }

  /** Its message has been skipped: what was before it counts. */
  #drop(version: Version): void {
    const at = this.#versions.lastIndexOf(version);
    if (at >= 0) this.#versions.splice(at, 1);
  }

  /** A Parse of it is going to be sent. */
  onParse(backend: Backend, { view, start, end, isWhole }: Piece): Replacement {
    if (backend.replies.isSkipping) {
      backend.replies.push(REPLY.parse);
      return undefined;
    }
    let unnamed = this.#shared.unnamed(view.subarray(start + HEADER_SIZE + 1, end));
    const meant = isWhole ? this.#meanings.meantBy(unnamed) : undefined;
    let replacement: Replacement;
    if (meant !== undefined) {
      unnamed = this.#shared.unnamed(meant.definition, meant.requires);
      const required = ensureRequired(backend, unnamed);
      replacement = concat(required, parse(NOTHING, meant.definition));
    }
    const version = isWhole
      ? this.#change(backend, unnamed, undefined)
      : this.#change(backend, undefined, backend);
    backend.unnamed = version.statement;
    backend.replies.push(REPLY.parse, (hasFailed) => {
      backend.unnamed = undefined;
      if (!hasFailed) return this.#drop(version);
      // PostgreSQL has dropped the one before.
      version.statement = undefined;
      version.keptOn = undefined;
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
    const traits = current === undefined
      ? {}
      : { traits: current.traits, requires: current.requires };
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
    const ahead = concat(ensureRequired(backend, current), parse(NOTHING, current.definition));
    backend.replies.push(REPLY.parseInjected, () => {
      backend.unnamed = undefined;
    });
    this.#repeated = backend.replies.requestCount + 1;
    backend.unnamed = current;
    backend.replies.push(reply);
    return { replacement: concat(ahead, view.subarray(start, end)), ...traits };
  }
}
