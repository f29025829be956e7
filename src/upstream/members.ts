/**
 * The servers of groups, numbered through: who writes what is known of a server, and who reads it,
 * find its row by that number.
 *
 * @module
 */

import { type Address, addressText } from "../base/address.ts";

/** How a group of servers is configured, as far as it matters here. */
export interface GroupAddresses {
  readonly address: Address;
  readonly others: readonly Address[];
}

/** One server of a group. */
export interface Member {
  /** Its number, from 0, over all groups. */
  readonly index: number;
  /** The group's number, from 0. */
  readonly group: number;
  /** The configured client's name. */
  readonly client: string;
  readonly address: Address;
  /** Such as `main@db1:5432`: the same in every worker, and after a restart. */
  readonly name: string;
}

/** Returns the servers of each configured client, in the order of the configuration. */
export function membersOf(
  clients: ReadonlyMap<string, GroupAddresses>,
): ReadonlyMap<string, readonly Member[]> {
  let index = 0;
  let group = 0;
  const all = new Map<string, readonly Member[]>();
  for (const [client, { address, others }] of clients) {
    const members = [address, ...others].map((one): Member => ({
      index: index++,
      group,
      client,
      address: one,
      name: `${client}@${addressText(one)}`,
    }));
    all.set(client, members);
    group += 1;
  }
  return all;
}
