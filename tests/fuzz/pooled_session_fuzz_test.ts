/**
 * Clients say random things through a gateway in transaction mode, whose servers are models of
 * PostgreSQL. Each client must hear, to the byte, what a server of its own would have said.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import { converse } from "../support/pooled_conversation.ts";
import { fuzz } from "../support/random.ts";

/** Seeds that have found something once. */
const KNOWN = [201_566, 302_845, 400_859, 3_002_064];

Deno.test("PooledSession answers each client as a server of its own would", async () => {
  const reached = new Set<string>();
  const { isWhole } = await fuzz(60, (random) => converse(random, reached), KNOWN);
  // A fuzzer that no longer gets into the depths is no check.
  const depths = ["db0 waiting", "db0 cleaning", "server 23503", "server 25P02", "server 22P02"];
  if (isWhole) deepEqual(depths.filter((depth) => !reached.has(depth)), []);
});
