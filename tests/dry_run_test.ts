import { deepEqual, equal, match } from "node:assert/strict";
import type { ClientConfig, LoggerConfig, ServerConfig, TlsFiles } from "../src/config/config.ts";
import { type Finding, tryFiles, tryLogFiles } from "../src/dry_run.ts";
import { type CertificateFiles, Certificates } from "./support/certificates.ts";
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from "./support/configs.ts";

const ADDRESS = { kind: "tcp", host: "127.0.0.1", port: 1 } as const;

function filesOf({ certFile, keyFile }: CertificateFiles, caFile = ""): TlsFiles {
  const [cert, key] = [certFile, keyFile].map((path) => Deno.readTextFileSync(path));
  const ca = caFile === "" ? "" : Deno.readTextFileSync(caFile);
  return { certFile, keyFile, caFile, cert: cert!, key: key!, ca };
}

function server(files: TlsFiles, auth: Partial<ServerConfig["auth"]> = {}): ServerConfig {
  return {
    ...SERVER_DEFAULTS,
    address: ADDRESS,
    proxies: [],
    auth: { ...SERVER_DEFAULTS.auth, ...auth },
    tls: { ...SERVER_DEFAULTS.tls, mode: "require", ...files },
  };
}

function client(files: TlsFiles): ClientConfig {
  const tls = { ...CLIENT_DEFAULTS.tls, mode: "require", ...files } as const;
  return { ...CLIENT_DEFAULTS, address: ADDRESS, tls };
}

function logger(file: string): LoggerConfig {
  return { level: "info", format: "auto", output: "file", file };
}

function keyOf({ section, name, key }: Finding): string {
  return `${section}.${name}.${key}`;
}

Deno.test("tryFiles finds everything that cannot be used, and says which key it is about", () => {
  using certificates = new Certificates();
  const good = certificates.make({ subject: "/CN=good" });
  const other = certificates.make({ subject: "/CN=other" });
  const key = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512"];
  const weak = certificates.make({ subject: "/CN=weak", key });
  const broken = `${certificates.folder}/broken`;
  Deno.writeTextFileSync(broken, "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n");
  const mixed = { ...good, keyFile: other.keyFile };
  const users = new Map([["ann", "SCRAM-SHA-256$hunter2"]]);
  const { problems, warnings } = tryFiles({
    servers: new Map([
      ["good", server(filesOf(good))],
      ["mixed", server(filesOf(mixed))],
      ["weak", server(filesOf(weak))],
      ["ca", server(filesOf(good, broken))],
      ["users", server(filesOf(good), { method: "md5", usersFile: "/users", users })],
    ]),
    clients: new Map([["mixed", client(filesOf(mixed))], ["good", client(filesOf(good))]]),
  });
  deepEqual(warnings, []);
  deepEqual(problems.map(keyOf), [
    "servers.mixed.tls.keyFile",
    "servers.weak.tls.certFile",
    "servers.ca.tls.caFile",
    "servers.users.auth.usersFile",
    "clients.mixed.tls.keyFile",
  ]);
  const [wrongKey, tooSmall, ca, secret, same] = problems.map(({ message }) => message);
  const rule = `it is not the key of the certificate in ${good.certFile}`;
  equal(wrongKey, `Cannot use ${other.keyFile} as private key: ${rule}`);
  equal(same, wrongKey);
  match(tooSmall!, /\.crt as certificate: ee key too small; .* RSA mostly 2048 bits: make a new/);
  match(ca!, /^Cannot use .*broken as certificate number 1: /);
  match(secret!, /^Cannot use \/users: user "ann": invalid SCRAM secret: (?!.*hunter2)/);
});

Deno.test("tryFiles warns of what works and should be changed", () => {
  using certificates = new Certificates();
  const expired = certificates.make({ subject: "/CN=old", isExpired: true });
  const servers = new Map([["main", server(filesOf(expired))]]);
  const clients = new Map([["db", client(filesOf(expired))]]);
  const { problems, warnings } = tryFiles({ servers, clients });
  deepEqual(problems, []);
  const message = `The certificate of ${expired.certFile} has expired`;
  deepEqual(warnings.map((warning) => [keyOf(warning), warning.message]), [
    ["servers.main.tls.certFile", message],
    ["clients.db.tls.certFile", message],
  ]);
});

Deno.test("tryLogFiles says why a file cannot be opened, and makes none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/there.log`, "a line\n");
    const found = tryLogFiles(
      new Map([
        ["there", logger(`${folder}/there.log`)],
        ["new", logger(`${folder}/new.log`)],
        ["folder", logger(folder)],
        ["lost", logger(`${folder}/no/t.log`)],
        ["below", logger(`${folder}/there.log/t.log`)],
        ["off", { ...logger(`${folder}/no/t.log`), level: "off" }],
        ["stderr", { ...logger(""), output: "stderr" }],
      ]),
    );
    const reasons = found.map((one) => {
      return `${keyOf(one)}: ${one.message.replaceAll(folder, "F")}`;
    });
    deepEqual(reasons, [
      'loggers.folder.file: Cannot write to "F": it is a folder; choose another path',
      'loggers.lost.file: Cannot write to "F/no/t.log": its folder "F/no" does not exist; make it',
      'loggers.below.file: Cannot write to "F/there.log/t.log": a part of its path is no folder; ' +
      "choose another path",
    ]);
    deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["there.log"]);
    equal(await Deno.readTextFile(`${folder}/there.log`), "a line\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "tryLogFiles notices what this user may not write to",
  // Root may write anywhere.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  async fn() {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/t.log`, "");
    await Deno.chmod(`${folder}/t.log`, 0o400);
    await Deno.chmod(folder, 0o500);
    const files = ["t.log", "new.log"].map((name) => [name, logger(`${folder}/${name}`)] as const);
    const [old, made] = tryLogFiles(new Map(files)).map(({ message }) => message);
    match(old!, /: permission denied; make it writable for this user, or choose another path$/);
    match(made!, /: its folder .* is not writable for this user; make it so, or choose/);
    await Deno.chmod(folder, 0o700);
    await Deno.remove(folder, { recursive: true });
  },
});
