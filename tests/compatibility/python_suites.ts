/**
 * The suites of Python's drivers: psycopg2, psycopg 3 and asyncpg under SQLAlchemy, asyncpg, and
 * pg8000. The source distributions hold the tests; the drivers themselves are installed as their
 * users have them, as wheels.
 *
 * @module
 */

import { parseJUnit } from "./junit_xml.ts";
import type { Job, Preparation, Results, Run, Suite, Target } from "./suite.ts";

/** How long a single test may take; a gateway that loses an answer makes a test wait forever. */
const TEST_TIMEOUT_S = 30;

/** pytest's exit codes: all passed, some failed. Everything else means that it did not run. */
const PYTEST_RAN: readonly number[] = [0, 1];

/** Where the tests come from, and what they need. */
interface Sources {
  /** What pip installs, the driver among them. */
  readonly requirements: readonly string[];
  /** The source distribution with the tests: `name==version`. */
  readonly distribution: string;
  /** Folders and files of it that are kept; the driver's own code would hide the installed one. */
  readonly keeps: readonly string[];
}

interface PytestSuite {
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
  readonly sources: Sources;
  readonly preparations?: readonly Preparation[];
  readonly args: (target: Target) => readonly string[];
  readonly env: (target: Target) => Readonly<Record<string, string>>;
}

/** Every suite of Python's that is run. */
export function pythonSuites(): readonly Suite[] {
  return [
    pytestSuite(psycopg2()),
    pytestSuite(asyncpg()),
    pytestSuite(pg8000()),
    pytestSuite(sqlalchemy("psycopg", "psycopg 3.3", ["psycopg[binary]>=3.3,<3.4"])),
    pytestSuite(sqlalchemy("asyncpg", "asyncpg 0.32", ["asyncpg==0.32.0"])),
  ];
}

function psycopg2(): PytestSuite {
  return {
    name: "psycopg2",
    driver: "psycopg2 2.9.13 (libpq)",
    scope: "All of its tests.",
    sources: {
      requirements: ["psycopg2-binary==2.9.13"],
      distribution: "psycopg2==2.9.13",
      keeps: ["tests"],
    },
    preparations: [{
      database: "psycopg2_test",
      statements: ["CREATE EXTENSION hstore"],
    }],
    args: () => ["tests"],
    env: (target) => ({
      "PSYCOPG2_TESTDB": "psycopg2_test",
      "PSYCOPG2_TESTDB_HOST": target.host,
      "PSYCOPG2_TESTDB_PORT": String(target.port),
      "PSYCOPG2_TESTDB_USER": target.user,
      "PSYCOPG2_TESTDB_PASSWORD": target.password,
    }),
  };
}

function asyncpg(): PytestSuite {
  return {
    name: "asyncpg",
    driver: "asyncpg 0.32.0",
    scope: "All of its tests but for those of its source code's style; those that start servers " +
      "of their own skip themselves.",
    sources: {
      requirements: ["asyncpg==0.32.0", "distro"],
      distribution: "asyncpg==0.32.0",
      keeps: ["tests"],
    },
    args: () => ["tests", "--ignore=tests/test__sourcecode.py"],
    env: (target) => ({ ...libpqEnvironment(target), "PGDATABASE": "postgres" }),
  };
}

function pg8000(): PytestSuite {
  return {
    name: "pg8000",
    driver: "pg8000 1.31.6",
    scope: "All of its tests but for those of its README, which is elsewhere.",
    sources: {
      requirements: ["pg8000==1.31.6", "pytest-mock", "pytest-benchmark", "pytz"],
      distribution: "pg8000==1.31.6",
      keeps: ["test"],
    },
    preparations: [{ database: "postgres", statements: ["CREATE EXTENSION hstore"] }],
    args: () => ["test", "--ignore=test/test_readme.py", "--benchmark-disable"],
    env: (target) => ({
      "PGHOST": target.host,
      "PGPORT": String(target.port),
      "PGPASSWORD": target.password,
    }),
  };
}

function sqlalchemy(
  dialect: string,
  driver: string,
  requirements: readonly string[],
): PytestSuite {
  const database = "sqlalchemy_test";
  return {
    name: `sqlalchemy-${dialect}`,
    driver: `SQLAlchemy 2.1.9 with ${driver}`,
    scope:
      "The tests of its PostgreSQL dialects, of its dialect suite, its engine and RETURNING, " +
      "as far as they need a database.",
    sources: {
      requirements: ["sqlalchemy[asyncio]==2.1.9", ...requirements],
      distribution: "sqlalchemy==2.1.9",
      keeps: ["lib", "test", "tools", "setup.cfg", "pyproject.toml"],
    },
    preparations: [{
      database,
      statements: [
        // README.unittests.rst, "Additional steps for specific databases", asks for these.
        "CREATE SCHEMA test_schema",
        "CREATE SCHEMA test_schema_2",
        "CREATE EXTENSION hstore",
        "CREATE EXTENSION citext",
        `ALTER DATABASE ${database} SET default_text_search_config = 'pg_catalog.english'`,
      ],
    }],
    args: ({ host, port, user, password }) => [
      "-p",
      "no:logging",
      "--backend-only",
      "--dburi",
      `postgresql+${dialect}://${user}:${password}@${host}:${port}/${database}`,
      "test/dialect/postgresql",
      "test/dialect/test_suite.py",
      "test/engine",
      "test/sql/test_returning.py",
    ],
    env: () => ({ "PYTHONPATH": "lib" }),
  };
}

function libpqEnvironment(target: Target): Record<string, string> {
  return {
    "PGHOST": target.host,
    "PGPORT": String(target.port),
    "PGUSER": target.user,
    "PGPASSWORD": target.password,
  };
}

function pytestSuite(suite: PytestSuite): Suite {
  const { name, driver, scope, preparations = [] } = suite;
  return {
    name,
    driver,
    scope,
    preparations,
    programs: ["python3"],
    install: (folder, run) => installPython(folder, run, suite.sources),
    test: (job) => runPytest(suite, job),
  };
}

async function installPython(folder: string, run: Run, sources: Sources): Promise<void> {
  await run("python3", ["-m", "venv", `${folder}/venv`]);
  const pip = ["-m", "pip", "--disable-pip-version-check"];
  const python = `${folder}/venv/bin/python`;
  const requirements = ["pytest>=8,<10", "pytest-timeout", ...sources.requirements];
  await run(python, [...pip, "install", "--quiet", ...requirements]);
  const download = ["download", "--quiet", "--no-deps", "--no-binary", ":all:"];
  await run(python, [...pip, ...download, "-d", `${folder}/download`, sources.distribution]);
  await Deno.mkdir(`${folder}/source`);
  await Deno.mkdir(`${folder}/tests`);
  const unpack = `tar xzf ${folder}/download/*.tar.gz -C ${folder}/source --strip-components=1`;
  await run("sh", ["-c", unpack]);
  for (const kept of sources.keeps) {
    await Deno.rename(`${folder}/source/${kept}`, `${folder}/tests/${kept}`);
  }
  await Deno.remove(`${folder}/source`, { recursive: true });
}

async function runPytest(suite: PytestSuite, job: Job): Promise<Results> {
  const report = `${job.scratch}/report.xml`;
  const code = await job.run(`${job.folder}/venv/bin/python`, [
    "-m",
    "pytest",
    "--quiet",
    "-p",
    "no:cacheprovider",
    `--timeout=${TEST_TIMEOUT_S}`,
    `--junit-xml=${report}`,
    ...(job.only === undefined ? [] : ["-k", job.only]),
    ...suite.args(job.target),
  ], {
    cwd: `${job.folder}/tests`,
    env: { "PYTHONDONTWRITEBYTECODE": "1", ...suite.env(job.target) },
    mustSucceed: false,
  });
  if (!PYTEST_RAN.includes(code)) throw new Error(`pytest of ${suite.name} ended with ${code}`);
  return parseJUnit(await Deno.readTextFile(report));
}
