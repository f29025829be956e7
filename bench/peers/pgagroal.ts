/**
 * pgagroal as a peer: a process for each client, over a pool in shared memory.
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

/** How pgagroal moves bytes: performance looks at next to nothing, session at message headers. */
export type Pipeline = "performance" | "session";

/** Starts pgagroal without a log. @throws {Error} If it does not start. */
export async function startPgagroal(
  program: string,
  pipeline: Pipeline,
  peer: PeerSetting,
): Promise<RunningProxy> {
  const port = freePort();
  const settings = join(peer.folder, "pgagroal.conf");
  const rules = join(peer.folder, "pgagroal_hba.conf");
  await writeSettings(settings, settingsText(port, pipeline, peer));
  await writeSettings(rules, "host all all all trust\n");
  return await startProxy({
    name: `pgagroal-${pipeline}`,
    program,
    args: ["-c", settings, "-a", rules],
    port,
    isEncrypted: peer.tls !== undefined,
  });
}

function settingsText(port: number, pipeline: Pipeline, peer: PeerSetting): string {
  const { poolSize, tls, postgresPort, folder } = peer;
  const encryption = tls === undefined ? "" : `tls = on
tls_cert_file = ${tls.certFile}
tls_key_file = ${tls.keyFile}
`;
  return `[pgagroal]
host = ${HOST}
port = ${port}
unix_socket_dir = ${folder}
log_type = console
log_level = fatal
max_connections = ${poolSize}
idle_timeout = 0
validation = off
pipeline = ${pipeline}
${encryption}[primary]
host = ${HOST}
port = ${postgresPort}
primary = on
`;
}
