//! Plugins for Sluice, the PostgreSQL gateway: WebAssembly modules that are called at its hooks.
//!
//! A plugin is a library of type `cdylib` with one plain function for each hook it wants:
//!
//! ```ignore
//! use sluice_plugin::{export, reject, Counter, Event, Verdict};
//!
//! static DROPS: Counter = Counter::new("drops_total");
//!
//! export!(on_query);
//!
//! fn on_query(event: &Event) -> Verdict {
//!     if !event.text().to_lowercase().starts_with("drop ") {
//!         return Verdict::FORWARD;
//!     }
//!     DROPS.add(1.0);
//!     reject("42501", "nothing is dropped here", "ask an administrator")
//! }
//! ```
//!
//! What there is not is `None`. What the host refuses while an event is read or a verdict is made
//! (no permission, a limit that would be passed) ends the call with a panic, which follows the
//! plugin's failure policy; what only asks for an effect gives a [`Result`].
//!
//! Hooks are called one at a time, and nothing else runs meanwhile.

#![cfg_attr(not(feature = "std"), no_std)]
#![warn(missing_docs)]

extern crate alloc;

mod ambiguity;
mod effects;
mod event;
mod exports;
mod imports;
mod metrics;
mod reading;
mod store;
mod verdict;

pub use effects::{clock, debug, error, http_send, info, log, random, signal, trace, warn};
pub use effects::{Clock, Level};
pub use event::{can, is, Event, Phase, Statement, TableUse};
#[doc(hidden)]
pub use exports::{begin, call};
pub use metrics::{Counter, Gauge, Histogram};
pub use reading::{config, parameter, Field, HostError};
pub use store::{kv_capture, kv_delete, kv_get, kv_increment, kv_set, session_get, session_set};
pub use verdict::{
    close, kv_write, reject, replace, respond, respond_messages, route, write, Table, Verdict,
};

/// Types of PostgreSQL's `pg_type` for the columns of a [`Table`].
pub mod oid {
    #![allow(missing_docs)]
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const VARCHAR: u32 = 1043;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
}
