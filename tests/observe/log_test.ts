import {
  deepStrictEqual as assertEquals,
  match as assertMatch,
  ok as assert,
  throws as assertThrows,
} from "node:assert/strict";
import { type Logger, openLog } from "../../src/observe/log.ts";
import type { LogLevel, LogRecord } from "../../src/observe/log_record.ts";

const NO_TERMINAL = { stdout: false, stderr: false };
const TIME_MS = Date.UTC(2026, 10, 21, 15, 4, 5, 123);
const isLinux = Deno.build.os === "linux";

function logger(more: Partial<Logger>): Logger {
  return { name: "default", level: "info", format: "json", output: "file", file: "", ...more };
}

function record(more: Partial<LogRecord> = {}): LogRecord {
  return { level: "info", message: "session ready", fields: {}, timeMs: TIME_MS, ...more };
}

async function withFolder(test: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openLog() writes JSON: level, ISO time, flat fields, msg", async () => {
  await withFolder((folder) => {
    const file = `${folder}/log`;
    const log = openLog([logger({ file })], NO_TERMINAL);
    log.write(record({ fields: { pool: "default", session: 7, isTls: true } }));
    log.write(record({ fields: { user: '"\n\x1b\x9b2J', msg: "x", level: "y", time: "z" } }));
    log.write(record({ message: "100 %s %d %% %j", level: "error" }));
    log.close();
    assertEquals(
      Deno.readTextFileSync(file),
      '{"level":"info","time":"2026-11-21T15:04:05.123Z",' +
        '"pool":"default","session":7,"isTls":true,"msg":"session ready"}\n' +
        '{"level":"info","time":"2026-11-21T15:04:05.123Z","user":"\\"\\n\\u001b\\u009b2J",' +
        '"msg_":"x","level_":"y","time_":"z","msg":"session ready"}\n' +
        '{"level":"error","time":"2026-11-21T15:04:05.123Z","msg":"100 %s %d %% %j"}\n',
    );
  });
});

Deno.test("openLog() writes text when it is asked to, without colours to a file", async () => {
  await withFolder((folder) => {
    const file = `${folder}/log`;
    const log = openLog([logger({ file, format: "text" })], { stdout: true, stderr: true });
    log.write(record({ fields: { pool: "default" } }));
    log.close();
    assertEquals(
      Deno.readTextFileSync(file),
      "2026-11-21 15:04:05.123Z INFO  session ready  pool=default\n",
    );
  });
});

Deno.test("openLog() takes auto as JSON for a file", async () => {
  await withFolder((folder) => {
    const file = `${folder}/log`;
    const log = openLog([logger({ file, format: "auto" })], { stdout: true, stderr: true });
    log.write(record());
    log.close();
    assertEquals(JSON.parse(Deno.readTextFileSync(file)).msg, "session ready");
  });
});

Deno.test("Log gives each logger what its level lets through, and tells the lowest", async () => {
  await withFolder((folder) => {
    const levels = ["trace", "debug", "info", "warn", "error", "off"] as const;
    const loggers = levels.map((level) => logger({ level, file: `${folder}/${level}` }));
    const log = openLog(loggers, NO_TERMINAL);
    for (const level of levels) if (level !== "off") log.write(record({ level }));
    log.close();
    for (const [index, level] of levels.entries()) {
      if (level === "off") continue;
      const lines = Deno.readTextFileSync(`${folder}/${level}`).trimEnd().split("\n");
      const written = lines.map((line): LogLevel => JSON.parse(line).level);
      assertEquals(written, levels.slice(index, -1));
    }
    assertThrows(() => Deno.statSync(`${folder}/off`), Deno.errors.NotFound);
    assertEquals(log.level, "trace");
    const lowest = (...levels: Logger["level"][]) => {
      const log = openLog(levels.map((level) => logger({ level, file: `${folder}/x` })), {
        ...NO_TERMINAL,
      });
      log.close();
      return log.level;
    };
    assertEquals([lowest("error", "warn"), lowest("off", "error"), lowest("off"), lowest()], [
      "warn",
      "error",
      "off",
      "off",
    ]);
  });
});

Deno.test("openLog() appends to a file that is there, and makes one that others cannot read", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await withFolder((folder) => {
    const file = `${folder}/log`;
    for (let i = 0; i < 2; i++) {
      const log = openLog([logger({ file })], NO_TERMINAL);
      log.write(record());
      log.flush();
      log.close();
    }
    assertEquals(Deno.readTextFileSync(file).split("\n").length, 3);
    assertEquals(Deno.statSync(file).mode! & 0o777 & ~0o640, 0);
  });
});

/** Whether this process has the file open; false where that cannot be found out. */
function isOpen(path: string): boolean {
  if (Deno.build.os !== "linux") return false;
  return [...Deno.readDirSync("/proc/self/fd")].some(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === Deno.realPathSync(path);
    } catch {
      return false; // closed meanwhile
    }
  });
}

Deno.test("openLog() throws when a file cannot be opened, and says which", async () => {
  await withFolder((folder) => {
    const loggers = [
      logger({ file: `${folder}/good` }),
      logger({ name: "audit", file: `${folder}/none/log` }),
    ];
    assertThrows(() => openLog(loggers, NO_TERMINAL), (error: Error) => {
      assertMatch(error.message, /^Cannot open the log file ".*\/none\/log" of loggers\.audit: /);
      assertMatch(error.message, /folder must exist/);
      return true;
    });
    assertEquals(isOpen(`${folder}/good`), false, "The first logger's file is still open");
  });
});

Deno.test("Log.reopen() writes to a new file after the old one was moved away", async () => {
  await withFolder((folder) => {
    const file = `${folder}/log`;
    const log = openLog([logger({ file }), logger({ output: "stderr", level: "error" })], {
      ...NO_TERMINAL,
    });
    log.write(record({ message: "one" }));
    Deno.renameSync(file, `${file}.1`);
    log.write(record({ message: "two" }));
    assertEquals(log.reopen(), []);
    log.write(record({ message: "three" }));
    log.close();
    const messages = (path: string) =>
      Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => JSON.parse(line).msg);
    assertEquals([messages(`${file}.1`), messages(file)], [["one", "two"], ["three"]]);
  });
});

Deno.test("Log.reopen() stays with the old file when the new one cannot be opened", async () => {
  await withFolder((folder) => {
    Deno.mkdirSync(`${folder}/a`);
    const log = openLog([logger({ file: `${folder}/a/log` })], NO_TERMINAL);
    Deno.renameSync(`${folder}/a`, `${folder}/b`);
    const [problem, ...others] = log.reopen();
    assertMatch(problem!, /^Cannot open the log file .* of loggers\.default: /);
    assertEquals(others, []);
    log.write(record());
    log.close();
    assertEquals(log.lost, 0);
    assert(Deno.readTextFileSync(`${folder}/b/log`).includes("session ready"));
  });
});

Deno.test(
  "Log counts lines that a full disk does not take, and goes on",
  { ignore: !isLinux },
  () => {
    const log = openLog([logger({ file: "/dev/full" })], NO_TERMINAL);
    log.write(record());
    log.write(record());
    log.flush();
    assertEquals(log.lost, 2);
    log.close();
  },
);

Deno.test("Log counts what is written after it is closed, and does not throw", async () => {
  await withFolder((folder) => {
    const log = openLog([logger({ file: `${folder}/log` })], NO_TERMINAL);
    log.close();
    log.close();
    log.flush();
    log.write(record());
    assertEquals(log.lost, 1);
    assertEquals(log.reopen(), []);
  });
});

/** Runs a process that logs three records to stdout and then says on stderr how many it lost. */
function spawnLogger(format: Logger["format"], isTerminal: boolean, env: Record<string, string>) {
  const source = `
    import { openLog } from ${
    JSON.stringify(new URL("../../src/observe/log.ts", import.meta.url).href)
  };
    const logger = ${JSON.stringify(logger({ format, output: "stdout" }))};
    const log = openLog([logger], { stdout: ${isTerminal}, stderr: false });
    Deno.stdin.readSync(new Uint8Array(1));
    for (const message of ["one", "two", "three"]) {
      log.write({ level: "warn", message, fields: {}, timeMs: 0 });
    }
    log.close();
    Deno.stderr.writeSync(new TextEncoder().encode("lost " + log.lost));`;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--config", config, source],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env,
  }).spawn();
}

Deno.test("Log survives a reader of stdout that went away, and counts", {
  ignore: Deno.build.os === "windows",
}, async () => {
  const child = spawnLogger("json", false, {});
  // Only now may it write: the pipe has no reader any more.
  await child.stdout.cancel();
  await child.stdin.close();
  const [status, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
  assertEquals([status.code, stderr], [0, "lost 3"]);
});

for (
  const [format, isTerminal, noColor, expected] of [
    ["auto", true, "", "1970-01-01 00:00:00.000Z \x1b[33mWARN \x1b[0m one"],
    ["auto", true, "1", "1970-01-01 00:00:00.000Z WARN  one"],
    ["text", false, "", "1970-01-01 00:00:00.000Z WARN  one"],
    ["auto", false, "", '{"level":"warn","time":"1970-01-01T00:00:00.000Z","msg":"one"}'],
    ["json", true, "", '{"level":"warn","time":"1970-01-01T00:00:00.000Z","msg":"one"}'],
  ] as const
) {
  const where = `${isTerminal ? "a terminal" : "a pipe"}${noColor && " with NO_COLOR"}`;
  Deno.test(`openLog() with format ${format} writes to ${where} what fits there`, async () => {
    const child = spawnLogger(format, isTerminal, { NO_COLOR: noColor });
    await child.stdin.close();
    const { stdout } = await child.output();
    assertEquals(new TextDecoder().decode(stdout).split("\n")[0], expected);
  });
}
