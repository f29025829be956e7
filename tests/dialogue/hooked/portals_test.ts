import { deepEqual, ok } from "node:assert/strict";
import { type Actor, type Pair, World } from "../../support/dialogue.ts";
import { bind, close, execute, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  complete,
  cut,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import { answers, plug, rejects, runs, text } from "../../support/subscribers.ts";

const [PARSED, BOUND, CLOSED] = [message("1"), message("2"), message("3")];
const FAILED = error("ERROR", "42601", "failed");

/** A session in a transaction, with two statements; `told` gets the values of what is executed. */
async function begun(): Promise<Pair & { readonly world: World; readonly told: string[] }> {
  const told: string[] = [];
  const world = await World.start();
  plug(world.hooks, {
    onQuery(event) {
      const values = text(event, "parameters")?.slice(5);
      if (event.phase === 3) told.push(`${text(event, "text")} ${values}`);
      if (text(event, "text") === "cached" && runs(event)) return answers("hit");
      if (text(event, "text") === "bad") return rejects("no");
      return values === "evil" ? rejects("no") : undefined;
    },
  });
  const pair = await world.pair();
  const { client, server } = pair;
  const said = [query("begin"), parseNamed("s", "delete"), SYNC];
  await client.says(...said);
  await server.says(complete("BEGIN"), ready("T"), PARSED, ready("T"));
  client.peer.take();
  server.peer.take();
  return { ...pair, world, told };
}

/** Binds a portal to values that are rejected when it is executed. */
async function binds(client: Actor, server: Actor, portal: string): Promise<void> {
  await client.says(bind({ portal, statement: "s", values: ["evil"] }), SYNC);
  await server.says(BOUND, ready("T"));
  client.peer.take();
  server.peer.take();
}

/** Whether the server was asked to execute a portal. */
function executes(server: Actor, portal: string): boolean {
  const name = `${portal}\0`;
  return cut(server.peer.take()).some(({ tag, bytes }) =>
    tag === "E" && new TextDecoder().decode(bytes.subarray(5)).startsWith(name)
  );
}

Deno.test("HookedSession lets no portal take the name of what is there to fail", async () => {
  const { client, server } = await begun();
  const names = ["rejected by plugin p", "rejected by plugin"];
  for (const name of names) await binds(client, server, name);
  await client.says(execute(names[0]), SYNC);
  for (const name of names) ok(!executes(server, name));
});

for (const portal of ["", "p"]) {
  const name = `"${portal}"`;

  Deno.test(`HookedSession knows what portal ${name} holds when another Bind of it fails`, async () => {
    for (const isHeard of [true, false]) {
      const { client, server, told } = await begun();
      await binds(client, server, portal);
      await client.says(bind({ portal, statement: "s", values: ["good", "more"] }), SYNC);
      if (isHeard) await server.says(FAILED, ready("E"));
      await client.says(parse("rollback to a"), bind({ portal: "r" }), execute("r"), SYNC);
      const rolledBack = [PARSED, BOUND, complete("ROLLBACK"), ready("T")];
      if (isHeard) await server.says(...rolledBack);
      await client.says(execute(portal), SYNC);
      if (!isHeard) await server.says(FAILED, ready("E"), ...rolledBack);
      ok(!executes(server, portal));
      ok(!told.some((one) => one.includes("good")), told.join());
    }
  });

  Deno.test(`HookedSession knows what portal ${name} holds when its Close is skipped`, async () => {
    for (const isHeard of [true, false]) {
      const { client, server } = await begun();
      await binds(client, server, portal);
      await client.says(parseNamed("t", "broken"), close("P", portal), SYNC);
      if (isHeard) await server.says(FAILED, ready("E"));
      await client.says(parse("rollback to a"), bind({ portal: "r" }), execute("r"), SYNC);
      const rolledBack = [PARSED, BOUND, complete("ROLLBACK"), ready("T")];
      if (isHeard) await server.says(...rolledBack);
      await client.says(execute(portal), SYNC);
      if (!isHeard) await server.says(FAILED, ready("E"), ...rolledBack);
      ok(!executes(server, portal));
    }
  });
}

Deno.test("HookedSession knows that no server has the portal that a plugin has answered", async () => {
  const { client, server } = await begun();
  await binds(client, server, "");
  await client.says(parse("cached"), BIND, EXECUTE, SYNC);
  deepEqual(cut(client.peer.take()).map(({ tag }) => tag), ["1", "2", "D", "C", "Z"]);
  await client.says(EXECUTE, SYNC);
  ok(!executes(server, ""));
});

Deno.test("HookedSession knows what an Execute runs behind a unit that was answered", async () => {
  const { client, server } = await begun();
  await binds(client, server, "");
  await client.says(parse("cached"), BIND, EXECUTE, execute("", 1), SYNC);
  ok(!executes(server, ""));
});

Deno.test("HookedSession executes what is bound anew behind a Bind that failed", async () => {
  for (const status of ["I", "T"] as const) {
    const { client, server, told } = await begun();
    await binds(client, server, "p");
    await client.says(bind({ portal: "p", statement: "missing" }), SYNC);
    await server.says(FAILED, ready("E"));
    await client.says(query("rollback"));
    await server.says(complete("ROLLBACK"), ready(status));
    const again = [bind({ portal: "p", statement: "s", values: ["good"] }), execute("p"), SYNC];
    server.peer.take();
    await client.says(...again);
    await server.hears(...again);
    deepEqual(told, ["delete good"]);
  }
});

Deno.test("HookedSession waits for no Bind before it passes on an Execute behind another Sync", async () => {
  const { client, server, told } = await begun();
  const said = [bind({ portal: "p", statement: "s", values: ["1"] }), execute("p", 1), SYNC];
  await client.says(...said);
  await server.hears(...said);
  await server.says(BOUND, message("s"), ready("T"));
  await client.says(execute("p", 1), SYNC, close("P", "p"), SYNC, execute("p"), SYNC);
  await server.hears(execute("p", 1), SYNC, close("P", "p"), SYNC);
  await server.says(message("s"), ready("T"), CLOSED, ready("T"));
  await server.hears(execute("p"), SYNC);
  deepEqual(told.length, 3);
});

Deno.test("HookedSession waits for the end of a transaction that would leave no portal", async () => {
  const { client, server } = await begun();
  await client.says(query("commit"));
  await server.says(complete("COMMIT"), ready());
  await client.says(bind({ statement: "s" }), bind({ statement: "missing" }), SYNC, EXECUTE, SYNC);
  server.peer.take();
  await server.says(BOUND, FAILED);
  await server.hears();
  await server.says(ready());
  await server.hears(EXECUTE, SYNC);
});

Deno.test("HookedSession leaves it to a server to run no portal of a transaction that has failed", async () => {
  const { client, server } = await begun();
  await binds(client, server, "p");
  await client.says(bind({ portal: "p", statement: "missing" }), SYNC);
  await server.says(FAILED, ready("E"));
  server.peer.take();
  await client.says(execute("p"), SYNC);
  await server.hears(execute("p"), SYNC);
  await server.says(error("ERROR", "25P02", "aborted"), ready("E"));
  // What is bound since may end it.
  await client.says(close("P", "p"), parseNamed("r", "rollback"), SYNC);
  await client.says(bind({ portal: "p", statement: "r" }), SYNC);
  await server.says(CLOSED, PARSED, ready("E"), BOUND, ready("E"));
  await client.says(bind({ portal: "p", statement: "r" }), SYNC);
  await server.says(error("ERROR", "42P03", "exists"), ready("E"));
  server.peer.take();
  await client.says(execute("p"), SYNC);
  ok(!executes(server, "p"));
});

Deno.test("HookedSession knows that there is no portal whose Binds have all failed", async () => {
  for (const portal of ["", "p"]) {
    const { client, server } = await begun();
    const broken = [bind({ portal, statement: "missing" }), SYNC];
    await client.says(...broken, ...broken);
    await server.says(FAILED, ready("T"), FAILED, ready("T"));
    server.peer.take();
    await client.says(execute(portal), SYNC);
    await server.hears(execute(portal), SYNC);
  }
});
