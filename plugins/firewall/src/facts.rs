//! What is known of a query's text.

use sluice_plugin::{Event, Statement};

use crate::names::Name;

/// A table that the text names.
pub struct Table {
    pub name: Name,
    pub is_write: bool,
}

/// A text that was analysed, and who sent it.
pub struct Facts {
    pub statements: Vec<Statement>,
    pub tables: Vec<Table>,
    pub functions: Vec<Name>,
    pub signals: Vec<String>,
    /// 16 hexadecimal digits.
    pub fingerprint: String,
    /// The fingerprint and what it leaves out: see [`shape_of`].
    pub shape: String,
    pub user: String,
    pub database: String,
}

impl Facts {
    /// What is known of the event's text; `None` if it does not parse.
    pub fn read(event: &Event, user: String, database: String) -> Option<Facts> {
        let fingerprint = event.fingerprint()?;
        if fingerprint.is_empty() {
            return None;
        }
        let statements = event.statements();
        let tables = event.tables();
        let functions = event.functions();
        let shape = shape_of(event, &fingerprint, &statements);
        Some(Facts {
            shape,
            fingerprint,
            statements,
            tables: tables
                .iter()
                .map(|one| Table { name: Name::parse(&one.name), is_write: one.is_write })
                .collect(),
            functions: functions.iter().map(|one| Name::parse(one)).collect(),
            signals: event.injection_signals(),
            user,
            database,
        })
    }
}

/// Statements that hold another program in a string.
const OPAQUE: [&str; 3] = ["DO", "CREATE FUNCTION", "CREATE PROCEDURE"];

/// What a text is, but for its constants: the fingerprint, and a number made of what the fingerprint
/// does not tell apart. To it, `t` and `t10` are the same table, and all bodies of DO are the same;
/// it sees no differences below a depth of about 100.
fn shape_of(event: &Event, fingerprint: &str, statements: &[Statement]) -> String {
    let mut hash = Fnv::new();
    for statement in statements {
        hash.add(statement.kind.as_bytes());
    }
    for table in event.tables() {
        hash.add(if table.is_write { b"write" } else { b"read" });
        hash.add(table.name.as_bytes());
    }
    for function in event.functions() {
        hash.add(function.as_bytes());
    }
    if statements.iter().any(|one| OPAQUE.contains(&one.kind.as_str())) {
        hash.add(&event.payload());
    }
    format!("{fingerprint}-{:016x}", hash.0)
}

/// FNV-1a, of parts: http://www.isthe.com/chongo/tech/comp/fnv/.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, part: &[u8]) {
        for &byte in part.iter().chain([0xff].iter()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
