/**
 * Chooses the user that a server runs as. PostgreSQL refuses to run as root, so a process of
 * root's (a container, mostly) gives its server another uid; everybody else runs it as themselves.
 *
 * @module
 */

/** An operating system user, and the group its processes get. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** macOS names its PostgreSQL user with an underscore. `nobody` is on every Unix. */
const PREFERRED_NAMES = ["postgres", "_postgres", "nobody"];

/** The "overflow" uid and gid of Linux: what a user without an entry is shown as. */
const OVERFLOW_ID = 65534;

/** The user to run a server as, or undefined to run it as this process's own user. */
export function serverUser(): ServerUser | undefined {
  if (Deno.uid() !== 0) return undefined;
  return chooseServerUser(readPasswd());
}

/**
 * The best user for a server in the text of an `/etc/passwd`: `postgres`, else `nobody`, else uid
 * 65534, which needs no entry. Never uid 0.
 */
export function chooseServerUser(passwd: string): ServerUser {
  const users = new Map<string, ServerUser>();
  for (const line of passwd.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === undefined || !/^-?\d+$/.test(uid ?? "") || !/^-?\d+$/.test(gid ?? "")) continue;
    // macOS writes nobody's -2 with its sign; the kernel's type has none.
    const user = { name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
    if (user.uid !== 0 && !users.has(name)) users.set(name, user);
  }
  for (const name of PREFERRED_NAMES) {
    const user = users.get(name);
    if (user !== undefined) return user;
  }
  return { name: `uid ${OVERFLOW_ID}`, uid: OVERFLOW_ID, gid: OVERFLOW_ID };
}

function readPasswd(): string {
  try {
    return Deno.readTextFileSync("/etc/passwd");
  } catch {
    return ""; // An image without the file has no names, and the overflow uid does not need one.
  }
}
