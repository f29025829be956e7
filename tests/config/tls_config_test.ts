import { deepEqual, equal } from "node:assert/strict";
import { CERT, type Files, KEY, load, notesOf, problemsOf, SMALLEST } from "./defaults.ts";

const FILES: Files = { "gw.crt": CERT, "gw.key": KEY, "ca.crt": `${CERT}${CERT}` };

function withServer(key: string): string {
  return SMALLEST.replace("clients:", `    ${key}\nclients:`);
}

function withClient(key: string, address = "127.0.0.1:5432"): string {
  return `${SMALLEST.replace("127.0.0.1:5432", address)}    ${key}\n`;
}

Deno.test("serverTls has the paths and the contents of files", () => {
  const tls = "{ mode: verify-full, certFile: gw.crt, keyFile: gw.key, caFile: ca.crt, " +
    "minVersion: TLSv1.3 }";
  deepEqual(load(withServer(`tls: ${tls}`), FILES).servers.get("default")!.tls, {
    mode: "verify-full",
    minVersion: "TLSv1.3",
    certFile: "gw.crt",
    keyFile: "gw.key",
    caFile: "ca.crt",
    cert: CERT,
    key: KEY,
    ca: `${CERT}${CERT}`,
  });
});

Deno.test("clientTls has the paths and the contents of files", () => {
  const tls = "{ mode: verify-full, certFile: gw.crt, keyFile: gw.key, caFile: ca.crt, " +
    "negotiation: direct }";
  deepEqual(load(withClient(`tls: ${tls}`), FILES).clients.get("default")!.tls, {
    mode: "verify-full",
    minVersion: "TLSv1.2",
    negotiation: "direct",
    certFile: "gw.crt",
    keyFile: "gw.key",
    caFile: "ca.crt",
    cert: CERT,
    key: KEY,
    ca: `${CERT}${CERT}`,
  });
  equal(load(withClient("tls: { mode: verify-full }")).clients.get("default")!.tls.ca, "");
});

Deno.test("clientTls is prefer unless it is written, as in libpq", () => {
  equal(load(SMALLEST).clients.get("default")!.tls.mode, "prefer");
  equal(load(withClient("tls:")).clients.get("default")!.tls.mode, "prefer");
});

/** A file, and the problems that it must give. */
const WRONG: readonly (readonly [text: string, problems: readonly string[]])[] = [
  [withServer("tls: { mode: prefer }"), [
    "s.yaml:2:3: servers.default.tls.certFile: this key is required with tls.mode: prefer; add " +
    'it, as in "certFile: gateway.crt"',
    "s.yaml:2:3: servers.default.tls.keyFile: this key is required with tls.mode: prefer; add " +
    'it, as in "keyFile: gateway.key"',
  ]],
  [withServer("tls: { mode: verify-ca, certFile: gw.crt, keyFile: gw.key }"), [
    "s.yaml:2:3: servers.default.tls.caFile: this key is required with tls.mode: verify-ca; add " +
    'it, as in "caFile: ca.crt"',
  ]],
  [withServer("tls: { mode: allow, certFile: gw.key, keyFile: gw.crt }"), [
    'gw.crt:1:1: expected a private key as PEM, which has "BEGIN PRIVATE KEY"; ' +
    'got "BEGIN CERTIFICATE"',
    'gw.key:1:1: expected a certificate as PEM, which has "BEGIN CERTIFICATE"; ' +
    'got "BEGIN PRIVATE KEY"',
  ]],
  [withServer("tls: { mode: allow, certFile: gw.crt, keyFile: locked.key }"), [
    "locked.key:1:1: the private key has a passphrase, which nobody could type in; remove it " +
    "with: openssl pkey -in FILE -out NEW_FILE",
  ]],
  [withServer("tls: { mode: allow, certFile: gw.crt, keyFile: old.key }"), [
    "old.key:1:1: the private key has a passphrase, which nobody could type in; remove it " +
    "with: openssl pkey -in FILE -out NEW_FILE",
  ]],
  [withServer("tls: { mode: allow, certFile: no.pem, keyFile: gw.key }"), [
    'no.pem:1:1: expected a certificate as PEM, which has "BEGIN CERTIFICATE"; ' +
    "got nothing like that",
  ]],
  [withServer("tls: { mode: allow, certFile: none.crt, keyFile: gw.key }"), [
    's.yaml:4:35: servers.default.tls.certFile: cannot read "none.crt": there is no such file',
  ]],
  [withServer("tls: { minVersion: TLSv1.1 }"), [
    "s.yaml:4:24: servers.default.tls.minVersion: expected one of TLSv1.2, TLSv1.3; " +
    'got "TLSv1.1"; did you mean "TLSv1.2"?',
  ]],
  [withClient("tls: { mode: require, certFile: gw.crt }"), [
    "s.yaml:5:3: clients.default.tls.keyFile: this key is required with tls.certFile; add it, as " +
    'in "keyFile: client.key"',
  ]],
  [withClient("tls: { mode: require, keyFile: gw.key }"), [
    "s.yaml:5:3: clients.default.tls.certFile: this key is required with tls.keyFile; add it, as " +
    'in "certFile: client.crt"',
  ]],
  [withClient("tls: { negotiation: direct }"), [
    "s.yaml:7:25: clients.default.tls.negotiation: direct needs tls.mode: require, verify-ca or " +
    "verify-full; it is prefer",
  ]],
];

Deno.test("serverTls and clientTls say what is missing or wrong", () => {
  const files = {
    ...FILES,
    "locked.key": KEY.replaceAll("PRIVATE", "ENCRYPTED PRIVATE"),
    "old.key": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
    "no.pem": "hello",
  };
  for (const [text, problems] of WRONG) {
    equal(problemsOf(text, files), problems.map((line) => `${line}\n`).join(""), text);
  }
});

Deno.test("serverTls and clientTls note what has no effect", () => {
  equal(
    notesOf(withServer("tls: { certFile: no-such.crt }")),
    "s.yaml:4:22: servers.default.tls.certFile: not used, because tls.mode is disable\n",
  );
  equal(
    notesOf(
      withServer("tls: { mode: require, certFile: gw.crt, keyFile: gw.key }")
        .replace("127.0.0.1:15432", "/run/s.sock"),
      FILES,
    ),
    "s.yaml:4:18: servers.default.tls.mode: not used, because a Unix socket has no TLS\n",
  );
  equal(
    notesOf(withClient("tls: { mode: require }", "/run/.s.PGSQL.5432")),
    "s.yaml:7:18: clients.default.tls.mode: not used, because a Unix socket has no TLS\n",
  );
  equal(
    notesOf(withClient("tls: { mode: require, caFile: ca.crt }"), FILES),
    "s.yaml:7:35: clients.default.tls.caFile: not used with tls.mode: require; verify-ca and " +
      "verify-full check certificates\n",
  );
});
