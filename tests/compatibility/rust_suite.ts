/**
 * The suite of tokio-postgres, Rust's driver. Its crate holds its tests.
 *
 * @module
 */

import type { Job, Results, Run, Suite, Target } from "./suite.ts";
import { parseCargoTest } from "./test_output.ts";

const NAME = "tokio-postgres";
const VERSION = "0.7.18";

/** Types of other crates: their tests are in the suite, behind these. */
const FEATURES = [
  "array-impls",
  "with-bit-vec-0_8",
  "with-chrono-0_4",
  "with-eui48-1",
  "with-geo-types-0_7",
  "with-serde_json-1",
  "with-time-0_3",
  "with-uuid-1",
];

/** tokio-postgres's own tests, by cargo. */
export function tokioPostgresSuite(): Suite {
  return {
    name: NAME,
    driver: `${NAME} ${VERSION}`,
    scope: "All of its tests, their connection strings changed to name the server.",
    programs: ["cargo"],
    preparations: [{
      database: "postgres",
      // As its docker/sql_setup.sh says; there each has another method of authentication.
      statements: [
        "CREATE ROLE pass_user PASSWORD 'password' LOGIN",
        "CREATE ROLE md5_user PASSWORD 'password' LOGIN",
        "CREATE ROLE scram_user PASSWORD 'password' LOGIN",
        "CREATE EXTENSION hstore",
        "CREATE EXTENSION citext",
        "CREATE EXTENSION ltree",
      ],
    }],
    install,
    test,
  };
}

async function install(folder: string, run: Run): Promise<void> {
  // cargo has no command that only downloads a crate; it does so for a package that needs it.
  const need = `${folder}/need`;
  await Deno.mkdir(`${need}/src`, { recursive: true });
  await Deno.writeTextFile(`${need}/src/lib.rs`, "");
  const dependency = `${NAME} = "=${VERSION}"`;
  const manifest = '[package]\nname = "need"\nversion = "0.0.0"\nedition = "2021"\n';
  await Deno.writeTextFile(`${need}/Cargo.toml`, `${manifest}[dependencies]\n${dependency}\n`);
  await run("cargo", ["vendor", "--quiet", "vendor"], { cwd: need, outputFile: `${folder}/hint` });
  await Deno.rename(`${need}/vendor/${NAME}`, `${folder}/crate`);
  await Deno.remove(need, { recursive: true });
  await Deno.rename(`${folder}/crate/tests`, `${folder}/tests`);
  await pointTestsAt(folder, { host: "127.0.0.1", port: 5433, user: "postgres", password: "-" });
  await run("cargo", [...cargoTest(), "--no-run"], { cwd: `${folder}/crate` });
}

async function test(job: Job): Promise<Results> {
  const outputFile = `${job.scratch}/report.txt`;
  await pointTestsAt(job.folder, job.target);
  await job.run("cargo", [...cargoTest(), ...(job.only === undefined ? [] : [job.only])], {
    cwd: `${job.folder}/crate`,
    outputFile,
    mustSucceed: false,
  });
  return parseCargoTest(await Deno.readTextFile(outputFile));
}

function cargoTest(): readonly string[] {
  return ["test", "--test=test", `--features=${FEATURES}`];
}

/** Copies the tests, which name a server at localhost:5433 that trusts everybody. */
async function pointTestsAt(folder: string, target: Target): Promise<void> {
  const { host, port, user, password } = target;
  const from = `${folder}/tests/test`;
  const to = `${folder}/crate/tests/test`;
  await Deno.mkdir(`${to}/types`, { recursive: true });
  for (const part of ["", "/types"]) {
    for await (const { name, isFile } of Deno.readDir(`${from}${part}`)) {
      if (!isFile) continue;
      const text = await Deno.readTextFile(`${from}${part}/${name}`);
      const pointed = name === "parse.rs" ? text : text
        .replaceAll("port=5433,5433", `port=${port},${port}`)
        .replaceAll("port=5433", `port=${port}`)
        .replaceAll("127.0.0.1:5433", `${host}:${port}`)
        .replaceAll(/(?<=["\s,])host=localhost/g, `host=${host}`)
        .replaceAll("user=postgres", `user=${user} password=${password}`);
      await Deno.writeTextFile(`${to}${part}/${name}`, pointed);
    }
  }
}
