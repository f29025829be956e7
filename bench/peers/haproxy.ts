/**
 * HAProxy as a peer: it copies bytes, and opens a server connection for each client.
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

/** Starts HAProxy in TCP mode without a log. @throws {Error} If it does not start. */
export async function startHaproxy(program: string, peer: PeerSetting): Promise<RunningProxy> {
  const port = freePort();
  const settings = join(peer.folder, "haproxy.cfg");
  await writeSettings(settings, settingsText(port, peer));
  return await startProxy({
    name: "haproxy",
    program,
    args: ["-db", "-q", "-f", settings],
    port,
    // TLS passes it on its way to the server.
    isEncrypted: peer.tls !== undefined,
  });
}

function settingsText(port: number, { workers, clientsMax, postgresPort }: PeerSetting): string {
  return `global
  nbthread ${workers}
  maxconn ${clientsMax}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen postgres
  bind ${HOST}:${port}
  server postgres ${HOST}:${postgresPort}
`;
}
