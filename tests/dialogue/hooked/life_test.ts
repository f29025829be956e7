import { deepEqual, equal, ok } from "node:assert/strict";
import type { HookEvent } from "../../../src/hooks/event.ts";
import type { Verdict } from "../../../src/hooks/verdict.ts";
import { World } from "../../support/dialogue.ts";
import {
  AUTH_OK,
  backendKeyData,
  complete,
  cut,
  errorFields,
  query,
  ready,
  startup,
  TERMINATE,
} from "../../support/messages.ts";
import { admits, connects, pooledPair, startPooled } from "../../support/pooled_world.ts";
import {
  CLOSES,
  type Handlers,
  plug,
  rejects,
  replaces,
  routes,
  text,
} from "../../support/subscribers.ts";

async function started(handlers: Handlers, servers = 1): Promise<World> {
  const world = await World.start({ servers });
  plug(world.hooks, handlers);
  return world;
}

/** What hooks of a session are told, each with what it says of why. */
function telling(told: unknown[], more: Handlers = {}): Handlers {
  const tell = (name: string) => (event: HookEvent) => {
    const why = text(event, "message");
    told.push(why === undefined ? name : [name, why, event.durationUs]);
  };
  return {
    onOpening: tell("opening"),
    onStartup: tell("startup"),
    onAuthenticated: tell("authenticated"),
    onOpened: tell("opened"),
    onTraffic: tell("traffic"),
    onClosing: tell("closing"),
    onClosed: tell("closed"),
    ...more,
  };
}

Deno.test("HookedSession tells of a session's life in order, and why and when it ends", async () => {
  const told: unknown[] = [];
  const world = await started(telling(told));
  const { client, server } = await world.pair();
  const begun = ["opening", "startup", "authenticated", "opened", "traffic"];
  deepEqual(told, begun);
  await client.says(query("a"));
  await server.says(complete("A"), ready());
  await world.pass(1_500);
  await client.says(TERMINATE);
  await client.leaves();
  deepEqual(told.slice(5), [["closing", "client terminated", 0]]);
  await server.leaves();
  deepEqual(told.slice(6), [["closed", "client terminated", 1_500_000]]);
});

Deno.test("HookedSession tells why sessions end that others end", async () => {
  const told: unknown[] = [];
  const world = await started({ onClosing: (event) => void told.push(text(event, "message")) });
  const first = await world.pair();
  await first.client.leaves();
  const second = await world.pair();
  await second.client.breaks();
  const third = await world.pair();
  await third.server.breaks();
  const fourth = await world.client();
  await fourth.leaves();
  const reasons = ["client closed the connection", /^client connection broke/, /server/];
  equal(told.length, 4, told.join());
  reasons.forEach((reason, i) => ok(new RegExp(reason).test(String(told[i])), told.join()));
  equal(told[3], "client closed the connection");
});

Deno.test("HookedSession closes a client without a word before it has said anything", async () => {
  const told: unknown[] = [];
  const world = await started(telling(told, { onOpening: () => CLOSES }));
  const client = await world.client();
  await client.hearsEnd();
  await client.says(startup({ user: "ann" }));
  await client.leaves();
  await world.noServer();
  deepEqual(told, [["closing", "closed by a plugin", 0], ["closed", "closed by a plugin", 0]]);
  await world.isOver();
});

Deno.test("HookedSession ends a session at its StartupMessage, with a word or without", async () => {
  for (const isPooled of [false, true]) {
    for (const verdict of [CLOSES, rejects("not here")]) {
      const world = await (isPooled ? startPooled() : World.start());
      plug(world.hooks, { onStartup: () => verdict });
      const client = await world.client();
      await client.says(startup({ user: "ann" }));
      if (verdict.kind === "close") await client.hearsEnd();
      else await client.hearsFatal("42501", /^not here$/);
      await world.noServer();
      await client.leaves();
      await world.isOver();
    }
  }
});

Deno.test("HookedSession ends a session once its client has shown who it is", async () => {
  for (const isPooled of [false, true]) {
    for (const verdict of [CLOSES, rejects("not you")]) {
      const told: unknown[] = [];
      const world = await (isPooled ? startPooled() : World.start());
      plug(world.hooks, telling(told, { onAuthenticated: () => verdict, onQuery: () => CLOSES }));
      const client = await world.client();
      await client.says(startup({ user: "ann" }), query("too early"));
      if (isPooled) await admits(world);
      else {
        const server = await world.server();
        await server.says(AUTH_OK, backendKeyData(1, Uint8Array.of(1, 2, 3, 4)), ready());
        equal(new TextDecoder().decode(server.peer.take()).includes("too early"), false);
      }
      const heard = cut(client.peer.take());
      const last = heard.at(-1);
      const refusal = last?.tag === "E" ? errorFields(last.bytes).get("M") : undefined;
      equal(refusal, verdict.kind === "close" ? undefined : "not you");
      equal(heard.some(({ tag }) => tag === "D" || tag === "C"), false);
      ok(client.peer.hasSeenEnd);
      await client.leaves();
      ok(!told.includes("opened") && !told.includes("traffic"), told.join());
    }
  }
});

Deno.test("HookedSession changes what a client asks for, whoever lets it in", async () => {
  const changed = "user\0bob\0database\0shop\0application_name\0app\0";
  const asked = { user: "bob", database: "shop", "application_name": "app" };
  const seen: (string | undefined)[] = [];
  const handlers: Handlers = {
    onStartup(event) {
      seen.push(text(event, "payload"));
      return replaces(changed);
    },
    onQuery: (event) =>
      void seen.push(
        text(event, "user"),
        text(event, "database"),
        text(event, "applicationName"),
        text(event, "startupParameters"),
      ),
  };
  const world = await started(handlers);
  const client = await world.client();
  await client.says(startup({ user: "ann", database: "old", "_pq_.x": "1" }));
  const server = await world.server();
  await server.hearsBytes(startup(asked));
  await server.says(AUTH_OK, ready());
  await client.says(query("x"));
  deepEqual(seen, ["user\0ann\0database\0old\0_pq_.x\x001\0", "bob", "shop", "app", changed]);
  // Pooled, it is the user and the database that the server is asked for.
  const pooled = await startPooled();
  plug(pooled.hooks, handlers);
  await connects(pooled);
  const other = await pooled.server();
  await other.hearsBytes(startup({ user: "bob", database: "shop" }));
});

Deno.test("HookedSession ends a session whose StartupMessage a plugin has broken", async () => {
  for (const broken of ["user\0\0", "database\0x\0", "user\0ann", "user\0ann\0\0x\0", ""]) {
    const world = await started({ onStartup: () => replaces(broken) });
    const client = await world.client();
    await client.says(startup({ user: "ann" }));
    await client.hearsFatal("58000", /plugin has made an invalid StartupMessage/);
    await world.noServer();
  }
});

Deno.test("HookedSession routes a session by its StartupMessage, and keeps a replacement", async () => {
  const both = (verdict: Verdict): Handlers => ({
    onStartup(event) {
      event.payload = new TextEncoder().encode("user\0bob\0");
      return verdict;
    },
  });
  const world = await started(both(routes("db1")), 2);
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  await world.noServer(0);
  await (await world.server(1)).hearsBytes(startup({ user: "bob" }));
  const pooled = await startPooled({ servers: 2 });
  plug(pooled.hooks, { onStartup: () => routes("db1") });
  await connects(pooled);
  await admits(pooled, {}, 1);
  await pooled.noServer(0);
});

Deno.test("HookedSession closes a pooled client's session in a transaction, and the server with it", async () => {
  const { world, client, server } = await pooledPair();
  plug(world.hooks, {
    onQuery: (event) => text(event, "text") === "bad" ? CLOSES : undefined,
  });
  await client.says(query("begin"));
  await server.hears(query("begin"));
  await server.says(complete("BEGIN"), ready("T"));
  await client.hears(complete("BEGIN"), ready("T"));
  await client.says(query("bad"), query("next"));
  await client.hearsEnd();
  await client.leaves();
  const heard = cut(server.peer.take()).map(({ tag, bytes }) =>
    tag + new TextDecoder().decode(bytes.subarray(5))
  );
  ok(!heard.some((one) => /bad|next/.test(one)), heard.join());
  await server.leaves();
  deepEqual(world.states(), {});
});
