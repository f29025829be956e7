/**
 * What a session writes to its client, framed by header only: what became of each request.
 *
 * @module
 */

import { textOf } from "../../base/bytes.ts";
import { ERROR_FIELD, errorField } from "../wire/messages.ts";
import { Framer, HEADER_SIZE } from "../wire/framer.ts";
import { BACKEND, IS_BACKEND_TAG } from "../wire/tags.ts";

/** A server's message of any size that it may have. */
const MESSAGE_SIZE_MAX = 1_073_741_824;

/** Longest CommandComplete: the tag is a command's name and numbers. */
const TAG_SIZE_MAX = 64;

/** What ended with a ReadyForQuery. */
export interface Answer {
  /** Of the first error; "00000" if there was none. */
  readonly sqlState: string;
  /** Rows that commands returned or changed. */
  readonly rows: number;
}

/** Told of one session's answers. */
export interface AnswerListener {
  onAnswer(answer: Answer): void;
  /** The server waits for data of a COPY FROM STDIN. */
  onCopyIn(): void;
  /** What is written cannot be understood: nothing more is told. */
  onUncertain(): void;
}

const SUCCESS = "00000";

/** One session's answers. */
export class Answers {
  readonly #framer = new Framer(MESSAGE_SIZE_MAX, IS_BACKEND_TAG);
  readonly #listener: AnswerListener;
  #sqlState = SUCCESS;
  #rows = 0;
  /** DataRows since the last command was complete. */
  #dataRows = 0;
  /** The first ReadyForQuery is the end of the login. */
  #isWelcome = false;
  #isOver = false;

  constructor(listener: AnswerListener) {
    this.#listener = listener;
  }

  /** Bytes on their way to the client: whole messages, and pieces of large ones. Never throws. */
  read(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const framer = this.#framer;
    try {
      framer.begin(bytes);
      while (framer.next()) if (framer.isFirst) this.#onMessage(bytes);
    } catch {
      this.#isOver = true; // it is for the session to find out what is wrong
    }
    if (!this.#isOver && framer.end === bytes.length) return;
    this.#isOver = true;
    this.#listener.onUncertain();
  }

  #onMessage(bytes: Uint8Array): void {
    const { tag, start, end } = this.#framer;
    switch (tag) {
      case BACKEND.dataRow:
        this.#dataRows += 1;
        return;
      case BACKEND.commandComplete:
        this.#rows += rowsOf(bytes.subarray(start + HEADER_SIZE, end));
        this.#dataRows = 0;
        return;
      case BACKEND.portalSuspended:
        this.#rows += this.#dataRows;
        this.#dataRows = 0;
        return;
      case BACKEND.errorResponse:
        if (this.#sqlState !== SUCCESS) return;
        this.#sqlState = errorField(bytes.subarray(start, end), ERROR_FIELD.sqlState);
        return;
      case BACKEND.copyInResponse:
        return this.#listener.onCopyIn();
      case BACKEND.readyForQuery:
        return this.#onReady();
    }
  }

  #onReady(): void {
    const answer = { sqlState: this.#sqlState, rows: this.#rows };
    this.#sqlState = SUCCESS;
    this.#rows = this.#dataRows = 0;
    if (this.#isWelcome) return this.#listener.onAnswer(answer);
    this.#isWelcome = true;
  }
}

/** The number that a command's tag ends with, as in "INSERT 0 5"; 0 if there is none. */
function rowsOf(body: Uint8Array): number {
  if (body.length > TAG_SIZE_MAX) return 0;
  return Number(/ (\d+)\0$/.exec(textOf(body))?.[1] ?? 0);
}
