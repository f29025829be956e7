//! Calls every function of the SDK; the tests know what comes of it.

use sluice_plugin::*;

static CALLS: Counter = Counter::new("calls_total{kind=\"sink\"}");
static LEVEL: Gauge = Gauge::new("level");
static SIZES: Histogram = Histogram::new("sizes");

export!(manifest = "../hello.yaml"; init = init; on_query);

fn init() -> Result<(), String> {
    CALLS.make();
    LEVEL.make();
    SIZES.make();
    match config("refuse") {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

fn on_query(event: &Event) -> Verdict {
    match event.text().as_str() {
        "sink" => sink(event),
        "replace" => replace("select 2"),
        "messages" => {
            kv_write("stored");
            respond_messages("more")
        }
        "reject" => reject("42501", "no", "ask"),
        "close" => close(),
        "route" => route("reads"),
        "denied" => reject("42501", &event.fingerprint().unwrap_or_default(), ""),
        "parts" => {
            let mut part = [0; 4];
            for offset in [0, 4, 8, 12] {
                let size = event.payload_part(offset, &mut part);
                write(&part[..size]);
            }
            replace("")
        }
        _ => Verdict::FORWARD,
    }
}

/// Names and values of what was found.
struct Facts(Table);

impl Facts {
    fn say(self, name: &str, value: impl std::fmt::Display) -> Facts {
        Facts(self.0.value(name).value(value))
    }

    fn say_truth(self, name: &str, is_true: bool) -> Facts {
        self.say(name, if is_true { "yes" } else { "no" })
    }

    fn say_bytes(self, name: &str, value: Option<Vec<u8>>) -> Facts {
        let named = self.0.value(name);
        Facts(match value {
            Some(bytes) => named.bytes(bytes),
            None => named.null(),
        })
    }

    fn say_text(self, name: &str, value: Option<String>) -> Facts {
        self.say_bytes(name, value.map(String::into_bytes))
    }
}

fn sink(event: &Event) -> Verdict {
    let facts = Facts(Table::new().column("fact", oid::TEXT).column("value", oid::TEXT));
    CALLS.add(1.0);
    LEVEL.set(2.5);
    SIZES.observe(0.5);
    warn("sink");
    let facts = say_keeping(say_reading(say_event(facts, event), event));
    http_facts(facts, event)
}

fn say_event(facts: Facts, event: &Event) -> Facts {
    facts
        .say("abi", event.abi)
        .say("hook", event.hook)
        .say_truth("can respond", event.can(can::RESPOND))
        .say_truth("can route", event.can(can::ROUTE))
        .say_truth("pooled", event.is(is::POOLED))
        .say("session", event.session)
        .say("time", event.time_ms)
        .say("size", event.payload_size)
        .say("type", event.message_type)
        .say("status", event.transaction_status)
        .say("phase", event.phase() as u8)
        .say("request", event.request)
        .say("duration", event.duration_us)
        .say("rows", event.rows)
        .say("worker", event.worker)
}

fn say_reading(facts: Facts, event: &Event) -> Facts {
    let sqlstate = event.field(Field::Sqlstate);
    let code = if sqlstate.is_none() { -1 } else { 0 };
    facts
        .say("text", event.text())
        .say_bytes("payload", Some(event.payload()))
        .say_text("user", event.field_text(Field::User))
        .say_bytes("sqlstate", sqlstate)
        .say("host error", code)
        .say_text("parameter", parameter("server_version"))
        .say_text("greeting", config("greeting"))
        .say_text("long", config("long"))
}

fn say_keeping(facts: Facts) -> Facts {
    kv_set("key", "value", 5).unwrap();
    let facts = facts.say_bytes("kv", kv_get("key"));
    kv_delete("key").unwrap();
    let facts = facts
        .say_bytes("kv deleted", kv_get("key"))
        .say("sum", kv_increment("sum", -40, 6).unwrap());
    kv_capture("reply", 1000, 4096).unwrap();
    let facts = facts.say_bytes("session before", session_get());
    session_set("kept").unwrap();
    facts.say_bytes("session after", session_get())
}

fn http_facts(facts: Facts, event: &Event) -> Verdict {
    signal("terminate", "{\"a\":1}").unwrap();
    let mut facts = facts
        .say("wall", clock(Clock::Wall))
        .say("monotonic", clock(Clock::Monotonic))
        .say_bytes("random", Some(random(4)))
        .say("http", http_send("POST", "http://h/x", "a: b", "body").unwrap())
        .say_text("fingerprint", event.fingerprint())
        .say_text("normalised", event.normalised_text());
    for statement in event.statements() {
        facts = facts
            .say("kind", statement.kind)
            .say_truth("write", statement.is_write)
            .say_truth("locking", statement.is_locking)
            .say_truth("without where", statement.is_without_where);
    }
    for table in event.tables() {
        facts = facts.say(if table.is_write { "writes" } else { "reads" }, table.name);
    }
    for sign in event.injection_signals() {
        facts = facts.say("sign", sign);
    }
    for function in event.functions() {
        facts = facts.say("calls", function);
    }
    respond(facts.0.tag("FACTS"))
}
