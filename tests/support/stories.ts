/**
 * Integration tests as stories: a server and a gateway are started once, then one story after the
 * other is told of them. Where a server cannot be had, the test is ignored and its name says why.
 *
 * @module
 */

import type {
  EmbeddedPostgres,
  StartPostgresOptions,
} from "../../src/cli/demo/embedded_postgres.ts";
import { configFor, type Gateway, type Settings, startGateway } from "./gateway.ts";
import { type QueryTarget, serversToTest, startTestPostgres, TEST_PASSWORD } from "./postgres.ts";
import { findClientProgram } from "./psql.ts";
import { within } from "./wait.ts";

/** Longest a story may take: only a story that hangs reaches it. */
const STORY_TIMEOUT_MS = 180_000;

/** A {@linkcode QueryTarget} with everything in it. */
export type Target = Required<QueryTarget>;

/** What stories are about. */
export interface Scene {
  readonly server: EmbeddedPostgres;
  /** PostgreSQL's major version. */
  readonly major: number;
  readonly gateway: Gateway;
  /** How many workers the gateway has. */
  readonly workers: number;
  /** To the server, without the gateway. */
  readonly direct: Target;
  /** To the server through the gateway. */
  readonly via: Target;
}

/** What stories are about whose gateways are their own. */
export type ServerScene = Pick<Scene, "server" | "major" | "direct">;

/** Stories by name: sentences, told in order. */
export type Stories<S> = Readonly<
  Record<string, (scene: S, step: Deno.TestContext) => Promise<void>>
>;

/** Which servers and gateways to tell stories of. */
export interface SceneOptions {
  readonly postgres?: Partial<StartPostgresOptions>;
  /** True where the version of PostgreSQL makes no difference: the newest one is enough. */
  readonly newestOnly?: boolean;
  /** PostgreSQL's programs that the stories run. Default: psql. */
  readonly programs?: readonly string[];
}

/** The superuser at a place. */
export function targetAt(place: { readonly host: string; readonly port: number }): Target {
  const { host, port } = place;
  return { host, port, user: "postgres", password: TEST_PASSWORD, database: "postgres" };
}

/** A scene for stories that start gateways of their own. Call it with `await` at the top level. */
export async function testOnServers(
  subject: string,
  options: SceneOptions,
  stories: Stories<ServerScene>,
): Promise<void> {
  const known = await serversToTest();
  const newest = Math.max(...known.map((server) => "major" in server ? server.major : 0));
  const missing = await missingProgram(options.programs ?? ["psql"]);
  for (const server of known) {
    if ("unavailable" in server || missing !== undefined) {
      const reason = missing ?? ("unavailable" in server ? server.unavailable.split("\n")[0] : "");
      Deno.test({ name: `${subject} (${server.name}: ${reason})`, ignore: true, fn: () => {} });
      continue;
    }
    if (options.newestOnly && server.major !== newest) continue;
    Deno.test(`${subject} (${server.name})`, async (test) => {
      await using running = await startTestPostgres({ ...options.postgres, binDir: server.binDir });
      const scene = { server: running, major: server.major, direct: targetAt(running) };
      await tell(test, stories, scene);
    });
  }
}

/**
 * A scene with a gateway in front of the server: for each number of workers all stories are told
 * again, with another gateway. Call it with `await` at the top level.
 */
export async function testThroughGateway(
  subject: string,
  options: SceneOptions & { readonly workers: readonly number[]; readonly gateway?: Settings },
  stories: Stories<Scene>,
): Promise<void> {
  const scenes = options.workers.map((workers) =>
    [
      workers === 1 ? "with 1 worker" : `with ${workers} workers`,
      async ({ server, major, direct }: ServerScene, test: Deno.TestContext) => {
        const config = configFor(`${server.host}:${server.port}`, { ...options.gateway, workers });
        await using gateway = await startGateway({ config });
        const via = targetAt(gateway.target);
        await tell(test, stories, { server, major, direct, gateway, workers, via });
      },
    ] as const
  );
  await testOnServers(subject, options, Object.fromEntries(scenes));
}

async function missingProgram(programs: readonly string[]): Promise<string | undefined> {
  for (const name of programs) {
    if (await findClientProgram(name) === undefined) return `this machine has no ${name}`;
  }
  return undefined;
}

async function tell<S>(
  test: Deno.TestContext,
  stories: Stories<S>,
  scene: S,
): Promise<void> {
  for (const [name, story] of Object.entries(stories)) {
    await test.step({
      name,
      // Servers and gateways outlive a step; the test around it sees that nothing is left of them.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: (step) => within(STORY_TIMEOUT_MS, name, story(scene, step)),
    });
  }
}
