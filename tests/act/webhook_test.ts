import { deepEqual, equal, ok } from "node:assert/strict";
import type { WebhookOptions } from "../../src/act/options.ts";
import { Webhook, type WebhookResult } from "../../src/act/webhook.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { ActWorld, policyOf } from "./world.ts";

/** A real endpoint on this machine. */
class Endpoint implements AsyncDisposable {
  readonly requests: { readonly headers: Headers; readonly body: string }[] = [];
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #closed = Promise.withResolvers<void>();

  /** @param answer Gets the number of the request, from 1; undefined never answers. */
  constructor(answer: (request: number) => Response | Promise<Response> | undefined) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        this.requests.push({ headers: request.headers, body: await request.text() });
        const answered = answer(this.requests.length);
        if (answered !== undefined) return answered;
        await this.#closed.promise;
        return new Response();
      },
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/hook?token=secret`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.resolve();
    await this.#server.shutdown();
  }
}

/** A webhook whose pauses are short, and what became of its messages. */
function webhookTo(
  url: string,
  { retries = 0, timeoutMs = 5_000 }: { retries?: number; timeoutMs?: number } = {},
) {
  const results: (readonly [WebhookResult, string])[] = [];
  let onChange = () => {};
  const options: WebhookOptions = {
    kind: "webhook",
    url,
    headers: new Map([["authorization", "Bearer secret"]]),
    retries,
  };
  const webhook = new Webhook(options, timeoutMs, {
    fetch: (address, init) => fetch(address, init),
    clock: {
      ...SYSTEM_CLOCK,
      after: (ms, run) => SYSTEM_CLOCK.after(ms === timeoutMs ? ms : 1, run),
    },
    random: () => 0.5,
    onResult: (result, reason) => {
      results.push([result, reason]);
      onChange();
    },
  });
  const settled = async (count: number) => {
    while (results.length < count) {
      await new Promise<void>((resolve) => void (onChange = resolve));
    }
    return results;
  };
  return { webhook, settled, results };
}

Deno.test("Webhook posts JSON with its headers", async () => {
  await using endpoint = new Endpoint(() => new Response("thanks"));
  const { webhook, settled } = webhookTo(endpoint.url);
  webhook.send('{"a":1}');
  deepEqual(await settled(1), [["delivered", ""]]);
  const [request] = endpoint.requests;
  equal(request!.body, '{"a":1}');
  equal(request!.headers.get("content-type"), "application/json");
  equal(request!.headers.get("authorization"), "Bearer secret");
});

Deno.test("Webhook tries again after failures that may pass", async () => {
  const statuses = [500, 429, 408, 200];
  await using endpoint = new Endpoint((n) => new Response(null, { status: statuses[n - 1]! }));
  const { webhook, settled } = webhookTo(endpoint.url, { retries: 3 });
  webhook.send("{}");
  deepEqual(await settled(1), [["delivered", ""]]);
  equal(endpoint.requests.length, 4);
});

Deno.test("Webhook gives up after its retries, and at once where they are of no use", async () => {
  for (const [status, requests] of [[503, 3], [404, 1], [307, 1]] as const) {
    await using endpoint = new Endpoint(() =>
      new Response(null, { status, headers: { location: "/elsewhere" } })
    );
    const { webhook, settled } = webhookTo(endpoint.url, { retries: 2 });
    webhook.send("{}");
    deepEqual(await settled(1), [["failed", `status ${status}`]]);
    equal(endpoint.requests.length, requests);
  }
});

Deno.test("Webhook fails when nobody listens", async () => {
  const { webhook, settled } = webhookTo("http://127.0.0.1:1/", { retries: 1 });
  webhook.send("{}");
  deepEqual(await settled(1), [["failed", "not reached"]]);
});

Deno.test("Webhook gives up an endpoint that hangs", async () => {
  await using endpoint = new Endpoint(() => undefined);
  const { webhook, settled } = webhookTo(endpoint.url, { timeoutMs: 50 });
  webhook.send("{}");
  deepEqual(await settled(1), [["failed", "timeout"]]);
});

Deno.test("Webhook holds 1,000 messages, four of them under way, and drops the rest", async () => {
  await using endpoint = new Endpoint(() => undefined);
  const { webhook, settled, results } = webhookTo(endpoint.url);
  for (let i = 0; i < 1_010; i++) webhook.send("{}");
  equal(results.length, 6);
  ok(results.every(([result]) => result === "dropped"));
  webhook.close();
  deepEqual(new Set((await settled(1_010)).map(([result]) => result)), new Set(["dropped"]));
  ok(endpoint.requests.length <= 4);
  webhook.send("{}");
  equal(results.length, 1_011);
});

Deno.test("Webhook holds 8 MiB of messages", async () => {
  await using endpoint = new Endpoint(() => undefined);
  const { webhook, settled, results } = webhookTo(endpoint.url);
  const body = "x".repeat(1_048_576);
  for (let i = 0; i < 13; i++) webhook.send(body);
  equal(results.length, 1);
  webhook.close();
  await settled(13);
});

Deno.test("Webhook ends its pause when it is closed", async () => {
  const { webhook, settled } = (() => {
    const results: WebhookResult[] = [];
    let onResult = () => {};
    const webhook = new Webhook(
      { kind: "webhook", url: "http://127.0.0.1:1/", headers: new Map(), retries: 9 },
      5_000,
      {
        fetch: () => Promise.reject(new Error("refused")),
        clock: SYSTEM_CLOCK,
        random: () => 0.99,
        onResult: (result) => {
          results.push(result);
          onResult();
        },
      },
    );
    const settled = new Promise<WebhookResult[]>((resolve) => {
      onResult = () => resolve(results);
    });
    return { webhook, settled };
  })();
  webhook.send("{}");
  await new Promise((resolve) => setTimeout(resolve, 1));
  webhook.close();
  deepEqual(await settled, ["dropped"]);
});

Deno.test("Act tells a webhook what happened, holds nothing up, and logs no secret", async () => {
  let isUp = true;
  await using endpoint = new Endpoint(() => new Response(null, { status: isUp ? 204 : 400 }));
  const world = new ActWorld([policyOf({
    kind: "webhook",
    url: endpoint.url,
    headers: new Map([["authorization", "Bearer secret"]]),
    retries: 0,
  })], { fetch });
  const done = async (cell: "webhooksDelivered" | "webhooksFailed", count: number) => {
    while (world.count("webhook", cell) < count) await new Promise((go) => setTimeout(go, 1));
  };
  const metadata = { score: 0.9, tables: ["a"] };
  equal(world.decide([{ name: "alarm", metadata }]).kind, "forward");
  await done("webhooksDelivered", 1);
  deepEqual(JSON.parse(endpoint.requests[0]!.body), {
    time: "2023-11-14T22:13:20.000Z",
    policy: "webhook",
    plugin: "guard",
    signal: "alarm",
    metadata,
    hook: "onQuery",
    user: "bob",
    database: "shop",
    application: "psql",
    client: "192.0.2.1:50112",
    listener: "default",
  });
  isUp = false;
  for (let i = 0; i < 2; i++) world.decide(["alarm"]);
  await done("webhooksFailed", 2);
  deepEqual(world.records.map(({ message, fields }) => [message, fields]), [
    ["a policy's webhook failed", { policy: "webhook", reason: "status 400" }],
  ]);
  world.act.close();
  equal(world.clock.pending, 0);
});
