/**
 * What has cells of its own to be counted in, by the names in the configuration.
 *
 * @module
 */

import type { Config } from "./config/config.ts";
import type { CounterLayout } from "./observe/counters.ts";

/** The same for all workers, and for whoever reads what they count. */
export function counterLayout(
  { servers, pools, proxies }: Pick<Config, "servers" | "pools" | "proxies">,
): CounterLayout {
  const mirrored = [...proxies].filter(([, { mirror }]) => mirror !== undefined);
  return {
    listeners: [...servers.keys()],
    pools: [...pools.keys()],
    mirrors: mirrored.map(([name]) => name),
  };
}
