/**
 * What users can be logged in to servers with: stored secrets that servers take, too, and what
 * clients' own logins have shown. Kept for each way to a server: a password for one database is
 * never shown to another one, where the user of the same name may have another.
 *
 * @module
 */

import { credentialsOf, type ServerCredentials } from "../auth/credentials.ts";
import { parseSecret } from "../secrets/secret.ts";

/** More than any users file may have; the one whose credentials are known longest goes first. */
const CREDENTIALS_MAX = 200_000;

/** Of one worker. Nothing in here goes to a log or into an error. */
export class KnownCredentials {
  readonly #known = new Map<string, ServerCredentials>();

  /** The newest of a user, or undefined if there are none. */
  of(server: string, user: string): ServerCredentials | undefined {
    return this.#known.get(keyOf(server, user));
  }

  /**
   * @param server The name of the way to the server.
   * @param user As clients log in.
   */
  remember(server: string, user: string, credentials: ServerCredentials): void {
    const key = keyOf(server, user);
    this.#known.delete(key);
    this.#known.set(key, credentials);
    if (this.#known.size > CREDENTIALS_MAX) this.#known.delete(this.#known.keys().next().value!);
  }

  /**
   * Secrets that are stored in a way that servers take are known before anybody logs in.
   *
   * @param users Secrets as the users file has them, by user.
   */
  rememberStored(servers: readonly string[], users: ReadonlyMap<string, string>): void {
    for (const [user, text] of users) {
      const credentials = credentialsOf(parseSecret(text));
      if (credentials === undefined) continue;
      for (const server of servers) this.remember(server, user, credentials);
    }
  }
}

/** Names in a configuration have no NUL. */
function keyOf(server: string, user: string): string {
  return `${server}\0${user}`;
}
