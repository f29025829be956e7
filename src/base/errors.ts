/**
 * What was thrown, as text and as an Error: JavaScript lets anything be thrown.
 *
 * @module
 */

/** The message of what was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What was thrown as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/**
 * Why the system did not do what it was asked to, in words for who runs the gateway: a clause to
 * put behind a colon. The runtime's own words name its functions and flags, which nobody has here.
 */
export function systemReason(thrown: unknown): string {
  const { errors } = Deno;
  // These are devices, and windows into the kernel: Deno has no permission for them but all.
  if (thrown instanceof errors.NotCapable) {
    return "files below /dev, /proc and /sys cannot be used, except /dev/null";
  }
  if (thrown instanceof errors.NotFound) return "there is no such file";
  if (thrown instanceof errors.PermissionDenied) return "permission denied";
  if (thrown instanceof errors.IsADirectory) return "it is a folder";
  if (thrown instanceof errors.NotADirectory) return "a part of its path is no folder";
  if (thrown instanceof errors.AlreadyExists) return "it exists";
  if (thrown instanceof errors.AddrInUse) return "something else listens there already";
  if (thrown instanceof errors.AddrNotAvailable) return "this machine does not have that address";
  // "File name too long (os error 36): open '/...'"
  const words = messageOf(thrown).replace(/ \(os error \d+\).*$/s, "");
  return words.charAt(0).toLowerCase() + words.slice(1);
}
