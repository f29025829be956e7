/**
 * What a client of a pool keeps on the heap.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { textOf } from "../../../src/base/bytes.ts";
import { IS_LOOKED_AT } from "../../support/looking_on.ts";

/** With some 500 of the client's own end; a closure more in each session is 100 of them. */
const WAITING_MAX = 5_200;

/** What the network of the tests remembers of each connection is some 310 of them. */
const LEFT_MAX = 500;

Deno.test({
  name: "PooledSession keeps little while its client waits, and nothing when that has gone",
  ignore: IS_LOOKED_AT,
  async fn() {
    const script = fileURLToPath(new URL("../../support/waiting_clients.ts", import.meta.url));
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script],
      stdin: "null",
    }).output();
    const said = textOf(stdout);
    ok(said.startsWith("{"), textOf(stderr));
    const { waiting, left } = JSON.parse(said);
    ok(waiting < WAITING_MAX, `${waiting} bytes for each client`);
    ok(left < LEFT_MAX, `${left} bytes left of each client`);
  },
});
