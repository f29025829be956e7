import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import type { Address } from "../../src/base/address.ts";
import { FailoverScript } from "../../src/health/failover_script.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { eventually } from "../support/wait.ts";

const A: Address = { kind: "tcp", host: "db1", port: 5432 };
const B: Address = { kind: "tcp", host: "::1", port: 5433 };
const C: Address = { kind: "unix", path: "/run/with space/.s.PGSQL.5432" };

/** Runs a script with this text on each of `changes`; `said` is what is said of that. */
async function runOn(
  text: string,
  changes: readonly (readonly [Address, Address])[],
  body: (said: string[], folder: string, script: FailoverScript) => Promise<void>,
  timeoutMs?: number,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "on failover.sh");
    await Deno.writeTextFile(path, `#!/bin/sh\n${text}`, { mode: 0o755 });
    const said: string[] = [];
    const script = new FailoverScript({
      path,
      onFailed: (error, output) => said.push(`${error}: ${output}`),
      onDone: () => said.push("done"),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    for (const [from, to] of changes) script.run(from, to);
    try {
      await body(said, folder, script);
    } finally {
      await script.stop();
    }
  });
}

Deno.test("FailoverScript tells hosts and ports, and a Unix socket's path and 0", async () => {
  const text = 'for each in "$@"; do echo "[$each]" >> "$(dirname "$0")/said"; done';
  await runOn(text, [[A, B], [B, C]], async (said, folder) => {
    await eventually("both have run", () => said.length === 2);
    deepEqual(said, ["done", "done"]);
    const lines = (await Deno.readTextFile(join(folder, "said"))).trim().split("\n");
    deepEqual(lines.slice(0, 4), ["[db1]", "[5432]", "[::1]", "[5433]"]);
    deepEqual(lines.slice(4), ["[::1]", "[5433]", "[/run/with space/.s.PGSQL.5432]", "[0]"]);
  });
});

Deno.test("FailoverScript never runs twice at one time", async () => {
  const text = `cd "$(dirname "$0")"; mkdir running || exit 7; sleep 0.1; rmdir running`;
  await runOn(text, [[A, B], [B, A], [A, B]], async (said) => {
    await eventually("all have run", () => said.length === 3);
    deepEqual(said, ["done", "done", "done"]);
  });
});

Deno.test("FailoverScript says how it failed, with the first lines of its output", async () => {
  const text = "for i in 1 2 3 4 5 6 7 8; do echo line $i >&2; done; yes | head -c 1000000; exit 3";
  await runOn(text, [[A, B]], async (said) => {
    await eventually("it has run", () => said.length === 1);
    match(said[0]!, /^it ended with exit code 3: line 1\n/);
    ok(said[0]!.length < 300);
  });
});

Deno.test("FailoverScript kills what takes too long, and does not wait for what that has started", async () => {
  await runOn("sleep 3 & echo began; wait", [[A, B]], async (said) => {
    await eventually("it is over", () => said.length === 1);
    equal(said[0], "it took longer than 300 ms, and was killed: began");
  }, 300);
});

Deno.test("FailoverScript says that there is no such program", async () => {
  const said: string[] = [];
  const script = new FailoverScript({
    path: "/no/such/program",
    onFailed: (error) => said.push(error),
    onDone: () => said.push("done"),
  });
  script.run(A, B);
  await script.stop();
  match(said[0]!, /^cannot run \/no\/such\/program: /);
});

Deno.test("FailoverScript ends with its gateway", async () => {
  await runOn("exec sleep 1000", [[A, B], [B, A]], async (said, _, script) => {
    await script.stop();
    script.run(A, B);
    deepEqual(said, []);
  });
});
