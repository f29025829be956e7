/**
 * TLS of servers and clients: which files it needs, and what is in them.
 *
 * Whether a key belongs to its certificate, and whether that is still valid, is found out by who
 * speaks TLS; here only what everybody can see is checked: that a file holds what it should.
 *
 * @module
 */

import { type PemKind, wrongPem } from "../base/pem.ts";
import { addRequired, type CheckedGroup, placeOf } from "./check.ts";
import type { CLIENT_KEYS } from "./client_keys.ts";
import type { ClientTlsConfig, ServerTlsConfig, TlsFiles, TlsMode } from "./config.ts";
import type { ConfigFiles } from "./config_files.ts";
import { keyPlace, type Place, type Problems } from "./problems.ts";
import type { SERVER_KEYS } from "./server_keys.ts";

/** Size of a file with certificates or a key in bytes; a system's list of roots has 220 KiB. */
const PEM_FILE_SIZE_MAX = 4_194_304;

/** What the parts of a configuration are checked with. */
export interface Checking {
  readonly files: ConfigFiles;
  readonly problems: Problems;
  readonly notes: Problems;
}

type ServerGroup = CheckedGroup<typeof SERVER_KEYS>;
type ClientGroup = CheckedGroup<typeof CLIENT_KEYS>;
type FileKey = "tls.certFile" | "tls.keyFile" | "tls.caFile";

const FILE_KEYS: readonly FileKey[] = ["tls.certFile", "tls.keyFile", "tls.caFile"];

/** True for the modes that check the other side's certificate. */
export function verifies(mode: TlsMode): boolean {
  return mode === "verify-ca" || mode === "verify-full";
}

/** Returns TLS of a listener. */
export function serverTls(group: ServerGroup, checking: Checking): ServerTlsConfig {
  const { values } = group;
  const mode = values["tls.mode"] ?? "disable";
  const minVersion = values["tls.minVersion"] ?? "TLSv1.2";
  const files = readFiles(group, mode, checking);
  if (mode === "disable") return { mode, minVersion, ...files };
  if (values.address?.kind === "unix" && group.written.has("tls.mode")) {
    checking.notes.add(placeOf(group, "tls.mode"), "not used, because a Unix socket has no TLS");
  }
  requireFile(group, "tls.certFile", `tls.mode: ${mode}`, "gateway.crt", checking.problems);
  requireFile(group, "tls.keyFile", `tls.mode: ${mode}`, "gateway.key", checking.problems);
  if (verifies(mode)) {
    requireFile(group, "tls.caFile", `tls.mode: ${mode}`, "ca.crt", checking.problems);
  }
  return { mode, minVersion, ...files };
}

/** Returns TLS towards a database. */
export function clientTls(group: ClientGroup, checking: Checking): ClientTlsConfig {
  const { values } = group;
  const mode = values["tls.mode"] ?? "prefer";
  const minVersion = values["tls.minVersion"] ?? "TLSv1.2";
  const negotiation = values["tls.negotiation"] ?? "postgres";
  const files = readFiles(group, mode, checking);
  const { problems, notes } = checking;
  const isLocal = values.address?.every(({ kind }) => kind === "unix") === true;
  if (isLocal && group.written.has("tls.mode") && mode !== "disable") {
    notes.add(placeOf(group, "tls.mode"), "not used, because a Unix socket has no TLS");
  }
  if (mode !== "disable" && !verifies(mode) && files.caFile !== "") {
    const rule = `not used with tls.mode: ${mode}`;
    notes.add(
      placeOf(group, "tls.caFile"),
      `${rule}; verify-ca and verify-full check certificates`,
    );
  }
  if (files.certFile !== "" && mode !== "disable") {
    requireFile(group, "tls.keyFile", "tls.certFile", "client.key", problems);
  }
  if (files.keyFile !== "" && mode !== "disable") {
    requireFile(group, "tls.certFile", "tls.keyFile", "client.crt", problems);
  }
  // libpq, PostgreSQL manual section 32.1.2, refuses weaker modes: there is no plain text to fall
  // back to once TLS has begun.
  if (negotiation === "direct" && mode !== "require" && !verifies(mode)) {
    const rule = `direct needs tls.mode: require, verify-ca or verify-full; it is ${mode}`;
    problems.add(placeOf(group, "tls.negotiation"), rule);
  }
  return { mode, minVersion, negotiation, ...files };
}

function requireFile(
  group: ServerGroup | ClientGroup,
  key: FileKey,
  condition: string,
  example: string,
  problems: Problems,
): void {
  if (group.values[key] !== "" || problems.isFull) return;
  addRequired(group, key, example, condition, problems);
}

/** Reads the files of a group whose TLS is not off. */
function readFiles(group: ServerGroup | ClientGroup, mode: TlsMode, checking: Checking): TlsFiles {
  const { files, notes } = checking;
  const paths = FILE_KEYS.map((key) => files.resolve(group.values[key] ?? ""));
  const [certFile, keyFile, caFile] = paths as [string, string, string];
  if (mode === "disable") {
    for (const key of FILE_KEYS) {
      const written = group.written.get(key);
      if (written === undefined || group.values[key] === "") continue;
      notes.add(written.place, "not used, because tls.mode is disable");
    }
    return { certFile, keyFile, caFile, cert: "", key: "", ca: "" };
  }
  const read = (path: string, key: FileKey, parse: typeof certificates) => {
    if (path === "") return "";
    const isSecret = key === "tls.keyFile";
    // A key's place has the group's prefix in both kinds of groups.
    const place: Place = group.written.get(key)?.place ?? keyPlace(group.place, key);
    return files.read({ path, place, sizeMax: PEM_FILE_SIZE_MAX, isSecret }, parse) ?? "";
  };
  return {
    certFile,
    keyFile,
    caFile,
    cert: read(certFile, "tls.certFile", certificates),
    key: read(keyFile, "tls.keyFile", privateKey),
    ca: read(caFile, "tls.caFile", certificates),
  };
}

function certificates(text: string, fileName: string, problems: Problems): string {
  return pemOf("certificate", text, fileName, problems);
}

function privateKey(text: string, fileName: string, problems: Problems): string {
  return pemOf("private key", text, fileName, problems);
}

function pemOf(kind: PemKind, text: string, fileName: string, problems: Problems): string {
  const reason = wrongPem(text, kind);
  if (reason === undefined) return text;
  problems.add({ file: fileName, line: 1, column: 1, path: "" }, reason);
  return "";
}
