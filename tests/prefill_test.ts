import { deepEqual } from "node:assert/strict";
import { prefills } from "../src/prefill.ts";
import { CLIENT_DEFAULTS, POOL_DEFAULTS, PROXY_DEFAULTS } from "./support/configs.ts";

const address = { kind: "tcp", host: "db", port: 5432 } as const;

Deno.test("prefills names each pair whose database and user are known", () => {
  const limit = { initialSize: 3, isDisabled: false };
  const limits = [
    { ...limit, database: "x", user: "u" },
    { ...limit, database: "x", user: undefined },
    { ...limit, database: undefined, user: "u" },
    { ...limit, database: "y", user: "u", isDisabled: true },
    { ...limit, database: "z", user: "u", initialSize: 0 },
  ].map((one) => ({ ...POOL_DEFAULTS.limits[0]!, ...one }));
  const named = { client: "c", pool: "p" };
  const found = (user: string, database: string, minSize: number) => [
    ...prefills(
      new Map([["a", { ...PROXY_DEFAULTS, ...named }]]),
      new Map([["c", { ...CLIENT_DEFAULTS, address, user, database }]]),
      new Map([["p", { ...POOL_DEFAULTS, minSize, limits }]]),
    ),
  ];
  const fixed = { ...named, database: "d", user: "app", count: 2 };
  const limited = { ...named, database: "x", user: "u", count: 3 };
  deepEqual(found("app", "d", 2), [fixed, { ...limited, user: "app" }]);
  deepEqual(found("app", "d", 0), [{ ...limited, user: "app" }]);
  deepEqual(found("", "d", 2), [limited]);
  deepEqual(found("app", "", 2), [{ ...limited, user: "app" }]);
});
