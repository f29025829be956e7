/**
 * What host functions answer when they cannot do what they were asked.
 *
 * @module
 */

/** What is returned instead of a size or a number, as in `wit/sluice.wit`. */
export const HOST_ERROR = { absent: -1, denied: -2, overLimit: -3, invalid: -4 } as const;
