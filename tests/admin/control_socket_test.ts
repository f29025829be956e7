/**
 * The control socket: who may open it, and what it answers to whom.
 *
 * @module
 */

import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { openControlSocket } from "../../src/admin/control_socket.ts";
import {
  type OperatorVerbs,
  VerbError,
  type VerbFailure,
  WAIT_MS,
} from "../../src/admin/operator_verbs.ts";
import { BODY_SIZE_MAX } from "../../src/admin/verb_requests.ts";
import { askGateway } from "../../src/cli/admin/control_client.ts";
import { inFolder } from "../support/sluice_command.ts";

/** Notes what it is told. */
class NotedVerbs implements OperatorVerbs {
  readonly told: unknown[] = [];
  run: OperatorVerbs["run"] = (verb, request) => {
    this.told.push([verb, request]);
    return Promise.resolve(`${verb} done`);
  };
  status = () => [{ client: "main", isPaused: false, servers: [] }];
}

/** Opens a socket with these verbs, and gives its path. */
async function withSocket(
  body: (path: string, verbs: NotedVerbs, errors: unknown[]) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    const verbs = new NotedVerbs();
    const errors: unknown[] = [];
    const onError = (error: unknown) => void errors.push(error);
    const socket = await openControlSocket({ path, verbs, onError });
    try {
      await body(path, verbs, errors);
    } finally {
      await socket.stop();
    }
  });
}

/** Sends text as it is, and returns the status and the body of the answer. */
async function exchange(
  path: string,
  method: string,
  target: string,
  text: string,
): Promise<readonly [status: number, body: string]> {
  using connection = await Deno.connect({ transport: "unix", path });
  const head = `${method} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n`;
  const bytes = new TextEncoder().encode(text);
  const sized = `content-length: ${bytes.length}\r\n\r\n`;
  await connection.write(new TextEncoder().encode(head + sized));
  for (let sent = 0; sent < bytes.length;) {
    const count = await connection.write(bytes.subarray(sent)).catch(() => bytes.length);
    sent += count;
  }
  const answer = await new Response(connection.readable).text();
  const [headers, body] = answer.split("\r\n\r\n");
  return [Number(headers!.split(" ")[1]), body ?? ""];
}

Deno.test("openControlSocket lets nobody else open it", async () => {
  const before = Deno.umask(0);
  try {
    await withSocket(async (path) => {
      equal((await Deno.lstat(path)).mode! & 0o777, 0o600);
      equal(Deno.umask(), 0, "the umask is as it was");
    });
  } finally {
    Deno.umask(before);
  }
});

Deno.test("openControlSocket takes the place of a socket that is dead, not of one alive", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    const options = { path, verbs: new NotedVerbs(), onError: () => {} };
    const first = await openControlSocket(options);
    await rejects(
      openControlSocket(options),
      /control\.sock: another process answers there; choose another runtime\.controlSocket or stop/,
    );
    deepEqual((await askGateway(path, "/v1/status")).status, 200);
    await first.stop();
    await leaveStale(`${folder}/dead.sock`);
    const second = await openControlSocket({ ...options, path: `${folder}/dead.sock` });
    equal((await askGateway(`${folder}/dead.sock`, "/v1/status")).status, 200);
    equal((await Deno.lstat(`${folder}/dead.sock`)).mode! & 0o777, 0o600);
    await second.stop();
  });
});

/** Leaves a socket's file behind, as a process does that is killed. */
async function leaveStale(path: string): Promise<void> {
  const text = `Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } }); Deno.kill(Deno.pid, "SIGKILL")`;
  await new Deno.Command(Deno.execPath(), { args: ["eval", text] }).output();
  equal((await Deno.lstat(path)).isSocket, true);
}

Deno.test("openControlSocket removes nothing that is no socket, and says what is missing", async () => {
  await inFolder(async (folder) => {
    const options = { verbs: new NotedVerbs(), onError: () => {} };
    const file = `${folder}/notes.txt`;
    await Deno.writeTextFile(file, "mine");
    await rejects(
      openControlSocket({ ...options, path: file }),
      /the file there is no socket; choose another runtime\.controlSocket, or remove it$/,
    );
    equal(await Deno.readTextFile(file), "mine");
    await rejects(
      openControlSocket({ ...options, path: `${folder}/no/control.sock` }),
      /its folder does not exist; make it, or choose another runtime\.controlSocket$/,
    );
  });
});

Deno.test("ControlSocket.stop() removes the file, whatever is still being answered", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    const verbs = new NotedVerbs();
    const called = Promise.withResolvers<void>();
    verbs.run = () => {
      called.resolve();
      return new Promise<string>(() => {}); // never done
    };
    const socket = await openControlSocket({ path, verbs, onError: () => {} });
    const asked = rejects(askGateway(path, "/v1/pause", { client: "main" }), /has ended meanwhile/);
    await called.promise;
    await socket.stop();
    await asked;
    await rejects(Deno.lstat(path), Deno.errors.NotFound);
    await rejects(
      askGateway(path, "/v1/status"),
      /there is no such socket; is the gateway running/,
    );
  });
});

Deno.test("openControlSocket answers status and verbs", async () => {
  await withSocket(async (path, verbs) => {
    deepEqual((await askGateway(path, "/v1/status")).body, { clients: verbs.status() });
    const pause = await askGateway(path, "/v1/pause", { client: "main" });
    deepEqual(pause, { status: 200, body: { message: "pause done" } });
    const change = { client: "main", server: "b:1", wait: "1m30s" };
    equal((await askGateway(path, "/v1/switch-over", change)).status, 200);
    deepEqual(verbs.told, [
      ["pause", { client: "main", server: "", waitMs: WAIT_MS.default }],
      ["switch-over", { client: "main", server: "b:1", waitMs: 90_000 }],
    ]);
  });
});

Deno.test("openControlSocket says why a verb was not carried out", async () => {
  const statuses: readonly (readonly [VerbFailure, number])[] = [
    ["unknown", 404],
    ["refused", 409],
    ["failed", 502],
    ["timeout", 504],
  ];
  await withSocket(async (path, verbs) => {
    for (const [failure, status] of statuses) {
      verbs.run = () => Promise.reject(new VerbError(failure, "no way"));
      const answer = await askGateway(path, "/v1/resume", { client: "main" });
      deepEqual(answer, { status, body: { error: { code: failure, message: "no way" } } });
    }
  });
});

Deno.test("openControlSocket says 500 and no more of what should not happen", async () => {
  await withSocket(async (path, verbs, errors) => {
    verbs.run = () => Promise.reject(new Error("secret"));
    const answer = await askGateway(path, "/v1/resume", { client: "main" });
    deepEqual([answer.status, answer.body], [
      500,
      { error: { code: "internal", message: "the gateway has a defect: see its log" } },
    ]);
    deepEqual(errors.map(String), ["Error: secret"]);
  });
});

const WRONG: readonly (readonly [
  method: string,
  target: string,
  body: string,
  status: number,
  why: RegExp,
])[] = [
  ["GET", "/", "", 404, /there is no such path/],
  ["GET", "/v1/statu", "", 404, /there is no such path; did you mean \/v1\/status\?/],
  ["POST", "/v1/puase", "", 404, /did you mean \/v1\/pause\?/],
  ["POST", "/v1/constructor", "{}", 404, /no such path/],
  ["POST", "/v2/pause", "{}", 404, /no such path/],
  ["POST", "/v1/status", "{}", 405, /use GET here/],
  ["GET", "/v1/pause", "", 405, /use POST here/],
  ["POST", "/v1/pause", "", 400, /no JSON, such as .*: it is empty/],
  ["POST", "/v1/pause", "{", 400, /no JSON/],
  ["POST", "/v1/pause", "[]", 400, /no object/],
  ["POST", "/v1/pause", "null", 400, /no object/],
  ["POST", "/v1/pause", "{}", 400, /pause needs client/],
  ["POST", "/v1/pause", '{"client": 5}', 400, /client is no text of at most 300 characters/],
  [
    "POST",
    "/v1/pause",
    `{"client": "${"x".repeat(301)}"}`,
    400,
    /client is no text of at most 300/,
  ],
  ["POST", "/v1/pause", '{"clinet": "x"}', 400, /"clinet\\" is no field.*did you mean client\?/],
  ["POST", "/v1/pause", '{"client": "x", "server": "y"}', 400, /leave server out/],
  ["POST", "/v1/disable", '{"client": "x"}', 400, /disable needs server/],
  ["POST", "/v1/resume", '{"client": "x", "wait": "1s"}', 400, /leave wait out/],
  ["POST", "/v1/pause", '{"client": "x", "wait": "61m"}', 400, /duration from 0ms to 1h/],
  ["POST", "/v1/pause", '{"client": "x", "wait": 5}', 400, /duration from 0ms to 1h/],
  ["POST", "/v1/pause", `"${"x".repeat(BODY_SIZE_MAX)}"`, 413, /at most 16384 bytes/],
  ["POST", "/v1/pause", `"${"x".repeat(4_000_000)}"`, 413, /at most 16384 bytes/],
];

for (const [method, target, body, status, why] of WRONG) {
  Deno.test(`openControlSocket refuses ${method} ${target} ${body.slice(0, 40)}`, async () => {
    await withSocket(async (path, { told }) => {
      const [found, text] = await exchange(path, method, target, body);
      equal(found, status, text);
      match(text, why);
      deepEqual(told, []);
    });
  });
}

Deno.test("openControlSocket has a limit on what is answered at the same time", async () => {
  await withSocket(async (path, verbs) => {
    const waiting = Promise.withResolvers<string>();
    let calls = 0;
    const allThere = Promise.withResolvers<void>();
    verbs.run = () => {
      calls += 1;
      if (calls === 64) allThere.resolve();
      return waiting.promise;
    };
    const asked = Array.from({ length: 64 }, () => askGateway(path, "/v1/pause", { client: "a" }));
    await allThere.promise;
    const { status, body } = await askGateway(path, "/v1/status");
    equal(status, 503);
    match(JSON.stringify(body), /64 requests are being answered/);
    waiting.resolve("done");
    for (const answer of await Promise.all(asked)) equal(answer.status, 200);
    equal((await askGateway(path, "/v1/status")).status, 200);
  });
});
