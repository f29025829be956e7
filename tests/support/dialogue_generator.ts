/**
 * Makes up dialogues of the extended protocol, right, half right and wrong, and makes those that
 * fail smaller by leaving out what is not needed for it.
 *
 * @module
 */

import { sayMarked, type Script } from "./dialogue_recorder.ts";
import {
  bind,
  close,
  copyFail,
  describe,
  execute,
  functionCall,
  parseNamed,
  TYPE_OIDS,
} from "./extended_messages.ts";
import { COPY_DONE, copyData, FLUSH, query, readable, SYNC } from "./messages.ts";
import type { Random } from "./random.ts";

const GROUPS_MAX = 8;
const STEPS_MAX = 10;

/** Attempts to make a failing dialogue smaller: each costs a few round trips. */
const SHRINK_ATTEMPTS_MAX = 300;

/** OID of int4pl in pg_proc.dat. */
const INT4PL = 177;

/** A dialogue as groups of messages; behind each group everything is waited for. */
export interface GeneratedDialogue {
  readonly groups: readonly (readonly Uint8Array[])[];
}

const STATEMENT_NAMES = ["", "", "s0", "s1", "s2", "a", "A b"] as const;
const PORTAL_NAMES = ["p0", "p1"] as const;
const VALUES = ["1", "2", "0", "-7", "x", "", null, "2147483648"] as const;
const TYPES = [0, TYPE_OIDS.int4, TYPE_OIDS.text, TYPE_OIDS.int8] as const;

/** Statements that may also be prepared; `TABLE` is the session's own. */
const PREPARABLE = [
  "select 1 as one",
  "select $1 as v",
  "select $1::int + 1 as n",
  "select 1 / $1::int as q",
  "select $1::text || $2::text as j",
  "select i, t from TABLE order by i, t limit 5",
  "insert into TABLE values ($1, $2)",
  "insert into TABLE values (1, 'a'), (2, 'b') returning i",
  "update TABLE set t = $1 where i > 1",
  "delete from TABLE where i = $1::int",
  "select generate_series(1, 4) as n",
  "select from where",
  "select missing from TABLE",
  "show timezone",
  "set timezone = 'Asia/Tokyo'",
  "do $$ begin raise notice 'n'; end $$",
] as const;

/** Statements of simple queries, besides. */
const SIMPLE = [
  "select count(*) from TABLE",
  "select 1; select 2",
  "select 1; select 1/0; select 2",
  "begin; insert into TABLE values (3, 'c')",
  "savepoint s",
  "rollback to s",
  "release s",
  "set timezone = 'Asia/Dubai'; select 1",
  "set local timezone = 'UTC'",
  "reset timezone",
  "begin; set timezone = 'Asia/Seoul'; rollback",
  "set application_name = 'generated'",
  "deallocate all",
  "deallocate s0",
  "discard all",
  "copy (select i from generate_series(1, 3) i) to stdout",
  "copy TABLE to stdout",
  "alter table TABLE add column if not exists u int; alter table TABLE drop column u",
] as const;

const TRANSACTION_COMMANDS = [
  "begin",
  "commit",
  "rollback",
  "savepoint s",
  "rollback to s",
] as const;

type Step = (random: Random, table: string) => readonly Uint8Array[];

function textFor(random: Random, table: string, texts: readonly string[]): string {
  return random.pick(texts).replaceAll("TABLE", table);
}

function someValues(random: Random): (string | null)[] {
  return Array.from({ length: random.below(3) }, () => random.pick(VALUES));
}

function stepParse(random: Random, table: string): readonly Uint8Array[] {
  const types = Array.from({ length: random.below(3) }, () => random.pick(TYPES));
  const text = textFor(random, table, PREPARABLE);
  return [parseNamed(random.pick(STATEMENT_NAMES), text, random.oneIn(3) ? types : [])];
}

function stepBind(random: Random): readonly Uint8Array[] {
  return [
    bind({
      portal: random.pick(PORTAL_NAMES),
      statement: random.pick(STATEMENT_NAMES),
      values: someValues(random),
      resultFormats: random.oneIn(4) ? [random.below(2)] : [],
    }),
  ];
}

/**
 * A statement from Parse to Execute: what is usual. Only here the unnamed portal is executed: what
 * a Query left of it in a failed transaction crashes PostgreSQL 18.4.
 */
function stepRun(random: Random, table: string): readonly Uint8Array[] {
  const statement = random.pick(STATEMENT_NAMES);
  const text = textFor(random, table, PREPARABLE);
  const count = new Set(text.match(/\$\d/g)).size;
  const values = Array.from({ length: count }, () => random.pick(VALUES));
  return [
    ...statement === "" || random.oneIn(2) ? [parseNamed(statement, text)] : [],
    bind({ statement, values }),
    ...random.oneIn(2) ? [describe("P")] : [],
    ...random.oneIn(4) ? [execute("", 2), execute("", 1), execute()] : [execute()],
    ...random.oneIn(2) ? [SYNC] : [],
  ];
}

/** A simple query. A pipeline is ended first, so that a transaction command is one of its own. */
function stepQuery(random: Random, table: string): readonly Uint8Array[] {
  return [SYNC, query(textFor(random, table, SIMPLE))];
}

/** A transaction command by the extended protocol, alone for the same reason. */
function stepTransaction(random: Random): readonly Uint8Array[] {
  return [SYNC, parseNamed("", random.pick(TRANSACTION_COMMANDS)), bind(), execute(), SYNC];
}

/**
 * A whole COPY FROM STDIN. Nothing may stand between its start and its end: a Query there ends the
 * connection. Afterwards no statement is left that could start another.
 */
function stepCopyIn(random: Random, table: string): readonly Uint8Array[] {
  const text = `copy ${random.oneIn(6) ? "dialogue.nowhere" : table} from stdin`;
  const rows = Array.from(
    { length: random.below(3) },
    () => copyData(random.oneIn(5) ? "wrong\n" : "5\tcopied\n"),
  );
  const end = random.oneIn(4) ? copyFail("generated") : COPY_DONE;
  if (random.oneIn(2)) return [query(text), ...rows, end];
  const early = random.oneIn(4) ? [SYNC] : [];
  const start = [parseNamed("", text), bind(), execute()];
  return [...start, ...early, ...rows, end, SYNC, parseNamed("", "select 'over'")];
}

/** Each with how often it comes, relative to the others. */
const STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [6, stepRun],
  [3, stepParse],
  [4, stepBind],
  [4, (random) => [execute(random.pick(PORTAL_NAMES), random.below(3))]],
  [2, (random) => [describe(random.pick(["S", "P"]), random.pick(STATEMENT_NAMES))]],
  [2, (random) => [close(random.pick(["S", "P"]), random.pick(STATEMENT_NAMES))]],
  [4, () => [SYNC]],
  [2, () => [FLUSH]],
  [3, stepQuery],
  [2, stepTransaction],
  [2, (random, table) => [query(textFor(random, table, PREPARABLE))]],
  [1, stepCopyIn],
  [1, (random) => [SYNC, functionCall(INT4PL, ["1", random.pick(VALUES)])]],
  [1, () => [copyData("out of place\n"), COPY_DONE]],
  [2, () => [SYNC, query("rollback")]],
];

const WEIGHTED: readonly Step[] = STEPS.flatMap(([weight, step]) =>
  Array.from({ length: weight }, () => step)
);

/** Makes up a dialogue. @param table Where it writes: (i int, t text), nobody else's. */
export function generateDialogue(random: Random, table: string): GeneratedDialogue {
  const groups = Array.from({ length: 1 + random.below(GROUPS_MAX) }, () => {
    const steps = Array.from({ length: 1 + random.below(STEPS_MAX) }, () => random.pick(WEIGHTED));
    return steps.flatMap((step) => step(random, table));
  });
  return { groups };
}

/** The dialogue as a script: behind each group a Sync ends what the group has begun. */
export function scriptOf({ groups }: GeneratedDialogue): Script {
  return { exchanges: groups.map((group) => sayMarked([...group, SYNC])) };
}

/** The dialogue as text, a line for each message. */
export function describeDialogue({ groups }: GeneratedDialogue): string {
  return groups.map((group, index) =>
    [`-- ${index}`, ...group.map((bytes) => readable(bytes))].join("\n")
  ).join("\n");
}

/**
 * Leaves out groups, then single messages, as long as what is left still fails.
 *
 * @param fails Plays a dialogue; true if it still shows what is wrong.
 */
export async function shrink(
  dialogue: GeneratedDialogue,
  fails: (smaller: GeneratedDialogue) => Promise<boolean>,
): Promise<GeneratedDialogue> {
  let smallest = dialogue;
  let attempts = 0;
  for (let hasShrunk = true; hasShrunk;) {
    hasShrunk = false;
    for (const candidate of smallerThan(smallest)) {
      if (++attempts > SHRINK_ATTEMPTS_MAX) return smallest;
      if (!await fails(candidate)) continue;
      smallest = candidate;
      hasShrunk = true;
      break;
    }
  }
  return smallest;
}

function* smallerThan({ groups }: GeneratedDialogue): Generator<GeneratedDialogue> {
  for (let i = 0; i < groups.length && groups.length > 1; i++) {
    yield { groups: groups.toSpliced(i, 1) };
  }
  for (const [i, group] of groups.entries()) {
    for (let j = 0; j < group.length && group.length > 1; j++) {
      const shorter = group.toSpliced(j, 1);
      if (!endsConnection(shorter)) yield { groups: groups.with(i, shorter) };
    }
  }
}

/** A COPY that has lost its end would have the next Query end the connection. */
function endsConnection(group: readonly Uint8Array[]): boolean {
  const texts = group.map(readable);
  const starts = texts.filter((text) => text.includes("from stdin")).length;
  const ends = texts.filter((text) => text.startsWith("c") || text.startsWith("f")).length;
  return starts > ends;
}
