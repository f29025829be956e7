/**
 * Who of a group is the primary. Servers say so themselves, and may be wrong: one that was cut off
 * or comes back may not know that another one has taken over. There is one primary at most,
 * whatever they say.
 *
 * @module
 */

/** What is known of one server of a group. */
export interface Candidate {
  /** Whether it said last that it is a primary; undefined if it has not said anything. */
  readonly isPrimary: boolean | undefined;
  /** As it said with that; 0 if it is not known. */
  readonly timeline: number;
  readonly isDown: boolean;
  /**
   * It was found not to be the primary although it said so, with this timeline, and has not been a
   * replica since.
   */
  readonly fencedTimeline: number | undefined;
  /** Whether it has been checked at all. */
  readonly isChecked: boolean;
}

/** The outcome. Servers are meant by their places in the list. */
export interface Election {
  /** Undefined if there is none. */
  readonly primary: number | undefined;
  /** Those that say that they are a primary, and are not to be used. */
  readonly fenced: readonly number[];
  /** Those of them whose timeline is the primary's own: nobody can know who is right. */
  readonly tied: readonly number[];
}

const NOBODY: Election = { primary: undefined, fenced: [], tied: [] };

/**
 * The server with the newest timeline is the primary, if it says that it is one. A server that
 * cannot be reached is taken at its last word: until it is known better, it may still be what it
 * was. Of several with one timeline it is the one that was it before, as long as it is not down,
 * then the first one. Who is fenced is no candidate again by that others are gone.
 *
 * @param current The primary up to now.
 */
export function elect(candidates: readonly Candidate[], current: number | undefined): Election {
  // The first to answer may be the one that should not.
  if (candidates.some(({ isChecked }) => !isChecked)) return NOBODY;
  const newest = Math.max(...candidates.map(({ timeline }) => timeline));
  const saying = candidates.map((_, index) => index).filter((index) =>
    candidates[index]!.isPrimary === true
  );
  const eligible = saying.filter((index) => {
    const { timeline, fencedTimeline } = candidates[index]!;
    return timeline === newest && (fencedTimeline === undefined || timeline > fencedTimeline);
  });
  const reachable = eligible.filter((index) => !candidates[index]!.isDown);
  const primary = [reachable, eligible].map((some) => preferred(some, current)).find((one) =>
    one !== undefined
  );
  const fenced = saying.filter((index) => index !== primary);
  const isTied = (index: number) =>
    primary !== undefined && candidates[index]!.timeline === candidates[primary]!.timeline;
  return { primary, fenced, tied: fenced.filter(isTied) };
}

function preferred(some: readonly number[], current: number | undefined): number | undefined {
  return current !== undefined && some.includes(current) ? current : some[0];
}

/**
 * The same where somebody else decides who the leader is, such as Patroni. A leader that says that
 * it is in recovery is not the primary yet.
 *
 * @param leader Undefined if there is none.
 */
export function follow(candidates: readonly Candidate[], leader: number | undefined): Election {
  const isLeading = leader !== undefined && candidates[leader]!.isPrimary !== false;
  const primary = isLeading ? leader : undefined;
  const fenced = candidates.map((_, index) => index).filter((index) =>
    index !== primary && candidates[index]!.isPrimary === true
  );
  return { primary, fenced, tied: [] };
}
