import { deepStrictEqual as assertEquals, ok as assert } from "node:assert/strict";
import {
  processCpuSeconds,
  processMaxFds,
  processOpenFds,
  processResidentBytes,
  processStartSeconds,
} from "../../src/observe/process_metrics.ts";

const NOWHERE = "/nonexistent";

/** A /proc of a process with the nastiest name that there can be. */
async function withProc(test: (proc: string) => void): Promise<void> {
  const proc = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${proc}/self/fd`, { recursive: true });
    for (const fd of [0, 1, 2, 9]) await Deno.writeTextFile(`${proc}/self/fd/${fd}`, "");
    await Deno.writeTextFile(
      `${proc}/self/stat`,
      "77 (a) R 1 (\n) S 1 77 77 0 -1 4194304 3815 0 0 0 150 50 0 0 20 0 6 0 204665 18589 9855\n",
    );
    await Deno.writeTextFile(
      `${proc}/self/limits`,
      "Limit                     Soft Limit           Hard Limit           Units     \n" +
        "Max processes             5                    6                    processes \n" +
        "Max open files            1024                 524288               files     \n",
    );
    await Deno.writeTextFile(`${proc}/stat`, "cpu  1 2 3\nbtime 1795000000\nprocesses 9\n");
    test(proc);
  } finally {
    await Deno.remove(proc, { recursive: true });
  }
}

Deno.test("processCpuSeconds() and its like read the fields that the manual says", async () => {
  await withProc((proc) => {
    assertEquals(processCpuSeconds(proc), 2);
    assertEquals(processStartSeconds(proc), 1795000000 + 2046.65);
    assertEquals(processMaxFds(proc), 1024);
    // The folder itself is among what /proc shows, and is not counted.
    assertEquals(processOpenFds(proc), 3);
  });
});

Deno.test("processMaxFds() has no number when there is no limit", async () => {
  await withProc((proc) => {
    const limits = "Max open files            unlimited            unlimited            files\n";
    Deno.writeTextFileSync(`${proc}/self/limits`, limits);
    assertEquals(processMaxFds(proc), undefined);
  });
});

Deno.test("processCpuSeconds() and processStartSeconds() do without /proc", () => {
  const cpu = processCpuSeconds(NOWHERE);
  assert(cpu !== undefined && cpu > 0);
  assertEquals(processStartSeconds(NOWHERE), performance.timeOrigin / 1000);
});

Deno.test("processOpenFds() and processMaxFds() are undefined where there is no /proc", () => {
  assertEquals(processOpenFds(NOWHERE), undefined);
  assertEquals(processMaxFds(NOWHERE), undefined);
});

Deno.test("processResidentBytes() is more than a megabyte", () => {
  assert(processResidentBytes()! > 2 ** 20);
});

Deno.test({
  name: "processOpenFds() rises by one with a file that is opened",
  ignore: Deno.build.os !== "linux",
  fn() {
    const before = processOpenFds()!;
    using _file = Deno.openSync(new URL(import.meta.url));
    assertEquals(processOpenFds(), before + 1);
  },
});

Deno.test({
  name: "processCpuSeconds() from /proc is what the runtime says, and the start is near too",
  ignore: Deno.build.os !== "linux",
  fn() {
    const [fromProc, fromRuntime] = [processCpuSeconds()!, processCpuSeconds(NOWHERE)!];
    // Of one order: a wrong tick length or field is off by ten and more.
    assert(fromProc < 10 * fromRuntime + 0.1 && fromRuntime < 10 * fromProc + 0.1);
    const started = processStartSeconds()!;
    assert(started <= Date.now() / 1000 + 60 && started > 1_700_000_000);
  },
});
