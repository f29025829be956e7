/**
 * Regular expressions in rules and name maps: the text behind a `/`, as in pg_hba.conf.
 *
 * They are tried on names that strangers choose, so they are matched in linear time by an engine
 * that knows the common part of PostgreSQL's and JavaScript's expressions. It reads them here, so
 * that what it does not know is a problem of the configuration, and no surprise later.
 *
 * @module
 */

import { messageOf } from "../base/errors.ts";
import { LinearRegExp } from "../base/linear_regexp.ts";

/** Says what is wrong with the pattern behind the `/`, to put behind "is"; undefined if nothing. */
export function wrongPattern(pattern: string): string | undefined {
  if (pattern === "") return "no regular expression; something must follow the /";
  try {
    new LinearRegExp(pattern);
    return undefined;
  } catch (error) {
    return `no regular expression that can be used: ${messageOf(error)}`;
  }
}

/** How many groups a pattern has that `wrongPattern` found nothing wrong with. */
export function groupCountOf(pattern: string): number {
  return new LinearRegExp(pattern).groupCount;
}

/** The pattern of one name and no other. */
export function patternOf(name: string): string {
  return `^${name.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`;
}
