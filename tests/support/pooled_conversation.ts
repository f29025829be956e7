/**
 * Clients say random things through a gateway in transaction mode, whose servers are models of
 * PostgreSQL. Each client must hear, to the byte, what a server of its own would have said.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { type ModelClient, ModelWorld } from "../dialogue/pooled/model_world.ts";
import { SERVER_DEFAULTS } from "./configs.ts";
import { World } from "./dialogue.ts";
import { bind, close, copyFail, describe, execute, parseNamed } from "./extended_messages.ts";
import { COPY_DONE, copyData, FLUSH, query, SYNC } from "./messages.ts";
import type { Random } from "./random.ts";

const ZONES = ["UTC", "Asia/Tokyo", "America/Lima"];
const NAMES = ["a", "b", "c"];
const SQL_NAMES = ["s", "t"];

/** What a client may ask for as it logs in. */
const STARTUPS: readonly ((random: Random) => Readonly<Record<string, string>>)[] = [
  () => ({}),
  () => ({}),
  (random) => ({ TimeZone: random.pick(ZONES) }),
  (random) => ({ work_mem: `${random.below(3)}MB`, application_name: "report" }),
];

/** Values that only this client uses, and statements that it does not say. */
interface Voice {
  next(): string;
  readonly avoids: RegExp | undefined;
}

/**
 * Up to the end of a transaction RESET means the server's default: a client whose StartupMessage
 * asked for another one looks at no parameter, or resets none.
 */
function voiceOf(number: number, hasSettings: boolean): Voice {
  let count = 0;
  const avoids = number % 2 === 0 ? /reset/ : /show/;
  return { next: () => `c${number}-${count += 1}`, avoids: hasSettings ? avoids : undefined };
}

/** A text of one statement. */
function statement(random: Random, voice: Voice): string {
  for (;;) {
    const text = anyStatement(random, voice);
    if (voice.avoids?.test(text) !== true) return text;
  }
}

function anyStatement(random: Random, { next }: Voice): string {
  const texts: (() => string)[] = [
    () => `select '${next()}'`,
    () => `select '${next()}'`,
    () => `insert into log values ('${next()}')`,
    () => `insert into log values ('${next()}')`,
    () => `insert into log values ('${next()}-deferred')`,
    () => `select 'shared ${random.below(3)}'`,
    () => "select c from nowhere",
    () => "select 1/0",
    () => "show timezone",
    () => "show work_mem",
    () => "show role",
    () => `set timezone = '${random.pick(ZONES)}'`,
    () => `set work_mem = '${random.below(3)}MB'`,
    () => `set local work_mem = '${random.below(3)}GB'`,
    () => `set role = 'r${random.below(2)}'`,
    () => "set work_mem = 'bad'",
    () => `select set_config('work_mem', '${random.below(3)}kB', false)`,
    () => `reset ${random.pick(["timezone", "work_mem", "role", "all"])}`,
    () => "begin",
    () => "begin",
    () => "commit",
    () => "commit",
    () => "rollback",
    () => `copy ${random.pick(["t", "t", "missing", "view"])} from stdin`,
    () => `copy t to stdout`,
  ];
  return random.pick(texts)();
}

/** A text of any number of statements. */
function simple(random: Random, client: ModelClient, voice: Voice): string {
  for (;;) {
    const text = anySimple(random, voice);
    // In a transaction that fails as it is committed, nobody can see whether it was carried out,
    // and whether an empty Query commits depends on PostgreSQL's version.
    const isUnsure = client.reference.state.isOpen && /^(prepare|deallocate|$)/.test(text);
    if (!isUnsure) return text;
  }
}

function anySimple(random: Random, voice: Voice): string {
  const { next } = voice;
  const texts: (() => string)[] = [
    () => statement(random, voice),
    () => statement(random, voice),
    () => statement(random, voice),
    () => `${statement(random, voice)}; ${statement(random, voice)}`,
    () => `prepare ${random.pick(SQL_NAMES)} as select '${next()}'`,
    () => `execute ${random.pick([...SQL_NAMES, ...NAMES])}`,
    () => `deallocate ${random.pick([...SQL_NAMES, ...NAMES])}`,
    () => "deallocate all",
    () => "discard all",
    () => `create temp table tmp as select '${next()}'`,
    () => "select c from tmp",
    () => "",
    () => `select '${"x".repeat(9_000)}${next()}'`,
  ];
  return random.pick(texts)();
}

function extended(random: Random, client: ModelClient, voice: Voice): Uint8Array[] {
  const name = random.pick(["", "", ...NAMES]);
  const { status, prepared } = client.reference.state;
  // In a transaction that has failed a server cannot be given what it lacks, to refuse it twice.
  const isTwice = status === "E" && prepared.has(name);
  const isNew = name === "" || !client.namesInFlight.has(name) && !isTwice;
  const portal = random.pick(["", "", "p"]);
  switch (random.below(8)) {
    case 0:
      if (!isNew) return [];
      client.namesInFlight.add(name);
      return [parseNamed(name, statement(random, voice))];
    case 1:
    case 2:
      if (!isNew) return [];
      client.namesInFlight.add(name);
      return [
        parseNamed(name, statement(random, voice)),
        bind({ portal, statement: name }),
        describe("P", portal),
        execute(portal),
      ];
    case 3:
      return [bind({ portal, statement: name }), execute(portal)];
    case 4:
      // What a server lacks cannot be described in a transaction that has failed.
      return [
        describe(status === "E" ? "P" : random.pick(["S", "P"]), name),
      ];
    case 5:
      return [close(random.pick(["S", "S", "P"]), name)];
    case 6:
      return [execute(portal)];
    default:
      return [FLUSH];
  }
}

/** What one client says next. */
function speak(random: Random, client: ModelClient, voice: Voice): void {
  if (client.reference.isCopyIn) {
    const said = [
      copyData("1"),
      copyData("x".repeat(9_000)),
      copyData("bad"),
      COPY_DONE,
      SYNC,
      FLUSH,
      copyFail("no"),
    ];
    return client.says(random.pick(said));
  }
  switch (random.below(6)) {
    case 0:
    case 1:
      return client.says(query(simple(random, client, voice)));
    case 2:
      return client.says(SYNC);
    case 3:
      if (random.oneIn(4)) {
        return client.says(random.pick([copyData("late"), COPY_DONE, copyFail("late")]));
      }
  }
  for (const message of extended(random, client, voice)) {
    if (client.reference.isCopyIn || client.isInDoubt) return;
    client.says(message);
  }
  if (client.isInDoubt) return;
  if (random.oneIn(2)) client.says(SYNC);
}

function worldFor(random: Random): Promise<World> {
  return World.start({
    workers: random.pick([1, 1, 2]),
    listener: { auth: { ...SERVER_DEFAULTS.auth, method: "trust" } },
    pool: {
      mode: random.pick(["transaction", "transaction", "session"]),
      size: 1 + random.below(2),
      waitersMax: 100,
      acquireTimeoutMs: 1_000_000,
      preparedStatementsMax: random.pick([1, 2, 200]),
    },
  });
}

/** What one conversation takes place in. */
interface Conversation {
  readonly world: World;
  readonly model: ModelWorld;
  readonly voices: readonly Voice[];
  /** States and errors that conversations have got to. */
  readonly reached: Set<string>;
}

/**
 * Has clients say random things, and checks what they hear.
 *
 * @param reached Gets the states and errors that it came to.
 * @param prepare Called before anybody connects.
 */
export async function converse(
  random: Random,
  reached: Set<string>,
  prepare: (world: World) => void = () => {},
): Promise<void> {
  const world = await worldFor(random);
  prepare(world);
  const model = new ModelWorld(world, random);
  const voices: Voice[] = [];
  for (let i = 1 + random.below(4); i > 0; i--) {
    const settings = random.pick(STARTUPS)(random);
    await model.join(settings);
    voices.push(voiceOf(voices.length, Object.keys(settings).length > 0));
  }
  await speakAll(random, { world, model, voices, reached });
  world.network.readSizeMax = Infinity;
  await model.end();
  equal(world.errors()["gateway XX000"], undefined);
  deepEqual(world.logged("internal error"), []);
  await world.pass(60_000);
  for (const client of model.clients) {
    client.checkCommitted(model.database.committed, false);
  }
  for (const error of Object.keys(world.errors())) reached.add(error);
}

async function speakAll(
  random: Random,
  { world, model, voices, reached }: Conversation,
): Promise<void> {
  for (let i = 20 + random.below(100); i > 0; i--) {
    world.network.readSizeMax = random.oneIn(3) ? 1 + random.below(40) : Infinity;
    const client = random.pick(model.clients);
    if (client.state === "dead" || client.isDraining && !client.listen()) continue;
    if (client.isDraining) client.drained();
    speak(random, client, voices[client.number]!);
    if (client.isInDoubt || random.oneIn(4)) {
      client.isDraining = true;
      if (!client.isInDoubt && !client.reference.isCopyIn) client.says(SYNC);
      client.step(Infinity);
    }
    if (random.oneIn(2)) client.step(random.oneIn(3) ? 1 + random.below(60) : Infinity);
    if (random.oneIn(2)) await model.serve(random.oneIn(3) ? 1 + random.below(60) : Infinity);
    for (const state of Object.keys(world.states())) reached.add(state);
    if (random.oneIn(30)) await model.cancel(client);
    if (random.oneIn(60)) {
      await world.settle();
      client.listen();
      client.leave(random.oneIn(2));
      client.check(false);
    }
  }
}
