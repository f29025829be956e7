//! Counts that all workers share, with nothing but a number that can be added to.
//!
//! Time is cut into windows in which a rule's burst comes back at its rate: burst / rate long. Each
//! key has a number for the window that runs and one for the window before. What is counted now is
//! the first, and of the second the part of it that a window of the same length, ending now, has in
//! common with it:
//!
//!     before * (window - elapsed) / window + now  <=  burst
//!
//! Let c be what a window counts and b the burst. As c <= b - before * (1 - elapsed / window), no
//! interval of t, however it lies, has more than b + rate * t: what a bucket of tokens lets through
//! at most. After a burst, a bucket fills again at once, and a window only when the next one has
//! begun: that is the error, up to one window, and always to the strict side.
//!
//! Each worker adds before it looks, so that of two that take the last place at the same time both
//! may be refused, and never both admitted. Who is refused takes back what it has added.

const std = @import("std");
const sluice = @import("sluice/sluice.zig");
const rules = @import("rules.zig");

/// Bytes; longer ones are hashed.
const key_size_max = 300;

/// Room for the number of a window behind a key.
const suffix_size = 24;

/// A count's key in one window.
pub const Key = struct {
    /// Without the window.
    bytes: [key_size_max + suffix_size]u8,
    size: usize,
    window: u64,

    fn append(self: *Key, more: []const u8) void {
        @memcpy(self.bytes[self.size..][0..more.len], more);
        self.size += more.len;
    }

    fn at(self: *Key, number: u64) []const u8 {
        const suffix = self.bytes[self.size..];
        const written = std.fmt.bufPrint(suffix, "\x00{d}", .{number}) catch unreachable;
        return self.bytes[0 .. self.size + written.len];
    }
};

/// What has become of a request.
pub const Outcome = union(enum) { admitted, refused_for_ms: u64 };

/// The key that the event counts under. Names have no zero bytes.
pub fn keyFor(rule: *const rules.Rule) Key {
    var values: [rules.parts_max][]const u8 = undefined;
    for (rule.by, values[0..rule.by.len]) |part, *value| value.* = rules.valueOf(part);
    return keyOf(rule, join(values[0..rule.by.len]));
}

fn join(parts: []const []const u8) []const u8 {
    var size: usize = 0;
    for (parts) |part| size += part.len + 1;
    const bytes = sluice.allocate(size);
    var end: usize = 0;
    for (parts) |part| {
        bytes[end] = 0;
        @memcpy(bytes[end + 1 ..][0..part.len], part);
        end += part.len + 1;
    }
    return bytes;
}

fn keyOf(rule: *const rules.Rule, joined: []const u8) Key {
    var key = Key{ .bytes = undefined, .size = 0, .window = now(rule).number };
    key.append(rule.name);
    if (rule.name.len + joined.len <= key_size_max) {
        key.append(joined);
    } else {
        var digest: [32]u8 = undefined;
        std.crypto.hash.sha2.Sha256.hash(joined, &digest, .{});
        key.append("\x00#");
        key.append(&digest);
    }
    return key;
}

const Now = struct { number: u64, elapsed_ms: u64 };

/// The clock is the wall's: no other is the same in all workers.
fn now(rule: *const rules.Rule) Now {
    const time_ms = sluice.event.time_ms;
    return .{ .number = time_ms / rule.window_ms, .elapsed_ms = time_ms % rule.window_ms };
}

/// Counts one request, if there is room for it.
pub fn take(rule: *const rules.Rule, key: *Key) Outcome {
    const time = now(rule);
    var present = read(key.at(time.number));
    if (present == null and isCrowded(rule, time.number)) {
        key.* = keyOf(rule, "\x00");
        rule.shared.add(1);
        present = read(key.at(time.number));
    }
    const state = State{
        .burst = rule.burst,
        .window_ms = rule.window_ms,
        .elapsed_ms = time.elapsed_ms,
        .before = if (time.number == 0) 0 else read(key.at(time.number - 1)) orelse 0,
    };
    const seen = (present orelse 0) + 1;
    if (!state.admits(seen)) return .{ .refused_for_ms = state.waitMs(seen) };
    const sum = add(key.at(time.number), 1, rule);
    if (state.admits(sum)) return .admitted;
    _ = add(key.at(time.number), -1, rule);
    return .{ .refused_for_ms = state.waitMs(sum) };
}

/// What was counted is not, as it was refused elsewhere.
pub fn giveBack(rule: *const rules.Rule, key: *Key) void {
    _ = add(key.at(key.window), -1, rule);
}

/// Whether a window has as many keys as it may have, without the one that is new.
fn isCrowded(rule: *const rules.Rule, number: u64) bool {
    var keys = keyOf(rule, "\x00\x00");
    return add(keys.at(number), 1, rule) > rule.keys_max;
}

/// What the plugin knows of one key.
const State = struct {
    burst: u64,
    window_ms: u64,
    elapsed_ms: u64,
    before: u64,

    fn admits(self: State, count: u64) bool {
        const left = self.window_ms - self.elapsed_ms;
        return self.before * left + count * self.window_ms <= self.burst * self.window_ms;
    }

    /// How long it takes until so many are admitted, if nobody else comes; at least 1 ms.
    fn waitMs(self: State, count: u64) u64 {
        const left = self.window_ms - self.elapsed_ms;
        if (count <= self.burst and self.before > 0) {
            // In this window: as soon as enough of the one before is out of sight.
            const visible = (self.burst - count) * self.window_ms / self.before;
            return @max(1, left -| visible);
        }
        // In the next one, in which this is the one before.
        const others = @max(1, count - 1);
        return left + self.window_ms -| (self.burst - 1) * self.window_ms / others;
    }
};

/// Little-endian, as the host keeps what is added to.
fn read(key: []const u8) ?u64 {
    const bytes = sluice.kv.get(key) orelse return null;
    if (bytes.len != 8) return null;
    return @intCast(@max(0, std.mem.readInt(i64, bytes[0..8], .little)));
}

/// The sum. Its time to live begins with the first addition: two windows, and it is never needed
/// longer. Traps if there is none, so that the plugin's failure policy decides.
fn add(key: []const u8, by: i64, rule: *const rules.Rule) u64 {
    const ttl_ms: u32 = @intCast(2 * rule.window_ms);
    const sum = sluice.kv.increment(key, by, ttl_ms) orelse @trap();
    return @intCast(@max(0, sum));
}
