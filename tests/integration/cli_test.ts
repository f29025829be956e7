/**
 * The command line as its users have it: what it prints where, and which exit code it ends with.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Certificates } from "../support/certificates.ts";
import { configFor, gatewayCommand, startGateway } from "../support/gateway.ts";
import { type ProgramOptions, type ProgramResult, runProgram } from "../support/programs.ts";

async function sluice(
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const [program, all] = gatewayCommand(args);
  return await runProgram(program, all, options);
}

/** The command with the permissions that the executable has, as `deno task compile` gives them. */
function limitedCommand(args: readonly string[]): readonly [string, string[]] {
  const [program, all] = gatewayCommand(args);
  const permissions = ["net", "read", "write", "env", "sys", "run", "ffi"];
  const allowed = ["--no-prompt", ...permissions.map((name) => `--allow-${name}`)];
  return [program, all.flatMap((arg) => arg === "-A" ? allowed : [arg])];
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the gateway with a configuration that it cannot use. */
async function runWith(config: unknown): Promise<ProgramResult> {
  let result: ProgramResult | undefined;
  await inFolder(async (folder) => {
    const file = `${folder}/sluice.yaml`;
    await Deno.writeTextFile(file, typeof config === "string" ? config : JSON.stringify(config));
    result = await sluice(["run", "-c", file]);
  });
  return result!;
}

Deno.test("--help of every command prints its usage on standard output", async (test) => {
  const commands: readonly (readonly string[])[] = [
    [],
    ["run"],
    ["config"],
    ["config", "init"],
    ["config", "check"],
    ["config", "schema"],
    ["demo"],
    ["plugin"],
    ["plugin", "new"],
    ["plugin", "list"],
    ["plugin", "inspect"],
    ["plugin", "check"],
    ["plugin", "bench"],
    ["plugin", "install"],
    ["admin"],
    ["admin", "status"],
    ["admin", "pause"],
    ["admin", "switch-over"],
    ["version"],
  ];
  for (const command of commands) {
    await test.step(`sluice ${command.join(" ")}`, async () => {
      const { code, stdout, stderr } = await sluice([...command, "--help"]);
      assert.equal(code, 0);
      assert.equal(stderr, "");
      assert.ok(stdout.startsWith(`Usage: ${["sluice", ...command].join(" ")}`), stdout);
    });
  }
});

Deno.test("an unknown command or option: the nearest one, exit code 2", async () => {
  const mistakes: readonly (readonly [string[], RegExp])[] = [
    [["rum"], /unknown command 'rum'[\s\S]*Did you mean run\?/],
    [["run", "--confg", "x"], /unknown option '--confg'[\s\S]*Did you mean --config\?/],
    [["config", "chekc"], /unknown command 'chekc'[\s\S]*Did you mean check\?/],
    [["plugin", "lsit"], /unknown command 'lsit'[\s\S]*Did you mean list\?/],
    [["run", "-c"], /option '-c, --config <file>' argument missing/],
    [["run", "surplus"], /too many arguments|unknown command/],
  ];
  for (const [args, pattern] of mistakes) {
    const { code, stdout, stderr } = await sluice(args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, pattern);
  }
});

Deno.test("version and --version agree", async () => {
  const long = await sluice(["version"]);
  const short = await sluice(["--version"]);
  assert.equal(long.code, 0);
  assert.equal(short.code, 0);
  assert.match(short.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.ok(long.stdout.includes(short.stdout.trim()));
  assert.match(long.stdout, /deno \d+\.\d+\.\d+/);
});

Deno.test("config init writes what config check finds fine, and overwrites nothing", async () => {
  await inFolder(async (cwd) => {
    assert.equal((await sluice(["config", "init"], { cwd })).code, 0);
    const written = await Deno.readTextFile(`${cwd}/sluice.yaml`);
    const check = await sluice(["config", "check"], { cwd });
    assert.equal(check.code, 0, check.stderr);
    assert.match(check.stdout, /^sluice\.yaml: fine \(servers: 1, clients: 1, pools: 1\)\n$/);
    await Deno.writeTextFile(`${cwd}/sluice.yaml`, "# mine\n");
    const again = await sluice(["config", "init"], { cwd });
    assert.equal(again.code, 1);
    assert.match(again.stderr, /cannot write sluice\.yaml: it exists; --force writes over it/);
    assert.equal(await Deno.readTextFile(`${cwd}/sluice.yaml`), "# mine\n");
    assert.equal((await sluice(["config", "init", "--force"], { cwd })).code, 0);
    assert.equal(await Deno.readTextFile(`${cwd}/sluice.yaml`), written);
    assert.equal((await sluice(["config", "init", "-"], { cwd })).stdout, written);
  });
});

Deno.test("config schema prints a JSON Schema", async () => {
  const { code, stdout } = await sluice(["config", "schema"]);
  assert.equal(code, 0);
  const schema = JSON.parse(stdout);
  assert.ok("servers" in schema.properties);
});

Deno.test("a wrong configuration: every problem with its place, exit code 3", async () => {
  await inFolder(async (cwd) => {
    const text = "servers:\n  default:\n    adress: 127.0.0.1:0\npools:\n  default:\n    size: 0\n";
    await Deno.writeTextFile(`${cwd}/sluice.yaml`, text);
    for (const args of [["config", "check"], ["run"]]) {
      const { code, stdout, stderr } = await sluice(args, { cwd });
      assert.equal(code, 3);
      assert.equal(stdout, "");
      assert.match(stderr, /sluice\.yaml:3:5: .*adress.*address/);
      assert.match(stderr, /sluice\.yaml:6:\d+: .*size/);
      assert.match(stderr, /sluice\.yaml: \d+ problems\n$/);
    }
  });
});

Deno.test("a configuration that is not there or cannot be read: exit code 3", async () => {
  await inFolder(async (cwd) => {
    const missing = await sluice(["run", "-c", "nowhere.yaml"], { cwd });
    assert.equal(missing.code, 3);
    assert.equal(missing.stderr, "sluice: cannot read nowhere.yaml: there is no such file\n");
    const folder = await sluice(["run", "-c", cwd]);
    assert.equal(folder.code, 3);
    assert.equal(folder.stderr, `sluice: cannot read ${cwd}: it is a folder\n`);
    const empty = await sluice(["run", "-c", ""], { cwd });
    assert.equal(empty.code, 3);
    assert.match(empty.stderr, /^sluice: --config or SLUICE_CONFIG is empty; name a file/);
    const none = await sluice(["config", "check"], { cwd });
    assert.equal(none.code, 3);
    assert.match(none.stderr, /no configuration: there is no sluice\.yaml/);
  });
});

Deno.test("-c - reads standard input", async () => {
  const fine = await sluice(["config", "check", "-c", "-"], {
    stdin: JSON.stringify(configFor("127.0.0.1:1")),
  });
  assert.equal(fine.stdout, "standard input: fine (servers: 1, clients: 1, pools: 1)\n");
  const wrong = await sluice(["config", "check", "-c", "-"], { stdin: "servres: {}\n" });
  assert.equal(wrong.code, 3);
  assert.match(wrong.stderr, /^standard input:1:1: servres: unknown key; did you mean "servers"/);
});

Deno.test("files that the program may not use: what to do instead, no flags of Deno", async () => {
  const [program, all] = limitedCommand(["config", "check", "-c", "/dev/stdin"]);
  const check = await runProgram(program, all, { stdin: "servers: {}\n" });
  assert.equal(check.code, 3);
  assert.equal(
    check.stderr,
    "sluice: cannot read /dev/stdin: files below /dev, /proc and /sys cannot be used, except " +
      "/dev/null; -c - reads standard input\n",
  );
  const init = await runProgram(...limitedCommand(["config", "init", "--force", "/dev/stdout"]));
  assert.equal(init.code, 1);
  assert.match(init.stderr, /^sluice: cannot write \/dev\/stdout: .*; - is standard output\n$/);
});

Deno.test("config init where nothing can be written: plain words", async () => {
  const { code, stderr } = await sluice(["config", "init", "/nowhere/at/all/sluice.yaml"]);
  assert.equal(code, 1);
  const reason = "its folder does not exist; make it first";
  assert.equal(stderr, `sluice: cannot write /nowhere/at/all/sluice.yaml: ${reason}\n`);
  const empty = await sluice(["config", "init", ""]);
  assert.equal(empty.code, 2);
  assert.match(empty.stderr, /the name of the file is empty/);
});

Deno.test("the environment alone is a configuration, and wins over a file", async () => {
  await inFolder(async (cwd) => {
    const env = {
      "SLUICE_SERVERS_DEFAULT_ADDRESS": "127.0.0.1:0",
      "SLUICE_CLIENTS_DEFAULT_ADDRESS": "127.0.0.1:1",
    };
    const { code, stdout } = await sluice(["config", "check"], { cwd, env });
    assert.equal(code, 0);
    assert.match(stdout, /^the environment: fine/);
    const wrong = await sluice(["config", "check"], {
      cwd,
      env: { ...env, "SLUICE_POOLS_DEFAULT_SIZES": "1" },
    });
    assert.equal(wrong.code, 3);
    assert.match(wrong.stderr, /SLUICE_POOLS_DEFAULT_SIZES/);
  });
});

Deno.test("a port that is in use: exit code 1, and the log says which", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken = `127.0.0.1:${listener.addr.port}`;
  for (const workers of [1, 4]) {
    const server = { address: taken };
    const { code, stderr } = await runWith(configFor("127.0.0.1:1", { workers, server }));
    assert.equal(code, 1);
    assert.match(stderr, /"cannot start"/);
    assert.match(
      stderr,
      new RegExp(`Cannot listen on ${taken}: .*another servers\\.default\\.address`),
    );
  }
  const config = { ...configFor("127.0.0.1:1"), metrics: { address: taken } };
  const { code, stderr } = await runWith(config);
  assert.equal(code, 1);
  assert.match(stderr, /"cannot start"/);
  assert.match(stderr, new RegExp(`Cannot serve metrics on ${taken}: something else listens`));
});

Deno.test("two gateways on one port: the second one says so instead of sharing it", async () => {
  for (const workers of [1, 4]) {
    await using first = await startGateway({ config: configFor("127.0.0.1:1", { workers }) });
    const { host, port } = first.target;
    const server = { address: `${host}:${port}` };
    for (const others of [1, 4]) {
      const config = configFor("127.0.0.1:1", { workers: others, server });
      const { code, stderr } = await runWith(config);
      assert.equal(code, 1);
      assert.match(stderr, /something else listens there already[^\n]*"cannot start"/);
    }
  }
});

Deno.test("files that cannot be used: all of them, with places, by check and run; exit code 3", async () => {
  using certificates = new Certificates();
  const [good, other] = ["good", "other"].map((name) =>
    certificates.make({ subject: `/CN=${name}` })
  );
  const text = `servers:
  default:
    address: 127.0.0.1:0
    tls: { mode: require, certFile: ${good!.certFile}, keyFile: ${other!.keyFile} }
clients:
  default: { address: 127.0.0.1:1 }
loggers:
  default: { output: file, file: nodir/t.log }
`;
  await inFolder(async (cwd) => {
    await Deno.mkdir(`${cwd}/conf`);
    await Deno.writeTextFile(`${cwd}/conf/sluice.yaml`, text);
    for (const command of [["config", "check"], ["run"]]) {
      const { code, stdout, stderr } = await sluice([...command, "-c", "conf/sluice.yaml"], {
        cwd,
      });
      assert.equal(code, 3);
      assert.equal(stdout, "");
      const [key, log, count] = stderr.trimEnd().split("\n");
      assert.match(
        key!,
        /^conf\/sluice\.yaml:4:\d+: servers\.default\.tls\.keyFile: cannot use .*\.key/,
      );
      assert.equal(
        log,
        'conf/sluice.yaml:8:34: loggers.default.file: cannot write to "conf/nodir/t.log": its ' +
          'folder "conf/nodir" does not exist; make it',
      );
      assert.equal(count, "conf/sluice.yaml: 2 problems");
    }
  });
});

Deno.test("config check notes a certificate that has expired", async () => {
  using certificates = new Certificates();
  const { certFile, keyFile } = certificates.make({ subject: "/CN=old", isExpired: true });
  const server = { address: "127.0.0.1:0", tls: { mode: "require", certFile, keyFile } };
  const { code, stderr } = await sluice(["config", "check", "-c", "-"], {
    stdin: JSON.stringify(configFor("127.0.0.1:1", { server })),
  });
  assert.equal(code, 0);
  assert.match(
    stderr,
    /^note: .*servers\.default\.tls\.certFile: the certificate of .* has expired$/m,
  );
});

Deno.test("logs go to standard error, and nothing to standard output", async () => {
  await using gateway = await startGateway({ config: configFor("127.0.0.1:1") });
  assert.ok(gateway.logs.every(({ level, msg }) => level !== "" && msg !== ""));
  gateway.signal("SIGTERM");
  assert.equal(await gateway.exitCode(), 0);
});
