/**
 * Ties the operator's verbs to a gateway: what they work on, how primaries are changed, and the
 * socket that they come by.
 *
 * @module
 */

import { type ControlSocket, openControlSocket } from "../admin/control_socket.ts";
import { SYSTEM_CLOCK } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import type { GroupConfig } from "../config/routing_settings.ts";
import type { Log } from "../observe/log.ts";
import type { LogLevel } from "../observe/log_record.ts";
import { membersOf } from "../upstream/members.ts";
import type { ServerTable } from "../upstream/server_table.ts";
import { Operator, type ServerControl } from "./operator.ts";
import { patroniPromotion } from "./patroni_promotion.ts";
import type { Promote } from "./promotion.ts";
import { scriptPromotion } from "./script_promotion.ts";

/** What operators can do with one gateway. */
export class OperatorControl {
  readonly operator: Operator;
  readonly #path: string;
  readonly #log: Log;
  #socket: ControlSocket | undefined;

  /** @param servers Writes what operators want of servers. */
  constructor({ clients, runtime }: Config, table: ServerTable, servers: ServerControl, log: Log) {
    this.#path = runtime.controlSocket;
    this.#log = log;
    this.operator = new Operator({
      members: membersOf(clients),
      table,
      connections: table.connections,
      servers,
      clock: SYSTEM_CLOCK,
      promotionOf: (client) => promotionOf(clients.get(client)!.group),
      failoverTimeoutMsOf: (client) => clients.get(client)!.group.failoverTimeoutMs,
      log: (level, message, fields) => this.#write(level, message, fields),
    });
  }

  /**
   * Opens the control socket, if there is to be one.
   *
   * @throws {Error} If it cannot be opened.
   */
  async open(): Promise<void> {
    if (this.#path === "") return;
    this.#socket = await openControlSocket({
      path: this.#path,
      verbs: this.operator,
      onError: (error) => this.#write("error", "internal error", { error: messageOf(error) }),
    });
    this.#write("info", "control socket", { path: this.#path });
  }

  async stop(): Promise<void> {
    await this.#socket?.stop();
    this.#socket = undefined;
  }

  #write(level: LogLevel, message: string, fields: Record<string, string>): void {
    this.#log.write({ level, message, fields, timeMs: Date.now() });
  }
}

/** Patroni decides where there is Patroni: a program beside it would be undone by it. */
function promotionOf(
  { patroni, switchoverScript }: GroupConfig,
): Promote | undefined {
  if (patroni.length > 0) return patroniPromotion(patroni, fetch);
  return switchoverScript === "" ? undefined : scriptPromotion(switchoverScript);
}
