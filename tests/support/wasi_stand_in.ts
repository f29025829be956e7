/**
 * Of WASI, what the runtimes of plugins call: for the stand-in host.
 *
 * @module
 */

const BAD_FILE = 8;

/**
 * The functions of `wasi_snapshot_preview1`.
 *
 * @param memory The plugin's, as it is now.
 * @param onError Given what is written to any file.
 */
export function wasiStandIn(
  memory: () => ArrayBufferLike,
  onError: (text: string) => void,
): WebAssembly.ModuleImports {
  const view = () => new DataView(memory());
  const none = (count: number, size: number) => {
    view().setUint32(count, 0, true);
    view().setUint32(size, 0, true);
    return 0;
  };
  return {
    "args_get": () => 0,
    "args_sizes_get": none,
    "clock_time_get": (_clock: number, _precision: bigint, into: number) => {
      view().setBigUint64(into, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    "environ_get": () => 0,
    "environ_sizes_get": none,
    "fd_close": () => BAD_FILE,
    "fd_fdstat_get": () => BAD_FILE,
    "fd_fdstat_set_flags": () => BAD_FILE,
    "fd_prestat_dir_name": () => BAD_FILE,
    "fd_prestat_get": () => BAD_FILE,
    "fd_write": (_file: number, pieces: number, count: number, written: number) => {
      let total = 0;
      for (let at = pieces; at < pieces + 8 * count; at += 8) {
        const size = view().getUint32(at + 4, true);
        onError(
          new TextDecoder().decode(new Uint8Array(memory(), view().getUint32(at, true), size)),
        );
        total += size;
      }
      view().setUint32(written, total, true);
      return 0;
    },
    "poll_oneoff": () => 0,
    "proc_exit": (code: number) => {
      throw new Error(`the plugin ended itself with ${code}`);
    },
    "random_get": (into: number, size: number) => {
      crypto.getRandomValues(new Uint8Array(memory(), into, size));
      return 0;
    },
    "sched_yield": () => 0,
  };
}
