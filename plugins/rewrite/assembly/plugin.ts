/** Gives queries other texts and sessions other parameters: see README.md. */

import { event, Field, field, forward, Phase, reject, replace } from "../sluice/sluice";
import { replaceText, text, Verdict } from "../sluice/sluice";
import { parameterRules, problem, rules, TEXT_SIZE_MAX } from "./rules";
export { sluice_event } from "../sluice/sluice";

/** Refuses a configuration that makes no sense. */
export function sluice_init(): i32 {
  if (problem == "") return 0;
  reject("22023", problem);
  return 1;
}

/** An Execute runs what its Parse was replaced with. */
export function onQuery(): Verdict {
  if (event.phase == Phase.execute || event.payloadSize > <u32>TEXT_SIZE_MAX) return forward();
  const before = text();
  if (before === null) return forward();
  let now: string = before;
  for (let i = 0; i < rules.length; i++) {
    const next = rules[i].apply(now);
    if (next === null) continue;
    rules[i].counter.add();
    now = next;
    if (!rules[i].goesOn) break;
  }
  return now == before ? forward() : replaceText(now);
}

export function onStartup(): Verdict {
  const bytes = field(Field.startupParameters);
  if (bytes === null || parameterRules.length == 0) return forward();
  const parts = String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length).split("\0");
  const parameters = new Map<string, string>();
  for (let i = 0; i + 1 < parts.length; i += 2) parameters.set(parts[i], parts[i + 1]);
  let isChanged = false;
  for (let i = 0; i < parameterRules.length; i++) {
    const rule = parameterRules[i];
    const before: string | null = parameters.has(rule.name) ? parameters.get(rule.name) : null;
    const now = rule.apply(before);
    if (now == before) continue;
    isChanged = true;
    rule.counter.add();
    if (now === null) parameters.delete(rule.name);
    else parameters.set(rule.name, now);
  }
  if (!isChanged) return forward();
  const names = parameters.keys();
  let written = "";
  for (let i = 0; i < names.length; i++) written += `${names[i]}\0${parameters.get(names[i])}\0`;
  return replace(Uint8Array.wrap(String.UTF8.encode(written)));
}
