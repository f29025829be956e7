/**
 * Names of WITH queries, and where they hide tables: `parser/parse_cte.c` and
 * `parser/parse_relation.c` (scanNameSpaceForCTE).
 *
 * @module
 */

import { fieldsOf, listOf, type Node, textIn, unwrap, type Value } from "./parse_tree.ts";

/** What can be seen of a WITH: those of its names whose place in it is before `visible`. */
export interface Scope {
  readonly places: ReadonlyMap<string, number>;
  readonly visible: number;
  readonly outer: Scope | undefined;
}

/** A WITH: the scope of the statement that has it, and each of its queries with its own. */
export interface WithScopes {
  readonly scope: Scope | undefined;
  readonly queries: readonly (readonly [query: Value, scope: Scope | undefined])[];
}

/** What a WITH clause, if there is one, makes of the scope that it stands in. */
export function scopesOf(withClause: Value | undefined, outer: Scope | undefined): WithScopes {
  const { ctes, recursive } = fieldsOf(withClause);
  const nodes: readonly Node[] = listOf(ctes).map((cte) => unwrap(cte)[1]);
  if (nodes.length === 0) return { scope: outer, queries: [] };
  const places = new Map<string, number>();
  for (const [place, { ctename }] of nodes.entries()) {
    const name = textIn(ctename);
    if (!places.has(name)) places.set(name, place);
  }
  const all: Scope = { places, visible: nodes.length, outer };
  // Without RECURSIVE a query sees those before it; with it, also itself and those behind it.
  const queries = nodes.map((node, place) =>
    [node, recursive === true ? all : { places, visible: place, outer }] as const
  );
  return { scope: all, queries };
}

/** Whether a name without a schema is that of a WITH query. */
export function isWithQuery(name: string, scope: Scope | undefined): boolean {
  for (let at = scope; at !== undefined; at = at.outer) {
    const place = at.places.get(name);
    if (place !== undefined && place < at.visible) return true;
  }
  return false;
}
