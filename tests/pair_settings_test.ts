import { deepEqual } from "node:assert/strict";
import type { PoolLimit } from "../src/config/config.ts";
import { pairSize } from "../src/pair_settings.ts";
import { POOL_DEFAULTS } from "./support/configs.ts";

const LIMIT: PoolLimit = {
  database: "shop",
  aliases: [],
  user: undefined,
  sizeMax: 3,
  initialSize: 0,
  minSize: 0,
  isDisabled: false,
};

Deno.test("pairSize is the limits file's, or the user's, or the pool's, and says which", () => {
  const pool = { ...POOL_DEFAULTS, size: 9 };
  const all = { ...LIMIT, sizeMax: undefined };
  const sizes = [[LIMIT, 5], [undefined, 5], [all, 5], [all, 0], [undefined, 0]] as const;
  deepEqual(sizes.map(([limit, poolSize]) => pairSize("main", pool, limit, "app", poolSize)), [
    { size: 3, key: "MAX_SIZE in the file of pools.main.limitsFile" },
    { size: 5, key: "users.app.poolSize" },
    { size: 5, key: "users.app.poolSize" },
    { size: 9, key: "pools.main.size" },
    { size: 9, key: "pools.main.size" },
  ]);
});
