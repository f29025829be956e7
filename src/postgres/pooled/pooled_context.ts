/**
 * What pooled sessions are given to work with.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import type { Cells } from "../../observe/counters.ts";
import type { Observer } from "../../observe/facts.ts";
import type { ServerPool } from "../../pool/server_pool.ts";
import type { ServerRoute, WantedRole } from "../../upstream/router.ts";
import type { WriteMarks } from "../../upstream/write_marks.ts";
import type { StatementClass } from "../routing/statement_class.ts";
import type { CancelKeys, CancelResult, CancelTarget } from "../cancel.ts";
import type { QueryScanner } from "../sql/query_scanner.ts";
import type { StartupMessage } from "../wire/startup_packet.ts";
import type { Backend } from "./backend.ts";
import type { OpenFailure } from "./backend_opener.ts";
import type { PairState } from "./pair_state.ts";
import type { SessionRouter } from "./session_router.ts";
import type { SharedStatements } from "./statements.ts";
import type { Watchdog } from "./watchdog.ts";

/** For how long a client keeps a server connection. */
export type PoolMode = "session" | "transaction" | "statement";

/** How sessions of one pool and user behave. Times are in milliseconds; 0 is no limit. */
export interface PoolSettings {
  /** The configured pool's name. */
  readonly pool: string;
  /** The listener's name, for messages. */
  readonly listener: string;
  readonly mode: PoolMode;
  /** A walsender's session: nothing is asked of it but what the client asks. */
  readonly isReplicating: boolean;
  /** Whether a session that only one server can serve stays there, or is refused. */
  readonly pin: boolean;
  /** Whether prepared statements are given names that mean the same on every server. */
  readonly tracksStatements: boolean;
  /** How many server connections the pair may have. */
  readonly size: number;
  /** What says so in the configuration, for messages. */
  readonly sizeKey: string;
  readonly acquireTimeoutMs: number;
  readonly waitersMax: number;
  readonly clientIdleTimeoutMs: number;
  readonly queryTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  readonly idleTransactionTimeoutMs: number;
}

/** One way to a server, for every session that takes it. */
export interface PooledRoute extends ServerRoute {
  /** The configured client's name, for messages. */
  readonly server: string;
  /** For the log. */
  readonly address: string;
  readonly settings: PoolSettings;
  readonly pool: ServerPool<Backend, OpenFailure>;
  readonly pair: PairState;
  readonly cells: Cells;
  /** How long a session may be held for it now, in milliseconds. */
  holdMs(): number;
}

/** How the requests of one listener's sessions are told apart. */
export interface RoutingRules {
  /** Whether reads go to replicas. */
  readonly isSplit: boolean;
  /** Whether comments and a setting are followed. */
  readonly hints: boolean;
  /** What servers have to be where reads and writes are not told apart. */
  readonly role: WantedRole;
  /** What somebody chose for the session. */
  readonly chosenRole: WantedRole | undefined;
  readonly causality: "session" | "user" | "table" | "off";
  /** Names in `proxies` of the configuration. */
  readonly proxies: readonly string[];
  readonly marks: WriteMarks;
  /** The round of the server table that was begun last. */
  round(): number;
  /** Undefined where nobody needs it. */
  readonly classify: ((text: Uint8Array) => StatementClass) | undefined;
}

/** Who is connected, and where it leads. */
export interface Identity {
  readonly session: number;
  readonly user: string;
  readonly database: string;
  readonly startup: StartupMessage;
  readonly router: SessionRouter;
  /** Undefined where all requests are alike. */
  readonly rules: RoutingRules | undefined;
  /** What the session holds besides server connections; disposed of when it is over. */
  readonly holds: Disposable;
}

/** What one worker's pooled sessions share. */
export interface PooledContext {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly scanner: QueryScanner;
  readonly sharedStatements: SharedStatements;
  readonly cancelKeys: CancelKeys;
  readonly watchdog: Watchdog;
  readonly messageSizeMax: number;
  /** Asks a server to cancel what it runs. Never rejects. */
  cancel(target: CancelTarget): Promise<CancelResult>;
  /** A statement has changed the schema: plans may be stale, in every worker. */
  onSchemaChange(): void;
}
