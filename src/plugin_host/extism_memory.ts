/**
 * The import module `extism:host/env`: blocks of memory outside of the plugin's own, through which
 * modules made with an Extism PDK get their input and give their output. This takes the place of
 * Extism's own functions, whose blocks have no limit, are kept for ever, and show a call what was
 * in earlier ones.
 *
 * Addresses are offsets into one array, which is used up from its start and emptied before each
 * call. 0 is no address.
 *
 * @module
 */

import { textOf } from "../base/bytes.ts";
import { LOG_LEVELS, type LogLevel } from "../observe/log_record.ts";
import type { HostContext } from "./host_context.ts";
import type { HostModule } from "./host_functions.ts";
import { writeLog } from "./host_services.ts";
import { PluginTrap } from "./plugin_failure.ts";

/** Name of the import module. */
export const EXTISM_MODULE = "extism:host/env";

/** What is refused, and what there is instead. */
export const EXTISM_REFUSED: Readonly<Record<string, string>> = {
  "var_get": "kv_get",
  "var_set": "kv_set",
  "http_request": "http_send",
  "http_status_code": "http_send",
  "http_headers": "http_send",
};

/** Blocks of one call; each is an entry of a map. */
const BLOCKS_MAX = 65_536;

/** Blocks begin at multiples of 8, and 0 is none. */
const ALIGNMENT = 8;

/** What stays allocated between calls. */
const KEPT_SIZE = 65_536;

/** Units for a block, beside its bytes. */
const BLOCK_COST = 100;

/** Bytes of an error's text. */
const ERROR_SIZE_MAX = 1024;

/** The blocks of one plugin. */
export class ExtismMemory {
  readonly functions: HostModule;
  readonly #context: HostContext;
  readonly #sizeMax: number;
  #bytes = new Uint8Array(KEPT_SIZE);
  #view = new DataView(this.#bytes.buffer);
  /** Where the next block begins. */
  #top = ALIGNMENT;
  /** Sizes by address. */
  readonly #blocks = new Map<number, number>();
  #input = 0;
  #inputSize = 0;
  #output: readonly [address: number, size: number] | undefined;
  #error = "";

  constructor(context: HostContext) {
    this.#context = context;
    this.#sizeMax = Math.max(KEPT_SIZE, context.spec.memoryMax);
    this.functions = {
      ...this.#blockFunctions(),
      ...this.#inputFunctions(),
      ...this.#outputFunctions(),
    };
  }

  /**
   * Empties all, and shows the plugin an input.
   *
   * @throws {PluginTrap} If the input does not fit.
   */
  begin(input: Uint8Array): void {
    if (this.#bytes.length > KEPT_SIZE) this.#resize(KEPT_SIZE, 0);
    else this.#bytes.fill(0, 0, this.#top);
    this.#top = ALIGNMENT;
    this.#blocks.clear();
    this.#output = undefined;
    this.#error = "";
    this.#input = this.#allocate(input.length);
    if (this.#input === 0) throw new PluginTrap("output", "the event does not fit its memory");
    this.#bytes.set(input, this.#input);
    this.#inputSize = input.length;
  }

  /** What the plugin gave as its output: a view, good until the next call. */
  get output(): Uint8Array {
    const [address, size] = this.#output ?? [0, 0];
    return this.#bytes.subarray(address, address + size);
  }

  /** What it said of its failure; "" if it did not fail. */
  get error(): string {
    return this.#error;
  }

  #blockFunctions(): HostModule {
    return {
      alloc: (size: bigint): bigint => {
        const bytes = Number(BigInt.asUintN(64, size));
        this.#context.charge(BLOCK_COST + Math.floor(Math.min(bytes, this.#sizeMax) / 8));
        return BigInt(this.#allocate(bytes));
      },
      free: (address: bigint): void => void this.#blocks.delete(Number(address)),
      length: (address: bigint): bigint => BigInt(this.#blocks.get(Number(address)) ?? 0),
      "length_unsafe": (address: bigint): bigint => BigInt(this.#blocks.get(Number(address)) ?? 0),
      "load_u8": (address: bigint): number => this.#view.getUint8(this.#checked(address, 1)),
      "load_u64": (address: bigint): bigint =>
        this.#view.getBigUint64(this.#checked(address, 8), true),
      "store_u8": (address: bigint, value: number): void =>
        this.#view.setUint8(this.#checked(address, 1), value),
      "store_u64": (address: bigint, value: bigint): void =>
        this.#view.setBigUint64(this.#checked(address, 8), value, true),
    };
  }

  #inputFunctions(): HostModule {
    const inInput = (offset: bigint, size: number): number => {
      const at = Number(BigInt.asUintN(64, offset));
      // The last word may be read as a whole: what is behind the input is zero.
      if (at + size > aligned(this.#inputSize)) {
        throw new PluginTrap("pointer", `byte ${at} is not within its input`);
      }
      return this.#input + at;
    };
    return {
      "input_offset": (): bigint => BigInt(this.#input),
      "input_length": (): bigint => BigInt(this.#inputSize),
      "input_load_u8": (offset: bigint): number => this.#view.getUint8(inInput(offset, 1)),
      "input_load_u64": (offset: bigint): bigint =>
        this.#view.getBigUint64(inInput(offset, 8), true),
      "config_get": (key: bigint): bigint => {
        const value = this.#context.fields.config(textOf(this.#block(key)));
        if (value === undefined) return 0n;
        this.#context.charge(BLOCK_COST + Math.floor(value.length / 8));
        const address = this.#allocate(value.length);
        if (address !== 0) this.#bytes.set(value, address);
        return BigInt(address);
      },
    };
  }

  #outputFunctions(): HostModule {
    const log = (level: LogLevel) => (message: bigint): void => {
      if (this.#context.may.log) writeLog(this.#context, level, this.#block(message));
    };
    return {
      "output_set": (address: bigint, length: bigint): void => {
        const size = Number(BigInt.asUintN(64, length));
        const { outputMax } = this.#context.spec;
        if (size > outputMax) {
          throw new PluginTrap("output", `its output has ${size} bytes, more than ${outputMax}`);
        }
        this.#output = [size === 0 ? 0 : this.#checked(address, size), size];
      },
      "error_set": (address: bigint): void => {
        if (address === 0n) this.#error = "";
        else this.#error = textOf(this.#block(address).subarray(0, ERROR_SIZE_MAX)) || "no text";
      },
      ...Object.fromEntries(LOG_LEVELS.map((level) => [`log_${level}`, log(level)])),
      "get_log_level": (): number => 0,
    };
  }

  /** @returns The address of so many zeros; 0 if there is no room, as Extism's kernel answers. */
  #allocate(size: number): number {
    const address = this.#top;
    const end = address + Math.max(ALIGNMENT, aligned(size));
    if (end > this.#sizeMax || this.#blocks.size >= BLOCKS_MAX) return 0;
    if (end > this.#bytes.length) {
      this.#resize(Math.min(this.#sizeMax, 2 * end), address);
    }
    this.#top = end;
    this.#blocks.set(address, size);
    return address;
  }

  #resize(size: number, used: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.#bytes.subarray(0, used));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /** @throws {PluginTrap} If some of the bytes are in no block. */
  #checked(address: bigint, size: number): number {
    const at = Number(BigInt.asUintN(64, address));
    if (at < ALIGNMENT || at + size > this.#top) {
      throw new PluginTrap("pointer", `${size} bytes at ${at} are in no block`);
    }
    return at;
  }

  /** The bytes of a block. @throws {PluginTrap} If there is none. */
  #block(address: bigint): Uint8Array {
    const at = Number(BigInt.asUintN(64, address));
    const size = this.#blocks.get(at);
    if (size === undefined) throw new PluginTrap("pointer", `there is no block at ${at}`);
    return this.#bytes.subarray(at, at + size);
  }
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}
