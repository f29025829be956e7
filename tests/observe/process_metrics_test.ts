import { ok as assert, strictEqual as assertEquals } from "node:assert/strict";
import {
  processCpuSeconds,
  processMaxFds,
  processOpenFds,
  processResidentBytes,
  processStartSeconds,
} from "../../src/observe/process_metrics.ts";

const isLinux = Deno.build.os === "linux";

/** What this program prints, with no more permissions than the executable has. */
async function measuredElsewhere(limit: string): Promise<number[]> {
  const url = new URL("../../src/observe/process_metrics.ts", import.meta.url);
  const program = `import * as p from ${JSON.stringify(url.href)};
    console.log(JSON.stringify([
      p.processOpenFds(), p.processMaxFds(), p.processCpuSeconds(), p.processStartSeconds(),
    ]));`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const allowed = ["net", "read", "write", "env", "sys", "ffi"].map((name) => `--allow-${name}`);
    const run = ["run", "--no-config", "--no-check", "--no-prompt", ...allowed, file];
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `ulimit -n ${limit}; exec "$0" "$@"`, Deno.execPath(), ...run],
      stderr: "inherit",
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("processCpuSeconds() is what the threads have used, and the start lies before now", () => {
  const before = processCpuSeconds()!;
  const startMs = performance.now();
  while (performance.now() - startMs < 50);
  assert(processCpuSeconds()! > before);
  const started = processStartSeconds()!;
  assert(started <= Date.now() / 1000 && started > Date.now() / 1000 - 24 * 3_600);
});

Deno.test("processResidentBytes() is more than a megabyte", () => {
  assert(processResidentBytes()! > 2 ** 20);
});

Deno.test("processOpenFds() rises by one with a file that is opened", { ignore: !isLinux }, () => {
  // Tests of other files may run in this process at the same time, and open files, too.
  const seen = Array.from({ length: 100 }, () => {
    const before = processOpenFds()!;
    using _file = Deno.openSync(new URL(import.meta.url));
    const after = processOpenFds()!;
    return [after - before, [...Deno.readDirSync("/proc/self/fd")].length - after].join();
  });
  // The folder that is read is open meanwhile.
  assert(seen.includes("1,1"), seen.join(" "));
});

Deno.test("processMaxFds() is the limit that /proc shows", { ignore: !isLinux }, () => {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  assertEquals(`${processMaxFds()}`, /^Max open files\s+(\d+)/m.exec(limits)![1]);
});

Deno.test("The process is measured without all permissions", { ignore: !isLinux }, async () => {
  const [open, max, cpu, started] = await measuredElsewhere("777") as [
    number,
    number,
    number,
    number,
  ];
  assert(open > 3 && open < 777, `${open} file descriptors are open`);
  assertEquals(max, 777);
  assert(cpu > 0 && Math.abs(Date.now() / 1000 - started) < 60);
});

Deno.test("processOpenFds() and its like are undefined elsewhere", { ignore: isLinux }, () => {
  assertEquals(processOpenFds(), undefined);
  assertEquals(processMaxFds(), undefined);
});
