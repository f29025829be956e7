/**
 * Instances of PostgreSQL's parser, which is C compiled to WebAssembly. What it does to texts that
 * need too much stack or memory is to leave its instance broken: from then on it gives garbage, and
 * says nothing. So an instance that failed is never used again, and a spare one takes its place.
 *
 * @module
 */

/** An instance as its loader gives it: the C functions and their memory. */
export interface ParserInstance {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly HEAPU32: Uint32Array<ArrayBuffer>;
  "_malloc"(size: number): number;
  "_free"(address: number): void;
  "_wasm_parse_query_raw"(text: number): number;
  "_wasm_free_parse_result"(result: number): void;
  "_wasm_fingerprint"(text: number): number;
  "_wasm_normalize_query"(text: number): number;
  "_wasm_scan"(text: number): number;
  "_wasm_free_string"(text: number): void;
}

type Receive = (instance: WebAssembly.Instance) => void;

/** What the loader can be told: https://emscripten.org/docs/api_reference/module.html */
interface LoaderOptions {
  readonly print: () => void;
  readonly printErr: () => void;
  readonly locateFile?: (file: string, folder: string) => string;
  readonly instantiateWasm?: (imports: WebAssembly.Imports, receive: Receive) => object;
}

type Loader = (options: LoaderOptions) => Promise<ParserInstance>;

/**
 * Instances begin with 128 MiB, of which only what is used is real. 40 MiB more are what a text of
 * 1 MiB with 160,000 small constants was seen to need.
 */
const MEMORY_SIZE_MAX = 256 * 1024 * 1024;

/** Memory of an instance never shrinks: one that grew beyond this is replaced. */
const MEMORY_SIZE_KEPT_MAX = 160 * 1024 * 1024;

/** Failures are told by results; what the loader prints as well is not for anybody. */
const SILENT = { print: () => {}, printErr: () => {} };

/** One instance in use, and one that is ready to replace it. */
export class ParserInstances {
  readonly #loader: Loader;
  readonly #code: WebAssembly.Module;
  #current: ParserInstance | undefined;
  #spare: ParserInstance | undefined;
  #isMaking = false;
  #isExhausted = false;

  private constructor(loader: Loader, code: WebAssembly.Module) {
    this.#loader = loader;
    this.#code = code;
  }

  /**
   * Reads and compiles the code: 20 to 120 ms.
   *
   * @throws {Error} If the package's file of WebAssembly cannot be read.
   */
  static async load(): Promise<ParserInstances> {
    const { default: loader }: { default: Loader } = await import("libpg-query");
    let path = "";
    // Only the loader knows where its file is, and only while it loads.
    await loader({ ...SILENT, locateFile: (file, folder) => path = folder + file });
    const code = await WebAssembly.compile(await Deno.readFile(path));
    const instances = new ParserInstances(loader, code);
    instances.#current = await instances.#make();
    instances.#spare = await instances.#make();
    return instances;
  }

  /**
   * Whether there is an instance to work with. There is none if texts that were too much have used
   * up the spare one; the next is ready when the promises that are pending have had their turn.
   */
  get isReady(): boolean {
    if (this.#current === undefined) this.#takeSpare();
    return this.#current !== undefined;
  }

  /**
   * Lets `use` work with an instance. It must free what it allocates, unless it throws.
   *
   * @returns What `use` returns, or undefined if that was too much for the parser, or if it is not
   * ready.
   */
  with<Result>(use: (instance: ParserInstance) => Result): Result | undefined {
    if (!this.isReady) return undefined;
    const instance = this.#current!;
    this.#isExhausted = false;
    let result: Result | undefined;
    let hasFailed = false;
    try {
      result = use(instance);
    } catch {
      // A RangeError of the stack, a RuntimeError, or a longjmp that nobody caught.
      hasFailed = true;
    }
    const isTooLarge = instance.HEAPU8.length > MEMORY_SIZE_KEPT_MAX;
    if (hasFailed || this.#isExhausted || (isTooLarge && this.#spare !== undefined)) {
      this.#takeSpare();
    }
    return hasFailed || this.#isExhausted ? undefined : result;
  }

  #takeSpare(): void {
    this.#current = this.#spare;
    this.#spare = undefined;
    if (!this.#isMaking) this.#makeSpare();
  }

  async #makeSpare(): Promise<void> {
    this.#isMaking = true;
    try {
      this.#spare = await this.#make();
    } catch {
      // There is no memory for it now; the next text that needs one tries again.
    } finally {
      this.#isMaking = false;
    }
  }

  /** 1.5 ms, and 1.3 MiB of real memory. It waits for nothing but promises. */
  async #make(): Promise<ParserInstance> {
    return await this.#loader({
      ...SILENT,
      instantiateWasm: (imports, receive) => {
        const instance = new WebAssembly.Instance(this.#code, imports);
        for (const memory of Object.values(instance.exports)) {
          if (memory instanceof WebAssembly.Memory) this.#limit(memory);
        }
        receive(instance);
        return {};
      },
    });
  }

  /** The code itself would take 1 GiB before it gives up. */
  #limit(memory: WebAssembly.Memory): void {
    const grow = memory.grow.bind(memory);
    memory.grow = (pages) => {
      if (memory.buffer.byteLength + pages * 65_536 <= MEMORY_SIZE_MAX) return grow(pages);
      this.#isExhausted = true;
      throw new RangeError("The SQL parser has all the memory that it may have");
    };
  }
}
