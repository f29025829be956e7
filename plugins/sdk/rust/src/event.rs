//! What a hook is told.

use alloc::string::String;
use alloc::vec::Vec;

use crate::imports;
use crate::reading::{answer, field, text_of, Field, HostError};

/// Verdicts that an event may make possible: see [`Event::can`].
pub mod can {
    #![allow(missing_docs)]
    pub const REPLACE: u32 = 1;
    pub const RESPOND: u32 = 1 << 1;
    pub const REJECT: u32 = 1 << 2;
    pub const CLOSE: u32 = 1 << 3;
    pub const ROUTE: u32 = 1 << 4;
}

/// What may be true of an event: see [`Event::is`].
pub mod is {
    /// Earlier requests of the session have not been answered yet.
    pub const PIPELINED: u32 = 1 << 5;
    /// A reply to this Execute begins with the description of its rows.
    pub const DESCRIBED: u32 = 1 << 6;
    /// What passes was made by a plugin, not by the server or the client.
    pub const FROM_PLUGIN: u32 = 1 << 7;
    /// The client uses TLS.
    pub const TLS: u32 = 1 << 8;
    /// Another session had the server connection before and another may have it after.
    pub const POOLED: u32 = 1 << 9;
}

/// Where a query's text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not about a query.
    None,
    /// A Query message: its text is about to run.
    Simple,
    /// A Parse message: its text is about to be prepared.
    Parse,
    /// An Execute message: the portal of a statement that was prepared is about to run.
    Execute,
}

/// One statement of a query's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// PostgreSQL's command tag, such as `SELECT` or `CREATE TABLE AS`.
    pub kind: String,
    /// It may change something.
    pub is_write: bool,
    /// It locks rows or tables.
    pub is_locking: bool,
    /// It updates or deletes every row.
    pub is_without_where: bool,
}

/// One table that a query's text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// As in the text, with its schema if that is there.
    pub name: String,
    /// It is written to.
    pub is_write: bool,
}

/// What every hook is called with: the 64 bytes that the host writes before each call.
#[repr(C, align(8))]
pub struct Event {
    /// Version of the contract: 1.
    pub abi: u16,
    /// Number of the hook, from 1.
    pub hook: u16,
    /// Sum of what is in [`can`] and [`is`].
    pub flags: u32,
    /// Number of the session, unlike that of any other of the process; 0 where there is none.
    pub session: u64,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// Bytes of the payload.
    pub payload_size: u32,
    /// Type of the payload's first message, such as `b'Q'`; 0 where the payload is no message.
    pub message_type: u8,
    /// `b'I'` idle, `b'T'` in a transaction, `b'E'` in a failed one; 0 unknown.
    pub transaction_status: u8,
    phase: u8,
    reserved: u8,
    /// Number of the request within its session, from 1; 0 if nobody asked.
    pub request: u64,
    /// How long it took, in microseconds, where something has ended; 0 elsewhere.
    pub duration_us: u64,
    /// Rows in the payload, or in the whole result where something has ended.
    pub rows: u32,
    /// Which worker calls, from 0; `u32::MAX` for the control plane.
    pub worker: u32,
    reserved2: u64,
}

impl Event {
    pub(crate) const EMPTY: Event = Event {
        abi: 0,
        hook: 0,
        flags: 0,
        session: 0,
        time_ms: 0,
        payload_size: 0,
        message_type: 0,
        transaction_status: 0,
        phase: 0,
        reserved: 0,
        request: 0,
        duration_us: 0,
        rows: 0,
        worker: 0,
        reserved2: 0,
    };

    /// Whether a verdict, one of [`can`], is possible now.
    pub fn can(&self, verdict: u32) -> bool {
        self.flags & verdict != 0
    }

    /// Whether one of [`is`] is true.
    pub fn is(&self, fact: u32) -> bool {
        self.flags & fact != 0
    }

    /// Where the query's text comes from.
    pub fn phase(&self) -> Phase {
        match self.phase {
            1 => Phase::Simple,
            2 => Phase::Parse,
            3 => Phase::Execute,
            _ => Phase::None,
        }
    }

    /// The payload; empty if there is none.
    pub fn payload(&self) -> Vec<u8> {
        field(Field::Payload).unwrap_or_default()
    }

    /// A part of the payload from `offset` on, no longer than the buffer; returns how many bytes
    /// there were.
    pub fn payload_part(&self, offset: usize, into: &mut [u8]) -> usize {
        let payload = Field::Payload as i32;
        let code = unsafe { imports::read(payload, offset, into.as_mut_ptr(), into.len()) };
        match answer(code) {
            Ok(size) => (size as usize).saturating_sub(offset).min(into.len()),
            Err(HostError::Absent) => 0,
            Err(reason) => panic!("read: {reason}"),
        }
    }

    /// Text of the query; empty if the event is not about one.
    pub fn text(&self) -> String {
        self.field_text(Field::Text).unwrap_or_default()
    }

    /// One field, or `None` if the event has not got it.
    pub fn field(&self, name: Field) -> Option<Vec<u8>> {
        field(name)
    }

    /// One field as text.
    pub fn field_text(&self, name: Field) -> Option<String> {
        field(name).map(text_of)
    }

    /// Text of the query with its constants replaced by $1, $2 and so on. Permission: parse.
    pub fn normalised_text(&self) -> Option<String> {
        self.field_text(Field::NormalisedText)
    }

    /// 16 hexadecimal digits, the same for queries that differ in constants only. Permission:
    /// parse.
    pub fn fingerprint(&self) -> Option<String> {
        self.field_text(Field::Fingerprint)
    }

    /// The text's statements. Permission: parse.
    pub fn statements(&self) -> Vec<Statement> {
        let statement = |line: String| {
            // A kind has several words, such as CREATE TABLE AS.
            let is_access = |word: &&str| matches!(*word, "read" | "write");
            let kind: Vec<&str> = line.split(' ').take_while(|word| !is_access(word)).collect();
            let has = |word| line.split(' ').skip(kind.len()).any(|one| one == word);
            Statement {
                is_write: has("write"),
                is_locking: has("locking"),
                is_without_where: has("without-where"),
                kind: kind.join(" "),
            }
        };
        self.lines(Field::Statements).into_iter().map(statement).collect()
    }

    /// The tables that the text names. Permission: parse.
    pub fn tables(&self) -> Vec<TableUse> {
        let table = |line: String| {
            let (word, name) = line.split_once(' ').unwrap_or_default();
            TableUse { is_write: word == "write", name: name.into() }
        };
        self.lines(Field::Tables).into_iter().map(table).collect()
    }

    /// Signs of an injection. Permission: parse.
    pub fn injection_signals(&self) -> Vec<String> {
        self.lines(Field::InjectionSignals)
    }

    /// Functions that the text calls by name, in lower case. Permission: parse.
    pub fn functions(&self) -> Vec<String> {
        self.lines(Field::Functions)
    }

    fn lines(&self, name: Field) -> Vec<String> {
        self.field_text(name).unwrap_or_default().lines().map(String::from).collect()
    }
}
