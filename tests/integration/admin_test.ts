/**
 * `sluice admin`, and the signals that do the same, on a gateway that serves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HeldClient } from "../support/clients.ts";
import { configFor, type Gateway, gatewayCommand, startGateway } from "../support/gateway.ts";
import { pooledSettings, type PoolMode } from "../support/pooled_gateway.ts";
import { type ProgramResult, runProgram } from "../support/programs.ts";
import { inFolder, sluiceIn } from "../support/sluice_command.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

/** Starts a gateway with a control socket beside its configuration. */
function start({ server }: ServerScene, mode: PoolMode | "relay", workers = 2): Promise<Gateway> {
  const settings = mode === "relay" ? {} : pooledSettings({ mode, size: 5 });
  const config = configFor(`${server.host}:${server.port}`, settings);
  return startGateway({
    config: { ...config, runtime: { workers, controlSocket: "control.sock" } },
  });
}

/** Runs `sluice admin` with the gateway's own configuration. */
async function admin(gateway: Gateway, ...args: readonly string[]): Promise<ProgramResult> {
  return await sluiceIn(gateway.folder, "admin", ...args, "-c", "sluice.yaml");
}

/** What `status --json` says of the only client's only server. */
async function status(gateway: Gateway) {
  const { code, stdout } = await admin(gateway, "status", "--json");
  assert.equal(code, 0);
  const [{ isPaused, servers: [server] }] = JSON.parse(stdout).clients;
  return { isPaused, ...server };
}

/** Waits until the only server has so many connections in use. */
async function untilInUse(gateway: Gateway, count: number): Promise<void> {
  await eventually(
    `${count} in use`,
    async () => (await status(gateway)).connectionsInUse === count,
  );
}

await testOnServers("sluice admin", { newestOnly: true }, {
  "status shows every server, and its connections": async (scene) => {
    await using gateway = await start(scene, "transaction");
    const socket = `${gateway.folder}/control.sock`;
    assert.equal((await Deno.lstat(socket)).mode! & 0o777, 0o600);
    const client = await HeldClient.connect(targetAt(gateway.target));
    await client.query("begin");
    await untilInUse(gateway, 1);
    const { stdout, stderr, code } = await admin(gateway, "status");
    assert.deepEqual([code, stderr], [0, ""]);
    const [heading, row] = stdout.split("\n");
    assert.match(heading!, /^client +server +role +health +lag +flags +in use +connections$/);
    const address = `${scene.server.host}:${scene.server.port}`;
    assert.match(row!, new RegExp(`^default +${address} +unknown +unknown +- +- +1 +[12]$`));
    await client.query("commit");
    await untilInUse(gateway, 0);
    await client.end();
  },

  "pause waits until transactions are over; resume lifts it": async (scene) => {
    for (const workers of [1, 2]) {
      await using gateway = await start(scene, "transaction", workers);
      const client = await HeldClient.connect(targetAt(gateway.target));
      await client.query("begin");
      await untilInUse(gateway, 1);
      const pausing = admin(gateway, "pause", "default", "--wait", "1h");
      await eventually("it is paused", async () => (await status(gateway)).isPaused);
      await client.query("select 1");
      await client.query("commit");
      const { code, stdout, stderr } = await pausing;
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(stdout, "default is paused: no server connection is in use\n");
      let isServed = false;
      const held = client.query("select 2").then(() => isServed = true);
      assert.equal((await status(gateway)).connectionsInUse, 0);
      assert.equal(isServed, false);
      const resumed = await admin(gateway, "resume", "default");
      assert.deepEqual([resumed.code, resumed.stdout], [0, "default is resumed\n"]);
      assert.equal((await status(gateway)).isPaused, false);
      await held;
      await client.end();
    }
  },

  "drain closes connections once they are free, and enable brings the server back": async (
    scene,
  ) => {
    await using gateway = await start(scene, "transaction");
    const address = `${scene.server.host}:${scene.server.port}`;
    const client = await HeldClient.connect(targetAt(gateway.target));
    await client.query("begin");
    await untilInUse(gateway, 1);
    const draining = admin(gateway, "drain", "default", address, "--wait", "1h");
    await eventually(
      "it is draining",
      async () => (await status(gateway)).flags.includes("draining"),
    );
    await client.query("commit");
    const { code, stdout } = await draining;
    assert.equal(code, 0);
    assert.match(stdout, /: drained, no connection is left/);
    assert.equal((await status(gateway)).connections, 0);
    assert.equal((await admin(gateway, "enable", "default", address)).code, 0);
    await client.query("select 1");
    await client.end();
  },

  "a session that the server authenticates is in use until it ends": async (scene) => {
    await using gateway = await start(scene, "relay");
    const client = await HeldClient.connect(targetAt(gateway.target));
    await untilInUse(gateway, 1);
    const { code, stdout, stderr } = await admin(gateway, "pause", "default", "--wait", "100ms");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /^sluice: default is paused, but 1 server connection is still in use after/,
    );
    assert.equal((await status(gateway)).isPaused, true);
    await client.end();
    await untilInUse(gateway, 0);
    assert.equal((await status(gateway)).connections, 0);
    assert.equal((await admin(gateway, "pause", "default")).code, 0);
  },

  "flags are set and lifted; mistakes are told": async (scene) => {
    await using gateway = await start(scene, "transaction");
    const address = `${scene.server.host}:${scene.server.port}`;
    const disabled = await admin(gateway, "disable", "default", address);
    assert.deepEqual([disabled.code, disabled.stderr], [0, ""]);
    assert.match(
      disabled.stdout,
      /: disabled, what runs there goes on; no server of default takes/,
    );
    assert.deepEqual((await status(gateway)).flags, ["disabled"]);
    const drained = await admin(gateway, "drain", "default");
    assert.match(drained.stdout, /: drained, no connection is left/);
    assert.deepEqual((await status(gateway)).flags, ["draining"]);
    assert.equal((await admin(gateway, "enable", "default", address)).code, 0);
    assert.deepEqual((await status(gateway)).flags, []);
    const unknown = await admin(gateway, "pause", "defualt");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /no client is named "defualt": .* did you mean "default"\?/);
    const json = await admin(gateway, "resume", "nobody", "--json");
    assert.deepEqual([json.code, JSON.parse(json.stdout).error.code, json.stderr], [
      1,
      "unknown",
      "",
    ]);
    const switched = await admin(gateway, "switch-over", "default");
    assert.equal(switched.code, 1);
    assert.match(switched.stderr, /set clients\.default\.patroni, or clients\.default\.switchover/);
    assert.equal((await admin(gateway, "disable", "default")).code, 2);
  },

  "SIGUSR1 pauses, SIGUSR2 resumes, and the gateway goes on": async (scene) => {
    await using gateway = await start(scene, "transaction");
    gateway.signal("SIGUSR1");
    await gateway.untilLogged("operator's verb carried out", { verb: "pause", client: "default" });
    assert.equal((await status(gateway)).isPaused, true);
    gateway.signal("SIGUSR2");
    await gateway.untilLogged("operator's verb carried out", { verb: "resume" });
    assert.equal((await status(gateway)).isPaused, false);
    gateway.signal("SIGTERM");
    assert.equal(await gateway.exitCode(), 0);
    await assert.rejects(Deno.lstat(`${gateway.folder}/control.sock`), Deno.errors.NotFound);
  },

  "a socket belongs to one gateway, until that is dead": async (scene) => {
    const first = await start(scene, "relay", 1);
    const controlSocket = `${first.folder}/control.sock`;
    const config = {
      ...configFor(`${scene.server.host}:${scene.server.port}`),
      runtime: { workers: 1, controlSocket },
    };
    await assert.rejects(
      startGateway({ config }),
      /ended with 1:[^]*another process answers there; choose another runtime\.controlSocket/,
    );
    assert.equal((await status(first)).isPaused, false);
    // The file is left behind: kill() would remove it with the folder.
    first.signal("SIGKILL");
    await first.exitCode();
    const dead = await admin(first, "status");
    assert.equal(dead.code, 1);
    assert.match(dead.stderr, /nobody answers there; the gateway has ended/);
    await using second = await startGateway({ config });
    const { code } = await sluiceIn(second.folder, "admin", "status", "--socket", controlSocket);
    assert.equal(code, 0);
    await first.kill();
  },
});

Deno.test("sluice admin says where it looked for the socket, and what is missing", async () => {
  await inFolder(async (folder) => {
    const none = await sluiceIn(folder, "admin", "status", "--socket", "nothing.sock");
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^sluice: nothing\.sock: there is no such socket; is the gateway/);
    await Deno.writeTextFile(`${folder}/sluice.yaml`, JSON.stringify(configFor("127.0.0.1:1")));
    const off = await sluiceIn(folder, "admin", "status");
    assert.equal(off.code, 3);
    assert.match(off.stderr, /no control socket: set runtime\.controlSocket/);
    const missing = await sluiceIn(folder, "admin", "status", "-c", "no.yaml");
    assert.equal(missing.code, 3);
    assert.match(missing.stderr, /cannot read no\.yaml[^]*--socket names the control socket/);
    const [program, args] = gatewayCommand(["admin", "status"]);
    const env = { SLUICE_RUNTIME_CONTROL_SOCKET: "/nowhere.sock" };
    const named = await runProgram(program, args, { cwd: folder, env });
    assert.match(named.stderr, /^sluice: \/nowhere\.sock: there is no such socket/);
  });
});
