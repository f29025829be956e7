/**
 * Analyses very many different texts, and prints how much memory the process grew by meanwhile, in
 * MiB. A process of its own, since tests share theirs with others that grow.
 *
 * @module
 */

import { print } from "../../src/cli/terminal.ts";
import { QueryAnalyser } from "../../src/postgres/parser/query_analyser.ts";

/** Texts until the cache is full and the engine has compiled all that it does. */
const WARM_UP = 10_000;

/** Texts that the growth is measured with. */
const MEASURED = 50_000;

const own = await QueryAnalyser.load();

function analyse(from: number, count: number): void {
  for (let i = from; i < from + count; i++) {
    const text = `SELECT a${i}, 'x' FROM t${i} JOIN u ON b = ${i} WHERE `;
    own.analyse(`${text}${"c = 1 AND ".repeat(i % 20)} d`);
  }
}

analyse(0, WARM_UP);
const before = Deno.memoryUsage().rss;
analyse(WARM_UP, MEASURED);
const grownMiB = (Deno.memoryUsage().rss - before) / 1024 / 1024;
print(JSON.stringify({ grownMiB, count: own.cachedCount, size: own.cachedSize }));
