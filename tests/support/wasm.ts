/**
 * WebAssembly modules from their text format, and a way to run them plain and metered.
 *
 * @module
 */

import wabt from "wabt";
import {
  FUEL_EXPORT,
  type MeteredModule,
  type MeteringOptions,
  meterModule,
  REFUEL_EXPORT,
} from "../../src/plugin_host/metering/meter.ts";

/** Proposals to the assembler. It knows more than plugins may use: that is refused by the meter. */
const FEATURES = {
  exceptions: true,
  threads: true,
  "tail_call": true,
  "multi_memory": true,
  memory64: true,
  "relaxed_simd": true,
  "extended_const": true,
};

const assembler = await wabt();

/**
 * The module that `text` says, whether it is valid or not. The assembler's stack is small: more
 * than some 60 blocks within each other are too many for it.
 */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = assembler.parseWat("test.wat", text, FEATURES);
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** Enough for every test that does not say otherwise. */
export const METERING: MeteringOptions = {
  memoryPagesMax: 16,
  tableSizeMax: 1_000,
  moduleSizeMax: 1_000_000,
  initialFuel: 1_000,
  callFuel: 1_000,
  hostCallCost: () => 20,
};

/** Meters the module that `text` says. */
export function meter(text: string, options: Partial<MeteringOptions> = {}): MeteredModule {
  return meterModule(assemble(text), { ...METERING, ...options });
}

/** An instance of a metered module. */
export class MeteredInstance {
  readonly instance: WebAssembly.Instance;

  constructor(module: MeteredModule, imports: WebAssembly.Imports = {}) {
    this.instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes), imports);
  }

  /** The fuel that is left. */
  get fuel(): bigint {
    return (this.instance.exports[FUEL_EXPORT] as WebAssembly.Global).value;
  }

  /** Fills the fuel up. */
  refuel(): void {
    (this.instance.exports[REFUEL_EXPORT] as CallableFunction)();
  }

  /** Calls an export. @param fuel What there is before the call. */
  call(name: string, fuel: number, ...values: readonly (number | bigint)[]): unknown {
    (this.instance.exports[FUEL_EXPORT] as WebAssembly.Global).value = BigInt(fuel);
    return (this.instance.exports[name] as CallableFunction)(...values);
  }

  /** What a call costs that comes to an end. */
  cost(name: string, ...values: readonly (number | bigint)[]): number {
    const fuel = 1e12;
    this.call(name, fuel, ...values);
    return fuel - Number(this.fuel);
  }
}
