/**
 * The suites of Go's drivers, pgx and lib/pq. A Go module holds its tests.
 *
 * @module
 */

import type { Job, Preparation, Results, Run, Suite, Target } from "./suite.ts";
import { parseGoTest } from "./test_output.ts";

/** For all tests of a package together: go test then ends, and says what was running. */
const PACKAGE_TIMEOUT = "10m";

interface GoSuite {
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
  readonly module: string;
  readonly version: string;
  readonly packages: string;
  /** More for go test. */
  readonly args: readonly string[];
  readonly preparations: readonly Preparation[];
  readonly env: (target: Target, scratch: string) => Promise<Readonly<Record<string, string>>>;
}

/** Every suite of Go's that is run. */
export function goSuites(): readonly Suite[] {
  return [goSuite(pgx()), goSuite(libPq())];
}

function pgx(): GoSuite {
  return {
    name: "pgx",
    driver: "pgx 5.12.0",
    scope: "All of its tests, among them those that its authors run through PgBouncer; those of " +
      "TLS and of particular methods of authentication skip themselves.",
    module: "github.com/jackc/pgx/v5",
    version: "v5.12.0",
    packages: "./...",
    args: [],
    preparations: [{
      database: "pgx_test",
      // As its testsetup/postgresql_setup.sql says.
      statements: [
        "CREATE EXTENSION hstore",
        "CREATE EXTENSION ltree",
        "CREATE DOMAIN uint64 AS numeric(20,0)",
        `CREATE USER " tricky, ' } "" \\ test user " SUPERUSER PASSWORD 'secret'`,
      ],
    }],
    env: ({ host, port, user, password }) => {
      const target = `host=${host} port=${port} user=${user} password=${password} dbname=pgx_test`;
      return Promise.resolve({
        "PGX_TEST_DATABASE": target,
        "PGX_TEST_TCP_CONN_STRING": target,
        "PGX_TEST_PGBOUNCER_CONN_STRING": target,
      });
    },
  };
}

function libPq(): GoSuite {
  return {
    name: "lib-pq",
    driver: "lib/pq 1.12.3",
    scope: "All of its tests; those of TLS and of particular methods of authentication need a " +
      "server that is set up for them, and fail directly too.",
    module: "github.com/lib/pq",
    version: "v1.12.3",
    packages: ".",
    // TestPing terminates a server by its process id. In transaction mode that may serve another
    // test by then, which would fail in its place.
    args: ["-parallel=1"],
    preparations: [
      {
        database: "postgres",
        statements: ["CREATE ROLE pqgo SUPERUSER LOGIN PASSWORD {password}"],
      },
      { database: "pqgo", statements: ["ALTER DATABASE pqgo OWNER TO pqgo"] },
    ],
    // Tests look at the environment, so the password is not in it.
    env: async ({ host, port, password }, scratch) => {
      const passwords = `${scratch}/passwords`;
      await Deno.writeTextFile(passwords, `*:*:*:*:${password}\n`, { mode: 0o600 });
      return { "PGHOST": host, "PGPORT": String(port), "PGPASSFILE": passwords };
    },
  };
}

function goSuite(suite: GoSuite): Suite {
  const { name, driver, scope, preparations } = suite;
  return {
    name,
    driver,
    scope,
    preparations,
    programs: ["go"],
    install: (folder, run) => installModule(folder, run, suite),
    test: (job) => runGoTest(suite, job),
  };
}

async function installModule(folder: string, run: Run, suite: GoSuite): Promise<void> {
  const outputFile = `${folder}/download.json`;
  const module = `${suite.module}@${suite.version}`;
  await run("go", ["mod", "download", "-json", module], { cwd: folder, outputFile });
  const { Dir } = JSON.parse(await Deno.readTextFile(outputFile));
  // The cache is read-only, and some tests write beside themselves.
  await run("cp", ["-r", Dir, `${folder}/module`]);
  await run("chmod", ["-R", "u+w", `${folder}/module`]);
  // Compiled now, so that the first run takes no longer than others.
  const compile = ["test", "-exec=true", suite.packages];
  await run("go", compile, { cwd: `${folder}/module` });
}

async function runGoTest(suite: GoSuite, job: Job): Promise<Results> {
  const outputFile = `${job.scratch}/report.json`;
  const only = job.only === undefined ? [] : [`-run=${job.only}`];
  // One package after the other: they share a database.
  const args = ["test", "-p=1", "-count=1", `-timeout=${PACKAGE_TIMEOUT}`, "-json", ...only];
  await job.run("go", [...args, ...suite.args, suite.packages], {
    cwd: `${job.folder}/module`,
    env: await suite.env(job.target, job.scratch),
    outputFile,
    mustSucceed: false,
  });
  return parseGoTest(await Deno.readTextFile(outputFile));
}
