/**
 * Pgpool-II as a peer: a process for each client, which keeps its server connection for the next.
 *
 * @module
 */

import { join } from "node:path";
import {
  freePort,
  HOST,
  type PeerSetting,
  type RunningProxy,
  startProxy,
  writeSettings,
} from "./running_proxy.ts";

/**
 * Starts Pgpool-II as a proxy of one server, with nothing of what it can do for several: that is
 * what it takes the least time for.
 *
 * @throws {Error} If it does not start.
 */
export async function startPgpool(program: string, peer: PeerSetting): Promise<RunningProxy> {
  const port = freePort();
  const settings = join(peer.folder, "pgpool.conf");
  await writeSettings(settings, settingsText(port, peer));
  const empty = join(peer.folder, "empty.conf");
  await writeSettings(empty, "");
  return await startProxy({
    name: "pgpool",
    program,
    args: ["-n", "-f", settings, "-a", empty, "-F", empty],
    port,
    // SIGTERM waits for clients. SIGKILL would leave its shared memory behind.
    stopSignal: "SIGINT",
    isEncrypted: peer.tls !== undefined,
  });
}

function settingsText(port: number, { poolSize, tls, postgresPort, folder }: PeerSetting): string {
  const encryption = tls === undefined ? "" : `ssl = on
ssl_cert = '${tls.certFile}'
ssl_key = '${tls.keyFile}'
`;
  return `backend_clustering_mode = 'raw'
listen_addresses = '${HOST}'
port = ${port}
socket_dir = '${folder}'
pcp_listen_addresses = ''
pcp_port = ${freePort()}
pcp_socket_dir = '${folder}'
pid_file_name = '${folder}/pgpool.pid'
logdir = '${folder}'
log_destination = 'stderr'
log_min_messages = error
backend_hostname0 = '${HOST}'
backend_port0 = ${postgresPort}
backend_weight0 = 1
backend_flag0 = 'DISALLOW_TO_FAILOVER'
enable_pool_hba = off
num_init_children = ${poolSize}
max_pool = 1
child_life_time = 0
connection_cache = on
load_balance_mode = off
health_check_period = 0
sr_check_period = 0
memory_cache_enabled = off
use_watchdog = off
${encryption}`;
}
