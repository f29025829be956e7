/**
 * What the shell is told.
 *
 * @module
 */

/** Exit codes, as `sluice --help` lists them. */
export const EXIT = {
  ok: 0,
  /**
   * It could not start or go on: an address is taken, a template cannot be written. Of commands
   * for plugins: one is refused, or fails. Of `admin`: the gateway did not do what it was told.
   */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The configuration is wrong or cannot be read, or a file that it names cannot be used. */
  config: 3,
  /** A second signal came while it was stopping: 128 + SIGINT, as shells count. */
  interrupted: 130,
} as const;

/** One of {@linkcode EXIT}. */
export type ExitCode = typeof EXIT[keyof typeof EXIT];
