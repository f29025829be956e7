/**
 * What the name of a signal may look like: a plugin says it, a policy of the configuration asks for
 * it, and it becomes the value of a metric's label.
 *
 * @module
 */

/** Source of a regular expression for a whole name. */
export const SIGNAL_NAME_PATTERN = "[A-Za-z][A-Za-z0-9_.-]{0,63}";

/** The same in words. */
export const SIGNAL_NAME_RULE = "1 to 64 of A-Z, a-z, 0-9, _, . and -, a letter first";
