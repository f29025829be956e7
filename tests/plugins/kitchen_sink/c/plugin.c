/* Calls every function of the SDK; the tests know what comes of it. */
#include "sluice/sluice.h"

static sluice_counter calls;
static sluice_gauge level;
static sluice_histogram sizes;

SLUICE_INIT {
    calls = sluice_make_counter("calls_total{kind=\"sink\"}");
    level = sluice_make_gauge("level");
    sizes = sluice_make_histogram("sizes");
    return 0;
}

static void say(const char *name, sluice_bytes value) {
    sluice_value_text(name);
    if (value.data) {
        sluice_value(value);
    } else {
        sluice_value_null();
    }
}

static void say_number(const char *name, int64_t value) { say(name, sluice_number(value)); }

static void say_truth(const char *name, bool is_true) {
    say(name, sluice_text_bytes(is_true ? "yes" : "no"));
}

static void say_event(void) {
    say_number("abi", sluice_event.abi);
    say_number("hook", sluice_event.hook);
    say_truth("can respond", sluice_has(SLUICE_CAN_RESPOND));
    say_truth("can route", sluice_has(SLUICE_CAN_ROUTE));
    say_truth("pooled", sluice_has(SLUICE_POOLED));
    say_number("session", (int64_t)sluice_event.session);
    say_number("time", (int64_t)sluice_event.time_ms);
    say_number("size", sluice_event.payload_size);
    say_number("type", sluice_event.message_type);
    say_number("status", sluice_event.transaction_status);
    say_number("phase", sluice_event.phase);
    say_number("request", (int64_t)sluice_event.request);
    say_number("duration", (int64_t)sluice_event.duration_us);
    say_number("rows", sluice_event.rows);
    say_number("worker", sluice_event.worker);
}

static void say_analysis(void) {
    say("fingerprint", sluice_fingerprint());
    say("normalised", sluice_normalised_text());
    sluice_bytes statements = sluice_field(SLUICE_FIELD_STATEMENTS);
    sluice_statement statement;
    while (sluice_next_statement(&statements, &statement)) {
        say("kind", statement.kind);
        say_truth("write", statement.is_write);
        say_truth("locking", statement.is_locking);
        say_truth("without where", statement.is_without_where);
    }
    sluice_bytes tables = sluice_field(SLUICE_FIELD_TABLES);
    sluice_table table;
    while (sluice_next_table(&tables, &table)) say(table.is_write ? "writes" : "reads", table.name);
    sluice_bytes signs = sluice_field(SLUICE_FIELD_INJECTION_SIGNALS);
    sluice_bytes sign;
    while (sluice_next_signal(&signs, &sign)) say("sign", sign);
    sluice_bytes functions = sluice_field(SLUICE_FIELD_FUNCTIONS);
    sluice_bytes function;
    while (sluice_next_function(&functions, &function)) say("calls", function);
}

static sluice_verdict sink(void) {
    sluice_bytes key = sluice_text_bytes("key");
    sluice_column("fact", SLUICE_TEXT);
    sluice_column("value", SLUICE_TEXT);
    sluice_add(calls, 1);
    sluice_set(level, 2.5);
    sluice_observe(sizes, 0.5);
    sluice_log(SLUICE_LOG_WARN, "sink");
    say_event();
    say("text", sluice_text());
    say("payload", sluice_payload());
    say("user", sluice_field(SLUICE_FIELD_USER));
    sluice_bytes sqlstate = sluice_field(SLUICE_FIELD_SQLSTATE);
    say("sqlstate", sqlstate);
    say_number("host error", sqlstate.size);
    say("parameter", sluice_parameter("server_version"));
    say("greeting", sluice_config("greeting"));
    say("long", sluice_config("long"));
    sluice_kv_set(key, sluice_text_bytes("value"), 5);
    say("kv", sluice_kv_get(key));
    sluice_kv_delete(key);
    say("kv deleted", sluice_kv_get(key));
    say_number("sum", sluice_kv_increment(sluice_text_bytes("sum"), -40, 6));
    sluice_kv_capture(sluice_text_bytes("reply"), 1000, 4096);
    say("session before", sluice_session_get());
    sluice_session_set(sluice_text_bytes("kept"));
    say("session after", sluice_session_get());
    sluice_signal("terminate", "{\"a\":1}");
    say_number("wall", sluice_clock(SLUICE_CLOCK_WALL));
    say_number("monotonic", sluice_clock(SLUICE_CLOCK_MONOTONIC));
    uint8_t bytes[4];
    sluice_random(bytes, 4);
    say("random", (sluice_bytes){bytes, 4});
    say_number("http", sluice_http_send("POST", "http://h/x", "a: b", sluice_text_bytes("body")));
    say_analysis();
    sluice_tag("FACTS");
    return sluice_respond();
}

SLUICE_HOOK(onQuery) {
    sluice_bytes asked = sluice_text();
    if (sluice_equals(asked, "replace")) return sluice_replace(sluice_text_bytes("select 2"));
    if (sluice_equals(asked, "messages")) {
        sluice_kv_write(sluice_text_bytes("stored"));
        return sluice_respond_messages(sluice_text_bytes("more"));
    }
    if (sluice_equals(asked, "reject")) return sluice_reject("42501", "no", "ask");
    if (sluice_equals(asked, "close")) return sluice_close();
    if (sluice_equals(asked, "route")) return sluice_route("reads");
    return sluice_equals(asked, "sink") ? sink() : sluice_forward();
}
