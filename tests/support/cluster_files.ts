/**
 * The folder of a server that is one of several: how its data come to be, and whom it follows.
 *
 * @module
 */

import { join } from "node:path";
import { runCommand } from "../../src/cli/demo/run_command.ts";
import { serverUser } from "../../src/cli/demo/server_user.ts";
import { Watchdog } from "../../src/cli/demo/watchdog.ts";
import { TEST_PASSWORD } from "./postgres.ts";

/** Measured: initdb takes 1 s, pg_basebackup of an empty cluster 0.1 s. */
const PROGRAM_TIMEOUT_MS = 120_000;

/** The data directory of one server, until {@linkcode ClusterFiles.remove}. */
export class ClusterFiles {
  /** Of the server alone; its Unix socket is in it. */
  readonly folder: string;
  readonly dataDir: string;
  readonly binDir: string;
  readonly #watchdog: Watchdog;

  private constructor(folder: string, binDir: string) {
    this.folder = folder;
    this.dataDir = join(folder, "data");
    this.binDir = binDir;
    this.#watchdog = Watchdog.start(this.dataDir, [folder], serverUser());
  }

  /** Makes the folder, which is empty yet. It goes with this process if that is killed. */
  static async make(binDir: string): Promise<ClusterFiles> {
    // Short, for the socket's sake, and one that the server's user can enter.
    const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "sluice-cluster-" });
    await own(folder);
    return new ClusterFiles(folder, binDir);
  }

  /** A new cluster with the password of all tests and these parameters in postgresql.conf. */
  async initialize(settings: Readonly<Record<string, string>>): Promise<void> {
    const passwordFile = join(this.folder, "password");
    await Deno.writeTextFile(passwordFile, `${TEST_PASSWORD}\n`, { mode: 0o600 });
    await own(passwordFile);
    const args = ["-U", "postgres", "-A", "scram-sha-256", `--pwfile=${passwordFile}`];
    args.push("--encoding=UTF8", "--locale=C", "--no-sync");
    await this.#run("initdb", ["-D", this.dataDir, ...args]);
    await Deno.remove(passwordFile);
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}\n`);
    await this.#append("postgresql.conf", lines.join(""));
  }

  /** Replaces all data by those of the server at a port of 127.0.0.1, as of now. */
  async copyFrom(port: number): Promise<void> {
    await Deno.remove(this.dataDir, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    const args = ["-D", this.dataDir, "-d", conninfo(port), "-X", "stream", "-c", "fast"];
    await this.#run("pg_basebackup", [...args, "--no-sync"]);
  }

  /** Says whom to follow when it starts, or reads its configuration again; undefined is nobody. */
  async setPrimary(port: number | undefined): Promise<void> {
    // Of two lines with one name the last one counts.
    const value = port === undefined ? "" : conninfo(port);
    await this.#append("postgresql.auto.conf", `primary_conninfo = ${quoted(value)}\n`);
  }

  /** Makes it a replica from its next start on. */
  async setStandby(): Promise<void> {
    const path = join(this.dataDir, "standby.signal");
    await Deno.writeTextFile(path, "");
    await own(path);
  }

  /** Deletes all. The server must have ended. */
  async remove(): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
    await this.#watchdog.dismiss();
  }

  async #append(file: string, text: string): Promise<void> {
    await Deno.writeTextFile(join(this.dataDir, file), text, { append: true });
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    const path = join(this.binDir, program);
    const options = { user: serverUser(), timeoutMs: PROGRAM_TIMEOUT_MS };
    const { success, stderr } = await runCommand(path, args, options);
    if (!success) throw new Error(`${path} failed. It said:\n${stderr}`);
  }
}

async function own(path: string): Promise<void> {
  const user = serverUser();
  if (user !== undefined) await Deno.chown(path, user.uid, user.gid);
}

function conninfo(port: number): string {
  return `host=127.0.0.1 port=${port} user=postgres password=${quoted(TEST_PASSWORD)}`;
}

/** A value as postgresql.conf and, without backslashes in it, a connection string have it. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
