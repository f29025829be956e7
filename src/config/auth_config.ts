/**
 * Authentication of a listener: which keys belong together, what is in the files they name, and
 * what would let in somebody who should stay out.
 *
 * @module
 */

import { isIPv4 } from "node:net";
import type { Address } from "../base/address.ts";
import { addRequired, type CheckedGroup, placeOf } from "./check.ts";
import { isLoopbackRange } from "./cidr.ts";
import type { AuthConfig, AuthQueryConfig, HbaRule, NameMapEntry } from "./config.ts";
import { parseHba, type PlacedRule } from "./hba.ts";
import { linesOf } from "./lines.ts";
import { parseNameMap } from "./name_map.ts";
import { nameList, type Place, type Problems, quote } from "./problems.ts";
import type { SERVER_KEYS } from "./server_keys.ts";
import { type Checking, verifies } from "./tls_config.ts";
import { parseUsersFile, USERS_FILE_SIZE_MAX } from "./users_file.ts";

/** Size of a file with rules in bytes. */
const RULES_FILE_SIZE_MAX = 1_048_576;

type ServerGroup = CheckedGroup<typeof SERVER_KEYS>;

/** Methods that compare a password with a secret. */
const SECRET_METHODS: ReadonlySet<string> = new Set(["password", "md5", "scram-sha-256"]);

/** True when some client of a listener is authenticated by the server behind the gateway. */
export function relays({ method, rules }: Pick<AuthConfig, "method" | "rules">): boolean {
  return method === "relay" || rules.some((rule) => rule.method === "relay");
}

/** Returns authentication of a listener. */
export function serverAuth(group: ServerGroup, checking: Checking): AuthConfig {
  const { values } = group;
  const { files, problems } = checking;
  const method = values["auth.method"] ?? "relay";
  const usersFile = files.resolve(values["auth.usersFile"] ?? "");
  const place = placeOf(group, "auth.usersFile");
  const users = usersFile === "" ? undefined : files.read(
    { path: usersFile, place, sizeMax: USERS_FILE_SIZE_MAX, isSecret: true },
    parseUsersFile,
  );
  const query = authQuery(group, problems);
  const nameMap = parseNameMap(values["auth.nameMap"] ?? [], problems);
  const placed = rulesOf(group, checking);
  const rules = placed.map(({ rule }) => rule);

  const methods = new Set([method, ...rules.map((rule) => rule.method)]);
  checkSecrets(group, methods, usersFile !== "" || query !== undefined, problems);
  noteUnusable(group, methods, users, checking.notes);
  checkTrust(group, placed, problems);
  checkCertificates(group, placed, nameMap, problems);
  noteNeedless(group, methods, placed, checking.notes);
  noteClearText(group, placed, checking.notes);
  return {
    method,
    usersFile,
    users: users ?? new Map(),
    rulesFile: files.resolve(values["auth.rulesFile"] ?? ""),
    rules,
    nameMap,
    query,
    failuresMax: values["auth.failuresMax"] ?? 0,
    failureWindowMs: values["auth.failureWindow"] ?? 0,
    banTimeMs: values["auth.banTime"] ?? 0,
  };
}

/** True when no other machine can connect to an address. Names of hosts may be anybody's. */
export function isLocal(address: Address): boolean {
  if (address.kind === "unix" || address.host.toLowerCase() === "localhost") return true;
  // RFC 1122, section 3.2.1.3, and RFC 4291, section 2.5.3.
  return isIPv4(address.host) ? address.host.startsWith("127.") : address.host === "::1";
}

function authQuery(group: ServerGroup, problems: Problems): AuthQueryConfig | undefined {
  const { values } = group;
  const sql = values["auth.authQuery"] ?? "";
  const user = values["auth.authUser"] ?? "";
  if (sql === "") {
    // A query that could not be read is a problem already.
    if (values["auth.authQuery"] === undefined) return undefined;
    for (const key of ["auth.authUser", "auth.authPassword", "auth.authDatabase"] as const) {
      if ((values[key] ?? "") === "") continue;
      const rule = "only allowed with authQuery";
      problems.add(placeOf(group, key), `${rule}; add authQuery or remove this key`);
    }
    return undefined;
  }
  if (user === "" && values["auth.authUser"] !== undefined) {
    addRequired(group, "auth.authUser", "sluice_auth", "authQuery", problems);
  }
  return {
    sql,
    user,
    password: values["auth.authPassword"] ?? "",
    database: values["auth.authDatabase"] ?? "",
  };
}

/** The rules, wherever they are written. */
function rulesOf(group: ServerGroup, { files, problems }: Checking): readonly PlacedRule[] {
  const { values, written } = group;
  const method = values["auth.method"];
  const lines = values["auth.rules"] ?? [];
  const file = values["auth.rulesFile"] ?? "";
  for (const key of ["auth.rules", "auth.rulesFile"] as const) {
    const isEmpty = key === "auth.rules" ? lines.length === 0 : file === "";
    if (isEmpty || method === undefined || method === "rules") continue;
    const rule = "only allowed with method: rules";
    problems.add(placeOf(group, key), `${rule}; write "method: rules" or remove this key`);
  }
  if (lines.length > 0 && file !== "") {
    problems.add(placeOf(group, "auth.rulesFile"), "rules are written as well; remove one of both");
  }
  if (method === "rules" && lines.length === 0 && file === "" && !isMissing(group)) {
    const example = 'rules: ["host all all 127.0.0.1/32 scram-sha-256"]';
    const place = written.get("auth.rules")?.place ?? placeOf(group, "auth.method");
    problems.add(place, `method: rules needs rules or rulesFile; add one, as in ${example}`);
  }
  if (file === "") return parseHba(lines, problems);
  const path = files.resolve(file);
  const place = placeOf(group, "auth.rulesFile");
  return files.read({ path, place, sizeMax: RULES_FILE_SIZE_MAX, isSecret: false }, parseRules) ??
    [];
}

/** True when what is written as rules could not be read, which is a problem already. */
function isMissing({ values }: ServerGroup): boolean {
  return values["auth.rules"] === undefined || values["auth.rulesFile"] === undefined;
}

function parseRules(text: string, fileName: string, problems: Problems): readonly PlacedRule[] {
  return parseHba(linesOf(text, fileName), problems);
}

/** Nobody can log in with a password when no secret is known. */
function checkSecrets(
  group: ServerGroup,
  methods: ReadonlySet<string>,
  hasSource: boolean,
  problems: Problems,
): void {
  const method = [...methods].find((one) => SECRET_METHODS.has(one));
  const { values } = group;
  if (method === undefined || hasSource) return;
  if (values["auth.usersFile"] === undefined || values["auth.authQuery"] === undefined) return;
  const rule = `method ${method} needs the users' secrets`;
  const advice = "add usersFile, as in usersFile: users.txt, or authQuery with authUser";
  problems.add(placeOf(group, "auth.method"), `${rule}; ${advice}`);
}

/** An MD5 secret has nothing that SCRAM could be computed from. */
function noteUnusable(
  group: ServerGroup,
  methods: ReadonlySet<string>,
  users: ReadonlyMap<string, string> | undefined,
  notes: Problems,
): void {
  if (!methods.has("scram-sha-256") || users === undefined) return;
  const found = [...users].filter(([, secret]) => /^md5[0-9a-f]{32}$/.test(secret));
  if (found.length === 0) return;
  const names = nameList(found.map(([user]) => user));
  const rule = `an md5 secret cannot be used with scram-sha-256, so these cannot log in: ${names}`;
  notes.add(placeOf(group, "auth.usersFile"), rule);
}

/** Whoever reaches a listener with `trust` is who they say they are. */
function checkTrust(
  group: ServerGroup,
  rules: readonly PlacedRule[],
  problems: Problems,
): void {
  const { values } = group;
  const { address } = values;
  if (address === undefined || isLocal(address) || values["auth.allowRemoteTrust"] === true) return;
  const advice = "choose another method, or write allowRemoteTrust: true as well";
  if (values["auth.method"] === "trust") {
    const rule = "trust lets everybody in who can reach an address that is not local";
    problems.add(placeOf(group, "auth.method"), `${rule}; ${advice}`);
  }
  for (const { rule, place } of rules) {
    if (rule.method !== "trust" || rule.type === "local") continue;
    if (rule.address !== undefined && isLoopbackRange(rule.address)) continue;
    const where = rule.address ?? "every address";
    problems.add(place, `trust lets everybody in from ${where}; ${advice}`);
  }
}

/** A certificate can only be checked when somebody may show one. */
function checkCertificates(
  group: ServerGroup,
  rules: readonly PlacedRule[],
  nameMap: readonly NameMapEntry[],
  problems: Problems,
): void {
  const { values } = group;
  const mode = values["tls.mode"];
  if (mode === undefined) return;
  if (values["auth.method"] === "cert") {
    if (values.address?.kind === "unix") {
      const rule = "cert needs TLS, which a Unix socket does not have";
      problems.add(placeOf(group, "auth.method"), `${rule}; choose another method or address`);
    } else if (!verifies(mode)) {
      const rule = `cert needs tls.mode: verify-ca or verify-full; it is ${mode}`;
      problems.add(placeOf(group, "auth.method"), `${rule}; change it and add tls.caFile`);
    }
  }
  const maps = new Set(nameMap.map(({ map }) => map));
  const cannotVerify = mode === "disable" || values["tls.caFile"] === "";
  for (const { rule, place } of rules) {
    const { map, clientCertificate } = rule.options;
    if (map !== "" && !maps.has(map)) {
      const known = nameList([...maps].filter((name) => name !== ""));
      problems.add(place, `no line of nameMap is for the map ${quote(map)}; there are: ${known}`);
    }
    if (!cannotVerify || (rule.method !== "cert" && clientCertificate === undefined)) continue;
    const need = rule.method === "cert" ? "method cert" : "clientcert=";
    problems.add(place, `${need} needs tls.caFile and a tls.mode other than disable; add them`);
  }
}

/** What is written and has no effect may be a mistake. */
function noteNeedless(
  group: ServerGroup,
  methods: ReadonlySet<string>,
  rules: readonly PlacedRule[],
  notes: Problems,
): void {
  const { values } = group;
  const note = (place: Place, reason: string) => notes.add(place, `not used, because ${reason}`);
  if ((values["auth.nameMap"] ?? []).length > 0 && !methods.has("cert")) {
    note(placeOf(group, "auth.nameMap"), "it is for method cert");
  }
  for (const key of ["auth.usersFile", "auth.authQuery"] as const) {
    if (values["auth.method"] !== "relay" || (values[key] ?? "") === "") continue;
    note(placeOf(group, key), "auth.method is relay, where the database authenticates clients");
  }
  const isEncrypted = values["tls.mode"] !== "disable";
  const isRequired = values["tls.mode"] === "require" || verifies(values["tls.mode"] ?? "disable");
  for (const { rule, place } of rules) {
    const reason = neverFits(rule, isEncrypted, isRequired);
    if (reason !== undefined) note(place, reason);
  }
}

/** Whoever listens on the way reads a password that is sent as it is. */
function noteClearText(
  group: ServerGroup,
  rules: readonly PlacedRule[],
  notes: Problems,
): void {
  const { address } = group.values;
  const mode = group.values["tls.mode"] ?? "disable";
  if (address === undefined || isLocal(address) || mode === "require" || verifies(mode)) return;
  const rule = "without TLS, passwords cross the network as they are";
  if (group.values["auth.method"] === "password") {
    notes.add(placeOf(group, "auth.method"), `${rule}; write tls.mode: require`);
  }
  for (const { rule: { method, type, address }, place } of rules) {
    if (method !== "password" || type === "local" || type === "hostssl") continue;
    if (address !== undefined && isLoopbackRange(address)) continue;
    notes.add(place, `${rule}; write hostssl`);
  }
}

function neverFits(rule: HbaRule, isEncrypted: boolean, isRequired: boolean): string | undefined {
  if (rule.type === "hostssl" && !isEncrypted) return "tls.mode is disable";
  return rule.type === "hostnossl" && isRequired ? "tls.mode requires TLS" : undefined;
}
