/**
 * Runs the test suites of real drivers, straight against PostgreSQL and through the gateway, and
 * says what differs. Downloads the suites the first time; starts servers of its own.
 *
 *     deno run -A tests/compatibility/run.ts --help
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { print, printError } from "../../src/cli/terminal.ts";
import { count } from "./compare.ts";
import { goSuites } from "./go_suites.ts";
import { pgjdbcSuite } from "./java_suite.ts";
import { differencesOf, type Row, withTable } from "./page.ts";
import { pythonSuites } from "./python_suites.ts";
import { tokioPostgresSuite } from "./rust_suite.ts";
import { Store, type StoredRun } from "./store.ts";
import type { Suite, Target } from "./suite.ts";
import {
  type Field,
  GATEWAY_LABELS,
  type Label,
  LABELS,
  prepare,
  startField,
  targetOf,
} from "./targets.ts";

const SUITES: readonly Suite[] = [
  ...pythonSuites(),
  ...goSuites(),
  pgjdbcSuite(),
  tokioPostgresSuite(),
];

const USAGE = `Usage: deno run -A tests/compatibility/run.ts [options]

  --suite LIST     suites to run: ${SUITES.map(({ name }) => name).join(", ")}
  --all            every suite
  --label LIST     what to run them through, default ${GATEWAY_LABELS}:
                   direct       PostgreSQL, nothing in front of it
                   relay        the gateway, auth: relay
                   session      the gateway, which authenticates; pools in session mode
                   transaction  the gateway, pools in transaction mode
                   pgbouncer    PgBouncer in transaction mode, for comparison only
  --target URL     postgres://user:password@host:port to run them through, instead of servers that
                   are started for it; with one --label, under which the results are kept
  --server URL     where databases and roles for the suites are made, default the --target
  --only PATTERN   only some tests, in the words of the suite's runner (pytest -k, go test -run,
                   mvn -Dtest, cargo test); the results are shown and not kept
  --report         run nothing, show what differs in the last runs
  --write          write docs/compatibility.md from the last runs

Needs Linux and python3, go, cargo, mvn and java: each suite only its own. Suites, results and logs
are kept in the cache folder of this user. Ends with 1 if a difference is not explained.
`;

const PAGE = fileURLToPath(new URL("../../docs/compatibility.md", import.meta.url));

/** Differences shown in full; many have one cause. */
const SHOWN_MAX = 200;

const MESSAGE_LINES_MAX = 4;

interface Options {
  readonly suites: readonly Suite[];
  readonly labels: readonly Label[];
  readonly target: Target | undefined;
  readonly server: Target | undefined;
  readonly only: string | undefined;
  readonly isReport: boolean;
  readonly isWriting: boolean;
}

/** A wrong argument: said in one line, not with a stack. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: "string" },
      all: { type: "boolean", default: false },
      label: { type: "string", default: GATEWAY_LABELS.join(",") },
      target: { type: "string" },
      server: { type: "string" },
      only: { type: "string" },
      report: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const isReport = values.report || values.write;
  const names = values.all || (isReport && values.suite === undefined)
    ? SUITES.map(({ name }) => name)
    : values.suite?.split(",") ?? [];
  if (names.length === 0) throw new UsageError("--suite or --all must say what to run");
  const labels = values.label.split(",").map(labelOf);
  if (values.target !== undefined && labels.length !== 1) {
    throw new UsageError("--target must come with one --label");
  }
  return {
    suites: names.map(suiteOf),
    labels,
    target: values.target === undefined ? undefined : targetOf(values.target),
    server: values.server === undefined ? undefined : targetOf(values.server),
    only: values.only,
    isReport,
    isWriting: values.write,
  };
}

function suiteOf(name: string): Suite {
  const suite = SUITES.find((suite) => suite.name === name);
  if (suite !== undefined) return suite;
  const names = SUITES.map(({ name }) => name).join(", ");
  throw new UsageError(`--suite must be of ${names}, and is ${name}`);
}

function labelOf(name: string): Label {
  const label = LABELS.find((label) => label === name);
  if (label === undefined) throw new UsageError(`--label must be of ${LABELS}, and is ${name}`);
  return label;
}

/** The servers that the user named, or fresh ones. */
async function fieldFor(label: Label, options: Options): Promise<Field> {
  const { target, server = target } = options;
  if (target === undefined || server === undefined) return await startField(label);
  return { target, server, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Calls `keep` before the servers end: a defect that the gateway's log shows is thrown then. */
async function runSuite(
  store: Store,
  suite: Suite,
  label: Label,
  options: Options,
  keep: (run: StoredRun) => Promise<void>,
): Promise<void> {
  const folder = await store.install(suite);
  const scratch = await Deno.makeTempDir({ prefix: `sluice-${suite.name}-` });
  try {
    await using field = await fieldFor(label, options);
    await prepare(field.server, suite.preparations);
    const startedMs = performance.now();
    const results = await suite.test({
      folder,
      scratch,
      target: field.target,
      run: await store.runner(suite.name, label),
      ...(options.only === undefined ? {} : { only: options.only }),
    });
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    await keep({ suite: suite.name, driver: suite.driver, label, seconds, results });
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** @returns Whether it could be run. */
async function runAndKeep(
  store: Store,
  suite: Suite,
  label: Label,
  options: Options,
): Promise<boolean> {
  print(`${suite.name}, ${label}: `);
  try {
    await runSuite(store, suite, label, options, async (run) => {
      const { passed, failed, skipped } = count(run.results);
      print(`${passed} passed, ${failed} failed, ${skipped} skipped (${run.seconds} s)\n`);
      if (options.only === undefined) await store.write(run);
      else showOutcomes(run);
    });
    return true;
  } catch (error) {
    print(`cannot be run: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}

function showOutcomes({ results }: StoredRun): void {
  for (const [test, { outcome, message }] of results) {
    print(`  ${outcome} ${test}\n`);
    if (message !== "") print(`${message.replaceAll(/^/gm, "    ")}\n`);
  }
}

async function lastRuns(store: Store, suites: readonly Suite[]): Promise<readonly Row[]> {
  return await Promise.all(suites.map(async (suite): Promise<Row> => {
    const runs = new Map<Label, StoredRun>();
    for (const label of LABELS) {
      const run = await store.read(suite, label);
      if (run !== undefined) runs.set(label, run);
    }
    return { suite, runs };
  }));
}

/** @returns How many differences nobody has explained. */
function showDifferences(rows: readonly Row[], labels: readonly Label[]): number {
  const unexplained = differencesOf(rows, labels).filter(({ exception }) =>
    exception === undefined
  );
  for (const { suite, label, test, outcome, message } of unexplained.slice(0, SHOWN_MAX)) {
    print(`\n${suite}, ${label}: ${test} ${outcome}\n`);
    for (const line of message.split("\n").slice(0, MESSAGE_LINES_MAX)) print(`    ${line}\n`);
  }
  print(`\n${unexplained.length} differences are not explained.\n`);
  return unexplained.length;
}

/** @returns The exit code. */
async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    print(USAGE);
    return 0;
  }
  const options = optionsOf(args);
  const store = await Store.open();
  let haveAllRun = true;
  if (!options.isReport) {
    for (const suite of options.suites) {
      for (const label of options.labels) {
        haveAllRun = await runAndKeep(store, suite, label, options) && haveAllRun;
      }
    }
    if (options.only !== undefined) return haveAllRun ? 0 : 1;
  }
  const rows = await lastRuns(store, options.suites);
  if (options.isWriting) {
    await Deno.writeTextFile(PAGE, withTable(await Deno.readTextFile(PAGE), rows));
  }
  return showDifferences(rows, options.labels) === 0 && haveAllRun ? 0 : 1;
}

try {
  Deno.exitCode = await main(Deno.args);
} catch (error) {
  // parseArgs gives a TypeError for an option that it does not know.
  if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
  printError(`${error.message}\n`);
  Deno.exitCode = 2;
}
