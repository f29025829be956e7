/** Answers "select hello()" itself, and counts the queries that run. */

import { config, Counter, event, Flag, forward, Phase } from "../sluice/sluice";
import { respond, Result, text, Verdict } from "../sluice/sluice";
export { sluice_event } from "../sluice/sluice";

const queries = new Counter("hello_queries_total");
const greeting = (config("greeting") || "hello") as string;

export function onQuery(): Verdict {
  if (event.phase == Phase.parse) return forward();
  queries.add();
  const query = text(); // what is typed into psql comes with its semicolon
  if (query != "select hello()" && query != "select hello();") return forward();
  if (!event.has(Flag.canRespond)) return forward();
  return respond(new Result().column("hello").text(greeting));
}
