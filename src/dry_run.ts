/**
 * Makes all once that a gateway makes of the files that its configuration names, so that what is
 * wrong with one is said before anybody listens: by the check of a configuration as at a start, and
 * before running workers are given changed files.
 *
 * @module
 */

import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { messageOf, systemReason } from "./base/errors.ts";
import type { AuthConfig, Config, LoggerConfig, TlsFiles } from "./config/config.ts";
import { GateFiles } from "./gate_files.ts";
import { clientTls } from "./tls_contexts.ts";

/** What was found, and which key of the configuration it is about. */
export interface Finding {
  readonly section: "servers" | "clients" | "loggers";
  /** Of the group in that section. */
  readonly name: string;
  readonly key: string;
  /** Names the file, and says what is wrong with it. */
  readonly message: string;
}

/** What came of it. */
export interface DryRun {
  /** What cannot be used. */
  readonly problems: readonly Finding[];
  /** What works, and should be changed. */
  readonly warnings: readonly Finding[];
}

/** Tries what workers need: rules, secrets, certificates. */
export function tryFiles({ servers, clients }: Pick<Config, "servers" | "clients">): DryRun {
  const problems: Finding[] = [];
  const warnings: Finding[] = [];
  const attempt = (
    { section, name }: Pick<Finding, "section" | "name">,
    keyOf: (message: string) => string,
    make: () => readonly string[],
  ) => {
    try {
      for (const message of make()) warnings.push({ section, name, key: "tls.certFile", message });
    } catch (error) {
      const message = messageOf(error);
      problems.push({ section, name, key: keyOf(message), message });
    }
  };
  for (const [name, server] of servers) {
    const { auth, tls } = server;
    const keyOf = (message: string) => authKey(auth, message) ?? tlsKey(tls, message);
    attempt({ section: "servers", name }, keyOf, () => {
      using files = new GateFiles(server);
      return files.certificate?.warnings ?? [];
    });
  }
  for (const [name, client] of clients) {
    attempt({ section: "clients", name }, (message) => tlsKey(client.tls, message), () => {
      const context = clientTls(client)?.context;
      context?.close();
      return context?.warnings ?? [];
    });
  }
  return { problems, warnings };
}

/** Finds out whether log files can be opened. It makes none. */
export function tryLogFiles(loggers: Config["loggers"]): readonly Finding[] {
  const problems: Finding[] = [];
  for (const [name, logger] of loggers) {
    const reason = whyNotLogged(logger);
    if (reason === undefined) continue;
    const message = `Cannot write to ${JSON.stringify(logger.file)}: ${reason}`;
    problems.push({ section: "loggers", name, key: "file", message });
  }
  return problems;
}

/** What is thrown begins with what cannot be used: these say which key that is. */
function authKey(
  { method, usersFile, rulesFile }: AuthConfig,
  message: string,
): string | undefined {
  const isAbout = (what: string) => what !== "" && message.startsWith(`Cannot use ${what}: `);
  if (isAbout(usersFile)) return "auth.usersFile";
  if (isAbout(rulesFile)) return "auth.rulesFile";
  if (isAbout("auth.nameMap")) return "auth.nameMap";
  return method === "rules" && isAbout("auth.rules") ? "auth.rules" : undefined;
}

function tlsKey({ certFile, keyFile, caFile }: TlsFiles, message: string): string {
  const isAbout = (file: string, kind: string) =>
    file !== "" && message.startsWith(`Cannot use ${file} as ${kind}`);
  if (isAbout(keyFile, "private key")) return "tls.keyFile";
  if (isAbout(certFile, "certificate")) return "tls.certFile";
  return isAbout(caFile, "certificate") ? "tls.caFile" : "tls.mode";
}

function whyNotLogged({ level, output, file }: LoggerConfig): string | undefined {
  if (level === "off" || output !== "file") return undefined;
  try {
    const { isFile, isDirectory } = Deno.statSync(file);
    if (isDirectory) return "it is a folder; choose another path";
    // What is no file, such as a pipe, could keep whoever opens it waiting.
    if (isFile) Deno.openSync(file, { append: true }).close();
    return undefined;
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    const advice = error instanceof PermissionDenied ? "make it writable for this user, or " : "";
    if (!(error instanceof NotFound)) {
      return `${systemReason(error)}; ${advice}choose another path`;
    }
  }
  return whyNotMade(dirname(file));
}

/** Why no file can be made in a folder. */
function whyNotMade(folder: string): string | undefined {
  const its = `its folder ${JSON.stringify(folder)}`;
  try {
    if (!Deno.statSync(folder).isDirectory) return `${its} is no folder; choose another path`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `${its} does not exist; make it`;
    return `${its} cannot be used: ${systemReason(error)}`;
  }
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch {
    return `${its} is not writable for this user; make it so, or choose another path`;
  }
}
