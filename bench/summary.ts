/**
 * All cells together: how many Sluice has won, and why not the others.
 *
 * @module
 */

import { type CellKind, KIND_TITLES } from "./cells.ts";
import { explanationsText, type Failure } from "./explanations.ts";
import { isSluice } from "./peers/peers.ts";
import type { PoolMode } from "./peers/running_proxy.ts";
import type { Table } from "./report.ts";
import { type CellResult, runsOf } from "./results.ts";
import { isContest, type Loss, lossesOf, rivalsIn } from "./verdicts.ts";

/** Cells of one kind in one mode, which share a table. */
export interface Group {
  readonly kind: CellKind;
  readonly mode: PoolMode;
  readonly results: readonly CellResult[];
}

/** All results by kind and mode, in the order in which they were measured. */
export function groupsOf(results: readonly CellResult[]): readonly Group[] {
  const groups = new Map<string, { kind: CellKind; mode: PoolMode; results: CellResult[] }>();
  for (const result of results) {
    const { kind, mode } = result.cell;
    const group = groups.get(`${kind} ${mode}`) ?? { kind, mode, results: [] };
    group.results.push(result);
    groups.set(`${kind} ${mode}`, group);
  }
  return [...groups.values()];
}

/** How many cells that have a peer in them each of Sluice's entries has won: "4 of 5". */
export function summaryTable(results: readonly CellResult[]): Table {
  const contests = results.filter((result) =>
    isContest(result.cell) && rivalsIn(result).length > 0
  );
  const entries = sluiceEntriesOf(contests);
  const rows = groupsOf(contests).map((group) => [
    KIND_TITLES[group.kind],
    group.mode,
    ...entries.map((entry) => {
      const entered = group.results.filter(({ outcomes }) => outcomes.has(entry));
      const won = entered.filter((result) =>
        runsOf(result, entry).length > 0 && lossesOf(result, entry).length === 0
      );
      return `${won.length} of ${entered.length}`;
    }),
  ]);
  return { header: ["cells", "mode", ...entries.map((entry) => `won by ${entry}`)], rows };
}

/** Why Sluice has not won what it has not won, as Markdown; "" if it has won everything. */
export function explanationsOf(results: readonly CellResult[]): string {
  const contests = results.filter(({ cell }) => isContest(cell));
  const losses: Loss[] = [];
  for (const entry of sluiceEntriesOf(contests)) {
    for (const result of contests) losses.push(...lossesOf(result, entry));
  }
  return explanationsText(losses, failuresIn(results));
}

function failuresIn(results: readonly CellResult[]): Failure[] {
  return results.flatMap(({ cell, outcomes }) =>
    [...outcomes].flatMap(([entry, outcome]): Failure[] =>
      isSluice(entry) && outcome.kind === "failed" ? [{ cell, entry, why: outcome.why }] : []
    )
  );
}

function sluiceEntriesOf(results: readonly CellResult[]): readonly string[] {
  const names = results.flatMap(({ outcomes }) => [...outcomes.keys()]);
  return [...new Set(names)].filter(isSluice);
}
