/**
 * A plugin that wants to see everything that passes in sessions, and changes what queries that ask
 * for it by how they begin say.
 *
 * @module
 */

import { EVENT_AT, IMPORTS, TEXT_AT } from "./plugins.ts";
import { assemble } from "./wasm.ts";

/** Where it reads to: 32 KiB. */
const READ_AT = 32_768;

/** What it looks at, and leaves as it is. */
const LOOKS = [
  "onOpening",
  "onStartup",
  "onAuthenticated",
  "onOpened",
  "onTraffic",
  "onTrafficFromClient",
  "onTrafficToServer",
  "onTrafficFromServer",
  "onTrafficToClient",
  "onRow",
  "onError",
  "onQueryEnd",
  "onTransactionEnd",
  "onClosing",
  "onClosed",
];

/** How texts begin that it rejects, replaces with `select 'swapped' as a`, and answers. */
export const ASKS = { reject: "/*no*/", replace: "/*sw*/", respond: "/*hi*/" } as const;

const [SWAPPED, COLUMN, HIT] = ["select 'swapped' as a", "a", "hit"];

/** The first four bytes of a text, as an i32. */
function startOf(text: string): string {
  const bytes = new TextEncoder().encode(text.slice(0, 4));
  return `(i32.const ${new DataView(bytes.buffer).getInt32(0, true)})`;
}

/** Whether a bit of the event's flags is set. */
function flag(bit: number): string {
  return `(i32.and (i32.load (i32.const ${EVENT_AT + 4})) (i32.const ${bit}))`;
}

function asks(text: string): string {
  return `(i32.eq (i32.load (i32.const ${READ_AT})) ${startOf(text)})`;
}

const PIECES = [SWAPPED, COLUMN, HIT];
const PLACES = PIECES.map((_, i) => TEXT_AT + 100 * i);

function piece(index: number): string {
  return `(i32.const ${PLACES[index]}) (i32.const ${PIECES[index]!.length})`;
}

/** Reads fields 0 to 17, 32 KiB at most of each. */
const READS = Array.from(
  { length: 18 },
  (_, field) =>
    `(drop (call $read (i32.const ${field}) (i32.const 0) (i32.const ${READ_AT}) ` +
    `(i32.const 32768)))`,
).join("\n");

/** The module, and its manifest. */
export const LOOKING: {
  readonly name: string;
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly manifest: string;
} = {
  name: "looking",
  wasm: assemble(`(module ${IMPORTS}
    (memory (export "memory") 1 4)
    ${PIECES.map((text, i) => `(data (i32.const ${PLACES[i]}) "${text}")`).join("\n")}
    (func (export "sluice_event") (result i32) (i32.const ${EVENT_AT}))
    (func $look (result i32) ${READS} (i32.const 0))
    ${LOOKS.map((hook) => `(export "${hook}" (func $look))`).join("\n")}
    (func (export "onQuery") (result i32)
      (drop (call $look))
      (i64.store (i32.const ${READ_AT}) (i64.const 0))
      (drop (call $read (i32.const 1) (i32.const 0) (i32.const ${READ_AT}) (i32.const 64)))
      (if ${asks(ASKS.reject)} (then
        (return (i32.const 3))))
      (if (i32.and ${asks(ASKS.replace)} ${flag(1)}) (then
        (drop (call $write ${piece(0)}))
        (return (i32.const 1))))
      (if (i32.and ${asks(ASKS.respond)} (i32.shr_u ${flag(2)} (i32.const 1))) (then
        (drop (call $result_column ${piece(1)} (i32.const 25)))
        (drop (call $result_value ${piece(2)}))
        (return (i32.const 2))))
      (i32.const 0)))`),
  manifest: "name: looking\nversion: 1.0.0\npermissions: [replace, respond, reject]\n",
};
