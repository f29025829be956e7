/**
 * Odyssey as a peer: coroutines in worker threads.
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

/** Starts Odyssey without a log. @throws {Error} If it does not start. */
export async function startOdyssey(program: string, peer: PeerSetting): Promise<RunningProxy> {
  const port = freePort();
  const settings = join(peer.folder, "odyssey.conf");
  await writeSettings(settings, settingsText(port, peer));
  return await startProxy({
    name: "odyssey",
    program,
    args: [settings],
    port,
    isEncrypted: peer.tls !== undefined,
  });
}

function settingsText(port: number, peer: PeerSetting): string {
  const { mode, poolSize, clientsMax, workers, tls, postgresPort, folder } = peer;
  const encryption = tls === undefined ? `tls "disable"` : `tls "require"
  tls_cert_file "${tls.certFile}"
  tls_key_file "${tls.keyFile}"`;
  const statements = mode === "transaction" ? "    pool_reserve_prepared_statement yes\n" : "";
  return `daemonize no
locks_dir "${folder}"
log_to_stdout no
log_format "%m"
log_debug no
log_config no
log_session no
log_query no
log_stats no
workers ${workers}
resolvers 1
nodelay yes
client_max ${clientsMax}
listen {
  host "${HOST}"
  port ${port}
  backlog 1024
  ${encryption}
}
storage "postgres_server" {
  type "remote"
  host "${HOST}"
  port ${postgresPort}
}
database default {
  user default {
    authentication "none"
    storage "postgres_server"
    pool "${mode}"
    pool_size ${poolSize}
    pool_timeout 0
    pool_discard no
    pool_cancel yes
    pool_rollback yes
${statements}  }
}
`;
}
