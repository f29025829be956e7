/**
 * How large a message may be that plugins are shown.
 *
 * @module
 */

/** Messages that are assembled for plugins, in bytes: a larger one ends the session. */
export const ASSEMBLED_SIZE_MAX = 16 * 1024 * 1024;
