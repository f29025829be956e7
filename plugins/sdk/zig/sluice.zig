//! Sluice's plugin SDK for Zig: what `wit/sluice.wit` says, in one file.
//!
//!     const sluice = @import("sluice/sluice.zig");
//!     comptime {
//!         sluice.plugin(.{ .onQuery = onQuery });
//!     }
//!     fn onQuery() sluice.Verdict {
//!         return sluice.forward();
//!     }
//!
//! What reads gives bytes that hold until the hook returns, or null where there is nothing. What
//! the last call failed for, if it did, is in `host_error`.

const std = @import("std");

/// What a hook asks the gateway to do.
pub const Verdict = enum(i32) { forward, replace, respond, reject, close, route };

/// Where a query's text comes from.
pub const Phase = enum(u8) { none, simple, parse, execute, _ };

/// What is true of an event.
pub const Flags = packed struct(u32) {
    can_replace: bool,
    can_respond: bool,
    can_reject: bool,
    can_close: bool,
    can_route: bool,
    pipelined: bool,
    described: bool,
    from_plugin: bool,
    tls: bool,
    pooled: bool,
    unused: u22,
};

/// What can be read with `field` while a hook runs.
pub const Field = enum(i32) {
    payload,
    text,
    statement_name,
    portal_name,
    parameters,
    result_formats,
    columns,
    user,
    database,
    application_name,
    client_address,
    server_address,
    proxy,
    listener,
    startup_parameters,
    settings,
    sqlstate,
    message,
    command_tag,
    plugin_name,
    configuration,
    normalised_text,
    fingerprint,
    statements,
    tables,
    injection_signals,
    http_status,
    functions,
};

/// Which hook runs: `event.hook`. A hook is named as it is exported.
pub const Hook = enum(u16) {
    onConfigLoaded = 1,
    onNewLogger,
    onNewPool,
    onNewClient,
    onNewProxy,
    onNewServer,
    onSignal,
    onRun,
    onBooting,
    onBooted,
    onShutdown,
    onTick,
    onHook,
    onOpening,
    onOpened,
    onClosing,
    onClosed,
    onStartup,
    onAuthenticated,
    onTraffic,
    onTrafficFromClient,
    onTrafficToServer,
    onTrafficFromServer,
    onTrafficToClient,
    onQuery,
    onRow,
    onError,
    onQueryEnd,
    onTransactionEnd,
    _,
};

/// What a message of the log is worth.
pub const LogLevel = enum(i32) { trace, debug, info, warn, @"error" };

/// What a metric does with its values.
pub const MetricKind = enum(i32) { counter, gauge, histogram };

/// Which clock.
pub const Clock = enum(i32) { wall, monotonic };

/// Why the host did not do what it was asked.
pub const HostError = enum(i32) { absent = -1, denied = -2, over_limit = -3, invalid = -4, _ };

/// Types of pg_type that a result may have in text and in binary.
pub const Type = enum(i32) {
    bool = 16,
    bytea = 17,
    int8 = 20,
    int2 = 21,
    int4 = 23,
    text = 25,
    json = 114,
    float4 = 700,
    float8 = 701,
    varchar = 1043,
    uuid = 2950,
    jsonb = 3802,
    _,
};

/// What the host writes before each call.
pub const Event = extern struct {
    abi: u16,
    hook: Hook,
    flags: Flags,
    session: u64,
    time_ms: u64,
    payload_size: u32,
    message_type: u8,
    transaction_status: u8,
    phase: Phase,
    reserved: u8,
    request: u64,
    duration_us: u64,
    rows: u32,
    worker: u32,
    reserved2: u64,
};

comptime {
    if (@sizeOf(Event) != 64) @compileError("the event has 64 bytes");
}

/// The event of the hook that runs.
pub var event: Event = undefined;

/// Why the last call did not do what it was asked, or null if it did.
pub var host_error: ?HostError = null;

fn eventAddress() callconv(.c) *Event {
    return &event;
}

/// Exports hooks, by their names, and `init`, a `fn () i32` that is called once before them.
/// Call it in a `comptime` block.
pub fn plugin(comptime hooks: anytype) void {
    @export(&eventAddress, .{ .name = "sluice_event" });
    inline for (comptime std.meta.fieldNames(@TypeOf(hooks))) |name| {
        const function = @field(hooks, name);
        const is_init = std.mem.eql(u8, name, "init");
        if (!is_init and !@hasField(Hook, name)) @compileError("no hook is named " ++ name);
        const Export = struct {
            fn call() callconv(.c) i32 {
                scratch_used = 0;
                return if (is_init) function() else @backingInt(@as(Verdict, function()));
            }
        };
        @export(&Export.call, .{ .name = if (is_init) "sluice_init" else name });
    }
}

// What reads.

var scratch: []u8 = &.{};
var scratch_used: usize = 0;

/// Memory that holds until the hook returns. Traps if there is none.
pub fn allocate(size: usize) []u8 {
    const page = 65536;
    if (size > scratch.len - scratch_used) {
        // Twice as much each time, so that what is left behind is less than what is there.
        const pages = (size + 2 * scratch.len) / page + 1;
        const first = @wasmMemoryGrow(0, pages);
        if (first < 0) @trap();
        const start: [*]u8 = @ptrFromInt(@as(usize, @intCast(first)) * page);
        scratch = start[0 .. pages * page];
        scratch_used = 0;
    }
    const memory = scratch[scratch_used..][0..size];
    scratch_used = @min(scratch.len, scratch_used + (size + 7) / 8 * 8);
    return memory;
}

/// Asks with a buffer that mostly suffices, and again if it did not.
fn bytesOf(comptime import: anytype, arguments: anytype) ?[]u8 {
    var into = allocate(512);
    var size = @call(.auto, import, arguments ++ .{ into.ptr, capacityOf(into) });
    if (size > capacityOf(into)) {
        into = allocate(@intCast(size));
        size = @call(.auto, import, arguments ++ .{ into.ptr, capacityOf(into) });
    }
    return if (succeeds(size)) into[0..@intCast(size)] else null;
}

fn capacityOf(bytes: []const u8) i32 {
    return @intCast(bytes.len);
}

fn succeeds(answer: i32) bool {
    host_error = if (answer < 0) @fromBackingInt(@intCast(answer)) else null;
    return answer >= 0;
}

/// A field of the event.
pub fn field(name: Field) ?[]u8 {
    return bytesOf(host.read, .{ @backingInt(name), 0 });
}

/// The message as it is on the wire, or what the hook says.
pub fn payload() ?[]u8 {
    return field(.payload);
}

/// Text of the query.
pub fn text() ?[]u8 {
    return field(.text);
}

/// What the server reported under this name, or else the client said.
pub fn parameter(name: []const u8) ?[]u8 {
    return bytesOf(host.parameter, .{ name.ptr, name.len });
}

/// A value of the plugin's configuration, such as `rules.0.table`; what is no text is JSON.
pub fn config(path: []const u8) ?[]u8 {
    return bytesOf(host.config, .{ path.ptr, path.len });
}

/// A number as text.
pub fn number(value: anytype) []const u8 {
    return std.fmt.bufPrint(allocate(40), "{d}", .{value}) catch unreachable;
}

// Verdicts: `return sluice.forward();`

/// Go on as if the plugin were not there.
pub fn forward() Verdict {
    return .forward;
}

/// These bytes take the payload's place.
pub fn replace(bytes: []const u8) Verdict {
    _ = succeeds(host.write(bytes.ptr, bytes.len));
    return .replace;
}

/// The client gets this result.
pub fn respond(_: Result) Verdict {
    return .respond;
}

/// The client gets these messages, RowDescription to CommandComplete; or what `kv.write` wrote.
pub fn respondMessages(bytes: []const u8) Verdict {
    _ = succeeds(host.write(bytes.ptr, bytes.len));
    return .respond;
}

/// The client gets an error. A hint of "" is none.
pub fn reject(sqlstate: []const u8, message: []const u8, hint: []const u8) Verdict {
    _ = succeeds(host.@"error"(
        sqlstate.ptr,
        sqlstate.len,
        message.ptr,
        message.len,
        hint.ptr,
        hint.len,
    ));
    return .reject;
}

/// The session is ended.
pub fn close() Verdict {
    return .close;
}

/// Go on to this proxy of the same listener, or to a server of a role: `role=primary` or
/// `role=replica`.
pub fn route(proxy: []const u8) Verdict {
    _ = succeeds(host.write(proxy.ptr, proxy.len));
    return .route;
}

/// A result for `respond`: its columns, then their values, row by row. One for each call.
pub const Result = struct {
    pub fn column(self: Result, name: []const u8, kind: Type) Result {
        _ = succeeds(host.result_column(name.ptr, name.len, @backingInt(kind)));
        return self;
    }

    pub fn value(self: Result, bytes: ?[]const u8) Result {
        const answer = if (bytes) |some|
            host.result_value(some.ptr, @intCast(some.len))
        else
            host.result_value(null, -1);
        _ = succeeds(answer);
        return self;
    }

    /// Without it, the tag is SELECT and the number of rows.
    pub fn tag(self: Result, name: []const u8) Result {
        _ = succeeds(host.result_tag(name.ptr, name.len));
        return self;
    }
};

/// Begins a result.
pub fn result() Result {
    return .{};
}

// What tells.

/// Writes to the gateway's log.
pub fn log(level: LogLevel, message: []const u8) void {
    _ = succeeds(host.log(@backingInt(level), message.ptr, message.len));
}

/// Tells the operator's policies something; `metadata` is a JSON object.
pub fn signal(name: []const u8, metadata: []const u8) void {
    _ = succeeds(host.signal(name.ptr, name.len, metadata.ptr, metadata.len));
}

fn metric(kind: MetricKind, name: []const u8) i32 {
    const id = host.metric(@backingInt(kind), name.ptr, name.len);
    _ = succeeds(id);
    return id;
}

fn record(id: i32, value: f64) void {
    _ = succeeds(if (id < 0) id else host.metric_record(id, value));
}

/// Only ever rises. Made once, in `init`, by its name and labels: `queries_total{kind="select"}`.
pub const Counter = struct {
    id: i32 = -1,

    pub fn init(name: []const u8) Counter {
        return .{ .id = metric(.counter, name) };
    }

    pub fn add(self: Counter, value: f64) void {
        record(self.id, value);
    }
};

/// Is what it was last set to.
pub const Gauge = struct {
    id: i32 = -1,

    pub fn init(name: []const u8) Gauge {
        return .{ .id = metric(.gauge, name) };
    }

    pub fn set(self: Gauge, value: f64) void {
        record(self.id, value);
    }
};

/// Counts values by size.
pub const Histogram = struct {
    id: i32 = -1,

    pub fn init(name: []const u8) Histogram {
        return .{ .id = metric(.histogram, name) };
    }

    pub fn observe(self: Histogram, value: f64) void {
        record(self.id, value);
    }
};

// What keeps.

/// The plugin's key-value store; a `ttl_ms` of 0 is for as long as there is room.
pub const kv = struct {
    pub fn get(key: []const u8) ?[]u8 {
        return bytesOf(host.kv_get, .{ key.ptr, key.len });
    }

    pub fn set(key: []const u8, value: []const u8, ttl_ms: u32) void {
        _ = succeeds(host.kv_set(key.ptr, key.len, value.ptr, value.len, ttl_ms));
    }

    pub fn delete(key: []const u8) void {
        _ = succeeds(host.kv_delete(key.ptr, key.len));
    }

    /// The sum, or null where it cannot be done.
    pub fn increment(key: []const u8, by: i64, ttl_ms: u32) ?i64 {
        const sum = host.kv_increment(key.ptr, key.len, by, ttl_ms);
        return if (sum == std.math.minInt(i64)) null else sum;
    }

    /// Appends a stored value to what the verdict replace or respond gives. Its size.
    pub fn write(key: []const u8) ?usize {
        const size = host.kv_write(key.ptr, key.len);
        return if (succeeds(size)) @intCast(size) else null;
    }

    /// Has the reply to this request stored, if it ends well and is no larger.
    pub fn capture(key: []const u8, ttl_ms: u32, size_max: u32) void {
        _ = succeeds(host.kv_capture(key.ptr, key.len, ttl_ms, size_max));
    }
};

/// What the plugin keeps for this session: up to 4,096 bytes.
pub const session = struct {
    pub fn get() ?[]u8 {
        return bytesOf(host.session_get, .{});
    }

    pub fn set(value: []const u8) void {
        _ = succeeds(host.session_set(value.ptr, value.len));
    }
};

// The world.

/// Nanoseconds.
pub fn clock(which: Clock) i64 {
    return host.clock(@backingInt(which));
}

/// Fills the buffer with random bytes.
pub fn random(into: []u8) void {
    _ = succeeds(host.random(into.ptr, @intCast(into.len)));
}

/// Sends an HTTP request: its number, which `onHook` has in `event.request`. A header a line.
pub fn httpSend(
    method: []const u8,
    url: []const u8,
    headers: []const u8,
    body: []const u8,
) ?i32 {
    const id = host.http_send(
        method.ptr,
        method.len,
        url.ptr,
        url.len,
        headers.ptr,
        headers.len,
        body.ptr,
        body.len,
    );
    return if (succeeds(id)) id else null;
}

// What the gateway knows of a query's text. Permission: parse.

/// The same for queries that differ in constants only.
pub fn fingerprint() ?[]u8 {
    return field(.fingerprint);
}

/// The text with $1, $2 and so on for its constants.
pub fn normalisedText() ?[]u8 {
    return field(.normalised_text);
}

/// One statement of a query's text.
pub const Statement = struct {
    kind: []const u8,
    is_write: bool = false,
    is_locking: bool = false,
    is_without_where: bool = false,
};

/// A table that a query reads or writes.
pub const Table = struct { is_write: bool, name: []const u8 };

/// `var all = sluice.statements(); while (all.next()) |statement| ...`
pub const Statements = struct {
    lines: Lines,

    pub fn next(self: *Statements) ?Statement {
        const line = self.lines.next() orelse return null;
        // A kind has several words, such as CREATE TABLE AS.
        const is_write = std.mem.indexOf(u8, line, " read") == null;
        const end = std.mem.indexOf(u8, line, if (is_write) " write" else " read") orelse line.len;
        var statement = Statement{ .kind = line[0..end], .is_write = is_write };
        var words = std.mem.splitScalar(u8, line[end..], ' ');
        while (words.next()) |word| {
            if (std.mem.eql(u8, word, "locking")) statement.is_locking = true;
            if (std.mem.eql(u8, word, "without-where")) statement.is_without_where = true;
        }
        return statement;
    }
};

/// `var all = sluice.tables(); while (all.next()) |table| ...`
pub const Tables = struct {
    lines: Lines,

    pub fn next(self: *Tables) ?Table {
        var words = std.mem.splitScalar(u8, self.lines.next() orelse return null, ' ');
        return .{ .is_write = std.mem.eql(u8, words.first(), "write"), .name = words.rest() };
    }
};

const Lines = std.mem.TokenIterator(u8, .scalar);

fn linesOf(name: Field) Lines {
    return std.mem.tokenizeScalar(u8, field(name) orelse "", '\n');
}

/// The statements of the text.
pub fn statements() Statements {
    return .{ .lines = linesOf(.statements) };
}

/// The tables of the text.
pub fn tables() Tables {
    return .{ .lines = linesOf(.tables) };
}

/// Signs of an injection, a line each: `while (all.next()) |name| ...`
pub fn injectionSignals() Lines {
    return linesOf(.injection_signals);
}

/// Functions that the text calls by name, in lower case, a line each.
pub fn functions() Lines {
    return linesOf(.functions);
}

/// The imports. List and string: pointer, size in bytes.
const host = struct {
    extern "sluice" fn read(field: i32, offset: i32, into: [*]u8, capacity: i32) i32;
    extern "sluice" fn parameter(name: [*]const u8, size: usize, into: [*]u8, capacity: i32) i32;
    extern "sluice" fn config(path: [*]const u8, size: usize, into: [*]u8, capacity: i32) i32;
    extern "sluice" fn write(bytes: [*]const u8, size: usize) i32;
    extern "sluice" fn result_column(name: [*]const u8, size: usize, kind: i32) i32;
    extern "sluice" fn result_value(bytes: ?[*]const u8, size: i32) i32;
    extern "sluice" fn result_tag(tag: [*]const u8, size: usize) i32;
    extern "sluice" fn @"error"(
        s: [*]const u8,
        s_size: usize,
        m: [*]const u8,
        m_size: usize,
        h: [*]const u8,
        h_size: usize,
    ) i32;
    extern "sluice" fn signal(
        name: [*]const u8,
        size: usize,
        metadata: [*]const u8,
        metadata_size: usize,
    ) i32;
    extern "sluice" fn log(level: i32, message: [*]const u8, size: usize) i32;
    extern "sluice" fn metric(kind: i32, name: [*]const u8, size: usize) i32;
    extern "sluice" fn metric_record(metric: i32, value: f64) i32;
    extern "sluice" fn kv_get(key: [*]const u8, size: usize, into: [*]u8, capacity: i32) i32;
    extern "sluice" fn kv_set(
        key: [*]const u8,
        size: usize,
        value: [*]const u8,
        value_size: usize,
        ttl: u32,
    ) i32;
    extern "sluice" fn kv_delete(key: [*]const u8, size: usize) i32;
    extern "sluice" fn kv_increment(key: [*]const u8, size: usize, by: i64, ttl: u32) i64;
    extern "sluice" fn kv_write(key: [*]const u8, size: usize) i32;
    extern "sluice" fn kv_capture(key: [*]const u8, size: usize, ttl: u32, size_max: u32) i32;
    extern "sluice" fn session_get(into: [*]u8, capacity: i32) i32;
    extern "sluice" fn session_set(value: [*]const u8, size: usize) i32;
    extern "sluice" fn clock(which: i32) i64;
    extern "sluice" fn random(into: [*]u8, capacity: i32) i32;
    extern "sluice" fn http_send(
        m: [*]const u8,
        m_size: usize,
        u: [*]const u8,
        u_size: usize,
        h: [*]const u8,
        h_size: usize,
        b: [*]const u8,
        b_size: usize,
    ) i32;
};
