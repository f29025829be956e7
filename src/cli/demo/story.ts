/**
 * The story of `sluice demo`: a client that knows nothing of the gateway does through it what
 * clients do (queries, a transaction, a prepared statement, an error, a cancel), a plugin answers
 * one of its queries, and then the gateway's metrics say what it saw. Each step checks its own
 * result: a story that is told to its end is also a proof that it works.
 *
 * @module
 */

import {
  type MetricChange,
  type MetricSamples,
  metricsDifference,
  readMetrics,
} from "./metrics_difference.ts";
import {
  type Credentials,
  type DatabaseError,
  DriverConnection,
  type Endpoint,
  isDatabaseError,
  type RunningQuery,
} from "./postgres_driver.ts";
import { StoryPage } from "./story_page.ts";

/** Whom the story is about. */
export interface StoryOptions {
  readonly gateway: Endpoint;
  /** The database itself, to compare with. */
  readonly direct: Endpoint;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  /** The gateway's page in Prometheus' text format. */
  readonly metricsUrl: string;
  /** How long the page may take to show what the story did, in milliseconds. Default: 5000. */
  readonly metricsTimeoutMs?: number;
  /** Called for each line, without its end. */
  readonly write: (line: string) => void;
}

const QUERIES_METRIC = "sluice_queries_total";

/** What the last step shows, in this order. */
const METRICS_SHOWN = [
  "sluice_client_connections_total",
  QUERIES_METRIC,
  "sluice_transactions_total",
  "sluice_errors_total",
  "sluice_relayed_bytes_total",
  "sluice_query_duration_seconds_count",
  "sluice_cancel_requests_total",
  "sluice_plugin_calls_total",
  "plugin_answers_total",
];

/** What the plugin of the demo answers. */
const PLUGIN_ANSWER = "Hello from a WebAssembly plugin";

/** Round trips to measure each way: enough for a median, over in a moment. */
const LATENCY_SAMPLES = 50;
/** The first ones pay for connections, caches and compilation. */
const LATENCY_WARMUP = 20;

/** Far more than the gateway's workers need to report to the page. */
const METRICS_TIMEOUT_DEFAULT_MS = 5_000;
const METRICS_POLL_MS = 200;

const CANCEL_POLL_MS = 20;
const CANCEL_TIMEOUT_MS = 10_000;

/** Class 57, "query_canceled": https://www.postgresql.org/docs/current/errcodes-appendix.html */
const QUERY_CANCELED = "57014";
/** Class 42, "undefined_table", from the same table. */
const UNDEFINED_TABLE = "42P01";

interface Scene {
  readonly page: StoryPage;
  readonly options: StoryOptions;
  /** The connection through the gateway. */
  readonly client: DriverConnection;
  /** The connection past it, for comparison and for what only an onlooker can see. */
  readonly direct: DriverConnection;
}

/**
 * Tells the story from beginning to end. It needs no rights beyond a temporary table, and leaves
 * nothing in the database.
 *
 * @throws If any step does not go as it should; the message says which and how.
 */
export async function tellStory(options: StoryOptions): Promise<void> {
  const page = new StoryPage(options.write);
  const credentials: Credentials = {
    user: options.user,
    password: options.password,
    database: options.database,
  };
  const metricsBefore = await readMetrics(options.metricsUrl);
  {
    await using client = await DriverConnection.open(options.gateway, credentials);
    await using direct = await DriverConnection.open(options.direct, credentials);
    const scene: Scene = { page, options, client, direct };
    await tellQuery(scene);
    await tellTransaction(scene);
    await tellPreparedStatement(scene);
    await tellError(scene);
    await tellCancel(scene);
    await tellPlugin(scene);
    await tellLatency(scene);
  }
  await tellMetrics(page, options, metricsBefore);
}

async function tellQuery({ page, options, client }: Scene): Promise<void> {
  const { host, port } = options.gateway;
  page.step(
    "A client connects, and sees PostgreSQL",
    `The client is an ordinary driver (npm's pg). It connected to the gateway at ` +
      `${host}:${port}, which let it in and gave it a server connection. ` +
      "Nothing about the client was changed.",
  );
  await show(page, client, "select current_user, current_database(), 6 * 7 as answer");
  const { rows } = await client.query("select split_part(version(), ' on ', 1) as version");
  page.statement("select split_part(version(), ' on ', 1) as version");
  page.answer(String(rows[0]?.["version"]));
  expect(String(rows[0]?.["version"]).startsWith("PostgreSQL"), "the version is not PostgreSQL's");
}

async function tellTransaction({ page, client }: Scene): Promise<void> {
  page.step(
    "A transaction",
    "Both statements of a transfer happen, or none does. The second transfer is rolled back, so " +
      "only the first one is seen.",
  );
  const total = "select owner, balance from account order by owner";
  await show(page, client, "create temporary table account (owner text, balance integer)");
  await show(page, client, "insert into account values ('ada', 100), ('grace', 100)");
  await show(page, client, "begin");
  await show(page, client, "update account set balance = balance - 30 where owner = 'ada'");
  await show(page, client, "update account set balance = balance + 30 where owner = 'grace'");
  await show(page, client, "commit");
  await show(page, client, "begin");
  await show(page, client, "update account set balance = 0");
  await show(page, client, "rollback");
  const rows = await show(page, client, total);
  const balances = rows.map((row) => row["balance"]).join(" ");
  expect(balances === "70 130", `the balances must be 70 and 130, and are ${balances}`);
}

async function tellPreparedStatement({ page, client }: Scene): Promise<void> {
  page.step(
    "A prepared statement",
    "The first execution sends Parse, Bind, Execute; the second only Bind and Execute, because " +
      "the server connection behind the gateway still has the statement. Its plan is made once.",
  );
  const text = "select owner, balance from account where balance > $1";
  for (const limit of [100, 50]) {
    page.statement(`${text}   -- $1 = ${limit}`);
    const result = await client.query({ name: "rich", text, values: [limit] });
    page.result(result);
  }
  const { rows } = await client.query(
    "select count(*)::integer as count from pg_prepared_statements where name = 'rich'",
  );
  expect(rows[0]?.["count"] === 1, "the server must have the prepared statement once");
}

async function tellError({ page, client }: Scene): Promise<void> {
  page.step(
    "An error",
    "An error is the server's own, passed on as it is: SQLSTATE, message and all. The connection " +
      "stays, and the next query works.",
  );
  const text = "select * from table_that_is_not_there";
  page.statement(text);
  const error = await errorOf(client.query(text), "the query must fail");
  page.answer(`ERROR: ${error.message}   (SQLSTATE ${error.code})`);
  expect(error.code === UNDEFINED_TABLE, `the SQLSTATE must be ${UNDEFINED_TABLE}`);
  await show(page, client, "select 'still connected' as state");
}

async function tellCancel(scene: Scene): Promise<void> {
  const { page, client } = scene;
  page.step(
    "A cancel",
    "A cancel is a connection of its own that carries a key. The gateway finds whose key it is " +
      "and cancels on the right server; the session lives on.",
  );
  const text = "select pg_sleep(60)";
  page.statement(text);
  const running = client.start(`${text} /* sluice demo: to be cancelled */`);
  // Awaited below; until then a failure must not count as unhandled.
  running.result.catch(() => {});
  await untilServerRuns(scene, running);
  const start = performance.now();
  page.answer("(the server runs it; the client sends a CancelRequest)");
  await running.cancel();
  const error = await errorOf(
    within(running.result, CANCEL_TIMEOUT_MS, "the query was not cancelled"),
    "the query must not end by itself",
  );
  const elapsedMs = performance.now() - start;
  page.answer(`ERROR: ${error.message}   (SQLSTATE ${error.code})`);
  page.answer(`after ${elapsedMs.toFixed(1)} ms, not a minute`);
  expect(error.code === QUERY_CANCELED, `the SQLSTATE must be ${QUERY_CANCELED}`);
  await show(page, client, "select 'still connected' as state");
}

/** A cancel that comes before its query does nothing, so the server is asked if it runs. */
async function untilServerRuns({ direct }: Scene, running: RunningQuery): Promise<void> {
  const deadline = performance.now() + CANCEL_TIMEOUT_MS;
  let failure: unknown;
  running.result.catch((thrown) => failure = thrown);
  while (performance.now() < deadline) {
    if (failure !== undefined) throw failure;
    const { rows } = await direct.query(
      "select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() " +
        "and query like '%sluice demo: to be cancelled%'",
    );
    if (rows.length > 0) return;
    await pause(CANCEL_POLL_MS);
  }
  throw new Error("The story failed: the query to be cancelled did not reach the server");
}

async function tellPlugin({ page, client }: Scene): Promise<void> {
  page.step(
    "A plugin",
    "PostgreSQL knows no function plugin(). A WebAssembly plugin of 469 bytes sees each query in " +
      "the gateway, and answers this one itself: the server is not asked. It was granted that " +
      "and nothing else, and its memory and the instructions of each call are limited.",
  );
  const rows = await show(page, client, "select plugin()");
  expect(rows[0]?.["plugin"] === PLUGIN_ANSWER, `the plugin must answer ${PLUGIN_ANSWER}`);
}

async function tellLatency({ page, client, direct }: Scene): Promise<void> {
  page.step(
    "What it costs",
    `Round trips of "select 1", through the gateway with its plugin and past it in turn: the ` +
      `median of ${LATENCY_SAMPLES} each.`,
  );
  const through: number[] = [];
  const past: number[] = [];
  for (let i = 0; i < LATENCY_WARMUP + LATENCY_SAMPLES; i += 1) {
    // In turn, so that a noisy moment of the machine is a noisy moment of both.
    const throughMs = await roundTripMs(client);
    const pastMs = await roundTripMs(direct);
    if (i < LATENCY_WARMUP) continue;
    through.push(throughMs);
    past.push(pastMs);
  }
  const difference = median(through) - median(past);
  page.answer(`through the gateway   ${median(through).toFixed(3)} ms`);
  page.answer(`directly              ${median(past).toFixed(3)} ms`);
  page.answer(`the difference        ${difference.toFixed(3)} ms`);
}

async function tellMetrics(
  page: StoryPage,
  options: StoryOptions,
  before: MetricSamples,
): Promise<void> {
  page.step(
    "What the gateway saw",
    `All of it was counted. The same numbers are at ${options.metricsUrl} for Prometheus:`,
  );
  page.changes(await settledChanges(options, before));
}

/** Workers report to the page now and then: read until two readings say the same. */
async function settledChanges(
  options: StoryOptions,
  before: MetricSamples,
): Promise<readonly MetricChange[]> {
  const { metricsUrl: url, metricsTimeoutMs: timeoutMs = METRICS_TIMEOUT_DEFAULT_MS } = options;
  const deadline = performance.now() + timeoutMs;
  let last: readonly MetricChange[] = [];
  while (performance.now() < deadline) {
    const changes = metricsDifference(before, await readMetrics(url), METRICS_SHOWN);
    const isSettled = JSON.stringify(changes) === JSON.stringify(last);
    if (isSettled && changes.some(({ sample }) => sample.startsWith(QUERIES_METRIC))) {
      return changes;
    }
    last = changes;
    await pause(METRICS_POLL_MS);
  }
  throw new Error(
    `The story failed: ${QUERIES_METRIC} at ${url} must grow by the queries of the story within ` +
      `${timeoutMs} ms and then rest; does somebody else use the gateway?`,
  );
}

async function show(
  page: StoryPage,
  client: DriverConnection,
  text: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  page.statement(text);
  const result = await client.query(text);
  page.result(result);
  return result.rows;
}

async function roundTripMs(connection: DriverConnection): Promise<number> {
  const start = performance.now();
  await connection.query("select 1");
  return performance.now() - start;
}

/** The ErrorResponse that `outcome` fails with; anything else is a failure of the story. */
async function errorOf(outcome: Promise<unknown>, rule: string): Promise<DatabaseError> {
  try {
    await outcome;
  } catch (thrown) {
    if (isDatabaseError(thrown)) return thrown;
    throw thrown;
  }
  throw new Error(`The story failed: ${rule}`);
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`The story failed: ${what}`);
}

async function within<T>(outcome: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const error = new Error(`The story failed: ${what} within ${timeoutMs} ms`);
  const timer = setTimeout(() => reject(error), timeoutMs);
  try {
    return await Promise.race([outcome, promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function pause(durationMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, durationMs));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
