/**
 * The certificate of everybody who takes part in cells with TLS.
 *
 * @module
 */

import { join } from "node:path";
import { serverUser } from "../src/cli/demo/server_user.ts";
import { BenchError } from "./command.ts";
import { findProgram } from "./peers/find_program.ts";
import type { CertificateFiles } from "./peers/running_proxy.ts";

/**
 * Makes a certificate of 127.0.0.1 with a key that belongs to who runs PostgreSQL and the peers.
 *
 * @throws {BenchError} Without the program `openssl`, or if it fails.
 */
export async function makeCertificate(folder: string): Promise<CertificateFiles> {
  const program = await findProgram("openssl");
  if (program === undefined) throw new BenchError("TLS needs openssl: apt-get install openssl");
  const files = { certFile: join(folder, "server.crt"), keyFile: join(folder, "server.key") };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const { success, stderr } = await new Deno.Command(program, {
    args: ["req", "-x509", ...key, ...name, "-keyout", files.keyFile, "-out", files.certFile],
  }).output();
  if (!success) {
    throw new BenchError(`openssl cannot make a certificate: ${new TextDecoder().decode(stderr)}`);
  }
  await Deno.chmod(files.certFile, 0o644);
  await Deno.chmod(files.keyFile, 0o600);
  const user = serverUser();
  if (user !== undefined) await Deno.chown(files.keyFile, user.uid, user.gid);
  return files;
}
