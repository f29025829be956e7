//! What is kept: the plugin's key-value store, which all workers share, and a value for each
//! session.

use alloc::vec::Vec;

use crate::imports;
use crate::reading::{answer, whole, HostError};

/// A value of the store. Permission: kv.
pub fn kv_get(key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let key = key.as_ref();
    whole("kv_get", |into, capacity| unsafe {
        imports::kv_get(key.as_ptr(), key.len(), into, capacity)
    })
}

/// Stores a value for `ttl_ms` milliseconds; 0 is for as long as there is room. Permission: kv.
pub fn kv_set(
    key: impl AsRef<[u8]>,
    value: impl AsRef<[u8]>,
    ttl_ms: u32,
) -> Result<(), HostError> {
    let (key, value) = (key.as_ref(), value.as_ref());
    let code =
        unsafe { imports::kv_set(key.as_ptr(), key.len(), value.as_ptr(), value.len(), ttl_ms) };
    answer(code).map(drop)
}

/// Removes a value; false if there was none. Permission: kv.
pub fn kv_delete(key: impl AsRef<[u8]>) -> Result<bool, HostError> {
    let key = key.as_ref();
    match answer(unsafe { imports::kv_delete(key.as_ptr(), key.len()) }) {
        Ok(_) => Ok(true),
        Err(HostError::Absent) => Ok(false),
        Err(reason) => Err(reason),
    }
}

/// Adds to the number that is kept under the key, 0 if there is none, and returns the sum.
/// Permission: kv.
pub fn kv_increment(key: impl AsRef<[u8]>, by: i64, ttl_ms: u32) -> Result<i64, HostError> {
    let key = key.as_ref();
    match unsafe { imports::kv_increment(key.as_ptr(), key.len(), by, ttl_ms) } {
        i64::MIN => Err(HostError::Denied),
        sum => Ok(sum),
    }
}

/// Has the reply to this request stored under the key if it ends without an error and is no larger
/// than `size_max`. Permission: kv.
pub fn kv_capture(key: impl AsRef<[u8]>, ttl_ms: u32, size_max: u32) -> Result<(), HostError> {
    let key = key.as_ref();
    answer(unsafe { imports::kv_capture(key.as_ptr(), key.len(), ttl_ms, size_max) }).map(drop)
}

/// What the plugin keeps for this session. Permission: session.
pub fn session_get() -> Option<Vec<u8>> {
    whole("session_get", |into, capacity| unsafe { imports::session_get(into, capacity) })
}

/// Keeps up to 4,096 bytes for this session, also when the plugin is replaced. Permission: session.
pub fn session_set(value: impl AsRef<[u8]>) -> Result<(), HostError> {
    let value = value.as_ref();
    answer(unsafe { imports::session_set(value.as_ptr(), value.len()) }).map(drop)
}
