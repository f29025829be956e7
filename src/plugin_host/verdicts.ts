/**
 * From the number that a hook returned to what the session does: everything that is asked for is
 * checked here.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { textOf } from "../base/bytes.ts";
import type { HookEvent } from "../hooks/event.ts";
import { CAN, HOOKS } from "../hooks/hooks.ts";
import { FORWARD, type Reply, VERDICT, type Verdict } from "../hooks/verdict.ts";
import type { HostContext } from "./host_context.ts";
import { replacementProblem, replyProblem } from "./message_checks.ts";
import { PluginTrap } from "./plugin_failure.ts";

/** Names of the verdicts but forward, by their numbers; each is a permission and a bit, too. */
const NAMES = ["forward", "replace", "respond", "reject", "close", "route"] as const;

/** insufficient_privilege: PostgreSQL manual, Appendix A. */
const REJECTED_SQLSTATE = "42501";

/** system_error: the same. */
const FAILED_SQLSTATE = "58000";

/** @throws {PluginTrap} If it cannot be done. */
export function verdictOf(result: unknown, event: HookEvent, context: HostContext): Verdict {
  if (result === VERDICT.forward) return FORWARD;
  const name = typeof result === "number" ? NAMES[result] : undefined;
  if (name === undefined || name === "forward") {
    throw new PluginTrap("verdict", `it returned ${String(result)}, which is no verdict`);
  }
  const hook = HOOKS[event.hook - 1];
  assert(hook !== undefined, "an event has a hook");
  if ((hook.can & CAN[name]) === 0) {
    throw new PluginTrap("verdict", `the verdict ${name} does not exist at ${hook.name}`);
  }
  if ((event.flags & CAN[name]) === 0) {
    throw new PluginTrap("verdict", `the verdict ${name} is not possible now, as the flags say`);
  }
  if (!context.may[name]) {
    throw new PluginTrap("permission", `the verdict ${name} needs the permission "${name}"`);
  }
  const { output } = context;
  if (output.isCut && name !== "close") {
    throw new PluginTrap("output", `it wrote more than ${output.sizeMax} bytes`);
  }
  return made(name, event, context);
}

/** What becomes of an event when the plugin fails, or is switched off. */
export function failingVerdict(event: HookEvent, { spec }: HostContext): Verdict {
  if (spec.onFailure === "open") return FORWARD;
  const possible = event.flags & (HOOKS[event.hook - 1]?.can ?? 0);
  const plugin = spec.name;
  if ((possible & CAN.reject) !== 0) {
    const rejection = {
      sqlState: FAILED_SQLSTATE,
      message: `plugin "${plugin}" failed`,
      hint:
        "It is configured to refuse what it cannot check. The gateway's log says why it failed.",
    };
    return { kind: "reject", rejection, plugin };
  }
  return (possible & CAN.close) !== 0 ? { kind: "close", plugin } : FORWARD;
}

function made(
  name: Exclude<typeof NAMES[number], "forward">,
  event: HookEvent,
  context: HostContext,
): Verdict {
  const { output } = context;
  const plugin = context.spec.name;
  switch (name) {
    case "replace": {
      const { bytes } = output;
      const problem = replacementProblem(event.hook, event.messageType, bytes);
      if (problem !== undefined) throw new PluginTrap("output", `its replacement: ${problem}`);
      return { kind: "replace", bytes };
    }
    case "respond":
      return { kind: "respond", reply: replyOf(context), plugin };
    case "reject": {
      const message = `refused by plugin "${plugin}"`;
      const rejection = output.rejection ?? { sqlState: REJECTED_SQLSTATE, message, hint: "" };
      return { kind: "reject", rejection, plugin };
    }
    case "close":
      return { kind: "close", plugin };
    case "route": {
      const proxy = textOf(output.bytes);
      if (proxy === "") throw new PluginTrap("output", "it wrote no name of a proxy");
      return { kind: "route", proxy, plugin };
    }
  }
}

function replyOf({ output }: HostContext): Reply {
  if (output.hasResult) {
    if (output.isRowOpen) {
      throw new PluginTrap("output", "the last row has fewer values than there are columns");
    }
    const { columns, rows, tag } = output;
    return { kind: "result", columns, rows, tag };
  }
  const { bytes } = output;
  const problem = replyProblem(bytes);
  if (problem !== undefined) throw new PluginTrap("output", `its reply: ${problem}`);
  return { kind: "messages", bytes };
}
