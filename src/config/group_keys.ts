/**
 * Keys of `clients.NAME` for servers that replicate one another: who is asked how they are, and
 * what happens while none of them can serve.
 *
 * @module
 */

import { key } from "./key.ts";
import { duration, int, oneOf, size } from "./key_types.ts";
import { listOf } from "./list_type.ts";
import { DATABASE_NAME, path, secret, text, USER_NAME } from "./text_types.ts";

/** Patroni answers on one address for each member, and groups have few. */
const PATRONI_MAX = 100;

/** Keys of `clients.NAME` for the servers of a group. */
export const GROUP_KEYS = {
  failoverTimeout: key(
    duration("0ms", "1h"),
    "30s",
    "How long a client waits while no server of the group can serve it, as between the end of " +
      "one primary and the next. 0 does not wait.",
  ),
  failoverScript: key(
    path(),
    "",
    "Program that is run when the group has another primary, as in pgagroal: its arguments are " +
      "the host and the port of the old one and those of the new one.",
  ),
  switchoverScript: key(
    path(),
    "",
    "Program that sluice admin switch-over runs, with the same arguments, where there is no " +
      "patroni. It stops or demotes the old primary, and promotes the new one; it ends with 0 " +
      "if both are done.",
  ),
  patroni: key(
    listOf(
      text(
        "the address of Patroni's REST API, such as http://db1:8008, or nothing",
        "^https?://[^\\s/@]{1,260}/?$",
      ),
      "addresses of Patroni's REST API",
      PATRONI_MAX,
    ),
    { kind: "empty list" },
    "Patroni's REST API of some or all members. Who is the primary, and who is behind, is then " +
      "what Patroni says, and servers are only asked whether they can be reached.",
  ),
  lagMax: key(
    duration("0ms", "168h"),
    "0ms",
    "How far a replica may be behind to serve. 0 is without limit.",
  ),
  lagSizeMax: key(
    size(0, 1_099_511_627_776),
    "0B",
    "How many bytes of WAL a replica may have to replay to serve. 0 is without limit.",
  ),
  "health.check": key(
    oneOf("auto", "off", "connect", "query"),
    "auto",
    "How servers are watched: not at all, by connecting to them, or by logging in and asking for " +
      "role and lag, which needs a user. auto is query where there is more than one address, " +
      "and off otherwise.",
  ),
  "health.interval": key(
    duration("100ms", "1h"),
    "1s",
    "Pause between two checks of one server.",
  ),
  "health.timeout": key(duration("10ms", "10m"), "2s", "How long one check may take."),
  "health.rise": key(int(1, 100), "2", "Checks in a row that make a server healthy that was not."),
  "health.fall": key(
    int(1, 100),
    "3",
    "Checks in a row that have to fail until a server counts as down. One that refuses " +
      "connections counts as down at once.",
  ),
  "health.slowStart": key(
    duration("0ms", "24h"),
    "0ms",
    "How long a server that has come back gets less than its share, growing from a tenth.",
  ),
  "health.panic": key(
    oneOf("try", "refuse"),
    "try",
    "What happens when no server of a group is healthy: all are tried, or clients wait for " +
      "failoverTimeout and are refused.",
  ),
  "health.user": key(
    USER_NAME,
    "",
    "User who logs in for checks. Empty is user. It needs no right but to connect; with " +
      "pg_read_all_stats it sees more.",
  ),
  "health.password": key(secret(), "", "Password of health.user. Empty is password."),
  "health.database": key(
    DATABASE_NAME,
    "",
    "Database that checks connect to. Empty is database, or else postgres.",
  ),
};
