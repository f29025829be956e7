//! What a plugin may ask of the host beside a verdict.

use alloc::vec;
use alloc::vec::Vec;

use crate::imports;
use crate::reading::{answer, demand, HostError};

/// What a message of the log is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    /// Every step.
    Trace,
    /// For who looks for a fault.
    Debug,
    /// For who runs the gateway.
    Info,
    /// Should be looked at.
    Warn,
    /// Does not work.
    Error,
}

/// Writes a record to the gateway's log. Permission: log; without it, nothing is written.
pub fn log(level: Level, message: &str) {
    unsafe { imports::log(level as i32, message.as_ptr(), message.len()) };
}

/// [`log`] with [`Level::Trace`].
pub fn trace(message: &str) {
    log(Level::Trace, message);
}

/// [`log`] with [`Level::Debug`].
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// [`log`] with [`Level::Info`].
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// [`log`] with [`Level::Warn`].
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// [`log`] with [`Level::Error`].
pub fn error(message: &str) {
    log(Level::Error, message);
}

/// Tells the operator's policies something; `metadata` is a JSON object. Permission: signal.
pub fn signal(name: &str, metadata: &str) -> Result<(), HostError> {
    let code =
        unsafe { imports::signal(name.as_ptr(), name.len(), metadata.as_ptr(), metadata.len()) };
    answer(code).map(drop)
}

/// Sends an HTTP request and returns its number at once: `on_hook` is called with the response,
/// whose `request` is that number. `headers` is a line each, such as `content-type:
/// application/json`. Permission: http.
pub fn http_send(
    method: &str,
    url: &str,
    headers: &str,
    body: impl AsRef<[u8]>,
) -> Result<u32, HostError> {
    let body = body.as_ref();
    answer(unsafe {
        imports::http_send(
            method.as_ptr(),
            method.len(),
            url.as_ptr(),
            url.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
        )
    })
}

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Clock {
    /// Since 1970.
    Wall,
    /// Since a moment of the process; never goes back.
    Monotonic,
}

/// Nanoseconds.
pub fn clock(clock: Clock) -> i64 {
    unsafe { imports::clock(clock as i32) }
}

/// Random bytes.
pub fn random(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    demand("random", unsafe { imports::random(bytes.as_mut_ptr(), size) });
    bytes
}
