//! The host's functions as they are imported: see `wit/README.md`.

#[link(wasm_import_module = "sluice")]
extern "C" {
    pub fn read(field: i32, offset: usize, into: *mut u8, capacity: usize) -> i32;
    pub fn parameter(name: *const u8, length: usize, into: *mut u8, capacity: usize) -> i32;
    pub fn config(path: *const u8, length: usize, into: *mut u8, capacity: usize) -> i32;
    pub fn write(bytes: *const u8, length: usize) -> i32;
    pub fn result_column(name: *const u8, length: usize, type_oid: u32) -> i32;
    pub fn result_value(bytes: *const u8, length: i32) -> i32;
    pub fn result_tag(tag: *const u8, length: usize) -> i32;
    pub fn error(
        sqlstate: *const u8,
        sqlstate_length: usize,
        message: *const u8,
        message_length: usize,
        hint: *const u8,
        hint_length: usize,
    ) -> i32;
    pub fn signal(name: *const u8, length: usize, metadata: *const u8, size: usize) -> i32;
    pub fn log(level: i32, message: *const u8, length: usize) -> i32;
    pub fn metric(kind: i32, name: *const u8, length: usize) -> i32;
    pub fn metric_record(metric: i32, value: f64) -> i32;
    pub fn kv_get(key: *const u8, length: usize, into: *mut u8, capacity: usize) -> i32;
    pub fn kv_set(key: *const u8, length: usize, value: *const u8, size: usize, ttl: u32) -> i32;
    pub fn kv_delete(key: *const u8, length: usize) -> i32;
    pub fn kv_increment(key: *const u8, length: usize, by: i64, ttl: u32) -> i64;
    pub fn kv_write(key: *const u8, length: usize) -> i32;
    pub fn kv_capture(key: *const u8, length: usize, ttl: u32, size_max: u32) -> i32;
    pub fn session_get(into: *mut u8, capacity: usize) -> i32;
    pub fn session_set(value: *const u8, length: usize) -> i32;
    pub fn clock(clock: i32) -> i64;
    pub fn random(into: *mut u8, capacity: usize) -> i32;
    pub fn http_send(
        method: *const u8,
        method_length: usize,
        url: *const u8,
        url_length: usize,
        headers: *const u8,
        headers_length: usize,
        body: *const u8,
        body_length: usize,
    ) -> i32;
}
