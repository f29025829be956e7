/**
 * Gives servers the statements that they lack.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import {
  closeStatement,
  describeStatement,
  FLUSH,
  parse,
  SYNC,
} from "../wire/extended_messages.ts";
import type { Backend } from "./backend.ts";
import { REPLY } from "./reply_kinds.ts";
import type { Statement, UnnamedStatement } from "./statements.ts";

const NOTHING = new Uint8Array();

/** Makes sure that the server has a statement. @returns What must be sent ahead, if anything. */
export function ensure(backend: Backend, statement: Statement): Uint8Array {
  const { replies, statements } = backend;
  if (replies.isSkipping) return NOTHING;
  const isUnsure = statements.isUnsure(statement, replies);
  if (statements.use(statement) && !isUnsure) return NOTHING;
  return concat(
    ensureRequired(backend, statement),
    isUnsure ? closeOnServer(backend, statement) : NOTHING,
    prepare(backend, statement, REPLY.parseInjected, undefined),
  );
}

/** What must be sent ahead of a statement whose text names another one. */
export function ensureRequired(backend: Backend, { requires }: UnnamedStatement): Uint8Array {
  return requires === undefined ? NOTHING : ensure(backend, requires);
}

/** Makes sure that the server has a statement, and asks it for its columns. */
export function ensureDescribed(backend: Backend, statement: Statement): Uint8Array {
  const { replies, statements: { checking, columns } } = backend;
  const ahead = ensure(backend, statement);
  checking.add(statement);
  replies.push(REPLY.describeInjected, () => void checking.delete(statement), (bytes) => {
    checking.delete(statement);
    columns.learn(statement, bytes);
  });
  return concat(ahead, describeStatement(statement.serverName), FLUSH);
}

/**
 * Whether what a Query names must not be prepared before a request has been answered: behind
 * messages without a Sync it would be prepared without one, too, and a server that refuses that
 * skips the Query, which its client waits for.
 */
export function mustPrepareLater(
  { replies, statements }: Backend,
  statement: Statement | undefined,
): boolean {
  if (statement === undefined || !replies.mayBeUnsynced || !replies.isRequestDue) return false;
  return !statements.has(statement) || statements.isUnsure(statement, replies);
}

/**
 * As `ensure`, with a request of its own: a Query behind a Parse that fails would be skipped. So
 * it is behind messages without a Sync that fail, which is not to be concluded by a Sync of ours.
 */
export function ensureNow(backend: Backend, statement: Statement): void {
  const { replies, statements } = backend;
  if (backend.isInFailedTransaction && !replies.mayHaveRun) return; // it is not going to be run
  if (replies.mayBeUnsynced) return backend.write(ensure(backend, statement));
  if (replies.isSkipping) return;
  const isUnsure = statements.isUnsure(statement, replies);
  if (statements.use(statement) && !isUnsure) return;
  const { serverName, definition } = statement;
  const evicted = statements.add(statement);
  const undos = [statements.change(statement, () => void statements.delete(statement))];
  if (evicted !== undefined) {
    undos.push(statements.change(evicted, () => statements.restore(evicted)));
  }
  const close = evicted === undefined ? NOTHING : closeStatement(evicted.serverName);
  const before = isUnsure ? closeStatement(serverName) : NOTHING;
  const messages = concat(before, parse(serverName, definition), close, SYNC);
  replies.counts.addInjectedParse();
  backend.runMessages(messages, ({ error }) => {
    if (error !== undefined) undos.forEach((undo) => undo());
  });
}

/**
 * Prepares a statement, and closes the one that was used least if there are too many.
 *
 * @param reply What the Parse waits for.
 * @param undo What else is to be done if the Parse fails or is skipped.
 */
export function prepare(
  { replies, statements }: Backend,
  statement: Statement,
  reply: number,
  undo: (() => void) | undefined,
): Uint8Array {
  const bytes = parse(statement.serverName, statement.definition);
  if (replies.isSkipping) {
    undo?.();
    return bytes;
  }
  const evicted = statements.add(statement);
  statements.noteChange(statement, replies);
  const undoChange = statements.change(statement, () => void statements.delete(statement));
  replies.push(reply, () => {
    undoChange();
    undo?.();
  });
  if (evicted === undefined) return bytes;
  statements.noteChange(evicted, replies);
  replies.push(
    REPLY.closeInjected,
    statements.change(evicted, () => statements.restore(evicted)),
  );
  return concat(bytes, closeStatement(evicted.serverName));
}

/** Has the server forget a statement, if it has it, so that it can be prepared again. */
export function closeOnServer({ replies, statements }: Backend, statement: Statement): Uint8Array {
  const wasThere = statements.delete(statement);
  const undo = statements.change(statement, () => {
    if (wasThere) statements.restore(statement);
  });
  replies.push(REPLY.closeInjected, undo);
  return closeStatement(statement.serverName);
}
