/**
 * A planned change of the primary on real servers, under load: no transaction fails.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import type { Gateway } from "../support/gateway.ts";
import { NOTHING_LOST, prepareLoad, rowsKept, startLoad } from "../support/load.ts";
import { TEST_PASSWORD } from "../support/postgres.ts";
import { type Cluster, startClusterGateway, testOnCluster } from "../support/replication.ts";
import { inFolder, sluiceIn } from "../support/sluice_command.ts";
import { targetAt } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const CLIENTS = 4;

/** A program that notes what it is told, and waits until the test has done it. */
async function writeScript(folder: string): Promise<string> {
  const path = `${folder}/switch.sh`;
  const text = `#!/bin/sh
echo "$@" > ${folder}/asked.new && mv ${folder}/asked.new ${folder}/asked
while [ ! -e ${folder}/done ]; do sleep 0.05; done
exit $(cat ${folder}/done)
`;
  await Deno.writeTextFile(path, text, { mode: 0o700 });
  return path;
}

function start({ gatewayAddresses }: Cluster, script: string): Promise<Gateway> {
  return startClusterGateway(JSON.stringify({
    servers: {
      default: {
        address: "127.0.0.1:0",
        auth: { method: "trust" },
        targetSessionAttrs: "primary",
      },
    },
    clients: {
      default: {
        address: gatewayAddresses,
        user: "postgres",
        password: TEST_PASSWORD,
        dialTimeout: "1s",
        switchoverScript: script,
        health: { interval: "200ms", timeout: "1s", fall: 2, rise: 1 },
      },
    },
    pools: { default: { mode: "transaction", size: 10 } },
    runtime: { workers: 2, controlSocket: "control.sock" },
  }));
}

function switchOver(gateway: Gateway, ...more: readonly string[]) {
  return sluiceIn(gateway.folder, "admin", "switch-over", "default", ...more, "-c", "sluice.yaml");
}

/** What the program was told; waits for it. */
async function asked(folder: string): Promise<string> {
  return await eventually("the program runs", async () => {
    return await Deno.readTextFile(`${folder}/asked`).catch(() => undefined);
  });
}

await testOnCluster("sluice admin switch-over", { replicas: 1 }, async (cluster, test) => {
  await inFolder(async (folder) => {
    await using gateway = await start(cluster, await writeScript(folder));
    const [a, b] = [cluster.member("a"), cluster.member("b")];
    await prepareLoad(a.target, CLIENTS);
    await cluster.waitForReplication();
    await using load = startLoad({ target: targetAt(gateway.target), clients: CLIENTS });
    await load.untilServed();

    await test.step("goes on with the old primary when the program fails", async () => {
      await Deno.writeTextFile(`${folder}/done`, "5");
      const { code, stderr } = await switchOver(gateway);
      equal(code, 1);
      match(stderr, /the promotion failed: .*switch\.sh ended with exit code 5; default goes on;/);
      await load.untilServed();
      for (const name of ["done", "asked"]) await Deno.remove(`${folder}/${name}`);
    });

    await test.step("holds clients, and lets them go on with the new primary", async () => {
      const switching = switchOver(gateway, b.gatewayAddress);
      const addresses = [a.gatewayAddress, b.gatewayAddress].join(":").split(":");
      deepEqual((await asked(folder)).trim().split(" "), addresses);
      await a.stop();
      await b.promote();
      await Deno.writeTextFile(`${folder}/done`, "0");
      const { code, stdout, stderr } = await switching;
      deepEqual([code, stderr], [0, ""]);
      match(stdout, new RegExp(`^${b.gatewayAddress} is the primary of default instead of `));
      await load.untilServed();
      const report = await load.stop();
      deepEqual([...report.outcomes.keys()], ["ok"], JSON.stringify([...report.messages]));
      deepEqual(report.violations, []);
      deepEqual(await rowsKept(b.target, report), NOTHING_LOST);
    });

    await test.step("is refused where there is nobody to change to", async () => {
      const { code, stderr } = await switchOver(gateway);
      equal(code, 1);
      match(stderr, /no server of default is a replica that is up, enabled and not too far behind/);
    });
  });
});
