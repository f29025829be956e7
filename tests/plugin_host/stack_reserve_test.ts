/**
 * There is room left on the stack when the reserve is refused.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { reserveStack } from "../../src/plugin_host/stack_reserve.ts";

Deno.test("reserveStack() throws while there is still room for what makes a metric", () => {
  const needed = (frames: number): number => frames === 0 ? 0 : 1 + needed(frames - 1);
  // Compiling takes more of the stack than running: that is done before.
  needed(8);
  const deeper = (): number => {
    try {
      reserveStack();
    } catch {
      return needed(8);
    }
    return deeper();
  };
  equal(deeper(), 8);
});
