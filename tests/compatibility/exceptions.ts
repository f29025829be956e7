/**
 * The differences that are understood: tests that pass directly and cannot, or need not, pass
 * through the gateway, and why. A difference that is not here is a defect until it is explained.
 *
 * @module
 */

import type { Label } from "./targets.ts";

/** Some tests, and why they differ. */
export interface Exception {
  readonly suites: readonly string[];
  readonly labels: readonly Label[];
  /** Matches the test's name. */
  readonly test: RegExp;
  /** One sentence or more, for the page. */
  readonly why: string;
}

/** What many tests see of it is one thing. */
const PROCESS_ID = "The process id that a client is told at its start is the gateway's, since it " +
  "is half of the key to cancel with. `pg_backend_pid()`, NotificationResponse and " +
  "`pg_terminate_backend()` know the server's.";

const POOLED: readonly Label[] = ["session", "transaction"];

/** Every one of them. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    suites: ["psycopg2"],
    labels: ["relay", ...POOLED],
    test: /\.(?:AsyncTests\.test_notify|NotifiesTests\.\w+|\w+\.test_backend_pid)$/,
    why: PROCESS_ID,
  },
  {
    suites: ["asyncpg"],
    labels: ["relay", ...POOLED],
    test: /\.test_listen_(?:01|02|notletters)$/,
    why: PROCESS_ID,
  },
  {
    suites: ["asyncpg"],
    labels: ["relay", ...POOLED],
    test: /\.test_pool_min_size_restored_after_idle_connection_loss$/,
    why: PROCESS_ID,
  },
  {
    suites: ["asyncpg"],
    labels: POOLED,
    test: /\.test_(?:type_cache_invalidation_in_pool|introspection_(?:sticks|on)_\w+)$/,
    why: "A pool keeps server connections after their client has left, and `DROP DATABASE` needs " +
      "that there are none: with a pool in front it takes `DROP DATABASE ... WITH (FORCE)`.",
  },
  {
    suites: ["asyncpg", "pg8000", "pgx"],
    labels: ["transaction"],
    test: new RegExp(
      "[./](?:test_copy_records_to_table_no_stmt_cache|test_close_prepared_statement|" +
        "TestPrepare(?:WithDigestedName)?HandlesTimeoutBetweenParseAndDescribe|" +
        "TestConnMultiplePrepareAndDeallocate(?:/\\w+)?)$",
    ),
    why: "`pg_prepared_statements` shows what is prepared on a server connection: in transaction " +
      "mode what the gateway prepared there, for any of its clients, under names of its own.",
  },
  {
    suites: ["asyncpg"],
    labels: POOLED,
    test: /\.test_executemany_server_failure_during_writes$/,
    why: "The test wants an error to arrive before its client has sent 4 MB. Through a gateway " +
      "both take one hop more, so now and then all is sent by then.",
  },
  {
    suites: ["pgx"],
    labels: ["relay", ...POOLED],
    test: new RegExp(
      "/(?:TestFatal[RT]xError|TestConnCheckConn|TestConnPing|TestPoolAcquireChecksIdleConns|" +
        "TestCheckIdleConn)$",
    ),
    why: PROCESS_ID,
  },
  {
    suites: ["pgx"],
    labels: POOLED,
    test: /\/TestConnContextCanceledCancelsRunningQueryOnServer(?:\/\w+)?$/,
    why:
      "`pg_stat_activity` shows the last query of an idle server connection. The test looks for " +
      "the text of a query that it has cancelled, in the belief that its server is gone; it is " +
      "idle in the pool, its query cancelled.",
  },
  {
    suites: ["pgjdbc"],
    labels: POOLED,
    test: /\.test(?:IsValidRemoteClose|BatchOnTerminatedConnection(?:\[\d\])?)$/,
    why: PROCESS_ID,
  },
  {
    suites: ["pgjdbc"],
    labels: POOLED,
    test: /\.(?:PasswordUtilTest\.\w+|ScramTest\.passwordWithSpace\{String\}\[\d\])$/,
    why: "The test drops a role, creates one by the same name and logs in. Server connections " +
      "that wait in the pool still belong to the dropped role, and say so (`invalid role OID`) " +
      "until their lifetime ends.",
  },
  {
    suites: ["pgjdbc"],
    labels: POOLED,
    test: /\.ScramTest\.rejectIterationCountAbove\w+Cap$/,
    why: "The test gives a role a SCRAM secret of 789,123,456 iterations and awaits that the " +
      "driver refuses it. The gateway refuses more than 1,000,000 before the driver sees it.",
  },
  {
    suites: ["pgjdbc"],
    labels: POOLED,
    test: /\.alterDatabaseDefaultTransactionIsolation\{String\}\[\d\]$/,
    why: "`ALTER DATABASE ... SET` and `ALTER ROLE ... SET` are for sessions that begin later. " +
      "Server connections that wait in the pool have begun before.",
  },
  {
    suites: ["tokio-postgres"],
    labels: POOLED,
    test: /^notices$/,
    why:
      "The test logs in with an `application_name` that is too long and awaits the notice that " +
      "it was cut. A pooled server was logged in to before; the gateway sets the parameter with " +
      "a query of its own, whose notices stay with it.",
  },
  {
    suites: ["psycopg2", "asyncpg", "pg8000", "lib-pq"],
    labels: ["transaction"],
    test: /[./](?:test_external_close_\w+|test_pool_remote_close|test_broken_pipe_\w+|TestPing)$/,
    why: "The test asks one connection for the process id of its server and has another one " +
      "terminate that server. Between transactions the same one may serve both.",
  },
];

/** Why this difference is one, or undefined if nobody has said so. */
export function exceptionFor(
  suite: string,
  label: Label,
  test: string,
  exceptions: readonly Exception[] = EXCEPTIONS,
): Exception | undefined {
  return exceptions.find((exception) =>
    exception.suites.includes(suite) && exception.labels.includes(label) &&
    exception.test.test(test)
  );
}
