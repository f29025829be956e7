/**
 * Certificates for tests, made by the `openssl` program in a folder that goes with its process.
 *
 * OpenSSL is loaded when this module is, and not by the first test that needs it: what a test loads
 * and leaves there, its runner takes for a leak.
 *
 * @module
 */

import { openSsl } from "../../src/net/tls/openssl.ts";
import { alpnSelection } from "../../src/net/tls/alpn.ts";
import type { PemText } from "../../src/net/tls/pem.ts";

openSsl();
alpnSelection(["postgresql"]);

/** A certificate and its key, as files. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What is to be in a certificate. */
export interface CertificateOptions {
  /** The distinguished name as the program takes it: "/CN=alice". */
  readonly subject: string;
  /** "DNS:localhost,IP:127.0.0.1"; none unless given. */
  readonly altNames?: string;
  /** Who signs it; itself unless given. */
  readonly issuer?: CertificateFiles;
  /** May sign others. */
  readonly isAuthority?: boolean;
  /** Was good until yesterday. */
  readonly isExpired?: boolean;
  /** The kind of key, as arguments of `openssl genpkey`; P-256 unless given. */
  readonly key?: readonly string[];
  /** The hash of the signature; SHA-256 unless given. "" for keys that need none. */
  readonly digest?: string;
}

/** What most tests need: an authority, a server and a client that it has signed. */
export interface StandardCertificates {
  readonly ca: CertificateFiles;
  /** For localhost, 127.0.0.1 and ::1. */
  readonly server: CertificateFiles;
  /** The common name is "alice". */
  readonly client: CertificateFiles;
}

/** A folder of certificates. */
export class Certificates implements Disposable {
  /** Its path; nothing in it is kept. */
  readonly folder = Deno.makeTempDirSync({ prefix: "certificates" });
  #made = 0;

  /** Makes one. */
  make(options: CertificateOptions): CertificateFiles {
    const base = `${this.folder}/${this.#made += 1}`;
    const { subject, altNames, issuer, isAuthority = false, isExpired = false } = options;
    const files = { certFile: `${base}.crt`, keyFile: `${base}.key` };
    const key = options.key ?? ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    run(["genpkey", ...key, "-out", files.keyFile]);
    Deno.chmodSync(files.keyFile, 0o600);
    run(["req", "-new", "-key", files.keyFile, "-subj", subject, "-utf8", "-out", `${base}.csr`]);
    const extensions = [`basicConstraints=critical,CA:${isAuthority ? "TRUE" : "FALSE"}`];
    if (altNames !== undefined) extensions.push(`subjectAltName=${altNames}`);
    Deno.writeTextFileSync(`${base}.ext`, extensions.join("\n"));
    const { digest = "sha256" } = options;
    run([
      "x509",
      "-req",
      ...["-in", `${base}.csr`, "-out", files.certFile, "-extfile", `${base}.ext`],
      ...(digest === "" ? [] : [`-${digest}`]),
      ...["-days", isExpired ? "-1" : "30"],
      ...(issuer === undefined
        ? ["-signkey", files.keyFile]
        : ["-CA", issuer.certFile, "-CAkey", issuer.keyFile, "-CAcreateserial"]),
    ]);
    return files;
  }

  /** Makes those that most tests need. */
  standard(): StandardCertificates {
    const ca = this.make({ subject: "/CN=Test authority", isAuthority: true });
    const altNames = "DNS:localhost,IP:127.0.0.1,IP:::1";
    const server = this.make({ subject: "/CN=localhost", altNames, issuer: ca });
    return { ca, server, client: this.make({ subject: "/O=Example/CN=alice", issuer: ca }) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** The text of a file of certificates or of a key. */
export function pem(path: string): PemText {
  return { text: Deno.readTextFileSync(path), source: path };
}

function run(args: readonly string[]): void {
  const { success, stderr } = new Deno.Command("openssl", {
    args: [...args],
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  if (!success) throw new Error(`openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
