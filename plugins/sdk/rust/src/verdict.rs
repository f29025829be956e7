//! What a hook asks for. Making a verdict tells the host what it needs, so a hook makes one and
//! returns it.

use core::fmt::Display;

use alloc::string::ToString;

use crate::imports;
use crate::reading::{answer, demand, HostError};

/// What becomes of what the hook was told of.
#[must_use = "a hook returns its verdict"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict(i32);

impl Verdict {
    /// Go on as if the plugin were not there.
    pub const FORWARD: Verdict = Verdict(0);

    /// As the host knows it.
    #[doc(hidden)]
    pub fn number(self) -> i32 {
        self.0
    }
}

/// The bytes take the payload's place. Permission: replace.
pub fn replace(payload: impl AsRef<[u8]>) -> Verdict {
    write(payload);
    Verdict(1)
}

/// The client gets this result, and the server is not asked. Permission: respond.
pub fn respond(_result: Table) -> Verdict {
    Verdict(2)
}

/// The client gets these messages and what was written before, RowDescription to CommandComplete,
/// and the server is not asked. Permission: respond.
pub fn respond_messages(messages: impl AsRef<[u8]>) -> Verdict {
    write(messages);
    Verdict(2)
}

/// The client gets an error. `sqlstate` is five of 0-9 and A-Z; `hint` may be empty. Permission:
/// reject.
pub fn reject(sqlstate: &str, message: &str, hint: &str) -> Verdict {
    let code = unsafe {
        imports::error(
            sqlstate.as_ptr(),
            sqlstate.len(),
            message.as_ptr(),
            message.len(),
            hint.as_ptr(),
            hint.len(),
        )
    };
    demand("reject", code);
    Verdict(3)
}

/// The session is ended without a word. Permission: close.
pub fn close() -> Verdict {
    Verdict(4)
}

/// As forward, to another proxy of the same listener, or to a server of a role: `role=primary` or
/// `role=replica`. Permission: route.
pub fn route(proxy: &str) -> Verdict {
    write(proxy);
    Verdict(5)
}

/// Appends to what the verdict needs: for what is made in pieces, before `replace("")` or
/// `respond_messages("")`.
pub fn write(bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    demand("write", unsafe { imports::write(bytes.as_ptr(), bytes.len()) });
}

/// Appends a stored value, as [`write`] does, and returns its size; `None` if there is none.
/// Permission: kv.
pub fn kv_write(key: impl AsRef<[u8]>) -> Option<u32> {
    let key = key.as_ref();
    match answer(unsafe { imports::kv_write(key.as_ptr(), key.len()) }) {
        Ok(size) => Some(size),
        Err(HostError::Absent) => None,
        Err(reason) => panic!("kv_write: {reason}"),
    }
}

/// A result that is being made: columns, then values from left to right and row by row.
#[must_use = "give it to respond"]
pub struct Table(());

impl Table {
    /// Without columns yet.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Table {
        Table(())
    }

    /// Adds a column of a type of [`oid`](crate::oid).
    pub fn column(self, name: &str, type_oid: u32) -> Table {
        let code = unsafe { imports::result_column(name.as_ptr(), name.len(), type_oid) };
        demand("column", code);
        self
    }

    /// Adds a value, in PostgreSQL's text form.
    pub fn value(self, value: impl Display) -> Table {
        self.bytes(value.to_string())
    }

    /// Adds a value as it is.
    pub fn bytes(self, value: impl AsRef<[u8]>) -> Table {
        let bytes = value.as_ref();
        let code = unsafe { imports::result_value(bytes.as_ptr(), bytes.len() as i32) };
        demand("value", code);
        self
    }

    /// Adds NULL.
    pub fn null(self) -> Table {
        demand("null", unsafe { imports::result_value(core::ptr::null(), -1) });
        self
    }

    /// Sets the command's tag; without it, it is SELECT and the number of rows.
    pub fn tag(self, tag: &str) -> Table {
        demand("tag", unsafe { imports::result_tag(tag.as_ptr(), tag.len()) });
        self
    }
}
