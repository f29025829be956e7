/**
 * Guesses the word somebody meant. A guess is only given when it is near enough to be helpful:
 * a wrong hint costs more time than none.
 *
 * @module
 */

/** Longer words are not compared: nobody mistypes a word of a known list into one this long. */
const WORD_LENGTH_MAX = 128;

/** More edits than this, and two words that look alike to a program look different to a person. */
const DISTANCE_MAX = 3;

/**
 * How many edits make `b` from `a`: a character inserted, removed or replaced, or two neighbours
 * swapped (Damerau-Levenshtein, in the variant that edits no substring twice).
 *
 * @param limit Largest distance of interest. The work is proportional to it, and every larger
 * distance is reported as `limit + 1`.
 */
export function editDistance(a: string, b: string, limit: number): number {
  const beyond = limit + 1;
  if (Math.abs(a.length - b.length) > limit) return beyond;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = new Array<number>(b.length + 1).fill(beyond);
    row[0] = i;
    let best = i;
    // Cells further from the diagonal than the limit cannot be part of a short enough path.
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j++) {
      const isSame = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j - 1]! + (isSame ? 0 : 1), last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row[j] = cost;
      best = Math.min(best, cost);
    }
    if (best > limit) return beyond;
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length]!, beyond);
}

/**
 * Returns the candidate that `word` was most likely meant to be, or undefined when none is near:
 * at most one edit in three characters, never more than three. Letter case, `_` and `-` do not
 * count as edits. Of equally near candidates the first one wins.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > WORD_LENGTH_MAX) return undefined;
  const folded = fold(word);
  let limit = Math.min(DISTANCE_MAX, Math.floor(folded.length / 3));
  let found: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(folded, fold(candidate), limit);
    if (distance > limit) continue;
    if (distance === 0) return candidate;
    found = candidate;
    limit = distance - 1; // from here on only something nearer is of interest
  }
  return found;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, "");
}
