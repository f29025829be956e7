import { deepEqual, equal } from "node:assert/strict";
import {
  CANCEL_WORKERS_MAX,
  CancelKeys,
  type CancelSubject,
  workerOf,
} from "../../src/postgres/cancel.ts";
import { Random } from "../support/random.ts";

/** Only told from others here. */
const SUBJECT: CancelSubject = { target: () => undefined, hold: () => () => {} };

function keysOf(worker: number, seed = 1): CancelKeys {
  const random = new Random(seed);
  return new CancelKeys(worker, (size) => random.bytes(size));
}

Deno.test("CancelKeys gives process ids that name the worker and are positive", () => {
  for (const worker of [0, 1, CANCEL_WORKERS_MAX - 1]) {
    const { processId } = keysOf(worker).issue(SUBJECT, 0);
    equal(workerOf(processId), worker);
    equal(processId > 0, true);
  }
});

Deno.test("CancelKeys finds a key until it is revoked", () => {
  const keys = keysOf(3);
  const { processId, key } = keys.issue(SUBJECT, 0);
  equal(keys.find(processId, key), SUBJECT);
  equal(keys.find(processId + 1, key), undefined);
  equal(keys.find(processId, key.slice(0, 3)), undefined);
  keys.revoke(processId);
  keys.revoke(processId);
  equal(keys.find(processId, key), undefined);
  equal(keys.size, 0);
});

Deno.test("CancelKeys makes keys of the size that the protocol knows", () => {
  const keys = keysOf(0);
  deepEqual([0, 1, 2, 3].map((minor) => keys.issue(SUBJECT, minor).key.length), [4, 4, 32, 32]);
});

Deno.test("CancelKeys never gives a number that is in use, not even after it wraps, nor zero", () => {
  // Three bytes of 0xff: the first number wraps.
  const keys = new CancelKeys(1, (size) => new Uint8Array(size).fill(0xff));
  const given = [1, 2, 3].map(() => keys.issue(SUBJECT, 0).processId & 0xffffff);
  deepEqual(given, [1, 2, 3]);
  keys.revoke(1 << 24 | 2);
  equal(keys.issue(SUBJECT, 0).processId & 0xffffff, 4);
  equal(keys.size, 3);
});
