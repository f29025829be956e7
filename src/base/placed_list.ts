/**
 * A list that anybody can leave at once. Where members come and go with each message, it costs less
 * than a Set, which hashes; it has no order.
 *
 * @module
 */

/** What can be a member, of one list at a time. */
export interface Placed {
  /** Where it stands in its list, which alone changes that. */
  place: number;
}

/** The members. */
export class PlacedList<Member> {
  readonly #members: (Member & Placed)[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** They change as members come and go: who calls them goes through a copy. */
  get members(): readonly Member[] {
    return this.#members;
  }

  has(member: Member & Placed): boolean {
    return this.#members[member.place] === member;
  }

  /** Adds one, if it is not there. */
  add(member: Member & Placed): void {
    if (this.has(member)) return;
    member.place = this.#members.length;
    this.#members.push(member);
  }

  /** Takes one out, if it is there. */
  delete(member: Member & Placed): void {
    if (!this.has(member)) return;
    const last = this.#members.pop()!;
    if (last === member) return;
    this.#members[member.place] = last;
    last.place = member.place;
  }
}
