/**
 * Clusters for tests of failover: a real primary and real streaming replicas of it, on 127.0.0.1,
 * that can be made to fail in every way. As with single servers, nothing is left of them, also if
 * the test's process is killed.
 *
 * @module
 */

import { join } from "node:path";
import { parse } from "yaml";
import { programFile } from "../../src/cli/demo/find_postgres.ts";
import { ClusterFiles } from "./cluster_files.ts";
import { ClusterMember } from "./cluster_member.ts";
import { type Gateway, type Sections, startGateway } from "./gateway.ts";
import { knownServers } from "./postgres.ts";
import { eventually } from "./wait.ts";

/** More than any test needs. */
const REPLICAS_MAX = 8;

/** What cluster to start. */
export interface ClusterOptions {
  /** Default 2. */
  readonly replicas?: number;
  /** True if a commit is acknowledged only when one replica has it, too. Default false. */
  readonly synchronous?: boolean;
  /** Parameters of all members, such as `{ max_connections: "20" }`; ALTER SYSTEM changes them. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Folder of the server's programs, pg_basebackup among them. Default: the newest there is. */
  readonly binDir?: string;
}

const SETTINGS: Readonly<Record<string, string>> = {
  // Processes are killed here, not machines: what was written is there.
  fsync: "off",
  "dynamic_shared_memory_type": "mmap",
  // Instead of slots, which a killed replica would leave and a promoted one would not have.
  "wal_keep_size": "512MB",
  "max_wal_senders": "20",
  // A replica tries again this often to reach its primary; the default is 5 s.
  "wal_retrieve_retry_interval": "100ms",
  "wal_receiver_status_interval": "1s",
};

/**
 * Starts a primary and its replicas. When it returns, all of them stream and accept connections.
 *
 * @throws {Error} If this machine has no server with pg_basebackup, or one does not start.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { replicas = 2, synchronous = false } = options;
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > REPLICAS_MAX) {
    throw new RangeError(`replicas must be 0 to ${REPLICAS_MAX}, and is ${replicas}`);
  }
  const binDir = options.binDir ?? await clusterBinDir();
  const settings = {
    ...SETTINGS,
    ...(synchronous ? { "synchronous_standby_names": "ANY 1 (*)" } : {}),
    ...options.settings,
  };
  const members: ClusterMember[] = [];
  try {
    const files = await ClusterFiles.make(binDir);
    const primary = new ClusterMember("a", files);
    members.push(primary);
    await files.initialize(settings);
    await primary.start();
    for (const name of [..."bcdefghi"].slice(0, replicas)) {
      const replica = new ClusterMember(name, await ClusterFiles.make(binDir));
      members.push(replica);
      await replica.rejoin(primary);
    }
    return new Cluster(members);
  } catch (error) {
    await disposeAll(members);
    throw error;
  }
}

/** Servers that replicate one another. */
export class Cluster implements AsyncDisposable {
  /** All of them, in the order of their names; "a" is the one that was the primary at first. */
  readonly members: readonly ClusterMember[];

  constructor(members: readonly ClusterMember[]) {
    this.members = members;
  }

  /** Where a gateway reaches the members, in their order. */
  get gatewayAddresses(): readonly string[] {
    return this.members.map((member) => member.gatewayAddress);
  }

  /** The member of this name. */
  member(name: string): ClusterMember {
    const found = this.members.find((member) => member.name === name);
    if (found === undefined) throw new Error(`There is no member "${name}"`);
    return found;
  }

  /** The one that says now that it is the primary. @throws {Error} If none does, or several. */
  async primary(): Promise<ClusterMember> {
    const [primary, ...others] = await this.primaries();
    if (primary === undefined) throw new Error("The cluster has no primary now");
    if (others.length > 0) throw new Error(`The cluster has ${others.length + 1} primaries now`);
    return primary;
  }

  /** All that say now that they are the primary: more than one after a failover gone wrong. */
  async primaries(): Promise<readonly ClusterMember[]> {
    return await this.#ofRole("primary");
  }

  /** Those that say now that they are replicas. */
  async replicas(): Promise<readonly ClusterMember[]> {
    return await this.#ofRole("replica");
  }

  /** Waits until replicas (default: all that can be asked) show what the primary has written. */
  async waitForReplication(replicas?: readonly ClusterMember[]): Promise<void> {
    const primary = await this.primary();
    const [row] = await primary.query("select pg_current_wal_flush_lsn() as position");
    const values = [row!["position"]];
    for (const replica of replicas ?? await this.replicas()) {
      await eventually(`${replica.name} shows what ${primary.name} has`, async () => {
        const text = "select pg_last_wal_replay_lsn() >= $1::pg_lsn as shown";
        return (await replica.query(text, { values }))[0]!["shown"] === true;
      });
    }
  }

  /** The replica that has the most of the log: with a synchronous one all that was acknowledged. */
  async mostAdvanced(): Promise<ClusterMember> {
    const replicas = await this.replicas();
    const positions = await Promise.all(replicas.map((replica) => replica.logPosition()));
    const most = replicas[positions.indexOf(Math.max(...positions))];
    if (most === undefined) throw new Error("The cluster has no replica now");
    return most;
  }

  /**
   * What an operator does when the primary is lost: no replica listens to it any more, the one that
   * has the most is promoted, and the others follow it. The old primary is left as it is.
   *
   * @returns The new primary.
   */
  async failOver(): Promise<ClusterMember> {
    const replicas = await this.replicas();
    for (const replica of replicas) await replica.unfollow();
    const promoted = await this.mostAdvanced();
    await promoted.promote();
    for (const replica of replicas) if (replica !== promoted) await replica.follow(promoted);
    return promoted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(this.members);
  }

  async #ofRole(role: "primary" | "replica"): Promise<readonly ClusterMember[]> {
    const roles = await Promise.all(this.members.map((member) => member.role()));
    return this.members.filter((_, index) => roles[index] === role);
  }
}

/**
 * Registers a test with a cluster of its own. Where there is no server with pg_basebackup the test
 * is ignored, and its name says why. Call it with `await` at the top level of a test file.
 */
export async function testOnCluster(
  name: string,
  options: ClusterOptions,
  body: (cluster: Cluster, test: Deno.TestContext) => Promise<void>,
): Promise<void> {
  let binDir: string;
  try {
    binDir = options.binDir ?? await clusterBinDir();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    Deno.test({ name: `${name} (${reason})`, ignore: true, fn: () => {} });
    return;
  }
  Deno.test(name, async (test) => {
    await using cluster = await startCluster({ ...options, binDir });
    await body(cluster, test);
  });
}

/**
 * Starts a gateway with a configuration in YAML, and waits until all of its listeners accept
 * clients. The log, metrics on a free port and one worker are there unless the text says otherwise.
 */
export async function startClusterGateway(
  yaml: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Gateway> {
  const config: Sections = {
    loggers: { default: { level: "debug", format: "json" } },
    metrics: { address: "127.0.0.1:0" },
    runtime: { workers: 1 },
    ...parse(yaml),
  };
  return await startGateway({ config, env });
}

/**
 * The newest server of this machine that comes with pg_basebackup, also where others are tested:
 * the downloaded one does not.
 */
async function clusterBinDir(): Promise<string> {
  const servers = [...await knownServers()].flatMap((one) => "binDir" in one ? [one] : []);
  for (const { binDir } of servers.sort((a, b) => b.major - a.major)) {
    const path = join(binDir, programFile("pg_basebackup"));
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return binDir;
  }
  throw new Error("this machine has no PostgreSQL server with pg_basebackup");
}

/** Disposes of each, also if another one cannot be. */
async function disposeAll(members: readonly ClusterMember[]): Promise<void> {
  const ends = members.map((member) => member[Symbol.asyncDispose]());
  const failed = (await Promise.allSettled(ends)).filter((end) => end.status === "rejected");
  if (failed.length > 0) throw new AggregateError(failed.map((end) => end.reason));
}
