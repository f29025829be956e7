/**
 * A small host for plugins: the import module `sluice` over plain maps, so that an SDK can be
 * tested for what it asks of the host, word for word.
 *
 * @module
 */

import { HOOK, type HookName } from "../../src/hooks/hooks.ts";
import { VERDICT } from "../../src/hooks/verdict.ts";
import { wasiStandIn } from "./wasi_stand_in.ts";

/** What a plugin is told, and what it finds. */
export interface World {
  /** Fields of the event, by their numbers. */
  readonly fields: ReadonlyMap<number, string>;
  readonly parameters: ReadonlyMap<string, string>;
  readonly config: ReadonlyMap<string, string>;
  /** The key-value store, which the plugin may change. */
  readonly store: Map<string, string>;
  /** Fields that it has no permission for, by their numbers. */
  readonly denied?: ReadonlySet<number>;
}

/** The event's numbers, beside `abi` and `hook`. */
export interface EventNumbers {
  readonly flags?: number;
  readonly session?: bigint;
  readonly timeMs?: bigint;
  readonly payloadSize?: number;
  readonly messageType?: number;
  readonly transactionStatus?: number;
  readonly phase?: number;
  readonly request?: bigint;
  readonly durationUs?: bigint;
  readonly rows?: number;
  readonly worker?: number;
}

/** What a hook answered with. */
export interface Answer {
  readonly verdict: string | undefined;
  readonly written: string;
  /** Names and types of a result. */
  readonly columns: readonly (readonly [string, number])[];
  readonly values: readonly (string | undefined)[];
  readonly tag: string | undefined;
  readonly rejection: readonly string[] | undefined;
}

const ABSENT = -1;
const DENIED = -2;

/** One plugin, and what it did. */
export class StandInHost {
  /** Everything that was asked but for what reads: the function and its arguments. */
  readonly calls: (readonly (string | number)[])[] = [];
  /** Every function that was called. */
  readonly called: Set<string> = new Set();
  readonly exports: readonly string[];
  /** What was written to standard error. */
  standardError = "";
  readonly #world: World;
  readonly #instance: WebAssembly.Instance;
  readonly #event: number;
  #session: string | undefined;
  #written = "";
  #columns: (readonly [string, number])[] = [];
  #values: (string | undefined)[] = [];
  #tag: string | undefined;
  #rejection: readonly string[] | undefined;

  /** @throws {Error} If the plugin imports what no host has, or refuses to start. */
  constructor(wasm: Uint8Array<ArrayBuffer>, world: World) {
    this.#world = world;
    const module = new WebAssembly.Module(wasm);
    this.exports = WebAssembly.Module.exports(module).map(({ name }) => name);
    const wasi = wasiStandIn(() => this.#memory, (text) => this.standardError += text);
    const imports = { sluice: this.#imports(), "wasi_snapshot_preview1": wasi };
    this.#instance = new WebAssembly.Instance(module, imports);
    if (this.exports.includes("_initialize")) this.#call("_initialize");
    this.#event = this.#call("sluice_event");
    const refusal = this.exports.includes("sluice_init") ? this.#call("sluice_init") : 0;
    if (refusal !== 0) throw new Error(`sluice_init: ${this.#rejection?.[1]}`);
  }

  /** Calls one hook. */
  run(hook: HookName, numbers: EventNumbers): Answer {
    this.#written = "";
    this.#columns = [];
    this.#values = [];
    this.#tag = undefined;
    this.#rejection = undefined;
    this.#writeEvent(HOOK[hook], numbers);
    const verdict = this.#call(hook);
    return {
      verdict: Object.entries(VERDICT).find(([, number]) => number === verdict)?.[0],
      written: this.#written,
      columns: this.#columns,
      values: this.#values,
      tag: this.#tag,
      rejection: this.#rejection,
    };
  }

  /** Bytes of the plugin's memory. */
  get memorySize(): number {
    return this.#memory.byteLength;
  }

  #call(name: string): number {
    return (this.#instance.exports[name] as () => number)();
  }

  get #memory(): ArrayBufferLike {
    return (this.#instance.exports["memory"] as WebAssembly.Memory).buffer;
  }

  #writeEvent(hook: number, numbers: EventNumbers): void {
    const view = new DataView(this.#memory, this.#event, 64);
    view.setUint16(0, 1, true);
    view.setUint16(2, hook, true);
    view.setUint32(4, numbers.flags ?? 0, true);
    view.setBigUint64(8, numbers.session ?? 0n, true);
    view.setBigUint64(16, numbers.timeMs ?? 0n, true);
    view.setUint32(24, numbers.payloadSize ?? 0, true);
    view.setUint8(28, numbers.messageType ?? 0);
    view.setUint8(29, numbers.transactionStatus ?? 0);
    view.setUint8(30, numbers.phase ?? 0);
    view.setBigUint64(32, numbers.request ?? 0n, true);
    view.setBigUint64(40, numbers.durationUs ?? 0n, true);
    view.setUint32(48, numbers.rows ?? 0, true);
    view.setUint32(52, numbers.worker ?? 0, true);
  }

  /** Texts from pointer and size in turn. */
  #texts(...places: readonly number[]): string[] {
    const texts: string[] = [];
    for (let at = 0; at < places.length; at += 2) {
      const bytes = new Uint8Array(this.#memory, places[at]! >>> 0, places[at + 1]! >>> 0);
      texts.push(new TextDecoder().decode(bytes));
    }
    return texts;
  }

  #put(value: string | undefined, offset: number, into: number, capacity: number): number {
    if (value === undefined) return ABSENT;
    const bytes = new TextEncoder().encode(value);
    const part = bytes.subarray(offset, offset + capacity);
    new Uint8Array(this.#memory, into >>> 0, capacity).set(part);
    return bytes.length;
  }

  #note(...call: readonly (string | number)[]): number {
    this.calls.push(call);
    return 0;
  }

  #imports(): WebAssembly.ModuleImports {
    const imports = { ...this.#reading(), ...this.#answering(), ...this.#keeping() };
    for (const [name, call] of Object.entries(imports)) {
      imports[name] = (...values: number[]) => {
        this.called.add(name);
        return (call as (...values: number[]) => number | bigint)(...values);
      };
    }
    return imports;
  }

  #reading(): Record<string, (...values: number[]) => number | bigint> {
    const { fields, parameters, config } = this.#world;
    return {
      read: (field, offset, into, capacity) =>
        this.#world.denied?.has(field!)
          ? DENIED
          : this.#put(fields.get(field!), offset!, into!, capacity!),
      parameter: (name, size, into, capacity) =>
        this.#put(parameters.get(this.#texts(name!, size!)[0]!), 0, into!, capacity!),
      config: (path, size, into, capacity) =>
        this.#put(config.get(this.#texts(path!, size!)[0]!), 0, into!, capacity!),
      clock: (clock) => [1_000n, 2_000n][clock!]!,
      random: (into, capacity) => this.#put("rnd!".repeat(capacity! / 4), 0, into!, capacity!),
      log: (level, message, size) => this.#note("log", level!, ...this.#texts(message!, size!)),
      signal: (...texts) => this.#note("signal", ...this.#texts(...texts)),
      http_send: (...texts) => this.#note("http_send", ...this.#texts(...texts)) + 1,
      metric: (kind, name, size) => {
        this.#note("metric", kind!, ...this.#texts(name!, size!));
        return this.calls.filter(([name]) => name === "metric").length;
      },
      metric_record: (metric, value) => this.#note("metric_record", metric!, value!),
    };
  }

  #answering(): Record<string, (...values: number[]) => number | bigint> {
    const write = (text: string) => {
      this.#written += text;
      return text.length;
    };
    return {
      write: (bytes, size) => write(this.#texts(bytes!, size!)[0]!),
      kv_write: (key, size) => write(this.#world.store.get(this.#texts(key!, size!)[0]!) ?? ""),
      result_column: (name, size, type) => {
        this.#columns.push([this.#texts(name!, size!)[0]!, type!]);
        return this.#columns.length - 1;
      },
      result_value: (bytes, size) =>
        this.#values.push(size === -1 ? undefined : this.#texts(bytes!, size!)[0]),
      result_tag: (tag, size) => {
        this.#tag = this.#texts(tag!, size!)[0];
        return size!;
      },
      error: (...texts) => {
        this.#rejection = this.#texts(...texts);
        return 0;
      },
    };
  }

  #keeping(): Record<string, (...values: number[]) => number | bigint> {
    const { store } = this.#world;
    return {
      kv_get: (key, size, into, capacity) =>
        this.#put(store.get(this.#texts(key!, size!)[0]!), 0, into!, capacity!),
      kv_set: (key, size, value, valueSize, ttl) => {
        const [name, text] = this.#texts(key!, size!, value!, valueSize!);
        store.set(name!, text!);
        return this.#note("kv_set", name!, text!, ttl!);
      },
      kv_delete: (key, size) => {
        const [name] = this.#texts(key!, size!);
        store.delete(name!);
        return this.#note("kv_delete", name!);
      },
      kv_increment: (key, size, by, ttl) => {
        const [name] = this.#texts(key!, size!);
        const sum = BigInt(store.get(name!) ?? 0) + BigInt(by!);
        store.set(name!, `${sum}`);
        this.#note("kv_increment", name!, ttl!);
        return sum;
      },
      kv_capture: (key, size, ttl, sizeMax) =>
        this.#note("kv_capture", ...this.#texts(key!, size!), ttl!, sizeMax!),
      session_get: (into, capacity) => this.#put(this.#session, 0, into!, capacity!),
      session_set: (value, size) => {
        [this.#session] = this.#texts(value!, size!);
        return 0;
      },
    };
  }
}
