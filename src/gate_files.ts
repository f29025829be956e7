/**
 * What the configuration and its files say about one listener's clients, made ready to be used:
 * rules, secrets, TLS. Whoever can make this can run the listener, so it is made before a gateway
 * starts, and before running gates are given it.
 *
 * @module
 */

import { messageOf } from "./base/errors.ts";
import type { HbaRule as ConfiguredRule, NameMapEntry, ServerConfig } from "./config/config.ts";
import type { TlsServerContext } from "./net/tls/server_context.ts";
import { HbaRules } from "./postgres/auth/hba.ts";
import { NameMap } from "./postgres/auth/name_map.ts";
import type { GateRule } from "./postgres/client_gate.ts";
import { parseSecret, type Secret } from "./postgres/secrets/secret.ts";
import { serverTls } from "./tls_contexts.ts";

/** A rule and what its options mean. */
type Rule = ConfiguredRule & { readonly gateRule: GateRule };

/** One listener's. Disposing of it closes its certificate for new connections. */
export class GateFiles implements Disposable {
  /** What it was made from. */
  readonly server: ServerConfig;
  readonly rules: HbaRules<Rule>;
  /** By user. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** The kinds of secrets that any user may have. */
  readonly kinds: ReadonlySet<Secret["kind"]>;
  /** Undefined where TLS is not offered. */
  readonly certificate: TlsServerContext | undefined;

  /** @throws {Error} If something cannot be used; it says which file, and what is wrong. */
  constructor(server: ServerConfig) {
    this.server = server;
    this.rules = rulesOf(server);
    this.secrets = secretsOf(server);
    this.kinds = kindsOf(server, this.secrets);
    // Last: nothing that can throw follows what has to be closed.
    this.certificate = serverTls(server);
  }

  [Symbol.dispose](): void {
    this.certificate?.close();
  }
}

/** The rules of a listener; one for everybody where its method is not `rules`. */
function rulesOf({ auth }: ServerConfig): HbaRules<Rule> {
  try {
    return new HbaRules(
      configuredRules(auth).map((rule) => {
        return { ...rule, gateRule: gateRule(rule, auth) };
      }),
    );
  } catch (cause) {
    const inline = auth.method === "rules" ? "auth.rules" : "auth.nameMap";
    const source = auth.rulesFile === "" ? inline : auth.rulesFile;
    throw new Error(`Cannot use ${source}: ${messageOf(cause)}`, { cause });
  }
}

function configuredRules({ method, rules }: ServerConfig["auth"]): readonly ConfiguredRule[] {
  if (method === "rules") return rules;
  const everybody = { databases: ["all", "replication"], users: ["all"], address: undefined };
  const options = { map: "", clientCertificate: undefined };
  return (["local", "host"] as const).map((type) => ({ type, ...everybody, method, options }));
}

function gateRule(
  { method, options }: ConfiguredRule,
  { nameMap }: { readonly nameMap: readonly NameMapEntry[] },
): GateRule {
  const entries = nameMap.filter(({ map }) => map === options.map);
  const names = new NameMap(entries.length === 0 ? undefined : entries);
  return {
    method,
    clientCertificate: options.clientCertificate,
    isNameRight: (commonName, user) => names.allows(commonName, user),
  };
}

function secretsOf({ auth }: ServerConfig): Map<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const [user, text] of auth.users) {
    try {
      const secret = parseSecret(text);
      if (secret !== undefined) secrets.set(user, secret);
    } catch (cause) {
      const whose = `user ${JSON.stringify(user)}`;
      throw new Error(`Cannot use ${auth.usersFile}: ${whose}: ${messageOf(cause)}`, { cause });
    }
  }
  return secrets;
}

function kindsOf(
  { auth }: ServerConfig,
  secrets: ReadonlyMap<string, Secret>,
): ReadonlySet<Secret["kind"]> {
  const kinds = new Set([...secrets.values()].map(({ kind }) => kind));
  // What the database answers is not known before it is asked; PostgreSQL stores these two.
  if (auth.query !== undefined) kinds.add("scram-sha-256").add("md5");
  return kinds;
}
