/**
 * Keys of `clients.NAME`: how a database is reached, who logs in, and how that is protected.
 *
 * @module
 */

import { key } from "./key.ts";
import { addresses } from "./address_types.ts";
import { GROUP_KEYS } from "./group_keys.ts";
import { duration, int, number, oneOf } from "./key_types.ts";
import { KEEP_ALIVE, NO_DELAY, TLS_MODE, TLS_VERSION } from "./server_keys.ts";
import { DATABASE_NAME, path, secret, USER_NAME } from "./text_types.ts";

/** Keys of `clients.NAME`. */
export const CLIENT_KEYS = {
  address: key(
    addresses({ portMin: 1, allowsUnix: true }),
    { kind: "required", example: "127.0.0.1:5432" },
    "Where the database listens: a host and a port, or the full path of its Unix socket such as " +
      "/run/postgresql/.s.PGSQL.5432. A list makes a group of servers that replicate one another.",
  ),
  dialTimeout: key(duration("10ms", "10m"), "5s", "How long one attempt to connect may take."),
  retries: key(
    int(0, 100),
    "3",
    "Further attempts after the first one failed, or met a server that is starting.",
  ),
  backoff: key(duration("0ms", "1m"), "200ms", "Pause before the first further attempt."),
  backoffMultiplier: key(number(1, 10), "2", "What every further pause is multiplied by."),
  keepAlive: KEEP_ALIVE,
  noDelay: NO_DELAY,
  user: key(
    USER_NAME,
    "",
    "User who logs in to the database, whoever the client is. Empty is the client's own user, " +
      "with " +
      "what is known of its password.",
  ),
  password: key(secret(), "", "Password of user."),
  passwordFile: key(
    path(),
    "",
    "File whose first line is the password of user, instead of password.",
  ),
  database: key(
    DATABASE_NAME,
    "",
    "Database to connect to. Empty is the one that the client asks for.",
  ),
  "tls.mode": key(
    TLS_MODE,
    "prefer",
    "Whether TLS is used, as in libpq's sslmode. allow: when the database insists. prefer: " +
      "when the " +
      "database can, which is the default as it is in libpq, and never on a Unix socket. " +
      "require: " +
      "always, but it may be anybody. verify-ca: a certificate that caFile signed. verify-full: " +
      "such a certificate for the host in address.",
  ),
  "tls.caFile": key(
    path(),
    "",
    "File with the certificates of those who sign the database's certificate, as PEM. Empty " +
      "trusts " +
      "those that the system trusts.",
  ),
  "tls.certFile": key(path(), "", "File with a certificate to show to the database, as PEM."),
  "tls.keyFile": key(
    path(),
    "",
    "File with the private key of that certificate, as PEM without a passphrase.",
  ),
  "tls.minVersion": key(TLS_VERSION, "TLSv1.2", "Oldest version of TLS that the database may use."),
  "tls.negotiation": key(
    oneOf("postgres", "direct"),
    "postgres",
    "How TLS begins, as in libpq's sslnegotiation. postgres asks first; direct does not, which " +
      "saves a round trip and needs PostgreSQL 17 and mode: require or above.",
  ),
  ...GROUP_KEYS,
};
