/**
 * The key that made-up secrets of unknown users are derived from.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Config } from "./config/config.ts";

/**
 * Returns 32 bytes that are the same in all workers and after a restart with the same users, so
 * that a stranger who asks twice for a user that does not exist sees the same salt, as for one who
 * does. Secret.
 */
export function mockKeyFrom({ servers }: Config): Uint8Array {
  const hash = createHash("sha256").update("sluice made-up secrets\0");
  let isSecret = false;
  for (const { auth } of servers.values()) {
    for (const [user, secret] of auth.users) {
      hash.update(`${user}\0${secret}\0`);
      isSecret = true;
    }
  }
  return isSecret ? hash.digest() : crypto.getRandomValues(new Uint8Array(32));
}
