/**
 * StartupMessages that plugins have changed.
 *
 * @module
 */

import { ProtocolError } from "../wire/errors.ts";
import { type StartupMessage, startupPacket } from "../wire/startup_packet.ts";
import { decodeParameters } from "./session_facts.ts";

/**
 * The message with other parameters.
 *
 * @param payload Names and values, each ended by a zero byte; undefined changes nothing.
 * @throws {ProtocolError} If it has no user, or is malformed: nobody can go on with that.
 */
export function startupFrom(
  asked: StartupMessage,
  payload: Uint8Array | undefined,
): StartupMessage {
  if (payload === undefined) return asked;
  const parameters = decodeParameters(payload);
  if (parameters === undefined || !parameters.get("user") || parameters.has("")) {
    throw new ProtocolError("a plugin has made an invalid StartupMessage", "58000"); // system_error
  }
  const packet = startupPacket(asked.minorVersion, parameters);
  return { kind: "startup", minorVersion: asked.minorVersion, parameters, packet };
}
