//! Whether a server reads a query's text as the gateway's parser does.

use alloc::string::String;

use crate::event::{is, Event, Phase};
use crate::reading::parameter;

/// Encodings of clients in which a byte of a longer character may be a backslash, without what is
/// neither letter nor digit: `pg_encname_tbl` of PostgreSQL's src/common/encnames.c.
const WITH_BACKSLASH: [&str; 13] = [
    "BIG5",
    "GB18030",
    "GBK",
    "JOHAB",
    "MSKANJI",
    "SHIFTJIS",
    "SHIFTJIS2004",
    "SJIS",
    "UHC",
    "WIN932",
    "WIN936",
    "WIN949",
    "WIN950",
];

impl Event {
    /// Whether a server may see the end of a string elsewhere than the parser, which reads texts
    /// as with the usual settings. It can at a backslash only: before a quote, where
    /// `standard_conforming_strings` is off, or behind a byte that is not ASCII, where that is the
    /// first half of a character. Who lets only known statements pass must not let such a text
    /// pass.
    pub fn is_ambiguous(&self) -> bool {
        if !has_risky_backslash(&self.payload()) {
            return false;
        }
        // What was sent before may change the settings, and has not been answered. With Execute,
        // that is the statement's own preparation.
        if self.is(is::PIPELINED) && self.phase() != Phase::Execute {
            return true;
        }
        if parameter("standard_conforming_strings").as_deref() != Some("on") {
            return true;
        }
        match parameter("client_encoding") {
            Some(name) => is_unsafe(&name),
            None => true,
        }
    }
}

fn has_risky_backslash(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(at, &byte)| {
        byte == b'\\' && (text.get(at + 1) == Some(&b'\'') || (at > 0 && !text[at - 1].is_ascii()))
    })
}

fn is_unsafe(encoding: &str) -> bool {
    let name: String = encoding
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|one| one.to_ascii_uppercase())
        .collect();
    WITH_BACKSLASH.contains(&name.as_str())
}
