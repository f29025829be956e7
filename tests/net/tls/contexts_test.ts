/**
 * What both contexts agree on, accept and refuse, with ours at both ends. Other implementations of
 * TLS are the matter of `interoperability_test.ts`.
 */

import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { createHash } from "node:crypto";
import { utf8 } from "../../../src/base/bytes.ts";
import { TlsClientContext } from "../../../src/net/tls/client_context.ts";
import { type OpenSsl, openSsl } from "../../../src/net/tls/openssl.ts";
import type { PemText } from "../../../src/net/tls/pem.ts";
import { TlsServerContext } from "../../../src/net/tls/server_context.ts";
import {
  type CertificateFiles,
  type CertificateOptions,
  Certificates,
  pem,
} from "../../support/certificates.ts";
import { type PairOptions, type TlsPair, tlsPair } from "../../support/tls_pair.ts";

const VERSION = { minVersion: "TLSv1.2" } as const;

function serverSettings({ certFile, keyFile }: CertificateFiles): PairOptions["server"] {
  const own = { certificate: pem(certFile), key: pem(keyFile) };
  return { ...VERSION, ...own, clientCertificates: "none", alpn: ["postgresql"] };
}

function clientSettings(ca: CertificateFiles): PairOptions["client"] {
  return { ...VERSION, mode: "verify-full", ca: pem(ca.certFile) };
}

/** Both ends after a handshake that went well: a word each way shows that it did. */
async function agreed(options: PairOptions): Promise<TlsPair> {
  const pair = await tlsPair(options);
  const { server, client, network } = pair;
  deepEqual([server.closes, client.closes], [[], []]);
  client.socket.write(utf8("ping"));
  server.socket.write(utf8("pong"));
  await network.settle();
  deepEqual([server.text, client.text], ["ping", "pong"]);
  client.socket.end();
  await network.settle();
  server.socket.end();
  await network.settle();
  deepEqual([server.failure, client.failure], ["", ""]);
  return pair;
}

/** Why each end gave up. */
async function refused(options: PairOptions): Promise<{ server: string; client: string }> {
  const { server, client, network, clock } = await tlsPair(options);
  client.socket.write(utf8("secret"));
  await clock.pass(10_000, () => network.settle());
  equal(server.text, "", "nothing is sent to a server that was refused, or by a refused client");
  return { server: server.failure, client: client.failure };
}

Deno.test("TlsClientContext checks who signed the certificate, and for whom", async () => {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const other = certificates.make({ subject: "/CN=Another authority", isAuthority: true });
  const cases: readonly (readonly [PairOptions["client"]["mode"], string, string])[] = [
    ["verify-full", "localhost", ""],
    ["verify-full", "127.0.0.1", ""],
    ["verify-full", "::1", ""],
    ["verify-full", "elsewhere", "hostname mismatch"],
    ["verify-full", "127.0.0.2", "IP address mismatch"],
    ["verify-ca", "elsewhere", ""],
    ["require", "elsewhere", ""],
  ];
  for (const [mode, host, error] of cases) {
    const options = { server: serverSettings(server), client: clientSettings(ca), host };
    const withMode = { ...options, client: { ...options.client, mode } };
    if (error === "") await agreed(withMode);
    else match((await refused(withMode)).client, new RegExp(`verify failed: ${error}$`), host);
  }
  for (const mode of ["verify-full", "verify-ca"] as const) {
    const client = { ...clientSettings(other), mode };
    const { client: why } = await refused({ server: serverSettings(server), client });
    match(why, /certificate verify failed: unable to get local issuer certificate$/);
  }
});

Deno.test("TlsClientContext tells what require did not check", async () => {
  using certificates = new Certificates();
  const self = certificates.make({ subject: "/CN=self", altNames: "DNS:self" });
  const settings = { ...VERSION, mode: "require", ca: "system" } as const;
  const pair = await agreed({ server: serverSettings(self), client: settings, host: "other" });
  deepEqual(pair.client.info!.peerCertificate, {
    commonName: "self",
    subject: "CN=self",
    subjectAltNames: ["DNS:self"],
    isVerified: false,
    verifyError: "self-signed certificate",
  });
  const full = { ...settings, mode: "verify-full" } as const;
  const why = await refused({ server: serverSettings(self), client: full, host: "self" });
  match(why.client, /certificate verify failed: self-signed certificate$/);
  match(why.server, /the peer refuses: .*unknown ca$/);
});

Deno.test("TlsClientContext refuses a certificate that has expired", async () => {
  using certificates = new Certificates();
  const { ca } = certificates.standard();
  const subject = { subject: "/CN=localhost", altNames: "DNS:localhost" };
  const old = certificates.make({ ...subject, issuer: ca, isExpired: true });
  const why = await refused({ server: serverSettings(old), client: clientSettings(ca) });
  match(why.client, /certificate verify failed: certificate has expired$/);
});

Deno.test("TlsClientContext trusts a chain, and its names only as far as they go", async () => {
  using certificates = new Certificates();
  const { ca } = certificates.standard();
  const middle = certificates.make({ subject: "/CN=Middle", isAuthority: true, issuer: ca });
  const altNames = "DNS:*.example.com";
  const leaf = certificates.make({ subject: "/CN=wide", altNames, issuer: middle });
  const server = serverSettings(leaf);
  const chain = {
    ...server.certificate,
    text: server.certificate.text + pem(middle.certFile).text,
  };
  const options = { server: { ...server, certificate: chain }, client: clientSettings(ca) };
  await agreed({ ...options, host: "db.example.com" });
  for (const host of ["example.com", "a.db.example.com", "wide"]) {
    match((await refused({ ...options, host })).client, /hostname mismatch$/);
  }
  match((await refused({ ...options, server, host: "db.example.com" })).client, /local issuer/);
});

Deno.test("TlsServerContext asks clients for certificates as it is told", async () => {
  using certificates = new Certificates();
  const { ca, server, client } = certificates.standard();
  const other = certificates.make({ subject: "/CN=Another authority", isAuthority: true });
  const shown = (files: CertificateFiles) => ({
    certificate: pem(files.certFile),
    key: pem(files.keyFile),
  });
  const stranger = certificates.make({ subject: "/CN=alice", issuer: other });
  const old = certificates.make({ subject: "/CN=alice", issuer: ca, isExpired: true });
  const base = { server: serverSettings(server), client: clientSettings(ca) };
  for (const clientCertificates of ["none", "request", "require"] as const) {
    const asking = { ...base.server, ca: pem(ca.certFile), clientCertificates };
    const alice = { ...base.client, ...shown(client) };
    const pair = await agreed({ server: asking, client: alice });
    deepEqual(
      pair.server.info!.peerCertificate,
      clientCertificates === "none" ? undefined : {
        commonName: "alice",
        subject: "CN=alice,O=Example",
        subjectAltNames: [],
        isVerified: true,
        verifyError: undefined,
      },
    );
    if (clientCertificates === "none") continue;
    for (const [files, reason] of [[stranger, "unable to get"], [old, "certificate has expired"]]) {
      const bad = { ...base.client, ...shown(files as CertificateFiles) };
      const why = await refused({ server: asking, client: bad });
      match(why.server, new RegExp(`certificate verify failed: ${reason}`));
      match(why.client, /the peer refuses: /);
    }
    if (clientCertificates === "request") await agreed({ server: asking, client: base.client });
    else {
      const why = await refused({ server: asking, client: base.client });
      match(why.server, /peer did not return a certificate$/);
      match(why.client, /the peer refuses: .*certificate required$/);
    }
  }
});

Deno.test("TlsServerContext agrees on a protocol, or refuses the client's", async () => {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const base = { server: serverSettings(server), client: clientSettings(ca) };
  for (
    const [alpn, chosen] of [
      [["postgresql"], "postgresql"],
      [["http/1.1", "postgresql"], "postgresql"],
      [[], undefined],
    ] as const
  ) {
    const { server, client } = await agreed({ ...base, alpn });
    deepEqual([server.info!.alpn, client.info!.alpn], [chosen, chosen]);
  }
  for (const alpn of [["http/1.1"], ["postgresql2"], ["postgresq"], ["h2", "http/1.1"]]) {
    const why = await refused({ ...base, alpn });
    match(why.client, /the peer refuses: .*no application protocol$/);
    match(why.server, /no application protocol$/);
  }
  const both = { ...base.server, alpn: ["second", "postgresql"] };
  const pair = await agreed({ ...base, server: both, alpn: ["postgresql", "second"] });
  equal(pair.client.info!.alpn, "second", "the server's order counts");
});

Deno.test("TlsServerContext is told the name that the client asks for, but no address", async () => {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const base = { server: serverSettings(server), client: clientSettings(ca) };
  equal((await agreed({ ...base, host: "localhost" })).server.info!.serverName, "localhost");
  for (const host of ["127.0.0.1", "::1"]) {
    equal((await agreed({ ...base, host })).server.info!.serverName, undefined);
  }
});

Deno.test("TlsClientContext.connect refuses what can be no host", () => {
  const context = TlsClientContext.load({ ...VERSION, mode: "require", ca: "system" });
  for (const host of ["", "a b", "a\0b", "ä", "a".repeat(256)]) {
    // No socket is needed to see that.
    throws(
      () => context.connect(undefined!, { host, onSecured() {} }),
      /a host has 1 to 255 ASCII/,
    );
  }
  context.close();
});

Deno.test("TlsClientContext reads the system's authorities only to check somebody by them", () => {
  const library = openSsl() as { -readonly [Name in keyof OpenSsl]: OpenSsl[Name] };
  const { contextUseSystemCas } = library;
  let reads = 0;
  library.contextUseSystemCas = (context) => (reads += 1, contextUseSystemCas(context));
  try {
    const counts = (["require", "verify-ca", "verify-full"] as const).map((mode) => {
      TlsClientContext.load({ ...VERSION, mode, ca: "system" }).close();
      return reads;
    });
    deepEqual(counts, [0, 1, 2]);
  } finally {
    library.contextUseSystemCas = contextUseSystemCas;
  }
});

Deno.test("TlsServerContext that is closed begins no more", () => {
  using certificates = new Certificates();
  const context = TlsServerContext.load(serverSettings(certificates.standard().server));
  const socket = context.accept(undefined!, () => {});
  context.close();
  context.close();
  const handler = { onData: () => 0, onEnd() {}, onClose() {} };
  throws(() => socket.start(handler), /Cannot accept a TLS connection: the context is closed/);
});

Deno.test("TlsInfo binds to the server's certificate as RFC 5929 says", async () => {
  using certificates = new Certificates();
  const rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
  const kinds: readonly (readonly [Partial<CertificateOptions>, string | undefined])[] = [
    [{}, "sha256"],
    [{ digest: "sha384" }, "sha384"],
    [{ digest: "sha512", key: rsa }, "sha512"],
    [{ key: ["-algorithm", "ED25519"], digest: "" }, undefined],
  ];
  for (const [options, hash] of kinds) {
    const files = certificates.make({ subject: "/CN=a", ...options });
    const client = { ...VERSION, mode: "require", ca: "system" } as const;
    const pair = await agreed({ server: serverSettings(files), client });
    const der = Uint8Array.from(derOf(pem(files.certFile).text), (char) => char.charCodeAt(0));
    const expected = hash && new Uint8Array(createHash(hash).update(der).digest());
    deepEqual(pair.server.info!.serverEndPoint, expected);
    deepEqual(pair.client.info!.serverEndPoint, expected);
  }
});

Deno.test("TlsInfo is of the version and cipher that were agreed on", async () => {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const base = { server: serverSettings(server), client: clientSettings(ca) };
  const pair = await agreed(base);
  equal(pair.server.info!.protocol, "TLSv1.3");
  ok(/^TLS_(AES|CHACHA20)_/.test(pair.server.info!.cipher));
  const { protocol, cipher } = pair.client.info!;
  deepEqual([protocol, cipher], [pair.server.info!.protocol, pair.server.info!.cipher]);
});

Deno.test("PeerCertificate names the peer exactly", async () => {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const read = async (subject: string, altNames?: string) => {
    const options = altNames === undefined ? { subject } : { subject, altNames };
    const files = certificates.make({ ...options, issuer: ca });
    const shown = { certificate: pem(files.certFile), key: pem(files.keyFile) };
    const asking = { clientCertificates: "require", ca: pem(ca.certFile) } as const;
    const pair = await agreed({
      server: { ...serverSettings(server), ...asking },
      client: { ...clientSettings(ca), ...shown },
    });
    return pair.server.info!.peerCertificate!;
  };
  equal((await read("/CN=Zoë")).commonName, "Zoë");
  equal((await read("/O=Nobody")).commonName, undefined);
  equal((await read("/CN=first/CN=second")).commonName, "first", "as PostgreSQL takes it");
  const names = await read("/CN=a, b\\/CN=c", "email:a@b.c,URI:urn:x,IP:::ffff:0:1,RID:1.2.3");
  equal(names.commonName, "a, b/CN=c");
  equal(names.subject, "CN=a\\, b/CN=c");
  deepEqual(names.subjectAltNames, ["email:a@b.c", "URI:urn:x", "IP:::ffff:0:1"]);
});

Deno.test("PeerCertificate has no name that a NUL cuts off (CVE-2009-4034)", async () => {
  using certificates = new Certificates();
  const files = certificates.make({ subject: "/CN=alice!evil", altNames: "DNS:bob!evil,DNS:ok" });
  const certificate = withNuls(pem(files.certFile));
  const client = { ...VERSION, mode: "require", ca: "system" } as const;
  const pair = await agreed({ server: { ...serverSettings(files), certificate }, client });
  const { commonName, subject, subjectAltNames } = pair.client.info!.peerCertificate!;
  deepEqual([commonName, subject, subjectAltNames], [undefined, "CN=alice\\00evil", ["DNS:ok"]]);
});

/** A certificate with a NUL for each "!"; its signature is wrong then, and is not checked. */
function withNuls({ text, source }: PemText): PemText {
  const der = derOf(text).replaceAll(/(alice|bob)!/g, "$1\0");
  return { source, text: `-----BEGIN CERTIFICATE-----\n${btoa(der)}\n-----END CERTIFICATE-----\n` };
}

/** The bytes of a certificate, each as a character. */
function derOf(text: string): string {
  return atob(text.replace(/-----[A-Z ]+-----|\s/g, ""));
}
