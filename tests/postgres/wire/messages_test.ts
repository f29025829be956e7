import { deepEqual, equal, throws } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import * as messages from "../../../src/postgres/wire/messages.ts";
import {
  cancelRequest,
  readStartupPacket,
  startupPacket,
  supportedStartupPacket,
} from "../../../src/postgres/wire/startup_packet.ts";
import * as by from "../../support/messages.ts";

Deno.test("errorResponse writes the fields of the manual, in the order of PostgreSQL", () => {
  const bytes = messages.errorResponse({
    severity: "FATAL",
    sqlState: "53300",
    message: "too many",
    detail: "100",
    hint: "wait",
  });
  const body = "SFATAL\0VFATAL\0C53300\0Mtoo many\0D100\0Hwait\0\0";
  deepEqual(by.textOfMessages(bytes), by.textOfMessages(by.message("E", body)));
  const short = messages.errorResponse({ severity: "ERROR", sqlState: "0A000", message: "no" });
  deepEqual(by.textOfMessages(short), by.textOfMessages(by.error("ERROR", "0A000", "no")));
});

Deno.test("errorResponse lets no NUL cut its texts", () => {
  const bytes = messages.errorResponse({ severity: "ERROR", sqlState: "0A000", message: "a\0b" });
  equal(by.errorFields(bytes).get("M"), "a b");
});

Deno.test("errorField reads one field, or nothing where there is none", () => {
  const { severity, sqlState } = messages.ERROR_FIELD;
  const whole = by.error("FATAL", "42P01", "x".repeat(90));
  for (const bytes of [whole, whole.subarray(0, 40)]) {
    deepEqual([severity, sqlState].map((code) => messages.errorField(bytes, code)), [
      "FATAL",
      "42P01",
    ]);
  }
  const nothing = [
    by.message("E", "Mno code\0\0"),
    by.message("E"),
    by.message("E", "SERROR"),
    by.message("E", "\0C42P01\0\0"), // behind the end
    whole.subarray(0, 5),
    whole.subarray(0, 20), // in the middle of the code
  ];
  for (const bytes of nothing) equal(messages.errorField(bytes, sqlState), "");
});

Deno.test("isFatal knows the severities behind which a server closes, also in a cut message", () => {
  const severities = ["ERROR", "FATAL", "PANIC", "WARNING", ""];
  const errors = severities.map((severity) => by.error(severity, "57P01", "x".repeat(90)));
  deepEqual(errors.map((bytes) => messages.isFatal(bytes)), [false, true, true, false, false]);
  deepEqual(errors.map((bytes) => messages.isFatal(bytes.subarray(0, 30)))[1], true);
});

Deno.test("errorField gives no more than 8 characters of what a server sends", () => {
  const bytes = by.message("E", `C42P01, and more\0V${"x".repeat(1_000)}\0\0`);
  equal(messages.errorField(bytes, messages.ERROR_FIELD.sqlState), "42P01, a");
  equal(messages.errorField(bytes, messages.ERROR_FIELD.severity), "xxxxxxxx");
});

Deno.test("readBackendKeyData reads what backendKeyData writes, as a copy", () => {
  const key = Uint8Array.of(1, 2, 3, 4, 5);
  const bytes = messages.backendKeyData(-7, key);
  deepEqual(by.textOfMessages(bytes), by.textOfMessages(by.backendKeyData(-7, key)));
  const read = messages.readBackendKeyData(bytes);
  bytes.fill(0);
  deepEqual(read, { processId: -7, key });
});

Deno.test("negotiateProtocolVersion is read again, and refused when it is too short", () => {
  const bytes = messages.negotiateProtocolVersion({ minorVersion: 2, extensions: ["_pq_.a"] });
  deepEqual(by.textOfMessages(bytes), by.textOfMessages(by.negotiate(2, "_pq_.a")));
  equal(messages.readNegotiatedMinorVersion(bytes), 2);
  throws(() => messages.readNegotiatedMinorVersion(by.message("v", "\0\0")), /at least 12 bytes/);
});

Deno.test("startupPacket and cancelRequest write what the manual says", () => {
  deepEqual(startupPacket(2, [["user", "é"], ["a", ""]]), by.startup({ user: "é", a: "" }, 2));
  const key = Uint8Array.of(1, 2, 3, 4);
  deepEqual(cancelRequest(-1, key), by.cancelRequest(-1, key));
});

Deno.test("readStartupPacket reads every packet, and keeps nothing of the view", () => {
  const view = concat(by.startup({ user: "ann", database: "shop" }, 2), utf8("rest"));
  const read = readStartupPacket(view, 10_000)!;
  equal(read.size, view.length - 4);
  const copy = view.slice(0, read.size);
  view.fill(0xdd);
  const { packet } = read;
  equal(packet.kind, "startup");
  if (packet.kind !== "startup") return;
  deepEqual([...packet.parameters], [["user", "ann"], ["database", "shop"]]);
  deepEqual(packet.packet, copy);
  deepEqual(supportedStartupPacket(packet), copy);
  const cancel = by.cancelRequest(-2, Uint8Array.of(9, 8, 7, 6));
  const found = readStartupPacket(cancel, 10_000)!.packet;
  cancel.fill(0);
  deepEqual(found, { kind: "cancel", processId: -2, key: Uint8Array.of(9, 8, 7, 6) });
  for (const size of [0, 3, 257]) {
    const wrong = by.cancelRequest(1, new Uint8Array(size));
    throws(() => readStartupPacket(wrong, 10_000), /its key must be 4 to 256 bytes/);
  }
});

Deno.test("supportedStartupPacket cuts extensions out of the bytes, and leaves the others alone", () => {
  const user = concat(utf8("user\0Ren"), Uint8Array.of(0xe9, 0)); // LATIN1, not UTF-8
  const options = concat(utf8("options\0"), Uint8Array.of(0xff, 0xe9, 0x80, 0));
  const name = concat(Uint8Array.of(0xe9, 0x5f), utf8("pq_.\0x\0")); // "é_pq_." is no extension
  const extension = concat(utf8("_pq_.a\0"), Uint8Array.of(0xe9, 0));
  const empty = utf8("_pq_.b\0\0");
  const end = Uint8Array.of(0);
  const wanted = (minor: number) => by.packet(3 << 16 | minor, user, options, name, end);
  const cases: readonly (readonly [minor: number, agreed: number, parts: Uint8Array[]])[] = [
    [0, 0, [user, options, name]],
    [2, 2, [extension, user, options, name]],
    [2, 2, [user, extension, options, empty, name]],
    [1, 1, [user, options, name, empty, extension]],
    [9999, 2, [user, options, name]],
    [9999, 2, [empty, user, options, extension, name]],
  ];
  for (const [minor, agreed, parts] of cases) {
    const { packet } = readStartupPacket(by.packet(3 << 16 | minor, ...parts, end), 10_000)!;
    equal(packet.kind, "startup");
    if (packet.kind === "startup") deepEqual(supportedStartupPacket(packet), wanted(agreed));
  }
});

Deno.test("supportedStartupPacket keeps a value that begins like an extension", () => {
  const sent = by.startup({ user: "_pq_.ann", "_pq_.x": "user", database: "_pq_." }, 0);
  const { packet } = readStartupPacket(sent, 10_000)!;
  if (packet.kind !== "startup") throw new Error("It is a StartupMessage");
  deepEqual(
    supportedStartupPacket(packet),
    by.startup({ user: "_pq_.ann", database: "_pq_." }, 0),
  );
});
