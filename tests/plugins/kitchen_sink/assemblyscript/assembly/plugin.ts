/** Calls every function of the SDK; the tests know what comes of it. */

import {
  Clock, clock, close, config, Counter, event, Field, fieldText, fingerprint, Flag, forward, functions,
  Gauge, Histogram, hostError, httpSend, injectionSignals, kv, log, LogLevel, normalisedText,
  parameter, payload, random, reject, replaceText, respond, respondMessages, Result, route, session, signal,
  statements, tables, text, Verdict,
} from "../sluice/sluice";
export { sluice_event } from "../sluice/sluice";

const calls = new Counter('calls_total{kind="sink"}');
const level = new Gauge("level");
const sizes = new Histogram("sizes");

class Facts {
  result: Result = new Result().column("fact").column("value");

  say(name: string, value: string | null): void {
    this.result.text(name);
    if (value === null) this.result.none();
    else this.result.text(value);
  }

  bytes(name: string, value: Uint8Array | null): void {
    this.result.text(name);
    if (value === null) this.result.none();
    else this.result.value(value);
  }
}

export function onQuery(): Verdict {
  const asked = text();
  if (asked == "replace") return replaceText("select 2");
  if (asked == "messages") {
    kv.write("stored");
    return respondMessages(Uint8Array.wrap(String.UTF8.encode("more")));
  }
  if (asked == "reject") return reject("42501", "no", "ask");
  if (asked == "close") return close();
  if (asked == "route") return route("reads");
  if (asked == "abort") throw new Error("enough");
  if (asked == "seed") return Math.random() == Math.random() ? forward() : close();
  return asked == "sink" ? sink() : forward();
}

function sink(): Verdict {
  const facts = new Facts();
  calls.add();
  level.set(2.5);
  sizes.observe(0.5);
  log(LogLevel.warn, "sink");
  sayEvent(facts);
  facts.say("text", text());
  facts.bytes("payload", payload());
  facts.say("user", fieldText(Field.user));
  facts.say("sqlstate", fieldText(Field.sqlstate));
  facts.say("host error", hostError.toString());
  facts.say("parameter", parameter("server_version"));
  facts.say("greeting", config("greeting"));
  facts.say("long", config("long"));
  kv.setText("key", "value", 5);
  facts.say("kv", kv.getText("key"));
  kv.remove("key");
  facts.say("kv deleted", kv.getText("key"));
  facts.say("sum", kv.increment("sum", -40, 6).toString());
  kv.capture("reply", 1000, 4096);
  facts.bytes("session before", session.get());
  session.set(Uint8Array.wrap(String.UTF8.encode("kept")));
  facts.bytes("session after", session.get());
  signal("terminate", '{"a":1}');
  facts.say("wall", clock(Clock.wall).toString());
  facts.say("monotonic", clock(Clock.monotonic).toString());
  facts.bytes("random", random(4));
  const body = Uint8Array.wrap(String.UTF8.encode("body"));
  facts.say("http", httpSend("POST", "http://h/x", "a: b", body).toString());
  sayAnalysis(facts);
  return respond(facts.result.tag("FACTS"));
}

function sayEvent(facts: Facts): void {
  facts.say("abi", event.abi.toString());
  facts.say("hook", event.hook.toString());
  facts.say("can respond", event.has(Flag.canRespond) ? "yes" : "no");
  facts.say("can route", event.has(Flag.canRoute) ? "yes" : "no");
  facts.say("pooled", event.has(Flag.pooled) ? "yes" : "no");
  facts.say("session", event.session.toString());
  facts.say("time", event.timeMs.toString());
  facts.say("size", event.payloadSize.toString());
  facts.say("type", event.messageType.toString());
  facts.say("status", event.transactionStatus.toString());
  facts.say("phase", event.phase.toString());
  facts.say("request", event.request.toString());
  facts.say("duration", event.durationUs.toString());
  facts.say("rows", event.rows.toString());
  facts.say("worker", event.worker.toString());
}

function sayAnalysis(facts: Facts): void {
  facts.say("fingerprint", fingerprint());
  facts.say("normalised", normalisedText());
  const all = statements();
  for (let i = 0; i < all.length; i++) {
    facts.say("kind", all[i].kind);
    facts.say("write", all[i].isWrite ? "yes" : "no");
    facts.say("locking", all[i].isLocking ? "yes" : "no");
    facts.say("without where", all[i].isWithoutWhere ? "yes" : "no");
  }
  const named = tables();
  for (let i = 0; i < named.length; i++) {
    facts.say(named[i].isWrite ? "writes" : "reads", named[i].name);
  }
  const signs = injectionSignals();
  for (let i = 0; i < signs.length; i++) facts.say("sign", signs[i]);
  const called = functions();
  for (let i = 0; i < called.length; i++) facts.say("calls", called[i]);
}
