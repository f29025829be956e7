/**
 * Keys of `pools.NAME` and `users.NAME`: how many server connections there are, who gets one, for
 * how long, and what happens to it in between.
 *
 * @module
 */

import { key } from "./key.ts";
import { bool, duration, int, oneOf } from "./key_types.ts";
import { path, text } from "./text_types.ts";

const MODES = ["session", "transaction", "statement"] as const;

const SIZE_KEYS = {
  mode: key(
    oneOf(...MODES),
    "session",
    "For how long a client keeps a server connection: until it leaves, to the end of each " +
      "transaction, or to the end of each statement, where transactions of several statements " +
      "are " +
      "refused. All but session need an auth.method other than relay.",
  ),
  size: key(
    int(1, 10_000),
    "50",
    "Largest number of server connections for each pair of a database and a user, over all " +
      "workers. " +
      "With auth.method: relay it is for the pool as a whole.",
  ),
  minSize: key(
    int(0, 10_000),
    "0",
    "Server connections that are kept open for each pair of a database and a user that was used.",
  ),
  reserve: key(
    int(0, 10_000),
    "0",
    "Further server connections for each pair while clients wait longer than reserveTimeout.",
  ),
  reserveTimeout: key(
    duration("0ms", "1h"),
    "5s",
    "How long a client waits before a further server connection of reserve is opened.",
  ),
  databaseSizeMax: key(
    int(0, 100_000),
    "0",
    "Largest number of server connections to one database, whoever the users are. 0 is without " +
      "limit.",
  ),
  userSizeMax: key(
    int(0, 100_000),
    "0",
    "Largest number of server connections of one user, whatever the databases are. 0 is without " +
      "limit.",
  ),
  limitsFile: key(
    path(),
    "",
    "File with sizes for single databases and users, in the format of pgagroal_databases.conf.",
  ),
};

const WAIT_KEYS = {
  acquireTimeout: key(
    duration("10ms", "1h"),
    "30s",
    "How long a client waits for a server connection before it is turned away.",
  ),
  waitersMax: key(
    int(0, 100_000),
    "1000",
    "Largest number of clients that wait at the same time. 0 turns a client away at once.",
  ),
  // query_wait_notify in PgBouncer is 5 seconds.
  waitNotice: key(
    duration("0ms", "1h"),
    "5s",
    "How long a client waits before a NOTICE tells it so. 0 is never.",
  ),
};

const LIFE_KEYS = {
  // server_idle_timeout in PgBouncer is 600 seconds, server_lifetime 3600, server_check_delay 30.
  idleTimeout: key(
    duration("0ms", "168h"),
    "10m",
    "How long a server connection may be unused before it is closed. 0 is for ever.",
  ),
  maxLifetime: key(
    duration("0ms", "168h"),
    "1h",
    "How old a server connection may become before it is closed, when nobody uses it; a tenth " +
      "more " +
      "or less by chance, so that they do not all close at once. 0 is for ever.",
  ),
  validation: key(
    oneOf("off", "foreground", "background"),
    "off",
    "Whether unused server connections are checked: never, before one is given to a client, or " +
      "all " +
      "the time.",
  ),
  validationInterval: key(
    duration("100ms", "1h"),
    "30s",
    "How long a server connection must have been unused to be checked.",
  ),
  resetQuery: key(
    // NUL would end the text of a Query message: PostgreSQL manual, section 53.7.
    text("SQL, or nothing", "^[^\\u0000]{0,10000}$"),
    "DISCARD ALL",
    "SQL that makes a server connection as good as new when a client that changed its session " +
      "gives " +
      "it back. Empty runs nothing, and the next client sees what the last one left.",
  ),
};

const SESSION_KEYS = {
  pin: key(
    bool(),
    "true",
    "Whether a client whose session holds state that cannot follow it, such as a temporary " +
      "table or " +
      "an advisory lock, keeps its server connection until that state is gone. Otherwise what " +
      "makes " +
      "such state is refused.",
  ),
  // max_prepared_statements in PgBouncer is 200.
  preparedStatementsMax: key(
    int(0, 10_000),
    "200",
    "Largest number of prepared statements on one server connection; the one that was unused for " +
      "the longest time makes room. 0 does not track them, and they work in session mode only.",
  ),
};

const ZERO_IS_WITHOUT_LIMIT = "0 is without limit.";

const TIMEOUT_KEYS = {
  queryTimeout: key(
    duration("0ms", "168h"),
    "0ms",
    `How long a query may run before it is cancelled. ${ZERO_IS_WITHOUT_LIMIT}`,
  ),
  transactionTimeout: key(
    duration("0ms", "168h"),
    "0ms",
    `How long a transaction may last before its client is disconnected. ${ZERO_IS_WITHOUT_LIMIT}`,
  ),
  idleTransactionTimeout: key(
    duration("0ms", "168h"),
    "0ms",
    "How long a client may say nothing within a transaction before it is disconnected. " +
      ZERO_IS_WITHOUT_LIMIT,
  ),
};

/** Keys of `pools.NAME`. */
export const POOL_KEYS = {
  ...SIZE_KEYS,
  ...WAIT_KEYS,
  ...LIFE_KEYS,
  ...SESSION_KEYS,
  ...TIMEOUT_KEYS,
};

/** Keys of `users.NAME`. */
export const USER_KEYS = {
  mode: key(
    oneOf("pool", ...MODES),
    "pool",
    "For how long this user's clients keep a server connection. pool is what their pool says.",
  ),
  poolSize: key(
    int(0, 10_000),
    "0",
    "Largest number of this user's server connections to one database in one pool. 0 is what the " +
      "pool says.",
  ),
  queryTimeout: key(
    duration("0ms", "168h"),
    "0ms",
    "How long a query of this user may run before it is cancelled. 0 is what the pool says.",
  ),
  transactionTimeout: key(
    duration("0ms", "168h"),
    "0ms",
    "How long a transaction of this user may last before its client is disconnected. 0 is what " +
      "the " +
      "pool says.",
  ),
  idleTransactionTimeout: key(
    duration("0ms", "168h"),
    "0ms",
    "How long a client of this user may say nothing within a transaction before it is " +
      "disconnected. " +
      "0 is what the pool says.",
  ),
  connectionsMax: key(
    int(0, 100_000),
    "0",
    "Largest number of this user's clients over the whole gateway: all servers and all workers. " +
      ZERO_IS_WITHOUT_LIMIT,
  ),
};
