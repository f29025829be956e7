/**
 * What the server itself knows about its sessions, asked without the gateway.
 *
 * @module
 */

import { queryOnce } from "./postgres.ts";
import type { Target } from "./stories.ts";
import { eventually } from "./wait.ts";

/** Waits until exactly `count` queries with pg_sleep run on the server. */
export async function untilSleeping(direct: Target, count = 1): Promise<void> {
  await eventually(`${count} sessions sleep`, async () => {
    const rows = await queryOnce(
      direct,
      "select 1 from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'",
    );
    return rows.length === count;
  });
}

/** Waits until the server has exactly `count` client sessions besides the one that asks. */
export async function untilSessions(direct: Target, count: number): Promise<void> {
  await eventually(`the server has ${count} sessions`, async () => {
    const rows = await queryOnce(
      direct,
      "select 1 from pg_stat_activity " +
        "where backend_type = 'client backend' and pid <> pg_backend_pid()",
    );
    return rows.length === count;
  });
}
