/** Answers "select hello()" itself, and counts how often it did. */

import { config, Counter, event, Flag, forward, kv, log, LogLevel } from "../sluice/sluice";
import { respond, Result, text, Type, Verdict } from "../sluice/sluice";
export { sluice_event } from "../sluice/sluice";

const hellos = new Counter("hellos_total");
const greeting = (config("greeting") || "hello") as string;

export function onQuery(): Verdict {
  const query = text(); // what is typed into psql comes with its semicolon
  if (query != "select hello()" && query != "select hello();") return forward();
  if (!event.has(Flag.canRespond)) return forward();
  const times = kv.increment("hellos");
  hellos.add();
  log(LogLevel.info, "Said hello");
  return respond(
    new Result()
      .column("greeting")
      .column("times", Type.int8)
      .text(greeting)
      .text(times.toString()),
  );
}
