import { deepEqual, equal, ok } from "node:assert/strict";
import { type Problem, problemsText } from "../../src/config/load.ts";
import { type Files, load, notesOf, problemsOf, SMALLEST, tryLoad } from "./defaults.ts";

type Env = Record<string, string>;

function passwordOf(password: string, env: Env = {}, files: Files = {}): string {
  const text = `${SMALLEST}    user: app\n    ${password}\n`;
  return load(text, files, env).clients.get("default")!.password;
}

function problems(keys: string, env: Env = {}, files: Files = {}): string {
  return problemsOf(`${SMALLEST}    ${keys}\n`, files, env);
}

Deno.test("expandSecrets puts variables into secrets, and nothing else", () => {
  const env = { A: "one", _B2: "${A}$", SLUICE_X: "x" };
  const cases: readonly (readonly [written: string, password: string])[] = [
    ['"${A}"', "one"],
    ["${A}", "one"],
    ['"<${A}:${_B2}>"', "<one:${A}$>"],
    ["$A", "$A"],
    ["a$$b$", "a$$b$"],
    ["'$${A}'", "${A}"],
    ["'$$${A}'", "$${A}"],
    ["12345", "12345"],
    ["0123", "0123"],
    ["true", "true"],
  ];
  delete (env as Env)["SLUICE_X"];
  for (const [written, password] of cases) {
    equal(passwordOf(`password: ${written}`, env), password, written);
  }
});

Deno.test("loadConfig refuses a reference to a variable in what is not a secret", () => {
  const rule = "stands for a variable in secrets only; write the value itself";
  equal(
    problems('user: "app${A}"', { A: "one" }),
    `s.yaml:7:11: clients.default.user: "\${A}" ${rule}, or set SLUICE_CLIENTS_DEFAULT_USER\n`,
  );
  const rules =
    `    auth: { method: rules, rules: ["local all all trust", "local \${DB} all trust"] }\n`;
  equal(
    problemsOf(SMALLEST.replace("clients:", `${rules}clients:`)),
    `s.yaml:4:59: servers.default.auth.rules: "\${DB}" ${rule}, or set ` +
      "SLUICE_SERVERS_DEFAULT_AUTH_RULES\n",
  );
  equal(
    problemsOf(SMALLEST, {}, { SLUICE_POOLS_DEFAULT_SIZE: "${N}" }),
    `environment: SLUICE_POOLS_DEFAULT_SIZE: "\${N}" ${rule}\n`,
  );
  equal(load(`${SMALLEST}    user: "a$b{c}"\n`).clients.get("default")!.user, "a$b{c}");
});

Deno.test("expandSecrets takes what a variable of a key says as it is", () => {
  const env = { A: "one", SLUICE_CLIENTS_DEFAULT_USER: "app" };
  const config = load(SMALLEST, {}, { ...env, SLUICE_CLIENTS_DEFAULT_PASSWORD: "${A}" });
  equal(config.clients.get("default")!.password, "${A}");
});

Deno.test("expandSecrets names a variable that is missing or empty", () => {
  equal(
    problems('password: "${APP}"\n    user: a'),
    "s.yaml:7:15: clients.default.password: the environment variable APP is not set; set it\n",
  );
  equal(
    problems('password: "${APP}"\n    user: a', { APP: "" }),
    "s.yaml:7:15: clients.default.password: the environment variable APP is empty; set it\n",
  );
  const rule = "expected the name of a variable and } behind ${; write $${ for the characters " +
    "themselves";
  for (const written of ['"${hunter2"', '"${hunter2!}"', '"${}"', '"${2}"']) {
    equal(
      problems(`password: ${written}\n    user: a`),
      `s.yaml:7:15: clients.default.password: ${rule}\n`,
      written,
    );
  }
  ok(problems('password: "${constructor}"\n    user: a').includes("is not set"));
});

Deno.test("clientLogin takes the first line of a password's file", () => {
  const file = (text: string) => passwordOf("passwordFile: p", {}, { p: text });
  equal(file("hunter2"), "hunter2");
  equal(file("hunter2\r\nmore\n"), "hunter2");
  equal(file(" ${A} \n"), " ${A} ");
  const { passwordFile } = load(`${SMALLEST}    user: a\n    passwordFile: p\n`, { p: "x" })
    .clients.get("default")!;
  equal(passwordFile, "p");
});

Deno.test("clientLogin says what is missing or too much", () => {
  equal(
    problems("password: x"),
    "s.yaml:5:3: clients.default.user: this key is required with password; add it, as in " +
      '"user: app"\n',
  );
  equal(
    problems("passwordFile: p", {}, { p: "x" }),
    "s.yaml:5:3: clients.default.user: this key is required with passwordFile; add it, as in " +
      '"user: app"\n',
  );
  equal(
    problems("user: a\n    password: x\n    passwordFile: p", {}, { p: "x" }),
    "s.yaml:9:19: clients.default.passwordFile: password is written as well; remove one of both\n",
  );
  equal(
    problems("user: a\n    passwordFile: p", {}, { p: "\nhunter2" }),
    "p:1:1: the first line is not a password; it is empty, or has a NUL character\n",
  );
  equal(
    problems("user: a\n    password: [hunter2]"),
    "s.yaml:8:15: clients.default.password: expected text of at most 65531 characters without " +
      "NUL; got a list\n",
  );
});

Deno.test("ConfigFiles notes a file with secrets that others can read", () => {
  const text = `${SMALLEST}    user: app\n    passwordFile: p\n`;
  equal(
    notesOf(text, { p: ["x", 0o644] }).split("\n")[1],
    's.yaml:8:19: clients.default.passwordFile: every user of this machine can read "p"; make ' +
      "it unreadable for others: chmod o-r p",
  );
  equal(notesOf(text, { p: ["x", 0o640] }).split("\n").length, 2);
});

/** Ways to break YAML around a secret, which stands for the word SECRET. */
// deno-fmt-ignore
const BROKEN: readonly string[] = [
  '"SECRET" xSECRET', '"SECRET', "'SECRET", "*SECRET", "&SECRET", "!SECRET", "!!SECRET a",
  "{SECRET}", "[SECRET]", "[SECRET", "{SECRET", "@SECRET", "`SECRET", "%SECRET", "SECRET: SECRET",
  "a: SECRET", "|SECRET", ">SECRET\n  x", '"\\qSECRET"', '"a\\xSECRET"', "- SECRET", "? SECRET",
  '"SECRET"SECRET', "'a'SECRET'", "SECRET\nSECRET", '{a: "SECRET}', '"${SECRET!}"', '"${SECRET"',
  "x\0SECRET", "}SECRET", "]SECRET", "#SECRET", '"SECRET",', 'SECRET"', "SECRET\0",
];

Deno.test("problemsText shows no secret, whatever is wrong around it", () => {
  const shown = (text: string): readonly Problem[] => {
    const loaded = tryLoad(text);
    return loaded.ok ? loaded.notes : loaded.problems;
  };
  const servers = "servers: { default: { address: 'a:1' } }\n";
  for (const value of BROKEN.map((text) => text.replaceAll("SECRET", "hunter2"))) {
    const texts = [
      `clients:\n  default:\n    address: a:1\n    password: ${value}\n${servers}`,
      `clients:\n  default: { address: 'a:1', password: ${value}, user: x }\n${servers}`,
      `clients:\n  default:\n    password:${value}\n${servers}`,
      `clients:\n  default:\n    pasword: ${value}\n${servers}`,
      `clients:\n  default: { address: 'a:1' }\nservers:\n  default:\n    address: a:1\n` +
      `    auth: { authPassword: ${value} }\n`,
    ];
    for (const text of texts) {
      ok(!problemsText(shown(text)).includes("hunter2"), `${text}${problemsText(shown(text))}`);
    }
  }
});

Deno.test("loadConfig resolves paths from the folder of the configuration file", () => {
  const text = `${SMALLEST}    user: app\n    passwordFile: secret/p\n`;
  const path = (fileName: string, file: string) => {
    const loaded = tryLoad(text, { [file]: "x" }, {}, fileName);
    ok(loaded.ok, loaded.ok ? "" : problemsText(loaded.problems));
    return loaded.config.clients.get("default")!.passwordFile;
  };
  deepEqual(
    [
      path("s.yaml", "secret/p"),
      path("conf/s.yaml", "conf/secret/p"),
      path("/etc/sluice/s.yaml", "/etc/sluice/secret/p"),
    ],
    ["secret/p", "conf/secret/p", "/etc/sluice/secret/p"],
  );
  const logs = `${SMALLEST}loggers: { a: { output: file, file: l/s.log }, b: {} }\n`;
  const logged = tryLoad(logs, {}, {}, "/etc/sluice/s.yaml");
  deepEqual(logged.ok && [...logged.config.loggers.values()].map(({ file }) => file), [
    "/etc/sluice/l/s.log",
    "",
  ]);
  const absolute = tryLoad(text.replace("secret/p", "/run/p"), { "/run/p": "x" }, {}, "/a/s.yaml");
  equal(absolute.ok && absolute.config.clients.get("default")!.passwordFile, "/run/p");
});
