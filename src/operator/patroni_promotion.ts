/**
 * A planned change of the primary by Patroni: its REST API's `GET /cluster` says what it calls the
 * members, and `POST /switchover` answers when the change is done.
 * Source: https://patroni.readthedocs.io/en/latest/rest_api.html
 *
 * @module
 */

import { boundedText } from "../base/bounded_text.ts";
import { messageOf } from "../base/errors.ts";
import { argumentsOf } from "../health/failover_script.ts";
import type { PrimaryChange, Promote } from "./promotion.ts";

/** Of an answer, in bytes: a cluster of a hundred members is described in 30 KiB. */
const ANSWER_SIZE_MAX = 1_048_576;

/** How long the description of a cluster may take, which Patroni has in memory. */
const CLUSTER_MS_MAX = 5_000;

/** Of an answer that is shown, in characters. */
const WORDS_MAX = 500;

/** Roles of the one who takes writes; "master" is that of Patroni before 4.0. */
const LEADER_ROLES: readonly unknown[] = ["leader", "primary", "master", "standby_leader"];

interface PatroniMember {
  readonly name: string;
  readonly isLeader: boolean;
  readonly host: unknown;
  readonly port: unknown;
}

/**
 * Promotes by Patroni's REST API.
 *
 * @param urls Of some or all members; the first one that answers is asked.
 * @param send `fetch`, or what stands in for it.
 */
export function patroniPromotion(urls: readonly string[], send: typeof fetch): Promote {
  return async (change) => {
    const { url, members } = await findCluster(urls, send);
    const [leader, candidate] = namesOf(members, change);
    const response = await send(`${url}/switchover`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ leader, candidate }),
      redirect: "error",
      signal: AbortSignal.timeout(change.timeoutMs),
    });
    const text = await boundedText(response.body, ANSWER_SIZE_MAX);
    if (response.ok) return;
    throw new Error(`Patroni at ${url} answers ${response.status}: ${oneLine(text)}`);
  };
}

async function findCluster(
  urls: readonly string[],
  send: typeof fetch,
): Promise<{ readonly url: string; readonly members: readonly PatroniMember[] }> {
  const problems: string[] = [];
  for (const url of urls) {
    try {
      const response = await send(`${url}/cluster`, {
        redirect: "error",
        signal: AbortSignal.timeout(CLUSTER_MS_MAX),
      });
      const text = await boundedText(response.body, ANSWER_SIZE_MAX);
      if (!response.ok) throw new Error(`it answers ${response.status}`);
      return { url, members: membersIn(JSON.parse(text)) };
    } catch (error) {
      problems.push(`${url}: ${oneLine(messageOf(error))}`);
    }
  }
  throw new Error(`Patroni could not be asked: ${problems.join("; ")}`);
}

/** @throws {Error} If it is not what Patroni says. */
function membersIn(answer: unknown): readonly PatroniMember[] {
  const members = (answer as { members?: unknown } | null)?.members;
  if (!Array.isArray(members)) throw new Error("it does not say who the members are");
  return members.filter((member) => typeof member?.name === "string").map((member) => ({
    name: member.name,
    isLeader: LEADER_ROLES.includes(member.role),
    host: member.host,
    port: member.port,
  }));
}

/**
 * What Patroni calls the two servers. Patroni knows members by the addresses that they announce;
 * where those are others than ours, the leader is still known by its role, and the candidate if
 * there is no other.
 *
 * @throws {Error} If it does not know them, or says that another one is the leader.
 */
function namesOf(
  members: readonly PatroniMember[],
  { from, to }: PrimaryChange,
): readonly [leader: string, candidate: string] {
  const at = ({ address }: PrimaryChange["from"]) => {
    const [host, port] = argumentsOf(address);
    return members.find((member) =>
      String(member.host).toLowerCase() === host.toLowerCase() && String(member.port) === port
    );
  };
  const leader = members.find(({ isLeader }) => isLeader);
  if (leader === undefined) throw new Error("Patroni says that there is no leader");
  const old = at(from);
  if (old !== undefined && old !== leader) {
    throw new Error(
      `Patroni says that ${oneLine(leader.name)} is the leader, and not ${from.name}`,
    );
  }
  const others = members.filter((member) => member !== leader);
  const candidate = at(to) ?? (others.length === 1 ? others[0] : undefined);
  if (candidate === undefined || candidate === leader) {
    const known = others.map(({ name, host, port }) => `${name} at ${host}:${port}`).join(", ");
    const rule = `Patroni does not know ${to.name} as a replica`;
    throw new Error(`${rule}: it knows ${oneLine(known) || "none"}`);
  }
  return [leader.name, candidate.name];
}

/** Text of another program on one line, without what a terminal could act on. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim().slice(0, WORDS_MAX);
}
