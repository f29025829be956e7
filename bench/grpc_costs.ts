/**
 * The same hook in another process: a program in Go, called by gRPC over a Unix socket.
 *
 * @module
 */

import { join } from "node:path";
import { findProgram } from "./peers/find_program.ts";
import type { CallCost } from "./plugin_report.ts";

const CALLS = 10_000;

const SOURCES = join(import.meta.dirname!, "grpc_plugin");

/** How the two processes talk: as they are, or with certificates on both sides. */
export type Security = "plain" | "mtls";

/**
 * Builds the program.
 *
 * @param folder Where to.
 * @returns Its path, and versions to report.
 * @throws {Error} If there is no Go, or if Go says why it cannot build it.
 */
export async function buildGrpcPlugin(
  folder: string,
): Promise<{ readonly program: string; readonly description: string }> {
  const go = await findProgram("go", ["/usr/local/go/bin"]);
  if (go === undefined) throw new Error("go is not on PATH");
  const program = join(folder, "grpc_plugin");
  await outputOf(go, ["build", "-o", program, "."], SOURCES);
  const version = (await outputOf(go, ["version"], SOURCES)).trim();
  const module = await Deno.readTextFile(join(SOURCES, "go.mod"));
  const grpc = /google\.golang\.org\/grpc (\S+)/.exec(module)?.[1] ?? "of unknown version";
  return { program, description: `${version}, google.golang.org/grpc ${grpc}` };
}

/** Calls a plugin that the program starts. @throws {Error} If it fails. */
export async function measureGrpc(
  program: string,
  payloadSize: number,
  security: Security,
): Promise<CallCost> {
  const args = ["measure", String(CALLS), String(payloadSize), security];
  return JSON.parse(await outputOf(program, args, "/"));
}

async function outputOf(program: string, args: string[], cwd: string): Promise<string> {
  const command = new Deno.Command(program, { args, cwd, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program} ${args[0]}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}
