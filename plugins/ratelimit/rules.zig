//! The rules of the configuration, whose shape the manifest's schema has checked.

const std = @import("std");
const sluice = @import("sluice/sluice.zig");

/// As the schema says.
pub const count_max = 32;

/// What a rule counts.
pub const Limits = enum { queries, sessions };

/// What has a count of its own.
pub const Part = enum { user, database, address, fingerprint };

/// Each at most once.
pub const parts_max = 4;

const Patterns = []const []const u8;

pub const Rule = struct {
    name: []const u8,
    limits: Limits,
    /// What has a count of its own, as the configuration says it.
    by: []const Part,
    /// How many there may be in a window.
    burst: u64,
    window_ms: u64,
    users: Patterns,
    databases: Patterns,
    addresses: Patterns,
    /// Counts of its own in one window; further ones share one.
    keys_max: u64,
    is_dry_run: bool,
    rejected: sluice.Counter,
    would_reject: sluice.Counter,
    shared: sluice.Counter,

    /// Whether the event is of those that the rule is for.
    pub fn matches(self: *const Rule) bool {
        return matchesAny(self.users, .user) and matchesAny(self.databases, .database) and
            matchesAny(self.addresses, .address);
    }
};

/// What of the event a part of a key is; empty if the event has not got it.
pub fn valueOf(part: Part) []const u8 {
    return switch (part) {
        .user => sluice.field(.user),
        .database => sluice.field(.database),
        .address => if (sluice.field(.client_address)) |address| withoutPort(address) else null,
        .fingerprint => sluice.fingerprint(),
    } orelse "";
}

/// 192.0.2.1:50112 and [2001:db8::1]:50112, but unix.
fn withoutPort(address: []const u8) []const u8 {
    return address[0 .. std.mem.lastIndexOfScalar(u8, address, ':') orelse address.len];
}

fn matchesAny(patterns: Patterns, part: Part) bool {
    if (patterns.len == 0) return true;
    const name = valueOf(part);
    for (patterns) |pattern| {
        if (isLike(pattern, name)) return true;
    }
    return false;
}

/// Whether a name is like a pattern, in which * is any text.
fn isLike(pattern: []const u8, name: []const u8) bool {
    var parts = std.mem.splitScalar(u8, pattern, '*');
    const first = parts.first();
    if (first.len == pattern.len) return std.mem.eql(u8, pattern, name);
    if (!std.mem.startsWith(u8, name, first)) return false;
    var rest = name[first.len..];
    while (parts.next()) |part| {
        if (parts.peek() == null) return std.mem.endsWith(u8, rest, part);
        const at = std.mem.indexOf(u8, rest, part) orelse return false;
        rest = rest[at + part.len ..];
    }
    return true;
}

// The configuration.

const Problem = error{
    TooMuch,
    NoSchema,
    SameName,
    NoFingerprint,
    NotPermitted,
    ShortWindow,
    LongWindow,
};

/// What the operator is told.
pub fn explain(problem: Problem) []const u8 {
    return switch (problem) {
        error.TooMuch => "the rules' names and patterns have more than 64 KiB",
        error.NoSchema => "a key of a rule is missing: is the manifest beside the module?",
        error.SameName => "two rules have the same name",
        error.NoFingerprint => "a rule that limits sessions cannot count by fingerprint",
        error.NotPermitted => "to count by fingerprint, the plugin needs the permission parse",
        error.ShortWindow => "a burst must be what the rate allows in 100 ms or more",
        error.LongWindow => "a burst must be what the rate allows in a day or less",
    };
}

var memory: [65_536]u8 = undefined;
var allocator = std.heap.FixedBufferAllocator.init(&memory);
var made: [count_max]Rule = undefined;
var made_count: usize = 0;

pub fn all() []Rule {
    return made[0..made_count];
}

/// Reads the configuration and makes the metrics.
pub fn read() Problem!void {
    const is_dry_run = isTrue(sluice.config("dryRun"));
    while (made_count < count_max) : (made_count += 1) {
        const name = (try text(made_count, "name")) orelse return;
        for (all()) |other| {
            if (std.mem.eql(u8, other.name, name)) return error.SameName;
        }
        made[made_count] = try readRule(made_count, name, is_dry_run);
    }
}

fn readRule(index: usize, name: []const u8, is_dry_run: bool) Problem!Rule {
    const rate = number(index, "rate") orelse return error.NoSchema;
    const per_ms: f64 = switch (choice(enum { second, minute, hour }, index, "per")) {
        .second => 1000,
        .minute => 60_000,
        .hour => 3_600_000,
    };
    const burst = number(index, "burst") orelse @max(1, @ceil(rate));
    const window_ms = @ceil(burst * per_ms / rate);
    if (window_ms < 100) return error.ShortWindow;
    if (window_ms > 86_400_000) return error.LongWindow;
    const limits = choice(Limits, index, "limits");
    const by = try partsOf(index);
    if (std.mem.indexOfScalar(Part, by, .fingerprint) != null) try checkFingerprint(limits);
    return .{
        .name = name,
        .limits = limits,
        .by = by,
        .burst = @intFromFloat(burst),
        .window_ms = @intFromFloat(window_ms),
        .users = try list(index, "users"),
        .databases = try list(index, "databases"),
        .addresses = try list(index, "addresses"),
        .keys_max = @intFromFloat(number(index, "keysMax") orelse return error.NoSchema),
        .is_dry_run = is_dry_run or isTrue(value(index, "dryRun")),
        .rejected = try counter("rejected", name),
        .would_reject = try counter("would_reject", name),
        .shared = try counter("shared", name),
    };
}

fn partsOf(index: usize) Problem![]const Part {
    var parts: [parts_max]Part = undefined;
    const names = try list(index, "by");
    if (names.len > parts_max) return error.NoSchema;
    for (names, parts[0..names.len]) |name, *part| {
        part.* = std.meta.stringToEnum(Part, name) orelse return error.NoSchema;
    }
    return allocator.allocator().dupe(Part, parts[0..names.len]) catch error.TooMuch;
}

/// There is none yet, but without the permission the host says so.
fn checkFingerprint(limits: Limits) Problem!void {
    if (limits == .sessions) return error.NoFingerprint;
    if (sluice.fingerprint() == null and sluice.host_error == .denied) return error.NotPermitted;
}

fn counter(what: []const u8, rule: []const u8) Problem!sluice.Counter {
    const name = "ratelimit_{s}_total{{rule=\"{s}\"}}";
    return .init(std.fmt.allocPrint(allocator.allocator(), name, .{ what, rule }) catch
        return error.TooMuch);
}

/// What the host gives holds until the call returns.
fn value(index: usize, name: []const u8) ?[]const u8 {
    const path = std.fmt.bufPrint(sluice.allocate(80), "rules.{d}.{s}", .{ index, name });
    return sluice.config(path catch unreachable);
}

fn text(index: usize, name: []const u8) Problem!?[]const u8 {
    return try kept(value(index, name) orelse return null);
}

fn kept(bytes: []const u8) Problem![]const u8 {
    return allocator.allocator().dupe(u8, bytes) catch error.TooMuch;
}

fn number(index: usize, name: []const u8) ?f64 {
    return std.fmt.parseFloat(f64, value(index, name) orelse return null) catch null;
}

fn isTrue(written: ?[]const u8) bool {
    return std.mem.eql(u8, written orelse "", "true");
}

/// The schema has a default, which is the first.
fn choice(comptime Choice: type, index: usize, name: []const u8) Choice {
    const written = value(index, name) orelse "";
    return std.meta.stringToEnum(Choice, written) orelse std.enums.values(Choice)[0];
}

fn list(index: usize, name: []const u8) Problem!Patterns {
    var items: [63][]const u8 = undefined;
    var count: usize = 0;
    while (count < items.len) : (count += 1) {
        const path = std.fmt.bufPrint(sluice.allocate(80), "{s}.{d}", .{ name, count });
        items[count] = (try text(index, path catch unreachable)) orelse break;
    }
    return allocator.allocator().dupe([]const u8, items[0..count]) catch error.TooMuch;
}
