//! Calls every function of the SDK; the tests know what comes of it.

const std = @import("std");
const sluice = @import("sluice/sluice.zig");

comptime {
    sluice.plugin(.{ .init = init, .onQuery = onQuery });
}

var calls: sluice.Counter = .{};
var level: sluice.Gauge = .{};
var sizes: sluice.Histogram = .{};

fn init() i32 {
    calls = .init("calls_total{kind=\"sink\"}");
    level = .init("level");
    sizes = .init("sizes");
    return 0;
}

fn say(name: []const u8, value: ?[]const u8) void {
    _ = sluice.result().value(name).value(value);
}

fn sayNumber(name: []const u8, value: anytype) void {
    say(name, sluice.number(value));
}

fn sayTruth(name: []const u8, is_true: bool) void {
    say(name, if (is_true) "yes" else "no");
}

fn onQuery() sluice.Verdict {
    const asked = sluice.text() orelse "";
    if (std.mem.eql(u8, asked, "replace")) return sluice.replace("select 2");
    if (std.mem.eql(u8, asked, "messages")) {
        _ = sluice.kv.write("stored");
        return sluice.respondMessages("more");
    }
    if (std.mem.eql(u8, asked, "reject")) return sluice.reject("42501", "no", "ask");
    if (std.mem.eql(u8, asked, "close")) return sluice.close();
    if (std.mem.eql(u8, asked, "route")) return sluice.route("reads");
    return if (std.mem.eql(u8, asked, "sink")) sink() else sluice.forward();
}

fn sink() sluice.Verdict {
    const result = sluice.result().column("fact", .text).column("value", .text);
    calls.add(1);
    level.set(2.5);
    sizes.observe(0.5);
    sluice.log(.warn, "sink");
    sayEvent();
    say("text", sluice.text());
    say("payload", sluice.payload());
    say("user", sluice.field(.user));
    const sqlstate = sluice.field(.sqlstate);
    const why = sluice.host_error.?;
    say("sqlstate", sqlstate);
    sayNumber("host error", @intFromEnum(why));
    say("parameter", sluice.parameter("server_version"));
    say("greeting", sluice.config("greeting"));
    say("long", sluice.config("long"));
    sluice.kv.set("key", "value", 5);
    say("kv", sluice.kv.get("key"));
    sluice.kv.delete("key");
    say("kv deleted", sluice.kv.get("key"));
    sayNumber("sum", sluice.kv.increment("sum", -40, 6).?);
    sluice.kv.capture("reply", 1000, 4096);
    say("session before", sluice.session.get());
    sluice.session.set("kept");
    say("session after", sluice.session.get());
    sluice.signal("terminate", "{\"a\":1}");
    sayNumber("wall", sluice.clock(.wall));
    sayNumber("monotonic", sluice.clock(.monotonic));
    var bytes: [4]u8 = undefined;
    sluice.random(&bytes);
    say("random", &bytes);
    sayNumber("http", sluice.httpSend("POST", "http://h/x", "a: b", "body").?);
    sayAnalysis();
    return sluice.respond(result.tag("FACTS"));
}

fn sayEvent() void {
    const event = &sluice.event;
    sayNumber("abi", event.abi);
    sayNumber("hook", @intFromEnum(event.hook));
    sayTruth("can respond", event.flags.can_respond);
    sayTruth("can route", event.flags.can_route);
    sayTruth("pooled", event.flags.pooled);
    sayNumber("session", event.session);
    sayNumber("time", event.time_ms);
    sayNumber("size", event.payload_size);
    sayNumber("type", event.message_type);
    sayNumber("status", event.transaction_status);
    sayNumber("phase", @intFromEnum(event.phase));
    sayNumber("request", event.request);
    sayNumber("duration", event.duration_us);
    sayNumber("rows", event.rows);
    sayNumber("worker", event.worker);
}

fn sayAnalysis() void {
    say("fingerprint", sluice.fingerprint());
    say("normalised", sluice.normalisedText());
    var statements = sluice.statements();
    while (statements.next()) |statement| {
        say("kind", statement.kind);
        sayTruth("write", statement.is_write);
        sayTruth("locking", statement.is_locking);
        sayTruth("without where", statement.is_without_where);
    }
    var tables = sluice.tables();
    while (tables.next()) |table| say(if (table.is_write) "writes" else "reads", table.name);
    var signs = sluice.injectionSignals();
    while (signs.next()) |sign| say("sign", sign);
    var functions = sluice.functions();
    while (functions.next()) |function| say("calls", function);
}
