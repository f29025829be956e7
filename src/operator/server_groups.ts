/**
 * Groups of servers and their members, by the names that operators use.
 *
 * @module
 */

import { VerbError } from "../admin/operator_verbs.ts";
import { addressText } from "../base/address.ts";
import { nearest } from "../base/suggest.ts";
import type { Member } from "../upstream/members.ts";

/** Names that one message lists. */
const NAMES_SHOWN_MAX = 10;

/** The servers of one configured client. */
export interface ServerGroup {
  readonly client: string;
  /** Its number in the table of servers. */
  readonly index: number;
  /** Never empty. */
  readonly members: readonly Member[];
}

/** All groups of a gateway. */
export class ServerGroups {
  readonly #groups: ReadonlyMap<string, ServerGroup>;

  constructor(members: ReadonlyMap<string, readonly Member[]>) {
    this.#groups = new Map(
      [...members].map(([client, all]) => [client, { client, index: all[0]!.group, members: all }]),
    );
  }

  /** In the order of the configuration. */
  all(): Iterable<ServerGroup> {
    return this.#groups.values();
  }

  /** @throws {VerbError} If there is none of this name. */
  group(client: string): ServerGroup {
    const group = this.#groups.get(client);
    if (group !== undefined) return group;
    throw unknown(`no client is named "${client}"`, client, [...this.#groups.keys()]);
  }

  /**
   * Finds a server of a group by its address as it is configured; its host is enough where no other
   * member has the same.
   *
   * @throws {VerbError} If there is none, or more than one.
   */
  member({ client, members }: ServerGroup, server: string): Member {
    const found = members.find(({ address }) => addressText(address) === server);
    if (found !== undefined) return found;
    const onHost = members.filter(({ address }) =>
      address.kind === "tcp" && address.host === server
    );
    if (onHost.length === 1) return onHost[0]!;
    const names = members.map(({ address }) => addressText(address));
    throw unknown(`no single server of ${client} is "${server}"`, server, names);
  }
}

function unknown(rule: string, word: string, names: readonly string[]): VerbError {
  const guess = nearest(word, names);
  const advice = guess === undefined ? "" : `; did you mean "${guess}"?`;
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(", ");
  const more = names.length > NAMES_SHOWN_MAX ? `, and ${names.length - NAMES_SHOWN_MAX} more` : "";
  return new VerbError("unknown", `${rule}: there is ${shown}${more}${advice}`);
}
