/**
 * Keeps those who belong together on one server, as far as its load allows. See `hash_ring.ts` for
 * the ring; here is who counts on it, and who is full.
 *
 * Source of the bound: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded
 * Loads", SODA 2018.
 *
 * @module
 */

import { HashRing, POINTS_MAX } from "./hash_ring.ts";
import { limitNames } from "./names.ts";
import { PLACES, Ranking } from "./ranking.ts";
import type { Candidate, Strategy } from "./strategy.ts";

/** How many times its share of the connections a server may have, rounded up. */
export const LOAD_FACTOR = 1.25;

/**
 * How far a key's way is looked at for who comes second, third and so on: in points, for each name
 * on the ring. Who has few points is not found by then, and comes behind the others.
 */
const STEPS = 8;

/** Names on the ring: each has 160 points, and all are sorted when a name is new. */
const RING_NAMES_MAX = 256;

/**
 * CONSISTENT_HASH. The ring has the points of everybody who was seen. Who is no candidate now, and
 * points beyond a weight's part, are stepped over: that is the same as if they were not there, so a
 * ring is made again only when there is a new name.
 */
export class ConsistentHash implements Strategy {
  readonly #ranking = new Ranking();
  /** Numbers on the ring, by name. */
  readonly #owners = new Map<string, number>();
  #ring = new HashRing([]);
  /** The owner that each candidate is. */
  readonly #ownerOf: number[] = [];
  /** By owner: the index of the candidate. */
  #candidates = new Uint16Array(0);
  /** By owner: how many of its points count; 0 if it is no candidate, or has its place. */
  #points = new Uint8Array(0);
  /** The one that has all points. It stays when that server goes: other keys shall not move. */
  #weightMax = 0;
  /** Candidates that are full, in their order. */
  readonly #full: number[] = [];
  #fullCount = 0;
  /** Connections that one may have for each unit of its weight. */
  #connectionsPerWeight = 0;

  order(candidates: readonly Candidate[], key: string): readonly number[] {
    this.#ranking.begin(candidates);
    this.#fullCount = 0;
    while (!this.#find(candidates)) this.#makeRing(candidates);
    const count = this.#place(candidates);
    if (count > 0) this.#walk(candidates, this.#ring.placeOf(key), Math.min(count, PLACES));
    for (let i = 0; i < candidates.length; i++) {
      const owner = this.#ownerOf[i]!;
      if (this.#points[owner]! > 0) this.#take(candidates[i]!, i, owner);
    }
    for (let i = 0; i < this.#fullCount; i++) this.#ranking.append(this.#full[i]!);
    return this.#ranking.end();
  }

  /** Looks candidates up on the ring. @returns False if there is a new one. */
  #find(candidates: readonly Candidate[]): boolean {
    for (let i = 0; i < candidates.length; i++) {
      const owner = this.#owners.get(candidates[i]!.name);
      if (owner === undefined) return false;
      this.#ownerOf[i] = owner;
    }
    return true;
  }

  /** Makes a ring of those who were seen, and of candidates. */
  #makeRing(candidates: readonly Candidate[]): void {
    for (const { name } of candidates) this.#owners.set(name, 0);
    limitNames(this.#owners, candidates, RING_NAMES_MAX);
    const names = [...this.#owners.keys()].sort();
    for (const [owner, name] of names.entries()) this.#owners.set(name, owner);
    this.#ring = new HashRing(names);
    this.#candidates = new Uint16Array(names.length);
    this.#points = new Uint8Array(names.length);
  }

  /** Puts candidates on the ring, by their weights. @returns How many. */
  #place(candidates: readonly Candidate[]): number {
    const ranking = this.#ranking;
    let connections = 0;
    let weights = 0;
    let count = 0;
    for (const candidate of candidates) {
      const weight = ranking.weightOf(candidate);
      if (weight === 0) continue;
      this.#weightMax = Math.max(this.#weightMax, candidate.weight);
      connections += candidate.connections;
      weights += weight;
      count += 1;
    }
    this.#connectionsPerWeight = LOAD_FACTOR * (connections + 1) / weights;
    for (let i = 0; i < candidates.length; i++) {
      const weight = ranking.weightOf(candidates[i]!);
      if (weight === 0) {
        ranking.addWeightless(i);
        continue;
      }
      const owner = this.#ownerOf[i]!;
      this.#candidates[owner] = i;
      const points = Math.ceil(POINTS_MAX * weight / this.#weightMax);
      this.#points[owner] = Math.min(points, POINTS_MAX);
    }
    return count;
  }

  /** Takes those who come along the ring, until there are enough or it has been far enough. */
  #walk(candidates: readonly Candidate[], start: number, count: number): void {
    const ring = this.#ring;
    const points = this.#points;
    const enough = STEPS * points.length;
    let left = count;
    let place = start;
    for (let steps = 0; steps < ring.size; steps++) {
      // The first is always looked for: keys would not be spread otherwise.
      if (steps > enough && left < count) return;
      const owner = ring.ownerAt(place);
      if (ring.numberAt(place) < points[owner]!) {
        const index = this.#candidates[owner]!;
        this.#take(candidates[index]!, index, owner);
        left -= 1;
        if (left === 0) return;
      }
      place = place + 1 === ring.size ? 0 : place + 1;
    }
  }

  /** Gives one its place in the order, which is behind the others if it is full. */
  #take(candidate: Candidate, index: number, owner: number): void {
    this.#points[owner] = 0;
    const share = this.#connectionsPerWeight * this.#ranking.weightOf(candidate);
    if (candidate.connections < share) this.#ranking.append(index);
    else this.#full[this.#fullCount++] = index;
  }
}
