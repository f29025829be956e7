import { deepEqual, equal, throws } from "node:assert/strict";
import { textOf } from "../../../src/base/bytes.ts";
import {
  literal,
  readStatement,
  setStatement,
} from "../../../src/postgres/pooled/parameter_statements.ts";
import { readParameterStatus, SessionParameters } from "../../../src/postgres/pooled/parameters.ts";
import { follows } from "../../../src/postgres/pooled/parameter_names.ts";
import { ServerParameters } from "../../../src/postgres/pooled/server_parameters.ts";
import { startupSettings } from "../../../src/postgres/pooled/startup_settings.ts";
import { message, parameterStatus } from "../../support/messages.ts";

function server(reported: Readonly<Record<string, string>> = {}): ServerParameters {
  const parameters = new ServerParameters();
  for (const [name, value] of Object.entries({ standard_conforming_strings: "on", ...reported })) {
    parameters.report(name, value);
  }
  return parameters;
}

function session(wanted: Readonly<Record<string, string>>): SessionParameters {
  const parameters = new SessionParameters();
  for (const [name, value] of Object.entries(wanted)) parameters.set(name, value);
  return parameters;
}

function sent(to: ServerParameters, wanted: Readonly<Record<string, string>>): string[] {
  return to.follow(session(wanted)).map((bytes) => textOf(bytes));
}

Deno.test("ServerParameters sends nothing to a server that is as the session wants it", () => {
  const one = server({ TimeZone: "UTC" });
  deepEqual(sent(one, {}), []);
  deepEqual(sent(one, { timezone: "UTC" }), []);
});

Deno.test("ServerParameters sets what differs, and resets what nobody wants any more", () => {
  const one = server({ TimeZone: "UTC" });
  const set = "SELECT pg_catalog.set_config('timezone','Asia/Tokyo',false)," +
    "pg_catalog.set_config('my.x','1',false)";
  deepEqual(sent(one, { timezone: "Asia/Tokyo", "my.x": "1" }), [set]);
  deepEqual(sent(one, { timezone: "Asia/Tokyo", "my.x": "1" }), [], "it is taken to be so");
  equal(one.get("timezone"), "Asia/Tokyo");
  const both = `RESET "my"."x";SELECT pg_catalog.set_config('timezone','Japan',false)`;
  deepEqual(sent(one, { timezone: "Japan" }), [both]);
  deepEqual(sent(one, {}), ['RESET "timezone"']);
  equal(one.get("timezone"), "UTC");
  deepEqual(sent(one, {}), []);
});

Deno.test("ServerParameters counts what is as it was at the login as not changed", () => {
  const one = server({ TimeZone: "UTC" });
  one.change("timezone", "Japan");
  one.change("timezone", "UTC");
  deepEqual(sent(one, {}), []);
  one.change("my.gone", undefined);
  deepEqual(sent(one, {}), []);
});

Deno.test("ServerParameters settles the encoding before texts in it", () => {
  const one = server({ client_encoding: "UTF8" });
  deepEqual(sent(one, { work_mem: "1", client_encoding: "LATIN1" }), [
    "SELECT pg_catalog.set_config('client_encoding','LATIN1',false)",
    "SELECT pg_catalog.set_config('work_mem','1',false)",
  ]);
  deepEqual(sent(one, {}), ['RESET "client_encoding"', 'RESET "work_mem"']);
});

Deno.test("ServerParameters does not take along what belongs to a server or a transaction", () => {
  for (const name of ["server_version", "is_superuser", "transaction_isolation", "seed"]) {
    equal(follows(name), false, name);
    deepEqual(sent(server(), { [name]: "x" }), [], name);
    const one = server();
    one.change(name, "x");
    deepEqual(sent(one, {}), [], name);
  }
  equal(follows("x".repeat(127)), true);
  equal(follows("x".repeat(128)), false);
});

Deno.test("ServerParameters is as after its login by DISCARD ALL, but not its role by RESET ALL", () => {
  for (const keepsRole of [true, false]) {
    const one = server({ TimeZone: "UTC" });
    sent(one, { timezone: "Japan", role: "bob", session_authorization: "eve" });
    one.restore(keepsRole);
    equal(one.get("timezone"), "UTC");
    deepEqual(
      sent(one, {}),
      keepsRole ? ['RESET "role";RESET "session_authorization"'] : [],
    );
  }
});

Deno.test("ServerParameters resets everything if anything may have been set", () => {
  const one = server();
  one.change("work_mem", "1");
  one.mayHaveChanged = true;
  deepEqual(sent(one, { timezone: "Japan" }), [
    "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL",
    "SELECT pg_catalog.set_config('timezone','Japan',false)",
  ]);
  deepEqual(sent(one, { timezone: "Japan" }), []);
});

Deno.test("ServerParameters is asked anew whom it fits once anything has changed", () => {
  const japan = { timezone: "Japan" };
  const set = ["SELECT pg_catalog.set_config('timezone','Japan',false)"];
  const one = server({ TimeZone: "UTC" });
  const isOnce = () => {
    deepEqual(sent(one, japan), set);
    for (let i = 0; i < 2; i++) deepEqual(sent(one, japan), []);
  };
  isOnce();
  equal(sent(one, {}).length, 1);
  isOnce();
  one.restore(false);
  isOnce();
  one.report("TimeZone", "Peru");
  isOnce();
});

Deno.test("SessionParameters tells a client what it does not know, once it is welcome", () => {
  const one = new SessionParameters();
  equal(one.tell("TimeZone", "UTC", false), undefined);
  one.isTold = true;
  equal(one.tell("TimeZone", "UTC", false), undefined);
  equal(one.tell("TimeZone", "Japan", false), "Japan");
  equal(one.tell("TimeZone", "Japan", true), undefined);
});

Deno.test("SessionParameters means the client's own defaults by RESET", () => {
  const one = new SessionParameters();
  const defaults = { values: new Map([["timezone", "Japan"]]), text: "timezone\0Japan" };
  one.begin(defaults, new Map([["TimeZone", "Japan"]]));
  one.set("timezone", "UTC");
  one.set("work_mem", "1");
  one.reset("timezone");
  one.reset("work_mem");
  deepEqual([...one.wanted], [["timezone", "Japan"]]);
  one.isResetting = true;
  one.resettingRequest = 3;
  deepEqual([one.isReset(2), one.isReset(3)], [false, true]);
  equal(one.tell("TimeZone", "UTC", true), undefined, "the server's default is not the client's");
  equal(one.tell("DateStyle", "ISO", true), "ISO");
  equal(one.tell("TimeZone", "Peru", false), "Peru", "what else is set is told as it is");
  one.isResetting = false;
  equal(one.isReset(3), false);
  one.set("my.x", "a");
  equal(one.wantedText, "timezone\0Japan\0my.x\0a");
  one.restore();
  deepEqual([...one.wanted], [["timezone", "Japan"]]);
  equal(one.wantedText, "timezone\0Japan");
  one.set("timezone", undefined);
  deepEqual([[...one.wanted], one.wantedText], [[], ""]);
  deepEqual([...defaults.values], [["timezone", "Japan"]], "other sessions have them, too");
});

Deno.test("readParameterStatus takes two strings as the bytes they are, and nothing else", () => {
  deepEqual(readParameterStatus(parameterStatus("a", "b c")), { name: "a", value: "b c" });
  const bytes = message("S", "a\0", Uint8Array.of(0xe9, 0));
  deepEqual(readParameterStatus(bytes), { name: "a", value: "\u00e9" });
  for (const broken of ["", "a", "a\0", "a\0b"]) {
    throws(() => readParameterStatus(message("S", broken)), { message: "invalid ParameterStatus" });
  }
});

Deno.test("literal means the same with and without standard_conforming_strings", () => {
  equal(literal("it's", true), "'it''s'");
  equal(literal("a\\b'", true), "E'a\\\\b'''");
  equal(literal("a\\b'", false), "E'a\\\\b'''");
  // A byte above 127 may be half of a character whose other half is a backslash.
  equal(literal("\u0095\\", true), "'\u0095\\'");
  const unsafe = { name: "ProtocolError", sqlState: "0A000" };
  throws(() => literal("\u0095\\' or", false), unsafe, "rather none than a quote that is not one");
  throws(() => setStatement([["\u0095\\' or", "on"]], false), unsafe, "so are names");
  equal(textOf(readStatement(["\u0095\\' or"])), "SELECT pg_catalog.current_setting('',true)");
});

Deno.test("ServerParameters writes values as the server reads them before they are set", () => {
  const one = server({ standard_conforming_strings: "off" });
  const wanted = { "standard_conforming_strings": "on", "my.x": "\u0095\\'" };
  throws(() => sent(one, wanted), { sqlState: "0A000" });
  equal(one.get("standard_conforming_strings"), "off", "nothing was sent");
  deepEqual(sent(one, {}), []);
  one.mayHaveChanged = true;
  throws(() => sent(one, wanted), { sqlState: "0A000" });
  equal(one.mayHaveChanged, true);
});

Deno.test("setStatement and readStatement name parameters as literals", () => {
  equal(
    setStatement([["a'b", "c'd"]], true),
    "SELECT pg_catalog.set_config('a''b','c''d',false)",
  );
  equal(
    textOf(readStatement(["a", "b'c"])),
    "SELECT pg_catalog.current_setting('a',true),pg_catalog.current_setting('b''c',true)",
  );
});

Deno.test("startupSettings takes parameters and options, a parameter by its name over an option", () => {
  const options = "-c a=1 -cb=2 --c-d=3 -c e=\\ x\\\\y  --TimeZone=UTC\t-c f=a=b -c g=";
  const parameters = new Map([
    ["user", "ann"],
    ["database", "db"],
    ["replication", "false"],
    ["_pq_.x", "1"],
    ["options", options],
    ["TimeZone", "Japan"],
    ["DateStyle", "ISO"],
  ]);
  deepEqual(Object.fromEntries(startupSettings(parameters)), {
    a: "1",
    b: "2",
    c_d: "3",
    e: " x\\y",
    f: "a=b",
    g: "",
    timezone: "Japan",
    datestyle: "ISO",
  });
  deepEqual([...startupSettings(new Map())], []);
});

Deno.test("startupSettings refuses switches that are no settings", () => {
  for (const options of ["-B 100", "-c", "-c a", "--", "--a", "-c =1", "a=1", "-d 5"]) {
    throws(
      () => startupSettings(new Map([["options", options]])),
      { name: "RangeError", message: /^unsupported options in startup packet: only -c/ },
      options,
    );
  }
});
