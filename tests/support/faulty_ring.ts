/**
 * The network's bad days, as a ring tells of them: sends that are cut short or not taken at all,
 * receiving that goes on only once, calls that a signal interrupts or that submit a part. All of it
 * is what the kernel may do at any time, so nobody may notice.
 *
 * @module
 */

import { ERRNO, type LibC } from "../../src/net/native/libc.ts";
import {
  ENTRY,
  MULTISHOT,
  OFFSET,
  OPERATION,
  type RingCalls,
} from "../../src/net/native/uring/ring_calls.ts";
import type { Random } from "./random.ts";

/** Bytes of a short send or receive at most. */
const SHORT_SIZE_MAX = 700;

/** Words of an entry, and where its parts are. */
const ENTRY_WORDS = 16;
const WORD = { operation: 0, size: 6 } as const;

/** Words of `struct io_uring_params`: how many entries, and where their tail is. */
const PARAMETER = { entries: 0, tail: 11 } as const;

/** Calls that fail at random, with the real ones behind them, and the `errno` that they set. */
export function faultyRing(
  libC: LibC,
  calls: RingCalls,
  random: Random,
): { readonly libC: LibC; readonly calls: RingCalls } {
  let injected = 0;
  const fd = { ring: -1 };
  let [entryCount, tailAt] = [0, 0];
  let words = new Int32Array();
  let entries = new Int32Array();
  const spoil = (at: number) => {
    const operation = entries[at + WORD.operation]! & 0xff;
    if (operation === OPERATION.SEND && random.oneIn(2)) {
      const size = random.oneIn(3) ? 0 : 1 + random.below(SHORT_SIZE_MAX);
      if (size >= entries[at + WORD.size]!) return;
      entries[at + WORD.size] = size;
      entries[at + WORD.operation]! &= ~(ENTRY.CQE_SKIP_SUCCESS << 8);
    }
    if (operation === OPERATION.RECV && random.oneIn(2)) {
      entries[at + WORD.operation]! &= ~(MULTISHOT.RECV << 16);
      entries[at + WORD.size] = 1 + random.below(SHORT_SIZE_MAX);
    }
  };
  const faulty: RingCalls = {
    ...calls,
    setup(count, parameters) {
      fd.ring = calls.setup(count, parameters);
      const made = new Int32Array(parameters.buffer);
      entryCount = made[PARAMETER.entries]!;
      tailAt = made[PARAMETER.tail]! >> 2;
      return fd.ring;
    },
    map(ring, size, offset) {
      const mapped = calls.map(ring, size, offset);
      if (mapped === undefined || ring !== fd.ring) return mapped;
      if (offset === OFFSET.ENTRIES) entries = new Int32Array(mapped.buffer);
      else words = new Int32Array(mapped.buffer);
      return mapped;
    },
    enter(ring, submit, complete, flags, argument, argumentSize) {
      injected = 0;
      if (random.oneIn(20)) {
        injected = ERRNO.EINTR;
        return -1;
      }
      // Those that were spoiled before, and not submitted, are spoiled once more.
      const tail = words[tailAt]!;
      for (let i = submit; i > 0; i -= 1) {
        spoil(((tail - i) & (entryCount - 1)) * ENTRY_WORDS);
      }
      const part = submit > 1 && random.oneIn(5) ? 1 + random.below(submit - 1) : submit;
      const least = part < submit ? 0 : complete;
      return calls.enter(ring, part, least, flags, argument, argumentSize);
    },
  };
  const others: Record<string, unknown> = {};
  for (const [name, real] of Object.entries(libC)) {
    others[name] = (...args: number[]) => {
      injected = 0; // what they fail with is real
      return real(...args);
    };
  }
  const errno = { get: () => injected === 0 ? libC.errno : injected };
  const spoiledLibC = Object.defineProperty(others, "errno", errno) as unknown as LibC;
  return { libC: spoiledLibC, calls: faulty };
}
