/**
 * A gateway that lets clients in by itself, with its files, and a check that no secret leaves it:
 * neither by its log, nor by its metrics, nor by what it tells clients.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import pg from "pg";
import postgres from "postgres";
import { configFor, type Gateway, type Sections, type Settings, startGateway } from "./gateway.ts";
import { TEST_PASSWORD } from "./postgres.ts";
import { runPsql } from "./libpq.ts";
import { eventually, PATIENCE_MS, within } from "./wait.ts";

/** How a login ended: a user let in, or what was said instead. */
export interface Outcome {
  /** The server's `current_user`. */
  readonly user?: string;
  /** SQLSTATE; psql does not tell it. */
  readonly code?: string;
  readonly message?: string;
}

/** Who logs in; what is not given is that of the superuser. */
export interface Who {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/** What to start. */
export interface GateOptions extends Omit<Settings, "server"> {
  /** `servers.default.auth`. */
  readonly auth: Sections;
  /** `servers.default` besides: `tls`, `address`. */
  readonly server?: Sections;
  /** Must be seen nowhere. Always: the test superuser's password. */
  readonly secrets?: readonly string[];
  /** Whether `failuresMax` stays at its default: otherwise nobody is banned. */
  readonly isThrottled?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Further groups, and further members of groups, as in sluice.yaml. */
  readonly more?: Readonly<Record<string, Sections>>;
}

/** Drivers that log in in different ways. */
export const DRIVERS = ["pg", "postgres", "psql"] as const;
/** One of them. */
export type DriverName = (typeof DRIVERS)[number];

const QUERY = "select current_user::text as name";

/** A gateway whose secrets are watched. Disposing of it kills it, and fails if one got out. */
export class Gate implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly #secrets: readonly string[];
  readonly #told: string[] = [];

  constructor(gateway: Gateway, secrets: readonly string[]) {
    this.gateway = gateway;
    this.#secrets = secrets;
  }

  /** Where clients of the listener connect. */
  target(listener = "default"): { readonly host: string; readonly port: number } {
    return this.gateway.targetOf(listener);
  }

  /** Logs in, asks who it is, and leaves. */
  async logIn(who: Who = {}, driver: DriverName = "pg", listener = "default"): Promise<Outcome> {
    const { host, port } = this.target(listener);
    return await this.tell(await logInAt({ host, port, ...who }, driver));
  }

  /** The SQLSTATE that a login ends with; "" if it succeeds. */
  async code(who: Who = {}, listener = "default"): Promise<string> {
    return (await this.logIn(who, "pg", listener)).code ?? "";
  }

  /** The server's `current_user` after a login, which must succeed. */
  async user(who: Who = {}, listener = "default"): Promise<string> {
    const outcome = await this.logIn(who, "pg", listener);
    assert.equal(outcome.code, undefined, JSON.stringify(outcome));
    return outcome.user!;
  }

  /**
   * Does something that a login to a server fails of, and gives what the log says of it: clients
   * are not told.
   */
  async whyLoginFailed(act: () => Promise<unknown>): Promise<string> {
    const failures = () => this.gateway.logs.filter(({ msg }) => msg === "cannot log in to server");
    const before = failures().length;
    await act();
    await eventually("the log says why a login failed", () => failures().length > before);
    return String(failures().at(-1)!["error"] ?? JSON.stringify(failures().at(-1)));
  }

  /** Remembers what was told, to look for secrets in it. */
  tell<T>(outcome: T): T {
    this.#told.push(JSON.stringify(outcome));
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const metrics = await fetch(this.gateway.metricsUrl).then((response) => response.text())
      .catch(() => "");
    await this.gateway[Symbol.asyncDispose]();
    assertNoSecret("log", this.gateway.logText, this.#secrets);
    assertNoSecret("metrics", metrics, this.#secrets);
    assertNoSecret("answers", this.#told.join("\n"), this.#secrets);
  }
}

/** @throws {assert.AssertionError} If one of the secrets is in `text`, as it is or as JSON. */
export function assertNoSecret(where: string, text: string, secrets: readonly string[]): void {
  for (const [index, secret] of secrets.entries()) {
    assert.ok(secret.length >= 6, "a secret this short is found everywhere");
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
      assert.ok(!text.includes(form), `secret ${index} is in the ${where}`);
    }
  }
}

/** Starts a gateway with `auth` in front of the server. */
export async function startGate(
  server: { readonly host: string; readonly port: number },
  options: GateOptions,
): Promise<Gate> {
  const { auth, secrets = [], isThrottled = false, more = {}, env, ...settings } = options;
  const config = configFor(`${server.host}:${server.port}`, {
    ...settings,
    server: { auth: { ...(isThrottled ? {} : { failuresMax: 0 }), ...auth }, ...options.server },
    client: { ...options.client },
    pool: { mode: "transaction", size: 4, ...options.pool },
  });
  const merged = Object.entries(more).map(([group, members]) =>
    [group, { ...(config[group] as Sections), ...members }] as const
  );
  const gateway = await startGateway({
    config: { ...config, ...Object.fromEntries(merged) },
    ...(env === undefined ? {} : { env }),
  });
  return new Gate(gateway, [TEST_PASSWORD, ...secrets]);
}

/** The superuser's login to the server: `clients.default` of a gateway that uses one user. */
export const FORCED = { user: "postgres", password: TEST_PASSWORD } as const;

/** A listener's users file. */
export async function usersFile(
  folder: string,
  users: Readonly<Record<string, string>>,
  name = "users.txt",
): Promise<string> {
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const lines = Object.entries(users).map(([user, secret]) => `${quote(user)} ${quote(secret)}\n`);
  // Replaced as administrators do it: never seen half written.
  await Deno.writeTextFile(`${folder}/${name}.new`, lines.join(""), { mode: 0o600 });
  await Deno.rename(`${folder}/${name}.new`, `${folder}/${name}`);
  return `${folder}/${name}`;
}

/** What PostgreSQL stores for method md5. */
export function md5Secret(user: string, password: string): string {
  return "md5" + createHash("md5").update(password + user).digest("hex");
}

/** What PostgreSQL stores for method scram-sha-256, with a salt of its own: RFC 5803. */
export function scramSecret(password: string, iterations = 4096): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const key = (text: string) => createHmac("sha256", salted).update(text).digest();
  const storedKey = createHash("sha256").update(key("Client Key")).digest("base64");
  const serverKey = key("Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

async function logInAt(
  target: { readonly host: string; readonly port: number } & Who,
  driver: DriverName,
): Promise<Outcome> {
  const whole = { user: "postgres", password: TEST_PASSWORD, database: "postgres", ...target };
  const logIn = driver === "pg" ? byPg : driver === "postgres" ? byPostgres : byPsql;
  return await within(2 * PATIENCE_MS, `${driver} logs in`, logIn(whole));
}

type Whole = { readonly host: string; readonly port: number } & Required<Who>;

async function byPg(target: Whole): Promise<Outcome> {
  const client = new pg.Client({ ...target, ssl: false });
  client.on("error", () => {});
  try {
    await client.connect();
    return { user: (await client.query(QUERY)).rows[0].name };
  } catch (error) {
    return refused(error);
  } finally {
    await client.end().catch(() => {});
  }
}

async function byPostgres(target: Whole): Promise<Outcome> {
  const { user, ...rest } = target;
  const sql = postgres({ ...rest, username: user, ssl: false, max: 1, onnotice: () => {} });
  try {
    return { user: (await sql.unsafe(QUERY))[0]!["name"] };
  } catch (error) {
    return refused(error);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function byPsql({ database, ...rest }: Whole): Promise<Outcome> {
  const { code, stdout, stderr } = await runPsql(
    { ...rest, port: String(rest.port), dbname: database, sslmode: "disable" },
    ["-c", QUERY],
  );
  return code === 0 ? { user: stdout.trim() } : { message: messageOfPsql(stderr) };
}

/** What the server said, without where psql had connected to. */
export function messageOfPsql(stderr: string): string {
  return stderr.replace(/^.* failed: (FATAL: {2})?/s, "").trim();
}

function refused(error: unknown): Outcome {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  return { code: code ?? "no SQLSTATE", message };
}
