/**
 * Keys of `servers.NAME`: where clients connect to, who they must be, and how they are protected.
 *
 * @module
 */

import { key } from "./key.ts";
import { ROUTING_KEYS } from "./routing_keys.ts";
import { address, bool, duration, int, mode, names, oneOf, size } from "./key_types.ts";
import { DATABASE_NAME, lines, path, secret, text, USER_NAME } from "./text_types.ts";

/** Whether TCP keep-alive is on, towards clients and servers. */
export const KEEP_ALIVE = key(
  bool(),
  "true",
  "Whether TCP keep-alive finds out about peers that vanished.",
);

/** Whether small packets are sent at once, towards clients and servers. */
export const NO_DELAY = key(
  bool(),
  "true",
  "Whether small packets are sent at once instead of being gathered (TCP_NODELAY).",
);

const LISTENER_KEYS = {
  address: key(
    address({ portMin: 0, allowsUnix: true }),
    { kind: "required", example: "127.0.0.1:15432" },
    "Where clients connect to. Port 0 takes any free port.",
  ),
  protocol: key(
    oneOf("postgres", "raw"),
    "postgres",
    "What clients speak. raw passes bytes on as they come, whatever the protocol: one server " +
      "connection for each client, without a look at what is said. See docs/raw.md.",
  ),
  proxies: key(
    names("proxies"),
    { kind: "own name" },
    "Proxies in the order they are tried: the first one whose database can be reached gets the " +
      "client. A client of that name stands in for a proxy that is not declared.",
  ),
  clientsMax: key(int(1, 100_000), "1000", "Largest number of clients at the same time."),
  // authentication_timeout in PostgreSQL's postgresql.conf.sample is 1min.
  loginTimeout: key(
    duration("100ms", "1h"),
    "60s",
    "How long a client may take to say what it wants and to log in. The time that it waits for a " +
      "place in the pool, or for the server to be reached, does not count. With protocol: raw it " +
      "is for the handshake of TLS.",
  ),
  clientIdleTimeout: key(
    duration("0ms", "168h"),
    "0ms",
    "How long a client may say nothing outside of a transaction before it is disconnected; with " +
      "protocol: raw, how long nothing may pass either way. 0 is for ever.",
  ),
  // MAX_STARTUP_PACKET_LENGTH in PostgreSQL's src/include/libpq/pqcomm.h is 10000.
  startupPacketSizeMax: key(
    size(512, 65_535),
    "10000B",
    "Largest startup packet. The default is what PostgreSQL itself accepts.",
  ),
  // PG_LARGE_MESSAGE_LIMIT, src/include/libpq/libpq.h: MaxAllocSize - 1, two bytes below 1 GiB.
  messageSizeMax: key(
    size(65_536, 1_073_741_824),
    "1GiB",
    "Largest message in either direction. PostgreSQL itself accepts none above 1GiB.",
  ),
  keepAlive: KEEP_ALIVE,
  noDelay: NO_DELAY,
  socketMode: key(
    mode(),
    "0700",
    "Permission bits of the socket's file. Only used when the address is a Unix socket.",
  ),
};

const AUTH_KEYS = {
  "auth.method": key(
    oneOf("trust", "password", "md5", "scram-sha-256", "cert", "rules", "relay"),
    "relay",
    "How clients show who they are. relay leaves it to the database, which needs a server " +
      "connection for each client; rules decides by rules or rulesFile; all others are done by " +
      "the gateway, which logs in to the database by itself. md5 does SCRAM for a user whose " +
      "secret is a SCRAM one.",
  ),
  "auth.allowRemoteTrust": key(
    bool(),
    "false",
    "Whether trust may be used on an address that other machines can reach. Whoever reaches it " +
      "is " +
      "then whoever they say they are.",
  ),
  "auth.usersFile": key(
    path(),
    "",
    "File with users and their secrets, in the format of PgBouncer's userlist.txt.",
  ),
  "auth.rules": key(
    lines("rules in the syntax of pg_hba.conf", "host all all 10.0.0.0/8 scram-sha-256"),
    { kind: "empty list" },
    "Rules in the syntax of pg_hba.conf, with method: rules. The first one that fits decides, " +
      "and " +
      "a client that none fits is refused.",
  ),
  "auth.rulesFile": key(
    path(),
    "",
    "File with rules in the syntax of pg_hba.conf, instead of rules.",
  ),
  "auth.nameMap": key(
    lines("lines such as certificate-name user", "app.example.com app"),
    { kind: "empty list" },
    "Which name in a client's certificate may log in as which user, with method cert. Without " +
      "any " +
      "line for it, the certificate's common name is the user.",
  ),
  "auth.authQuery": key(
    text(
      "SQL with the parameter $1, or nothing",
      // NUL would end the text of a Query message: PostgreSQL manual, section 53.7.
      "^(|[^\\u0000]{0,10000}\\$1(?![0-9])[^\\u0000]{0,10000})$",
    ),
    "",
    "SQL that looks up the secret of a user who is not in usersFile. $1 is the user's name; the " +
      "row has the name and the secret, and no row or a secret that is NULL refuses the client.",
  ),
  "auth.authUser": key(
    USER_NAME,
    "",
    "User who runs authQuery. Give it no other right than that.",
  ),
  "auth.authPassword": key(secret(), "", "Password of authUser."),
  "auth.authDatabase": key(
    DATABASE_NAME,
    "",
    "Database that authQuery runs in. Empty is the one that the client asks for, whose owner " +
      "could " +
      "then see what is looked up: name one that only administrators can write to.",
  ),
  "auth.failuresMax": key(
    int(0, 10_000),
    "10",
    "Failed logins of one address within failureWindow before it is refused. Before that it " +
      "has to " +
      "wait longer after each failure. 0 neither slows nor refuses anybody.",
  ),
  "auth.failureWindow": key(duration("1s", "1h"), "1m", "How long a failed login counts."),
  "auth.banTime": key(
    duration("1s", "24h"),
    "30s",
    "How long an address with too many failed logins is refused.",
  ),
};

/** Words of libpq's sslmode: PostgreSQL manual, section 32.19.3. */
export const TLS_MODE = oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full");

/** Versions of TLS below 1.2 are not spoken: RFC 8996 deprecates them. */
export const TLS_VERSION = oneOf("TLSv1.2", "TLSv1.3");

const TLS_KEYS = {
  "tls.mode": key(
    TLS_MODE,
    "disable",
    "Whether clients may or must use TLS. allow and prefer are the same: they may. require: they " +
      "must. verify-ca and verify-full are the same: they must, and show a certificate that " +
      "caFile " +
      "signed.",
  ),
  "tls.certFile": key(
    path(),
    "",
    "File with the gateway's certificate and those between it and its root, as PEM. Required " +
      "unless mode is disable.",
  ),
  "tls.keyFile": key(
    path(),
    "",
    "File with the private key of the certificate, as PEM without a passphrase. Required unless " +
      "mode is disable.",
  ),
  "tls.caFile": key(
    path(),
    "",
    "File with the certificates of those who sign clients' certificates, as PEM. Required with " +
      "mode: verify-ca and verify-full. With a lower mode, a certificate that a client shows is " +
      "checked.",
  ),
  "tls.minVersion": key(TLS_VERSION, "TLSv1.2", "Oldest version of TLS that clients may use."),
};

/** Keys of `servers.NAME`. */
export const SERVER_KEYS = { ...LISTENER_KEYS, ...ROUTING_KEYS, ...AUTH_KEYS, ...TLS_KEYS };
