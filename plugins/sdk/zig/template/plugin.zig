//! Answers "select hello()" itself, and counts how often it did.

const std = @import("std");
const sluice = @import("sluice/sluice.zig");

comptime {
    sluice.plugin(.{ .init = init, .onQuery = onQuery });
}

var hellos: sluice.Counter = .{};

fn init() i32 {
    hellos = .init("hellos_total");
    return 0;
}

fn onQuery() sluice.Verdict {
    const text = sluice.text() orelse return sluice.forward();
    const query = std.mem.trim(u8, text, ";"); // which comes with what is typed into psql
    if (!std.mem.eql(u8, query, "select hello()")) return sluice.forward();
    if (!sluice.event.flags.can_respond) return sluice.forward();
    const times = sluice.kv.increment("hellos", 1, 0) orelse 0;
    hellos.add(1);
    sluice.log(.info, "Said hello");
    return sluice.respond(sluice.result()
        .column("greeting", .text)
        .column("times", .int8)
        .value(sluice.config("greeting") orelse "hello")
        .value(sluice.number(times)));
}
