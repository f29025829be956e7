import { deepEqual, throws } from "node:assert/strict";
import { assertPem } from "../../../src/net/tls/pem.ts";
import { TlsClientContext } from "../../../src/net/tls/client_context.ts";
import { TlsServerContext } from "../../../src/net/tls/server_context.ts";
import type { PemText } from "../../../src/net/tls/pem.ts";
import { Certificates, pem } from "../../support/certificates.ts";

function load(certificate: PemText, key: PemText, ca?: PemText): TlsServerContext {
  const clientCertificates = ca === undefined ? "none" : "require";
  const alpn = ["postgresql"];
  const settings = { certificate, key, ca, clientCertificates, alpn } as const;
  return TlsServerContext.load({ ...settings, minVersion: "TLSv1.2" });
}

Deno.test("assertPem refuses a key that has a passphrase", () => {
  const begin = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n";
  const old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n";
  for (const text of [begin, old]) {
    throws(
      () => assertPem({ text, source: "gw.key" }, "private key"),
      /^Error: Cannot use gw\.key as private key: the private key has a passphrase, .*: openssl/,
    );
  }
});

Deno.test("assertPem takes what OpenSSL reads, and says what else is there", () => {
  const begin = (label: string) => ({ text: `a\n-----BEGIN ${label}-----\nAA\n`, source: "f" });
  for (const label of ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"]) {
    assertPem(begin(label), "certificate");
  }
  for (const label of ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"]) {
    assertPem(begin(label), "private key");
  }
  throws(() => assertPem(begin("OTHER CERTIFICATE"), "certificate"), /got "BEGIN OTHER CERTIF/);
  throws(() => assertPem(begin("OPENSSH PRIVATE KEY"), "private key"), /got "BEGIN OPENSSH PRIV/);
  throws(
    () => assertPem({ text: " -----BEGIN CERTIFICATE-----", source: "f" }, "certificate"),
    /^Error: Cannot use f as certificate: expected a certificate as PEM, .* got nothing like that$/,
  );
});

Deno.test("TlsServerContext.load says which text is broken, and how", () => {
  using certificates = new Certificates();
  const { ca, server, client } = certificates.standard();
  const [certificate, key] = [pem(server.certFile), pem(server.keyFile)];
  load(certificate, key, pem(ca.certFile)).close();
  throws(
    () => load(certificate, pem(client.keyFile)),
    {
      message:
        `Cannot use ${client.keyFile} as private key: it is not the key of the certificate ` +
        `in ${server.certFile}`,
    },
  );
  const rsa = certificates.make({
    subject: "/CN=a",
    key: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  });
  throws(() => load(certificate, pem(rsa.keyFile)), /it is not the key of the certificate/);
  const cut = (text: PemText) => ({ ...text, text: text.text.replace(/\n[^-\n]+\n/, "\n") });
  throws(
    () => load(cut(certificate), key),
    /^Error: Cannot use \S+\.crt as certificate number 1: /,
  );
  throws(() => load(certificate, cut(key)), /^Error: Cannot use \S+\.key as private key: /);
  const chain = { ...certificate, text: certificate.text + cut(pem(ca.certFile)).text };
  throws(() => load(chain, key), /as certificate number 2: /);
  throws(
    () => load(certificate, key, { text: "", source: "ca.crt" }),
    /^Error: Cannot use ca\.crt as certificate: expected a certificate as PEM/,
  );
  const weak = certificates.make({
    subject: "/CN=a",
    key: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512"],
  });
  throws(() => load(pem(weak.certFile), pem(weak.keyFile)), /as certificate: ee key too small$/);
});

Deno.test("TlsServerContext.load needs authorities to check clients with", () => {
  using certificates = new Certificates();
  const { certFile, keyFile } = certificates.make({ subject: "/CN=a" });
  const settings = { minVersion: "TLSv1.2", alpn: [], clientCertificates: "require" } as const;
  throws(
    () => TlsServerContext.load({ ...settings, certificate: pem(certFile), key: pem(keyFile) }),
    /^Error: Cannot check the certificates of clients: there is no file of authorities$/,
  );
});

Deno.test("TlsServerContext.load warns of a certificate that has expired", () => {
  using certificates = new Certificates();
  const old = certificates.make({ subject: "/CN=a", isExpired: true });
  const context = load(pem(old.certFile), pem(old.keyFile));
  deepEqual(context.warnings, [`The certificate of ${old.certFile} has expired`]);
  context.close();
});

Deno.test("TlsClientContext.load takes a certificate and its key together", () => {
  using certificates = new Certificates();
  const { certFile, keyFile } = certificates.make({ subject: "/CN=a" });
  const settings = { mode: "require", ca: "system", minVersion: "TLSv1.3" } as const;
  for (const one of [{ certificate: pem(certFile) }, { key: pem(keyFile) }]) {
    throws(() => TlsClientContext.load({ ...settings, ...one }), /are given together$/);
  }
  const both = { certificate: pem(certFile), key: pem(keyFile) };
  const context = TlsClientContext.load({ ...settings, ...both });
  deepEqual(context.warnings, []);
  context.close();
});
