//! Limits how many queries and new sessions there are in a time. All workers count together: see
//! window.zig for how.

const std = @import("std");
const sluice = @import("sluice/sluice.zig");
const rules = @import("rules.zig");
const window = @import("window.zig");

comptime {
    sluice.plugin(.{ .init = init, .onStartup = onStartup, .onQuery = onQuery });
}

fn init() i32 {
    rules.read() catch |problem| {
        _ = sluice.reject("58000", rules.explain(problem), "");
        return 1;
    };
    return 0;
}

/// SQLSTATE too_many_connections.
fn onStartup() sluice.Verdict {
    return decide(.sessions, "53300");
}

/// SQLSTATE configuration_limit_exceeded. What is prepared is counted when it is executed.
fn onQuery() sluice.Verdict {
    if (sluice.event.phase == .parse) return sluice.forward();
    return decide(.queries, "53400");
}

/// What was counted, to be given back if a later rule refuses.
const Counted = struct {
    rule: *const rules.Rule,
    key: window.Key,

    fn giveBack(self: *Counted) void {
        window.giveBack(self.rule, &self.key);
    }
};
var counted: [rules.count_max]Counted = undefined;

fn decide(limits: rules.Limits, sqlstate: []const u8) sluice.Verdict {
    var counted_size: usize = 0;
    for (rules.all()) |*rule| {
        if (rule.limits != limits or !rule.matches()) continue;
        const one = &counted[counted_size];
        one.* = .{ .rule = rule, .key = window.keyFor(rule) };
        switch (window.take(rule, &one.key)) {
            .admitted => counted_size += 1,
            .refused_for_ms => |wait_ms| {
                if (rule.is_dry_run) {
                    rule.would_reject.add(1);
                    continue;
                }
                for (counted[0..counted_size]) |*one_before| one_before.giveBack();
                rule.rejected.add(1);
                return refuse(rule, sqlstate, wait_ms);
            },
        }
    }
    return sluice.forward();
}

fn refuse(rule: *const rules.Rule, sqlstate: []const u8, wait_ms: u64) sluice.Verdict {
    const what = if (rule.limits == .sessions) "new sessions" else "queries";
    const message = print("too many {s}: the limit \"{s}\" is exceeded", .{ what, rule.name });
    const hint = if (wait_ms < 1000)
        print("Try again in {d} ms.", .{wait_ms})
    else
        print("Try again in {d} s.", .{(wait_ms + 999) / 1000});
    return sluice.reject(sqlstate, message, hint);
}

/// Names of rules are short.
fn print(comptime format: []const u8, values: anytype) []const u8 {
    return std.fmt.bufPrint(sluice.allocate(160), format, values) catch unreachable;
}
