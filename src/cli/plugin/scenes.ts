/**
 * Events that a plugin is tried with: what a gateway would tell it, and what it should survive.
 *
 * @module
 */

import { concat, utf8 } from "../../base/bytes.ts";
import { FIELD, type HookEvent, IS, PHASE, type SessionFacts } from "../../hooks/event.ts";
import { CAN, HOOK, type HookName, HOOKS, MESSAGE_HOOKS } from "../../hooks/hooks.ts";
import { message } from "../../postgres/wire/messages.ts";
import { STARTUP_PARAMETERS, unknownSession } from "./session.ts";

/** What a plugin should be able to look at with the fuel that it has by default. */
const LARGE_SIZE = 32_768;

/** What clients can send to make plugins run out of fuel. */
const HUGE_SIZE = 1_048_576;

const EMPTY = new Uint8Array();

const NOT_UTF8 = Uint8Array.of(0xff, 0xfe, 0x80, 0xc3, 0x28, 0xed, 0xa0, 0x80);

const IN_TRANSACTION = 0x54;
const IDLE = 0x49;
const FAILED = 0x45;

/** One event. */
export interface Scene {
  readonly hook: HookName;
  /** For people, behind "at". */
  readonly title: string;
  readonly payload: Uint8Array;
  /** Type of the message, where the payload is one. */
  readonly messageType?: number;
  /** Text of the query; the payload where it is one. */
  readonly text?: string | Uint8Array;
  readonly phase?: number;
  /** Verdicts that are possible; by default all that the hook may give. */
  readonly can?: number;
  /** Of `IS`. */
  readonly flags?: number;
  readonly fields?: Readonly<Record<number, string | Uint8Array>>;
  readonly rows?: number;
  readonly durationUs?: number;
  readonly transactionStatus?: number;
  readonly isSessionUnknown?: boolean;
  /** Whether it is no failure to run out of fuel: the operator decides how much there is. */
  readonly mayUseAllFuel?: boolean;
}

/** What messages of a session look like, by the letter of their type. */
const CLIENT_MESSAGES: readonly (readonly [letter: string, name: string, body: string])[] = [
  ["Q", "a Query", "select * from orders where id = 1\0"],
  ["P", "a Parse", "s1\0select * from orders where id = $1\0\0\0"],
  ["B", "a Bind", "\0s1\0\0\0\0\x01\0\0\0\x0242\0\0"],
  ["D", "a Describe", "P\0"],
  ["E", "an Execute", "\0\0\0\0\0"],
  ["S", "a Sync", ""],
  ["d", "a CopyData", "1\tone\n"],
  ["X", "a Terminate", ""],
];

const DATA_ROW = "\0\x02\0\0\0\x0242\0\0\0\x03abc";
const ROW_DESCRIPTION = "\0\x02" +
  "id\0\0\0\0\0\0\0\0\0\0\x17\0\x04\0\0\0\0\0\0" + "name\0\0\0\0\0\0\0\0\0\0\x19\0\x04\0\0\0\0\0\0";
const ERROR = 'SERROR\0VERROR\0C42P01\0Mrelation "orders" does not exist\0P15\0\0';

const SERVER_MESSAGES: typeof CLIENT_MESSAGES = [
  ["1", "a ParseComplete", ""],
  ["T", "a RowDescription", ROW_DESCRIPTION],
  ["D", "a DataRow", DATA_ROW],
  ["C", "a CommandComplete", "SELECT 1\0"],
  ["E", "an ErrorResponse", ERROR],
  ["N", "a NoticeResponse", "SNOTICE\0C00000\0Mhello\0\0"],
  ["S", "a ParameterStatus", "TimeZone\0Etc/UTC\0"],
  ["A", "a NotificationResponse", "\0\0\0\x01jobs\0\0"],
  ["Z", "a ReadyForQuery", "I"],
];

const QUERIES: readonly string[] = [
  "select 1",
  "select * from orders where id = 42 and name = 'O''Brien'",
  "insert into orders (id, name) values (1, 'abc') returning id",
  "update orders set name = 'x'",
  "begin; delete from orders where id = 1; commit",
  "select * from users where name = '' or 1=1 --'",
  "selec 1",
  "",
];

/** Values of two parameters as the field `parameters` has them: text 42 and NULL. */
const PARAMETERS = Uint8Array.of(0, 0, 0, 0, 2, 0x34, 0x32, 0, 0xff, 0xff, 0xff, 0xff);

/**
 * Everything that a plugin with these hooks is tried with, in the order of a session.
 *
 * @param texts Of further queries.
 */
export function scenesFor(
  hooks: readonly number[],
  texts: readonly string[] = [],
): readonly Scene[] {
  const wanted = HOOKS.filter(({ number }) => hooks.includes(number)).map(({ name }) => name);
  const further = texts.map((text) => query(text, PHASE.simple, {}));
  return wanted.flatMap((hook) => [
    ...usual(hook),
    ...(hook === "onQuery" ? further : []),
    ...hostile(hook),
  ]);
}

/**
 * Fills an event.
 *
 * @param session The one that all events are of whose session is known.
 */
export function fillEvent(event: HookEvent, scene: Scene, session: SessionFacts): void {
  const { hook, payload, phase = PHASE.none, fields = {}, text } = scene;
  const { number, place, can } = HOOKS[HOOK[hook] - 1]!;
  const facts = scene.isSessionUnknown ? unknownSession() : session;
  event.clear(number, place === "session" ? facts : undefined);
  event.flags = (scene.can ?? can) | (scene.flags ?? 0);
  event.payload = payload;
  event.messageType = scene.messageType ?? 0;
  event.transactionStatus = scene.transactionStatus ?? (place === "session" ? IDLE : 0);
  event.phase = phase;
  event.request = place === "session" || hook === "onHook" ? 1 : 0;
  event.rows = scene.rows ?? 0;
  event.durationUs = scene.durationUs ?? 0;
  if (text !== undefined) event.text = bytesOf(text);
  for (const [field, value] of Object.entries(fields)) {
    event.fields.set(Number(field), bytesOf(value));
  }
}

/** The event of a hook that a gateway tells most often, with a payload of about so many bytes. */
export function sizedScene(hook: HookName, size: number): Scene | undefined {
  const filling = (used: number) => "x".repeat(Math.max(0, size - used));
  switch (hook) {
    case "onQuery":
      return query(`select '${filling(9)}'`, PHASE.simple, {});
    case "onRow":
      return row(concat(Uint8Array.of(0, 1), int32(size - 11), utf8(filling(11))), {});
    case "onTrafficFromClient":
    case "onTrafficToServer":
      return wire(hook, "Q", "a Query", utf8(`select '${filling(15)}'\0`));
    case "onTrafficFromServer":
    case "onTrafficToClient": {
      const body = concat(Uint8Array.of(0, 1), int32(size - 11), utf8(filling(11)));
      return wire(hook, "D", "a DataRow", body);
    }
    case "onHook":
      return { hook, title: "a response", payload: utf8(filling(0)), fields: OK_FIELDS };
    default:
      return undefined;
  }
}

/** The event of a hook that is told most often. */
export function firstScene(hook: HookName): Scene {
  return usual(hook)[0]!;
}

const OK_FIELDS = { [FIELD.httpStatus]: "200", [FIELD.message]: "" };

function usual(hook: HookName): readonly Scene[] {
  const plain = (title: string, payload: string, more: Partial<Scene> = {}): Scene =>
    plainScene(hook, title, payload, more);
  switch (hook) {
    case "onConfigLoaded":
      return [plain("a configuration", '{"servers":{"default":{"address":"127.0.0.1:15432"}}}')];
    case "onSignal":
      return [plain("SIGHUP", "SIGHUP"), plain("SIGTERM", "SIGTERM")];
    case "onRun":
    case "onShutdown":
    case "onOpening":
    case "onOpened":
    case "onClosed":
    case "onAuthenticated":
    case "onTraffic":
      return [plain("a usual event", "")];
    case "onTick":
      return [plain("no session", "0"), plain("12 sessions", "12"), plain("12 sessions", "12")];
    case "onHook":
      return [
        plain("a response", '{"ok":true}', { fields: OK_FIELDS }),
        plain("a request that failed", "", {
          fields: { [FIELD.httpStatus]: "", [FIELD.message]: "connection refused" },
        }),
      ];
    case "onClosing":
      return [plain("a client that left", "", { fields: { [FIELD.message]: "client left" } })];
    case "onStartup":
      return [plain("a StartupMessage", STARTUP_PARAMETERS)];
    case "onTrafficFromClient":
    case "onTrafficToServer":
      return CLIENT_MESSAGES.map(([letter, name, body]) => wire(hook, letter, name, latin1(body)));
    case "onTrafficFromServer":
    case "onTrafficToClient":
      return SERVER_MESSAGES.map(([letter, name, body]) => wire(hook, letter, name, latin1(body)));
    case "onQuery":
      return queries();
    case "onRow":
      return [
        row(latin1(DATA_ROW), {}),
        { ...row(EMPTY, {}), title: "three rows", payload: rowsOf(3), rows: 3 },
      ];
    case "onError":
      return [errorScene(latin1(ERROR))];
    case "onQueryEnd":
      return queryEnds();
    case "onTransactionEnd":
      return [
        plain("a commit", "", { durationUs: 5_000 }),
        plain("a failed transaction", "", { durationUs: 5_000, transactionStatus: FAILED }),
      ];
    default:
      return [plain("a name", "default")];
  }
}

function plainScene(
  hook: HookName,
  title: string,
  payload: string,
  more: Partial<Scene>,
): Scene {
  return { hook, title, payload: utf8(payload), ...more };
}

function queryEnds(): readonly Scene[] {
  return [
    plainScene("onQueryEnd", "a query that ended", "", {
      text: "select 1",
      rows: 1,
      durationUs: 1_234,
      fields: { [FIELD.commandTag]: "SELECT 1" },
    }),
    plainScene("onQueryEnd", "a query that failed", "", {
      text: "select 1 / 0",
      durationUs: 1_234,
      fields: { [FIELD.sqlstate]: "22012", [FIELD.message]: "division by zero" },
    }),
  ];
}

function queries(): readonly Scene[] {
  const [first, second] = QUERIES as [string, string];
  const noReplace = CAN.reject | CAN.close | CAN.respond | CAN.route;
  const fields = { [FIELD.statementName]: "s1" };
  const executed = {
    ...fields,
    [FIELD.portalName]: "",
    [FIELD.parameters]: PARAMETERS,
    [FIELD.resultFormats]: Uint8Array.of(0),
  };
  return [
    ...QUERIES.map((text) => query(text, PHASE.simple, {})),
    query(first, PHASE.simple, { transactionStatus: IN_TRANSACTION, flags: IS.pipelined | IS.tls }),
    query(second, PHASE.parse, { fields }),
    query(second, PHASE.execute, { fields: executed, can: noReplace, flags: IS.described }),
    query(second, PHASE.execute, { fields: executed, can: noReplace & ~CAN.respond }),
    query(first, PHASE.simple, { transactionStatus: FAILED, can: CAN.replace | CAN.close }),
  ];
}

/** What no well-behaved client sends, and other events at their limits. */
function hostile(hook: HookName): readonly Scene[] {
  const [scene] = usual(hook);
  const { payload, messageType } = scene!;
  const changed = (title: string, payload: Uint8Array): Scene => ({
    ...scene!,
    title,
    payload,
    ...(scene!.text === undefined ? {} : { text: hook === "onQuery" ? payload : scene!.text }),
  });
  const letter = messageType === undefined ? undefined : String.fromCharCode(messageType);
  const whole = (body: Uint8Array) =>
    letter === undefined ? body : message(letter.charCodeAt(0), body);
  const isOfSession = HOOKS[HOOK[hook] - 1]!.place === "session";
  return [
    changed("an empty payload", EMPTY),
    changed("32 KiB", whole(new Uint8Array(LARGE_SIZE).fill(0x78))),
    { ...changed("1 MiB", whole(new Uint8Array(HUGE_SIZE).fill(0x78))), mayUseAllFuel: true },
    changed("bytes that are no UTF-8", whole(NOT_UTF8)),
    changed("zero bytes", whole(new Uint8Array(64))),
    changed("a payload that is cut off", payload.subarray(0, payload.length >> 1)),
    ...(MESSAGE_HOOKS.includes(hook) ? [changed("a header alone", payload.subarray(0, 5))] : []),
    { ...scene!, title: "no verdict that is possible", can: 0 },
    ...(isOfSession
      ? [{ ...scene!, title: "a session of which nothing is known", isSessionUnknown: true }]
      : []),
  ];
}

function query(text: string, phase: number, more: Partial<Scene>): Scene {
  const [name] = Object.entries(PHASE).find(([, number]) => number === phase)!;
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  const title = `"${shown}" (${name})`;
  return { hook: "onQuery", title, payload: utf8(text), text, phase, ...more };
}

function row(body: Uint8Array, more: Partial<Scene>): Scene {
  return {
    hook: "onRow",
    title: "a row",
    payload: message(0x44, body),
    messageType: 0x44,
    text: "select id, name from orders",
    rows: 1,
    fields: { [FIELD.columns]: message(0x54, latin1(ROW_DESCRIPTION)) },
    ...more,
  };
}

function rowsOf(count: number): Uint8Array {
  return concat(...Array.from({ length: count }, () => message(0x44, latin1(DATA_ROW))));
}

function errorScene(body: Uint8Array): Scene {
  return {
    hook: "onError",
    title: "an ErrorResponse",
    payload: message(0x45, body),
    messageType: 0x45,
    text: "select * from orders",
    fields: {
      [FIELD.sqlstate]: "42P01",
      [FIELD.message]: 'relation "orders" does not exist',
    },
  };
}

function wire(hook: HookName, letter: string, title: string, body: Uint8Array): Scene {
  const messageType = letter.charCodeAt(0);
  const hasRespond = hook === "onTrafficFromClient" && letter !== "Q";
  const can = HOOKS[HOOK[hook] - 1]!.can;
  return {
    hook,
    title,
    payload: message(messageType, body),
    messageType,
    can: hasRespond ? can & ~CAN.respond : can,
  };
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? utf8(value) : value;
}

/** Each character is a byte. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function int32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
