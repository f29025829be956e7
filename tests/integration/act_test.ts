/**
 * Policies on the way of real traffic: a plugin signals what queries say in a comment, and what
 * becomes of them is up to the configuration.
 *
 * @module
 */

import assert from "node:assert/strict";
import { SIGNALLER } from "../support/counter_plugin.ts";
import { configFor, type Gateway, type Sections, startGateway } from "../support/gateway.ts";
import { pooledSettings } from "../support/pooled_gateway.ts";
import { TEST_PASSWORD } from "../support/postgres.ts";
import { ProtocolClient, sqlStatesOf, valueOf } from "../support/protocol_client.ts";
import { type ServerScene, type Stories, targetAt, testOnServers } from "../support/stories.ts";
import { eventually, PATIENCE_MS, within } from "../support/wait.ts";

/** What the configuration keeps secret. */
const SECRETS = ["sesame-in-the-address", "sesame-in-a-header"] as const;

/** A gateway with the plugin and these policies, in front of two databases of the server. */
class ActScene implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly #folder: string;
  readonly #clients: ProtocolClient[] = [];

  private constructor(gateway: Gateway, folder: string) {
    this.gateway = gateway;
    this.#folder = folder;
  }

  static async start({ server }: ServerScene, act: Sections, workers = 1): Promise<ActScene> {
    const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
    await Deno.writeFile(`${folder}/guard.wasm`, SIGNALLER);
    const address = `${server.host}:${server.port}`;
    const settings = pooledSettings({ mode: "transaction", size: 2, workers });
    const base = configFor(address, {
      ...settings,
      server: { ...settings.server, proxies: ["default", "other"] },
    });
    const other = { address, user: "postgres", password: TEST_PASSWORD, database: "template1" };
    const config = {
      ...base,
      clients: { ...base["clients"] as Sections, other },
      plugins: { directory: folder, guard: { permissions: ["signal"] } },
      act,
    };
    return new ActScene(await startGateway({ config }), folder);
  }

  async logIn(): Promise<ProtocolClient> {
    const client = await ProtocolClient.logIn(targetAt(this.gateway.target));
    this.#clients.push(client);
    return client;
  }

  matches(policy: string, action: string): Promise<number> {
    const labels = `action="${action}",policy="${policy}"`;
    return this.gateway.metric(`sluice_act_policy_matches_total{${labels}}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.gateway[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
    for (const secret of SECRETS) assert.ok(!this.gateway.logText.includes(secret), secret);
  }
}

/** An HTTP endpoint that keeps what it is sent, and answers when it is let. */
class Endpoint implements AsyncDisposable {
  readonly messages: Readonly<Record<string, unknown>>[] = [];
  readonly authorizations: (string | null)[] = [];
  readonly answers = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(status: number) {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, async (request) => {
      this.authorizations.push(request.headers.get("authorization"));
      this.messages.push(await request.json());
      await this.answers.promise;
      return new Response(null, { status });
    });
  }

  /** A policy that tells it of signals of this name. */
  policy(signal: string): Sections {
    return {
      name: `tell-${signal}`,
      signal,
      action: "webhook",
      url: `http://127.0.0.1:${this.#server.addr.port}/${SECRETS[0]}`,
      headers: { Authorization: SECRETS[1] },
      retries: 0,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.answers.resolve();
    await this.#server.shutdown();
  }
}

/** SQLSTATE and message of the error that a query ends with. */
async function errorOf(client: ProtocolClient, text: string): Promise<string> {
  const messages = await client.query(text);
  const bytes = messages.find(({ tag }) => tag === "E")?.bytes;
  const said = new TextDecoder().decode(bytes).match(/\0M([^\0]*)/)?.[1];
  return `${sqlStatesOf(messages).join()} ${said}`;
}

const STORIES: Stories<ServerScene> = {
  "reject ends a query with the operator's words, and no other": async (scene) => {
    await using act = await ActScene.start(scene, {
      policies: [{
        name: "no-alarm",
        signal: "alarm",
        when: 'signal.score > 0.8 && hook == "onQuery" && user == "postgres"',
        action: "reject",
        sqlstate: "42P99",
        message: "not here",
      }, { name: "never", signal: "alarm", when: "signal.score > 1.0", action: "terminate" }],
    }, 2);
    const client = await act.logIn();
    assert.equal(await errorOf(client, "/*alarm*/ select 1"), "42P99 not here");
    assert.equal(await valueOf(client, "select 1"), "1", "what is not signalled");
    assert.equal(await valueOf(client, "/*calm*/ select 2"), "2", "what no policy is about");
    assert.equal(await errorOf(client, "/*terminate*/ select 1"), "42000 Request terminated");
    assert.equal(await act.matches("no-alarm", "reject"), 1);
    assert.equal(await act.matches("never", "terminate"), 0);
    assert.equal(await act.matches("(default)", "passthrough"), 1);
    const signals = 'sluice_act_signals_total{plugin="guard",signal="alarm"}';
    assert.equal(await act.gateway.metric(signals), 1);
  },

  "route sends a query to the other database, and the next one back": async (scene) => {
    await using act = await ActScene.start(scene, {
      policies: [{ name: "away", signal: "away", action: "route", proxy: "other" }],
    });
    const client = await act.logIn();
    const database = "select current_database()";
    assert.equal(await valueOf(client, database), "postgres");
    assert.equal(await valueOf(client, `/*away*/ ${database}`), "template1");
    assert.equal(await valueOf(client, database), "postgres");
  },

  "delay holds back one client's query, and nobody else's": async (scene) => {
    await using act = await ActScene.start(scene, {
      policies: [{ name: "slow", signal: "slow", action: "delay", delay: "3s" }],
    });
    const [held, other] = [await act.logIn(), await act.logIn()];
    const order: string[] = [];
    const answer = held.query("/*slow*/ select 1").then(() => order.push("held"));
    await other.query("/*calm*/ select 1");
    order.push("other");
    await within(PATIENCE_MS, "the delayed query is answered", answer);
    assert.deepEqual(order, ["other", "held"]);
  },

  "rate-limit lets so many pass for each key, and refuses what is above": async (scene) => {
    await using act = await ActScene.start(scene, {
      policies: [{
        name: "limit",
        signal: "costly",
        action: "rate-limit",
        key: "application",
        rate: 0.001,
        burst: 2,
      }],
    });
    const client = await act.logIn();
    const costly = "/*costly*/ select 1";
    assert.equal(await valueOf(client, costly), "1");
    assert.equal(await valueOf(client, costly), "1");
    assert.equal(await errorOf(client, costly), "53400 Too many requests");
    assert.equal(await valueOf(client, "select 1"), "1");
  },

  "log writes a record at the level of the policy, or of the signal": async (scene) => {
    await using act = await ActScene.start(scene, {
      policies: [
        { name: "note", signal: "note", action: "log", level: "error", message: "look here" },
        { name: "broken", signal: "broken", when: "signal.missing == 1", action: "reject" },
      ],
    });
    const client = await act.logIn();
    await client.query("/*note*/ select 1");
    const { level, time: _, msg, client: from, ...fields } = await act.gateway.untilLogged(
      "look here",
    );
    assert.deepEqual({ level, msg, ...fields }, {
      level: "error",
      msg: "look here",
      policy: "note",
      plugin: "guard",
      signal: "note",
      hook: "onQuery",
      user: "postgres",
      database: "postgres",
      listener: "default",
      "signal_score": 0.9,
      "signal_level": "warn",
    });
    assert.match(String(from), /^127\.0\.0\.1:/);
    await client.query("/*log*/ select 1");
    await act.gateway.untilLogged("a policy matched", { level: "warn", policy: "log" });
    assert.equal(await valueOf(client, "/*broken*/ select 1"), "1");
    assert.equal(await valueOf(client, "/*broken*/ select 1"), "1");
    await act.gateway.untilLogged("a policy cannot be evaluated", { policy: "broken" });
    const said = act.gateway.logs.filter(({ msg }) => msg === "a policy cannot be evaluated");
    assert.equal(said.length, 1, "once");
  },

  "webhook tells an endpoint that takes its time, and holds nobody up": async (scene) => {
    await using endpoint = new Endpoint(200);
    await using act = await ActScene.start(scene, { policies: [endpoint.policy("alarm")] });
    const client = await act.logIn();
    for (let i = 0; i < 5; i++) assert.equal(await valueOf(client, "/*alarm*/ select 1"), "1");
    await eventually("the endpoint was told", () => endpoint.messages.length > 0);
    // It has not answered anybody so far: all of the queries above went before.
    endpoint.answers.resolve();
    await eventually("it is told of all of them", () => endpoint.messages.length === 5);
    const { time, client: from, ...message } = endpoint.messages[0]!;
    assert.match(String(time), /^\d{4}-.*Z$/);
    assert.match(String(from), /^127\.0\.0\.1:/);
    assert.deepEqual(message, {
      policy: "tell-alarm",
      plugin: "guard",
      signal: "alarm",
      metadata: { score: 0.9, level: "warn" },
      hook: "onQuery",
      user: "postgres",
      database: "postgres",
      listener: "default",
    });
    assert.equal(endpoint.authorizations[0], SECRETS[1]);
    const delivered = 'sluice_act_webhooks_total{policy="tell-alarm",result="delivered"}';
    await eventually("all are counted", async () => await act.gateway.metric(delivered) === 5);
  },

  "webhook that fails is logged without its secrets": async (scene) => {
    await using endpoint = new Endpoint(404);
    endpoint.answers.resolve();
    await using act = await ActScene.start(scene, { policies: [endpoint.policy("alarm")] });
    const client = await act.logIn();
    assert.equal(await valueOf(client, "/*alarm*/ select 1"), "1");
    const line = await act.gateway.untilLogged("a policy's webhook failed");
    assert.deepEqual([line.level, line["policy"], line["reason"]], [
      "warn",
      "tell-alarm",
      "status 404",
    ]);
  },

  "defaultPolicy: terminate ends what no policy is about": async (scene) => {
    await using act = await ActScene.start(scene, {
      defaultPolicy: "terminate",
      policies: [
        { name: "known", signal: "calm", action: "passthrough" },
        { name: "broken", signal: "broken", when: "signal.missing == 1", action: "passthrough" },
      ],
    });
    const client = await act.logIn();
    assert.equal(await valueOf(client, "select 1"), "1", "without a signal");
    assert.equal(await valueOf(client, "/*calm*/ select 1"), "1");
    assert.equal(await errorOf(client, "/*alarm*/ select 1"), "42000 Request terminated");
    assert.equal(await errorOf(client, "/*broken*/ select 1"), "42000 Request terminated");
    assert.equal(await act.matches("(default)", "terminate"), 2);
  },
};

await testOnServers("policies", { newestOnly: true, programs: [] }, STORIES);
