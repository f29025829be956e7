import { deepStrictEqual as assertEquals, ok as assert } from "node:assert/strict";
import {
  fieldsOf,
  LOG_NAME_LENGTH_MAX,
  LOG_TEXT_LENGTH_MAX,
  plainJsonLine,
  textLine,
} from "../../src/observe/log_format.ts";
import type { LogRecord } from "../../src/observe/log_record.ts";

const TIME_MS = Date.UTC(2026, 10, 21, 15, 4, 5, 123);

function record(fields: LogRecord["fields"], message = "session ready"): LogRecord {
  return { level: "info", message, fields, timeMs: TIME_MS };
}

Deno.test("textLine() is readable: time, level, message, fields", () => {
  assertEquals(
    textLine(record({ pool: "default", user: "app", session: 7, isTls: true }), false),
    "2026-11-21 15:04:05.123Z INFO  session ready  pool=default user=app session=7 isTls=true\n",
  );
  assertEquals(
    textLine(record({}), false),
    "2026-11-21 15:04:05.123Z INFO  session ready\n",
  );
});

Deno.test("textLine() colours the level and nothing else", () => {
  assertEquals(
    textLine({ ...record({ a: "b" }), level: "error" }, true),
    "2026-11-21 15:04:05.123Z \x1b[31mERROR\x1b[0m session ready  a=b\n",
  );
});

for (
  const [value, shown] of [
    ["", '""'],
    ["a b", '"a b"'],
    ["a=b", '"a=b"'],
    ['a"b', '"a\\"b"'],
    ["a\\b", '"a\\\\b"'],
    ["a\nlevel=error", '"a\\nlevel=error"'],
    ["\x1b[2J", '"\\u001b[2J"'],
    ["\x9b2J", '"\\u009b2J"'],
    ["a\x7f", '"a\\u007f"'],
    ["\u202eevil", '"\\u202eevil"'],
    ["a\u2028b", '"a\\u2028b"'],
    ["\x00", '"\\u0000"'],
    ["\ud800x", "\ufffdx"],
    ["Müller-😀", "Müller-😀"],
    ["[::1]:5432", "[::1]:5432"],
  ] as const
) {
  Deno.test(`textLine() writes the value ${JSON.stringify(value)} as ${shown}`, () => {
    assertEquals(textLine(record({ user: value }), false).split("  user=")[1], `${shown}\n`);
  });
}

Deno.test("textLine() escapes a message as well", () => {
  assertEquals(
    textLine(record({}, "a\x1b[2J\nb"), false).slice(31),
    "a\\u001b[2J\\u000ab\n",
  );
});

Deno.test("textLine() keeps every control character from the line", () => {
  for (let code = 0; code <= 0xffff; code++) {
    const line = textLine(record({ user: `a${String.fromCharCode(code)}b` }), false);
    assert(line.endsWith("\n"));
    const inside = line.slice(0, -1);
    // Categories of Unicode: controls, line and paragraph separators; and what turns direction.
    assert(!/\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/u.test(inside.replace("\u061c", "")), inside);
  }
});

Deno.test("plainJsonLine() escapes what JSON leaves raw, and stays the same JSON", () => {
  const value = { a: "\x7f\x9b2J\u2028\u202e\u0085ü😀" };
  const line = plainJsonLine(`${JSON.stringify(value)}\n`);
  assertEquals(line, '{"a":"\\u007f\\u009b2J\\u2028\\u202e\\u0085ü😀"}\n');
  assertEquals(JSON.parse(line), value);
});

Deno.test("fieldsOf() cuts long values and says so, never through a character", () => {
  const long = "x".repeat(LOG_NAME_LENGTH_MAX);
  assertEquals(fieldsOf(record({ user: long })).user, long);
  assertEquals(fieldsOf(record({ user: `${long}y` })).user, `${long}…`);
  const halved = fieldsOf(record({ user: `${long.slice(1)}😀` })).user as string;
  assertEquals(halved, `${long.slice(1)}\ufffd…`);
});

Deno.test("fieldsOf() keeps Sluice's own texts whole, up to a length that no one of them has", () => {
  const advice = "store the very same verifier in both places, or ".repeat(20);
  assertEquals(fieldsOf(record({ error: advice, peer: advice })), {
    error: advice,
    peer: `${advice.slice(0, LOG_NAME_LENGTH_MAX)}…`,
  });
  const endless = fieldsOf(record({ error: advice.repeat(100) })).error as string;
  assertEquals(endless.length, LOG_TEXT_LENGTH_MAX + 1);
});

Deno.test("fieldsOf() rounds times to a microsecond", () => {
  assertEquals(fieldsOf(record({ durationMs: 53.770441000000005, waitMs: 2, session: 2 ** 40 })), {
    durationMs: 53.77,
    waitMs: 2,
    session: 2 ** 40,
  });
});

Deno.test("fieldsOf() renames fields that a line has itself", () => {
  assertEquals(fieldsOf(record({ level: 1, msg: "m", time: "t", pool: "p" })), {
    level_: 1,
    msg_: "m",
    time_: "t",
    pool: "p",
  });
});
