/**
 * What a plugin may be permitted: the configuration grants it, a manifest asks for it, and whoever
 * runs the plugin holds it to that.
 *
 * @module
 */

/** What a plugin may be permitted, beside to look and to count. */
export const PERMISSIONS = [
  "replace",
  "respond",
  "reject",
  "close",
  "route",
  "parse",
  "signal",
  "log",
  "kv",
  "session",
  "http",
] as const;

/** One of {@linkcode PERMISSIONS}. */
export type Permission = (typeof PERMISSIONS)[number];
