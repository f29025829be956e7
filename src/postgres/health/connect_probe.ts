/**
 * Checks whether a PostgreSQL server answers, without logging in.
 *
 * It asks for encryption by GSSAPI, is answered with one byte, and closes. That leaves no trace in
 * the server's log, whatever the answer is. An SSLRequest would: a server that offers TLS logs a
 * failed handshake ("could not accept SSL connection: EOF detected", seen with PostgreSQL 15).
 *
 * @module
 */

import type { Timer } from "../../base/clock.ts";
import type { Socket } from "../../net/socket.ts";
import type { CheckResult, Probe } from "../../upstream/health/check.ts";
import { BACKEND } from "../wire/tags.ts";
import { gssEncRequest, sslRequest } from "../wire/startup_packet.ts";
import { connectFailure, type ProbeParts, type ProbeTarget } from "./probe_target.ts";

/** One check under way. */
interface UnderWay {
  readonly onResult: (result: CheckResult) => void;
  readonly timer: Timer;
  socket: Socket | undefined;
}

/** One server's. */
export class ConnectProbe implements Probe {
  readonly #target: ProbeTarget;
  readonly #parts: ProbeParts;
  #underWay: UnderWay | undefined;
  /** A server older than PostgreSQL 12 does not know GSSENCRequest, and logs it as an error. */
  #knowsGssEncRequest = true;

  constructor(target: ProbeTarget, parts: ProbeParts) {
    this.#target = target;
    this.#parts = parts;
  }

  check(onResult: (result: CheckResult) => void): void {
    const { address, timeoutMs } = this.#target;
    const { driver, clock } = this.#parts;
    const timer = clock.after(timeoutMs, () => {
      const message = `no answer within ${timeoutMs} ms`;
      this.#end(check, { kind: "failed", failure: "timeout", message });
    });
    const check: UnderWay = { onResult, timer, socket: undefined };
    this.#underWay = check;
    driver.connect({ address, timeoutMs, keepAlive: false, noDelay: true }).then(
      (socket) => this.#onConnected(check, socket),
      (error) => this.#end(check, connectFailure(error)),
    );
  }

  close(): void {
    const check = this.#underWay;
    this.#underWay = undefined;
    check?.timer.cancel();
    check?.socket?.destroy();
  }

  #onConnected(check: UnderWay, socket: Socket): void {
    if (this.#underWay !== check) return socket.destroy();
    check.socket = socket;
    const onClosed = () =>
      this.#end(check, {
        kind: "failed",
        failure: "unreachable",
        message: "it closed the connection without an answer",
      });
    socket.setHandler({
      onData: (view) => {
        if (view[0] === BACKEND.errorResponse) this.#knowsGssEncRequest = false;
        this.#end(check, { kind: "alive", state: undefined });
        return view.length;
      },
      onEnd: onClosed,
      onClose: onClosed,
    });
    socket.write(this.#knowsGssEncRequest ? gssEncRequest() : sslRequest());
  }

  #end(check: UnderWay, result: CheckResult): void {
    if (this.#underWay !== check) return;
    this.close();
    check.onResult(result);
  }
}
