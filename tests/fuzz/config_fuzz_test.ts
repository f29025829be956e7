/**
 * Throws text at the configuration loader. Whatever it is, the loader answers with a
 * configuration or with problems, and every problem is one printable line with a place.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { parseHba } from "../../src/config/hba.ts";
import { parseLimitsFile } from "../../src/config/limits_file.ts";
import { linesOf } from "../../src/config/lines.ts";
import { loadConfig, problemsText } from "../../src/config/load.ts";
import { parseNameMap } from "../../src/config/name_map.ts";
import { type Problem, Problems } from "../../src/config/problems.ts";
import { configTemplate } from "../../src/config/template.ts";
import { parseUsersFile } from "../../src/config/users_file.ts";
import { fuzz, type Random } from "../support/random.ts";

/** Pieces that mean something to YAML or to the loader, and some that mean nothing to either. */
// deno-fmt-ignore
const PIECES: readonly string[] = [
  "servers", "clients", "pools", "proxies", "loggers", "metrics", "runtime", "default", "address",
  "size", "proxies", "file", "output", "socketMode", "<<", ":", ": ", "- ", "\n", "\n  ", "\n    ",
  "\t", " ", "&a ", "*a", "!!int ", "!x ", "? ", "[", "]", "{", "}", ",", "'", '"', "|", ">", "#",
  " # ", "---\n", "...\n", "%YAML 1.1\n", "~", "null", "true", "0", "-1", "1e9", "5s", "1GiB",
  "127.0.0.1:1", "[::1]:5", "/a.sock", "\0", "\u001b", "\u202e", "\ud800", "\uFEFF", "é", "😀",
  "auth", "auth.method", "tls", "mode", "rules", "usersFile", "users.txt", "rulesFile", "password",
  "users", "limitsFile", "${HOME}", "${", "$${", "transaction", "trust",
  "rules: [local all all trust]",
  "\r", "__proto__", "constructor", "@", "`", "\\", "\\u0000", "\u2028",
];

function randomText(random: Random): string {
  return Array.from({ length: random.below(60) }, () => random.pick(PIECES)).join("");
}

/** A template with some places changed: removed, doubled, swapped or replaced. */
function mutated(template: string, random: Random): string {
  let text = template;
  for (let i = 1 + random.below(6); i > 0; i--) {
    const start = random.below(text.length + 1);
    const end = Math.min(text.length, start + random.below(40));
    const middle = [
      "",
      text.slice(start, end).repeat(2),
      random.pick(PIECES),
      text.slice(start, end) + randomText(random),
    ][random.below(4)]!;
    text = text.slice(0, start) + middle + text.slice(end);
  }
  return text;
}

function randomEnv(random: Random): Record<string, string> {
  const env: Record<string, string> = {};
  for (let i = random.below(4); i > 0; i--) {
    const words = Array.from({ length: random.below(5) }, () => random.pick(PIECES));
    env[`SLUICE_${words.join("_").toUpperCase()}`] = random.pick(PIECES);
  }
  return env;
}

/** A file that exists, whatever its name is: it holds a bit of everything. */
function readFile(): { text: string; mode: number | null } {
  return { text: '"a" "b"\nlocal all all trust\ndb all 1\n', mode: 0o644 };
}

function check(text: string, env: Record<string, string>): boolean {
  const loaded = loadConfig({ text, fileName: "s.yaml", env, cores: 2, readFile });
  const problems = loaded.ok ? loaded.notes : loaded.problems;
  ok(loaded.ok || problems.length > 0, "refused without a problem");
  checkProblems(problems);
  return loaded.ok;
}

function checkProblems(problems: readonly Problem[]): void {
  for (const problem of problems) {
    ok(Number.isInteger(problem.line) && problem.line >= 1);
    ok(Number.isInteger(problem.column) && problem.column >= 1);
    const line = problemsText([problem]).slice(0, -1);
    ok(!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(line), JSON.stringify(line));
    // Paths and values are cut, so no message can grow with the file.
    ok(line.length < 4_000, `${line.length}`);
  }
}

/** Pieces that mean something in the files that a configuration names. */
// deno-fmt-ignore
const WORDS: readonly string[] = [
  "local", "host", "hostssl", "hostnossl", "all", "sameuser", "replication", "samerole", "+r", "@f",
  "/^a", "/(", "/(a)", "\\1", "10.0.0.0/8", "::1/128", "::ffff:1.2.3.4/100", "10.0.0.1",
  "255.0.0.0",
  "trust", "reject", "md5", "cert", "relay", "map=x", "clientcert=verify-full", ",", ", ", '"',
  '""',
  '"a b"', '"hunter2"', " ", " ", "\t", "\n", "\n", "\r\n", "\\\n", "#", ";", "=", "db", "db=a,b",
  "0",
  "1", "5", "10000", "10001", "disabled", "md5aa", "SCRAM-SHA-256$",
  "\0", "\u202e", "\uFEFF", "é", "😀",
];

Deno.test("parseHba and its neighbours answer whatever they are given", async () => {
  const found = [0, 0, 0, 0];
  const { isWhole } = await fuzz(2_000, (random) => {
    const shape = random.pick(["", "host all all all md5\n", '"u" "s"\n', "db app 5\n", "a b\n"]);
    const words = Array.from(
      { length: random.below(30) },
      () => random.pick(WORDS) + random.pick(["", " "]),
    );
    const text = shape + words.join("");
    const lines = linesOf(text, "file");
    const sizes = [
      (problems: Problems) => parseHba(lines, problems).length,
      (problems: Problems) => parseNameMap(lines, problems).length,
      (problems: Problems) => parseUsersFile(text, "file", problems).size,
      (problems: Problems) => parseLimitsFile(text, "file", problems).length,
    ].map((parse) => {
      const problems = new Problems();
      const size = parse(problems);
      checkProblems(problems.sorted("file"));
      return size;
    });
    sizes.forEach((size, i) => found[i]! += size);
  });
  // When a parser finds nothing in any text, the words no longer reach its depths.
  if (isWhole) ok(found.every((count) => count > 0), found.join(" "));
});

Deno.test("loadConfig answers whatever it is given", async () => {
  const template = configTemplate();
  const uncommented = template.replaceAll(/^( *)#(?=[a-z])/gm, "$1");
  let accepted = 0;
  let refused = 0;
  const { isWhole } = await fuzz(400, (random) => {
    const source = random.below(4);
    const text = source === 0
      ? randomText(random)
      : mutated(source === 1 ? template : uncommented, random);
    if (check(text, randomEnv(random))) accepted += 1;
    else refused += 1;
  });
  // When nothing or everything is accepted, the mutations no longer reach the loader's depths.
  if (isWhole) ok(accepted > 0 && refused > 0, `${accepted} accepted, ${refused} refused`);
});

Deno.test("loadConfig answers every beginning of every section", () => {
  const text = configTemplate().replaceAll(/^ *#(?![a-z]).*\n/gm, "").replaceAll("#", "");
  const sections = text.split(/^(?=[a-z])/m);
  ok(sections.length > 5);
  for (const section of sections) {
    for (let end = 0; end <= section.length; end++) check(section.slice(0, end), {});
  }
});

Deno.test("loadConfig answers text that is built to take long", () => {
  const lines = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join("\n");
  const texts = [
    lines(20_000, (i) => `key${i}: 1`),
    `pools:\n${lines(5_000, (i) => `  Group${i}: { size: 0 }`)}`,
    `pools:\n  a: &a\n${lines(5_000, (i) => `    key${i}: 1`)}\n${
      lines(900, (i) => `  b${i}: *a`)
    }`,
    `servers:\n${lines(400, (i) => `  s${i}: { address: a:${i}, proxies: [nowhere${i}] }`)}\n` +
    `clients:\n${lines(400, (i) => `  nowhare${i}: { address: a:1 }`)}`,
    "[".repeat(20_000),
    "]\n".repeat(20_000),
    "*a ".repeat(20_000),
    '"\\x'.repeat(20_000),
  ];
  for (const text of texts) check(text, {});
  const env = Object.fromEntries(
    Array.from({ length: 3_000 }, (_, i) => [`SLUICE_POOLS_P${i}_SIZ`, "1"]),
  );
  check(texts[1]!, env);
});
