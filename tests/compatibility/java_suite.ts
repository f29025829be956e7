/**
 * The suite of pgjdbc, Java's driver. It publishes its sources with their tests and a pom.xml.
 *
 * @module
 */

import { parseJUnit } from "./junit_xml.ts";
import type { Job, Results, Run, Suite, TestResult } from "./suite.ts";

const VERSION = "42.7.13";

/** The role and the database that its build.properties name. */
const NAME = "test";

/** Surefire's own patterns, which -Dtest replaces. */
const CLASSES = ["Test*", "*Test", "*Tests", "*TestCase"];

/**
 * This one has the server of its connection terminated, whose process id it believes to know, and
 * writes until that fails. A gateway's clients know another one, so it would write for ever.
 */
const ENDLESS = "CopyTest#lockReleaseOnCancelFailure";

/** pgjdbc's own tests, by Maven. */
export function pgjdbcSuite(): Suite {
  return {
    name: "pgjdbc",
    driver: `pgjdbc ${VERSION}`,
    scope:
      `All of its tests but for ${ENDLESS}; those of TLS, GSSAPI and replicas skip themselves.`,
    programs: ["mvn", "java"],
    preparations: [
      {
        database: "postgres",
        statements: [`CREATE ROLE ${NAME} LOGIN PASSWORD {password}`],
      },
      {
        database: NAME,
        statements: [
          `ALTER DATABASE ${NAME} OWNER TO ${NAME}`,
          `GRANT CREATE ON SCHEMA public TO ${NAME}`,
          "CREATE EXTENSION hstore",
          "CREATE EXTENSION citext",
        ],
      },
    ],
    install,
    test,
  };
}

async function install(folder: string, run: Run): Promise<void> {
  await run("mvn", [
    "--batch-mode",
    "--quiet",
    "dependency:copy",
    `-Dartifact=org.postgresql:postgresql:${VERSION}:tar.gz:jdbc-src`,
    `-DoutputDirectory=${folder}`,
  ], { cwd: folder });
  await Deno.mkdir(`${folder}/source`);
  const archive = `${folder}/postgresql-${VERSION}-jdbc-src.tar.gz`;
  await run("tar", ["xzf", archive, "-C", `${folder}/source`, "--strip-components=1"]);
  await run("mvn", ["--batch-mode", "--quiet", "test-compile"], { cwd: `${folder}/source` });
}

async function test(job: Job): Promise<Results> {
  const { host, port, user, password } = job.target;
  const source = `${job.folder}/source`;
  const reports = `${source}/target/surefire-reports`;
  await Deno.remove(reports, { recursive: true }).catch(() => {});
  await job.run("mvn", [
    "--batch-mode",
    "surefire:test",
    "-Dmaven.test.failure.ignore=true",
    "-DfailIfNoTests=false",
    `-Dtest.url.PGHOST=${host}`,
    `-Dtest.url.PGPORT=${port}`,
    `-Dtest.url.PGDBNAME=${NAME}`,
    `-Duser=${NAME}`,
    `-Dpassword=${password}`,
    `-DprivilegedUser=${user}`,
    `-DprivilegedPassword=${password}`,
    `-Dtest=${job.only ?? [...CLASSES, `!${ENDLESS}`]}`,
  ], { cwd: source, mustSucceed: false });
  const results = new Map<string, TestResult>();
  for await (const { name } of Deno.readDir(reports)) {
    if (!/^TEST-.*\.xml$/.test(name)) continue;
    const report = parseJUnit(await Deno.readTextFile(`${reports}/${name}`));
    for (const [name, result] of report) results.set(name, result);
  }
  return results;
}
