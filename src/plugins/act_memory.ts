/**
 * Memory that the policies of all workers count in.
 *
 * @module
 */

import { type ActOptions, policyLabels } from "../act/options.ts";
import { actBuffer, ActCells } from "../observe/act_cells.ts";

/** Regions of one gateway. A worker's number is its index, or that of the control plane. */
export class ActMemory {
  /** Names and actions of policies, in the order of their cells. */
  readonly policies: readonly { readonly policy: string; readonly action: string }[];
  /** They stay when a worker is replaced: counters never go backwards. */
  readonly #buffers = new Map<number, SharedArrayBuffer>();

  constructor(options: ActOptions) {
    this.policies = policyLabels(options);
  }

  /** Where a worker writes. */
  bufferOf(worker: number): SharedArrayBuffer {
    const buffer = this.#buffers.get(worker) ?? actBuffer(this.policies.length);
    this.#buffers.set(worker, buffer);
    return buffer;
  }

  /** What every worker has counted. */
  cells(): readonly ActCells[] {
    return [...this.#buffers.values()].map((buffer) => new ActCells(this.policies.length, buffer));
  }
}
