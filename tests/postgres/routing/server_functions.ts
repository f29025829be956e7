/**
 * Which built-in functions of a real server the list of harmless ones must have. As a program it
 * prints the list, from all servers that this machine has:
 *
 *     deno run -A tests/postgres/routing/server_functions.ts
 *
 * @module
 */

import { print } from "../../../src/cli/terminal.ts";
import { VOLATILE_FUNCTIONS } from "../../../src/postgres/routing/harmless_functions.ts";
import { availableServers, queryOnce, type QueryTarget } from "../../support/postgres.ts";
import { startTestPostgres } from "../../support/postgres.ts";

/** The functions of one server, by name: overloads have one. */
export interface ServerFunctions {
  /** Those of which every overload gives a value and does nothing else, and that people call. */
  readonly expected: ReadonlySet<string>;
  /** All that can be called, whether they say that they are volatile or not. */
  readonly all: ReadonlySet<string>;
  /** Those of which an overload is volatile. */
  readonly volatile: ReadonlySet<string>;
}

/** Stable by declaration, but unfit: why is said in `docs/routing/read_write_split.md`. */
const UNFIT = new RegExp(
  [
    // They give the transaction a number, which is a write, or fail on a replica.
    "^(txid_current|pg_current_xact_id|pg_walfile_name(_offset)?)$",
    // What a server says of itself, or of this session alone.
    "^pg_stat_get_|^pg_get_replication_slots$|^inet_server_|^pg_(postmaster_start|conf_load)_time$",
    "^pg_(backend_pid|cursor|prepared_statement|listening_channels|show_all_settings|config)$",
    // They read tables that the text does not name.
    "_to_xml(schema|_and_xmlschema)?$",
    // Parts of the server that nobody calls.
    "(larger|smaller|_transfn|_canonical|_subdiff|validator|equalimage|statefunc|typmodin)$",
    "^(int[248]|numeric)(inc|dec)|^(float8|int[248]|interval)_|^int2int4_|^(gin|gist|spg|btrecord)",
    "^pg_event_trigger_|^hash_|^numeric_(exp|ln|log|sqrt)$|^in_range$|^satisfies_hash_partition$",
    "^pg_(mcv_list_items|numa_available|get_publication_tables|get_catalog_foreign_keys)$",
  ].join("|"),
);

/** What implements an operator is not called by name, except for these. */
const CALLED_OPERATORS =
  /^(array_cat|starts_with|array(contains|contained|overlap)|jsonb_[a-z]{5,}\w*)$/;

const QUERY = `
  SELECT proname AS name,
    bool_or(provolatile = 'v') AS volatile,
    bool_and(description LIKE 'implementation of % operator') AS is_operator,
    bool_and(
      prokind = 'p' OR ARRAY[prorettype] || proargtypes::oid[] && ARRAY['internal', 'cstring',
        'trigger', 'event_trigger', 'language_handler', 'index_am_handler', 'fdw_handler',
        'tsm_handler', 'table_am_handler']::regtype[]::oid[]
      OR coalesce(description IN ('I/O', 'hash', 'less-equal-greater', 'internal'), false)
    ) AS is_internal
  FROM pg_proc p
  LEFT JOIN pg_description d ON d.objoid = p.oid AND classoid = 'pg_proc'::regclass
  WHERE pronamespace = 'pg_catalog'::regnamespace
  GROUP BY proname ORDER BY proname COLLATE "C"`;

/** Asks a server. */
export async function functionsOf(target: QueryTarget): Promise<ServerFunctions> {
  const expected = new Set<string>();
  const all = new Set<string>();
  const volatile = new Set<string>();
  for (const row of await queryOnce(target, QUERY)) {
    const name = String(row["name"]);
    all.add(name);
    if (row["volatile"] === true) volatile.add(name);
    const isCalled = row["is_operator"] !== true || CALLED_OPERATORS.test(name);
    if (row["volatile"] === true || row["is_internal"] === true || !isCalled) continue;
    if (!UNFIT.test(name)) expected.add(name);
  }
  return { expected, all, volatile };
}

/** Names in lines as the list has them. */
function linesOf(names: Iterable<string>): string {
  const lines: string[] = [];
  let line = " ";
  for (const name of names) {
    if (line.length + 1 + name.length > 100) {
      lines.push(line);
      line = " ";
    }
    line += ` ${name}`;
  }
  return [...lines, line].join("\n");
}

if (import.meta.main) {
  const names = new Set<string>();
  const volatile = new Set<string>();
  for (const { binDir } of await availableServers()) {
    await using server = await startTestPostgres({ binDir });
    const functions = await functionsOf(server);
    functions.expected.forEach((name) => names.add(name));
    functions.volatile.forEach((name) => volatile.add(name));
  }
  const listed = [...names].filter((name) => !volatile.has(name) && !VOLATILE_FUNCTIONS.has(name));
  print(`${linesOf(listed.sort())}\n`);
}
