/**
 * What holds for each type of a client's messages.
 *
 * @module
 */

import { CAN } from "../../hooks/hooks.ts";
import { FRONTEND } from "../wire/tags.ts";
import { ENTRY } from "./entry.ts";

/** What is possible with each message, but respond; of those that are not in it, only close. */
export const CAN_BE: Readonly<Record<number, number>> = {
  ...Object.fromEntries(
    [
      FRONTEND.query,
      FRONTEND.functionCall,
      FRONTEND.parse,
      FRONTEND.bind,
      FRONTEND.describe,
      FRONTEND.execute,
      FRONTEND.close,
      FRONTEND.copyData,
      FRONTEND.copyDone,
      FRONTEND.copyFail,
    ].map((tag) => [tag, CAN.replace | CAN.reject | CAN.close]),
  ),
};

/** What is possible with a Query. */
export const CAN_QUERY: number = CAN.replace | CAN.respond | CAN.reject | CAN.close;

/** What is possible with a Parse. */
export const CAN_PARSE: number = CAN.replace | CAN.reject | CAN.close;

/** What is possible with an Execute that wants all rows. */
export const CAN_EXECUTE: number = CAN.respond | CAN.reject | CAN.close;

/** Messages of the extended protocol whose answers a server keeps until a Sync or a Flush. */
export const IS_CONCLUDED_BY_SYNC = Uint8Array.from({ length: 256 }, (_, tag) => {
  const { parse, bind, describe, execute, close } = FRONTEND;
  return [parse, bind, describe, execute, close].some((one) => one === tag) ? 1 : 0;
});

/** Messages that end what their name, or no name, has stood for. */
export const HAS_TEXT: ReadonlySet<number> = new Set([FRONTEND.query, FRONTEND.parse]);

/** What each message is answered as; those that are not in it are not answered. */
export const ENTRY_OF: Readonly<Record<number, number>> = {
  [FRONTEND.query]: ENTRY.query,
  [FRONTEND.functionCall]: ENTRY.functionCall,
  [FRONTEND.sync]: ENTRY.sync,
  [FRONTEND.parse]: ENTRY.parse,
  [FRONTEND.bind]: ENTRY.bind,
  [FRONTEND.describe]: ENTRY.describe,
  [FRONTEND.execute]: ENTRY.execute,
  [FRONTEND.close]: ENTRY.close,
  [FRONTEND.copyDone]: ENTRY.copyEnd,
  [FRONTEND.copyFail]: ENTRY.copyEnd,
};
