/**
 * PgBouncer as a peer: one process with one thread; several share a port for more.
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
 * Starts PgBouncer without a log of connections. In transaction mode several processes divide the
 * server connections.
 *
 * @param version What it says of itself: "PgBouncer 1.18.0".
 * @throws {Error} If it does not start.
 */
export async function startPgBouncer(
  program: string,
  version: string,
  peer: PeerSetting,
): Promise<RunningProxy> {
  const port = freePort();
  const users = join(peer.folder, "userlist.txt");
  const settings = join(peer.folder, "pgbouncer.ini");
  await writeSettings(users, `"postgres" ""\n`);
  // 1.21 to 1.23 have it switched off unless told otherwise; older ones refuse to know it.
  const statements = keepsStatements(version) ? "max_prepared_statements = 200\n" : "";
  await writeSettings(settings, settingsText(port, users, peer) + statements);
  return await startProxy({
    name: "pgbouncer",
    program,
    args: ["-q", settings],
    port,
    isEncrypted: peer.tls !== undefined,
    processes: peer.workers,
  });
}

/** Since 1.21 PgBouncer keeps prepared statements in transaction mode. */
export function keepsStatements(version: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

function settingsText(port: number, users: string, peer: PeerSetting): string {
  const { mode, poolSize, clientsMax, workers, tls, postgresPort } = peer;
  const encryption = tls === undefined ? "" : `client_tls_sslmode = require
client_tls_cert_file = ${tls.certFile}
client_tls_key_file = ${tls.keyFile}
`;
  // Who gets which client is up to the kernel, and in session mode none must wait for another.
  const size = mode === "session" ? poolSize : Math.ceil(poolSize / workers);
  return `[databases]
* = host=${HOST} port=${postgresPort}
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${port}
unix_socket_dir =
so_reuseport = ${workers > 1 ? 1 : 0}
auth_type = trust
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = ${size}
max_client_conn = ${clientsMax}
log_connections = 0
log_disconnections = 0
server_tls_sslmode = disable
${encryption}`;
}
