import { deepEqual, equal, match, throws } from "node:assert/strict";
import { assertPem, readTlsFiles } from "../../../src/net/tls/pem.ts";
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

Deno.test("readTlsFiles gives texts, and nothing for what is not asked for", () => {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const all = readTlsFiles({ ...server, caFile: ca.certFile });
  deepEqual(all, {
    certificate: pem(server.certFile),
    key: pem(server.keyFile),
    ca: pem(ca.certFile),
    warnings: [],
  });
  deepEqual(structuredClone(all), all);
  deepEqual(readTlsFiles({}), {
    certificate: undefined,
    key: undefined,
    ca: undefined,
    warnings: [],
  });
});

Deno.test("readTlsFiles names the file, and says what is wrong with it", () => {
  using certificates = new Certificates();
  const { certFile, keyFile } = certificates.make({ subject: "/CN=a" });
  const { folder } = certificates;
  throws(
    () => readTlsFiles({ certFile: `${folder}/none.crt` }),
    { message: `Cannot read the certificate file ${folder}/none.crt: there is no such file` },
  );
  throws(() => readTlsFiles({ keyFile: folder }), /^Error: Cannot read the private key file \//);
  throws(
    () => readTlsFiles({ certFile: keyFile }),
    { message: /as certificate: it holds PRIVATE KEY; a text with "-----BEGIN CERTIFICATE-----"/ },
  );
  throws(() => readTlsFiles({ keyFile: certFile }), /as private key: it holds CERTIFICATE; /);
  Deno.writeTextFileSync(`${folder}/text`, "not a certificate\n");
  throws(
    () => readTlsFiles({ caFile: `${folder}/text` }),
    /\/text as certificate: it is not in PEM/,
  );
  Deno.writeTextFileSync(`${folder}/large`, "x".repeat(1024 * 1024 + 1));
  throws(
    () => readTlsFiles({ caFile: `${folder}/large` }),
    /it has 1048577 bytes of at most 1048576/,
  );
});

Deno.test("assertPem refuses a key that has a passphrase", () => {
  const begin = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n";
  const old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n";
  for (const text of [begin, old]) {
    throws(
      () => assertPem({ text, source: "gw.key" }, "private key"),
      /^Error: Cannot use gw\.key as private key: it has a passphrase; decrypt it with "openssl/,
    );
  }
});

Deno.test({
  name: "readTlsFiles warns of a key that others can read",
  ignore: Deno.build.os === "windows",
  fn() {
    using certificates = new Certificates();
    const { keyFile } = certificates.make({ subject: "/CN=a" });
    const isRoot = Deno.statSync(keyFile).uid === 0;
    for (const [mode, isFine] of [[0o600, true], [0o640, isRoot], [0o644, false], [0o604, false]]) {
      Deno.chmodSync(keyFile, mode as number);
      const { warnings } = readTlsFiles({ keyFile });
      equal(warnings.length, isFine ? 0 : 1, `${mode}`);
      if (!isFine) {
        match(warnings[0]!, /^The private key file .* by others \(06[04]4?4?\); use "chmod/);
      }
    }
  },
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
    /^Error: Cannot use ca\.crt as certificate: it is not in PEM format/,
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
