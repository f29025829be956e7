//! Answers "select hello()" itself, and counts how often it did.

use sluice_plugin::{can, config, export, info, kv_increment, oid, respond};
use sluice_plugin::{Counter, Event, Table, Verdict};

static HELLOS: Counter = Counter::new("hellos_total");

export!(manifest = "../hello.yaml"; init = init; on_query);

fn init() -> Result<(), String> {
    HELLOS.make();
    Ok(())
}

fn on_query(event: &Event) -> Verdict {
    let text = event.text(); // what is typed into psql comes with its semicolon
    if !event.can(can::RESPOND) || text.trim_end_matches(';') != "select hello()" {
        return Verdict::FORWARD;
    }
    let greeting = config("greeting").unwrap_or_else(|| "hello".into());
    let times = kv_increment("hellos", 1, 0).unwrap_or(0);
    HELLOS.add(1.0);
    info("Said hello");
    let table = Table::new().column("greeting", oid::TEXT).column("times", oid::INT8);
    respond(table.value(greeting).value(times))
}
