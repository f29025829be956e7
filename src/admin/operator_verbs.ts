/**
 * What operators can tell a running gateway to do, whatever way they come by.
 *
 * @module
 */

/** What a verb is told, beside the client. */
export interface VerbForm {
  readonly server: "none" | "optional" | "required";
  /** Whether it waits for something to end. */
  readonly waits: boolean;
}

/** Every verb that changes something, in the order they are shown. */
export const VERBS = {
  "pause": { server: "none", waits: true },
  "resume": { server: "none", waits: false },
  "drain": { server: "optional", waits: true },
  "disable": { server: "required", waits: false },
  "enable": { server: "required", waits: false },
  "switch-over": { server: "optional", waits: true },
} as const satisfies Readonly<Record<string, VerbForm>>;

/** One of {@linkcode VERBS}. */
export type VerbName = keyof typeof VERBS;

/** How long a verb waits unless it is told, and how long it may be told to wait. */
export const WAIT_MS = { default: 30_000, max: 3_600_000 } as const;

/** What a verb is about. */
export interface VerbRequest {
  /** Name of a configured client: of a group of servers. */
  readonly client: string;
  /** Address of one of its servers; "" for none. */
  readonly server: string;
  /** From 0 to {@linkcode WAIT_MS}. */
  readonly waitMs: number;
}

/** One server, as `status` tells of it. */
export interface ServerStatus {
  /** Its address as configured. */
  readonly server: string;
  readonly role: "unknown" | "primary" | "replica";
  readonly health: "unknown" | "up" | "down";
  readonly flags: readonly ("disabled" | "draining" | "fenced" | "lagging")[];
  readonly lagMs: number;
  /** In bytes. */
  readonly lagSize: number;
  /** 0 while it is unknown. */
  readonly timeline: number;
  readonly connections: number;
  /** Those of them that clients have now. */
  readonly connectionsInUse: number;
}

/** One client of the configuration, as `status` tells of it. */
export interface ClientStatus {
  readonly client: string;
  readonly isPaused: boolean;
  readonly servers: readonly ServerStatus[];
}

/** Who carries verbs out. */
export interface OperatorVerbs {
  status(): readonly ClientStatus[];
  /**
   * Carries out a verb, and returns what came of it, in words.
   *
   * @throws {VerbError} If it could not be done, or not in time.
   */
  run(verb: VerbName, request: VerbRequest): Promise<string>;
}

/**
 * Why a verb was not carried out: what it names does not exist; what is there does not allow it;
 * time was up before all was done; or it was tried and failed.
 */
export type VerbFailure = "unknown" | "refused" | "timeout" | "failed";

/** A verb was not carried out; the message is for the operator. */
export class VerbError extends Error {
  override readonly name = "VerbError";
  readonly failure: VerbFailure;

  constructor(failure: VerbFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}
