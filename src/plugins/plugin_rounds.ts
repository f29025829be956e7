/**
 * Has all workers run the same plugins. Each gets ready first; only when all of them could, they
 * are told to use what they have got ready. Until then, and if one cannot, all go on as before. A
 * message takes a while to a busy worker, so that a round is over when each has said that it does.
 *
 * @module
 */

import type { WorkerCommand, WorkerPlugin } from "../data_plane_messages.ts";
import type { PluginSpec } from "../plugin_host/plugin_spec.ts";
import type { PluginMemory } from "./plugin_memory.ts";
import { RefreshRounds } from "../refresh_rounds.ts";

/** What {@linkcode PluginRounds} work with. */
export interface PluginRoundsParts<Member> {
  readonly memory: PluginMemory;
  readonly indexOf: (member: Member) => number;
  readonly send: (member: Member, command: WorkerCommand) => void;
  /** A worker that was started meanwhile cannot use what the others use. */
  readonly onProblem: (member: Member, problem: string) => void;
}

/** The plugins of one fleet. */
export class PluginRounds<Member> {
  readonly #parts: PluginRoundsParts<Member>;
  readonly #rounds = new RefreshRounds<Member>();
  /** Who was told to use what it has got ready, and has not said yet that it does. */
  readonly #swaps = new RefreshRounds<Member>();
  /** What a member uses, or is started with. */
  readonly #usedBy = new Map<Member, readonly PluginSpec[]>();
  /** Who has got ready in which round, and has not been told what comes of it. */
  readonly #ready = new Map<Member, number>();
  /** What everybody is to use. */
  #current: readonly PluginSpec[] = [];
  /** The round in which that was decided. */
  #currentRound = 0;
  /** What a round is about that is not decided yet. */
  #offer: { readonly round: number; readonly plugins: readonly PluginSpec[] } | undefined;

  constructor(parts: PluginRoundsParts<Member>) {
    this.#parts = parts;
  }

  /** What a worker is started with. */
  startWith(member: Member): readonly WorkerPlugin[] {
    this.#usedBy.set(member, this.#current);
    return this.#given(member, this.#current);
  }

  /**
   * Has everybody run these plugins and no others. Resolves when all do. One round at a time.
   *
   * @param serving Who is told now; `starting` are told when they listen.
   * @throws {Error} If somebody cannot: then nobody does.
   */
  async publish(
    plugins: readonly PluginSpec[],
    serving: readonly Member[],
    starting: readonly Member[],
  ): Promise<void> {
    const answers = this.#rounds.begin([...serving, ...starting]);
    const round = this.#rounds.last;
    this.#offer = { round, plugins };
    for (const member of serving) this.#tell(member);
    const problems = await answers;
    this.#offer = undefined;
    if (problems.length === 0) {
      this.#current = plugins;
      this.#currentRound = round;
    }
    const swaps = this.#swaps.begin(problems.length === 0 ? [...this.#ready.keys()] : []);
    for (const [member, ready] of [...this.#ready]) this.#decide(member, ready);
    await swaps;
    if (problems.length === 0) return;
    for (const member of [...serving, ...starting]) {
      for (const spec of plugins) this.#parts.memory.drop(this.#parts.indexOf(member), spec);
    }
    for (const member of serving) this.#catchUp(member);
    const texts = problems.map(({ member, problem }) =>
      `worker ${this.#parts.indexOf(member)}: ${problem}`
    );
    throw new Error(texts.sort().join("; "));
  }

  /** A worker listens, with what it was started with. */
  onListening(member: Member): void {
    const used = this.#usedBy.get(member)!;
    this.#parts.memory.use(this.#parts.indexOf(member), used);
    if (used === (this.#offer?.plugins ?? this.#current)) this.#rounds.forget(member);
    else this.#tell(member);
  }

  /** A worker has got ready, or cannot. */
  onReady(member: Member, round: number, problem: string | undefined): void {
    if (problem === undefined) this.#ready.set(member, round);
    if (this.#offer?.round === round) return this.#rounds.onAnswer(member, round, problem);
    // It was told what had been decided before.
    if (problem !== undefined) this.#parts.onProblem(member, problem);
    else this.#decide(member, round);
  }

  /** A worker calls what it had got ready in a round. */
  onUsed(member: Member, round: number): void {
    if (round !== this.#currentRound) return;
    this.#usedBy.set(member, this.#current);
    this.#parts.memory.use(this.#parts.indexOf(member), this.#current);
    this.#swaps.onAnswer(member, this.#swaps.last, undefined);
  }

  /** A worker is gone; whoever takes its place begins with what is used then. */
  forget(member: Member): void {
    this.#usedBy.delete(member);
    this.#ready.delete(member);
    this.#parts.memory.closeWorker(this.#parts.indexOf(member));
    this.#rounds.forget(member);
    this.#swaps.forget(member);
  }

  #tell(member: Member): void {
    const { round, plugins } = this.#offer ??
      { round: this.#currentRound, plugins: this.#current };
    const given = this.#given(member, plugins);
    this.#parts.send(member, { kind: "plugins", round, plugins: given });
  }

  /** Who was told of a round before it had got ready in the one before has left that one out. */
  #catchUp(member: Member): void {
    const used = this.#usedBy.get(member);
    if (used !== undefined && used !== this.#current) this.#tell(member);
  }

  #decide(member: Member, round: number): void {
    this.#ready.delete(member);
    const isUsed = round === this.#currentRound;
    this.#parts.send(member, { kind: isUsed ? "use_plugins" : "drop_plugins", round });
  }

  #given(member: Member, plugins: readonly PluginSpec[]): readonly WorkerPlugin[] {
    const { memory, indexOf } = this.#parts;
    const index = indexOf(member);
    return plugins.map((spec) => ({ spec, buffers: memory.buffersFor(index, spec) }));
  }
}
