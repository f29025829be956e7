import assert from "node:assert/strict";
import { join } from "node:path";
import { keepsStatements } from "../../bench/peers/pgbouncer.ts";
import { entriesOf, entryName, findSubjects } from "../../bench/peers/peers.ts";
import { freePort, startProxy } from "../../bench/peers/running_proxy.ts";
import { countProcesses } from "../../bench/process_usage.ts";
import type { Cell } from "../../bench/cells.ts";

const isLinux = Deno.build.os === "linux";

/** Listens, and has a child that ignores what it is told. */
const LISTENER = `
  new Deno.Command("sh", { args: ["-c", "trap '' TERM; while :; do sleep 0.1; done"] }).spawn();
  Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
  setInterval(() => {}, 1000);`;

Deno.test("startProxy ends a proxy with the children that it leaves behind", {
  ignore: !isLinux,
}, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const script = join(folder, "listener.ts");
    await Deno.writeTextFile(script, LISTENER);
    const port = freePort();
    const args = ["run", "-A", "--no-config", script, String(port)];
    const command = { name: "listener", program: Deno.execPath(), args, port, isOurUser: true };
    const proxy = await startProxy({ ...command, env: Deno.env.toObject() });
    assert.ok(countProcesses(proxy.processIds) >= 2);
    await proxy[Symbol.asyncDispose]();
    const left = [...Deno.readDirSync("/proc")].filter(({ name }) =>
      /^\d+$/.test(name) && groupOf(name) === proxy.processIds[0]
    );
    assert.deepEqual(left, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Of a process that runs; undefined for one that has ended, or only waits to be reaped. */
function groupOf(processId: string): number | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${processId}/stat`);
    const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : Number(group);
  } catch {
    return undefined;
  }
}

Deno.test("startProxy says what a proxy said that does not start", {
  ignore: !isLinux,
}, async () => {
  const command = { name: "broken", program: "/bin/sh", port: freePort() };
  const args = ["-c", "echo no such file >&2; exit 3"];
  await assert.rejects(startProxy({ ...command, args }), {
    message: "Cannot start broken: it ended with 3: no such file",
  });
});

Deno.test("keepsStatements is true from PgBouncer 1.21 on", () => {
  assert.deepEqual(["1.18.0", "1.20.1", "1.21.0", "2.0.0"].map(keepsStatements), [
    false,
    false,
    true,
    true,
  ]);
});

Deno.test("findSubjects has those that were chosen, and entriesOf those that fit a cell", {
  ignore: !isLinux,
}, async () => {
  const postgres = { port: 5432, version: "15.1" };
  // Says a version, as every program that is looked for does.
  const sluice = { binary: "/bin/echo" };
  const chosen = ["direct", "sluice-epoll"];
  const { subjects, programs } = await findSubjects(postgres, sluice, chosen);
  assert.deepEqual(subjects.map(({ name }) => name), chosen);
  assert.match(programs[0]!, /^PostgreSQL 15\.1/);
  assert.match(programs.at(-1)!, /^Sluice .*\(compiled executable\)$/);
  const cell: Cell = {
    kind: "simple",
    mode: "session",
    clients: 8,
    protocol: "simple",
    workers: [1],
  };
  const names = (other: Partial<Cell>) =>
    entriesOf({ ...cell, ...other }, subjects).map(({ name }) => name);
  assert.deepEqual(names({}), ["direct", "sluice-epoll"]);
  assert.deepEqual(names({ mode: "transaction" }), ["sluice-epoll"]);
  assert.deepEqual(names({ kind: "workers", workers: [1, 2] }), [
    "sluice-epoll",
    entryName("sluice-epoll", 2),
  ]);
  assert.match(subjects[0]!.cannot({ ...cell, kind: "idle" })!, /needs a server connection/);
});
