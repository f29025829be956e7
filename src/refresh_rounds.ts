/**
 * Who has been told of changed files, and has not said yet whether it uses them.
 *
 * @module
 */

/** A worker could not use what it was told; it goes on with what it had. */
export interface RefreshProblem<Member> {
  readonly member: Member;
  readonly problem: string;
}

interface Round<Member> {
  /** Those who have not answered. */
  readonly left: Set<Member>;
  readonly problems: RefreshProblem<Member>[];
  readonly resolve: (problems: readonly RefreshProblem<Member>[]) => void;
}

/** The rounds of one fleet: in each, everybody is told the same and answers once. */
export class RefreshRounds<Member> {
  readonly #open = new Map<number, Round<Member>>();
  #last = 0;

  /** The number of the round that was begun last; 0 before the first one. */
  get last(): number {
    return this.#last;
  }

  /** Begins a round. @returns What went wrong, once everybody has answered or is gone. */
  begin(members: readonly Member[]): Promise<readonly RefreshProblem<Member>[]> {
    const { promise, resolve } = Promise.withResolvers<readonly RefreshProblem<Member>[]>();
    this.#last += 1;
    this.#open.set(this.#last, { left: new Set(members), problems: [], resolve });
    this.#closeRounds();
    return promise;
  }

  /** A member uses what it was told in a round, or says why not; so for what was told before. */
  onAnswer(member: Member, round: number, problem: string | undefined): void {
    for (const [number, { left, problems }] of this.#open) {
      if (number > round || !left.delete(member)) continue;
      if (problem !== undefined) problems.push({ member, problem });
    }
    this.#closeRounds();
  }

  /** A member will answer no more: whoever takes its place begins with what is new. */
  forget(member: Member): void {
    for (const { left } of this.#open.values()) left.delete(member);
    this.#closeRounds();
  }

  #closeRounds(): void {
    for (const [number, { left, problems, resolve }] of this.#open) {
      if (left.size > 0) continue;
      this.#open.delete(number);
      resolve(problems);
    }
  }
}
