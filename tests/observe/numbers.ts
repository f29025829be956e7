/**
 * What a gateway of a dialogue shows on its page of metrics, and which of the series there are have
 * been seen to move.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import type { ShownCertificate } from "../../src/observe/certificate_expiry.ts";
import { GatewayMetrics } from "../../src/observe/metrics.ts";
import type { World } from "../support/dialogue.ts";
import { parseExposition } from "./exposition.ts";

/**
 * By series, such as `sluice_server_connections{state=idle}`; the listener "main" and the pool
 * "db0" are left out.
 */
export type Numbers = Readonly<Record<string, number>>;

/** Looks at gateways, and remembers. */
export class Page {
  /** Series that have been looked for and were not 0. */
  readonly #moved = new Set<string>();
  /** Series that were on a page. */
  readonly #shown = new Set<string>();

  /** Checks some of the numbers; what is expected to be 0 does not count as seen to move. */
  async shows(
    world: World,
    expected: Numbers,
    certificates: readonly ShownCertificate[] = [],
  ): Promise<void> {
    const numbers = await this.#read(world, certificates);
    const found = Object.fromEntries(Object.keys(expected).map((name) => [name, numbers[name]]));
    deepEqual(found, expected);
    for (const [name, value] of Object.entries(expected)) if (value !== 0) this.#moved.add(name);
  }

  /** Checks that others are not 0: what the process and the machine make of them. */
  async showsSome(world: World, names: readonly string[]): Promise<void> {
    const numbers = await this.#read(world, []);
    for (const name of names) {
      deepEqual(numbers[name]! > 0, true, name);
      this.#moved.add(name);
    }
  }

  /**
   * The series that were shown and have not been seen to move, without those of errors: these are
   * there because they have moved.
   */
  get unmoved(): string[] {
    return [...this.#shown].filter((name) => !this.#moved.has(name)).filter((name) =>
      !name.startsWith("sluice_errors_total")
    ).sort();
  }

  /** The names of metrics of which at least one series has been seen to move. */
  get movedMetrics(): ReadonlySet<string> {
    return new Set([...this.#moved].map((name) => name.replace(/\{.*/, "")));
  }

  async #read(world: World, certificates: readonly ShownCertificate[]): Promise<Numbers> {
    const metrics = new GatewayMetrics({
      layout: { listeners: ["main"], pools: [...world.poolBudgets.keys()] },
      workers: () => world.counters,
      pools: new Map([["db0", { size: 10 }]]),
      version: "1.2.3",
      driver: "epoll",
      certificates: () => certificates,
      nowMs: () => world.clock.nowMs(),
    });
    const series = [...parseExposition(await metrics.text()).values()]
      .flatMap(({ series }) => series)
      .filter(({ labels }) => !labels.has("le"));
    const numbers = Object.fromEntries(series.map(({ name, labels, value }) => {
      const rest = [...labels].filter(([label, text]) =>
        !(label === "listener" && text === "main") && !(label === "pool" && text === "db0")
      ).map(([label, text]) => `${label}=${text}`);
      return [rest.length === 0 ? name : `${name}{${rest.join(",")}}`, value];
    }));
    for (const name of Object.keys(numbers)) this.#shown.add(name);
    return numbers;
  }
}

/** What happens in a dialogue, and what the page shows of it, by a sentence that says it. */
export type Scenes = Readonly<Record<string, (page: Page) => Promise<void>>>;
