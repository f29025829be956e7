//! What can be read: fields of the event, parameters of the session, the plugin's configuration.

use alloc::string::String;
use alloc::vec::Vec;

use crate::imports;

/// What can be read of an event with [`Event::field`](crate::Event::field).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Field {
    /// The message, or messages, as they are on the wire; elsewhere what the hook says it is.
    Payload,
    /// Text of the query.
    Text,
    /// Name of the prepared statement, "" for the unnamed one.
    StatementName,
    /// Name of the portal, "" for the unnamed one.
    PortalName,
    /// Values of the portal's parameters: for each its format, an i32 (-1: NULL) and the bytes.
    Parameters,
    /// Formats of the result's columns: a byte each, 0 for text, 1 for binary.
    ResultFormats,
    /// RowDescription of the result that rows belong to, as a message.
    Columns,
    /// User, as the client named it.
    User,
    /// Database, as the client named it.
    Database,
    /// What the client called itself in `application_name`.
    ApplicationName,
    /// Client's address: `192.0.2.1:50112`, or `unix`.
    ClientAddress,
    /// Server's address, once there is one.
    ServerAddress,
    /// Name of the proxy in the configuration.
    Proxy,
    /// Name of the listener in the configuration.
    Listener,
    /// Parameters of the StartupMessage: name and value in turn, each ended by a zero byte.
    StartupParameters,
    /// Parameters that the server reported in ParameterStatus, in the same form.
    Settings,
    /// SQLSTATE of an error.
    Sqlstate,
    /// Text of an error, or why a session ended.
    Message,
    /// CommandComplete's tag, such as `INSERT 0 1`.
    CommandTag,
    /// The plugin's own name.
    PluginName,
    /// The plugin's configuration as JSON.
    Configuration,
    /// Text of the query with its constants replaced. Permission: parse.
    NormalisedText,
    /// The same for queries that differ in constants only. Permission: parse.
    Fingerprint,
    /// A line for each statement. Permission: parse.
    Statements,
    /// A line for each table. Permission: parse.
    Tables,
    /// A line for each sign of an injection. Permission: parse.
    InjectionSignals,
    /// Status of an HTTP response, or "" if there was none.
    HttpStatus,
    /// A line for each function that the text calls. Permission: parse.
    Functions,
}

/// What the host answers when it cannot do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// There is none.
    Absent,
    /// The plugin has no permission for it.
    Denied,
    /// A limit would be passed.
    OverLimit,
    /// What it was given cannot be.
    Invalid,
}

impl core::fmt::Display for HostError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            HostError::Absent => "there is none",
            HostError::Denied => "the plugin has no permission for it",
            HostError::OverLimit => "a limit would be passed",
            HostError::Invalid => "what was given cannot be",
        })
    }
}

#[cfg(feature = "std")]
impl std::error::Error for HostError {}

/// A size or number of the host, or its error.
pub(crate) fn answer(code: i32) -> Result<u32, HostError> {
    match code {
        -1 => Err(HostError::Absent),
        -2 => Err(HostError::Denied),
        -3 => Err(HostError::OverLimit),
        size if size >= 0 => Ok(size as u32),
        _ => Err(HostError::Invalid),
    }
}

/// Ends the call unless the host did `what`.
pub(crate) fn demand(what: &str, code: i32) {
    if let Err(reason) = answer(code) {
        panic!("{what}: {reason}");
    }
}

/// What fits into this is read with one call.
const FIRST_CAPACITY: usize = 512;

/// All that `copy(pointer, capacity)` has, which answers with the whole size.
pub(crate) fn whole(what: &str, copy: impl Fn(*mut u8, usize) -> i32) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::with_capacity(FIRST_CAPACITY);
    loop {
        let capacity = bytes.capacity();
        match answer(copy(bytes.as_mut_ptr(), capacity)) {
            Ok(size) if size as usize <= capacity => {
                // The host has filled that many.
                unsafe { bytes.set_len(size as usize) };
                return Some(bytes);
            }
            Ok(size) => bytes.reserve_exact(size as usize),
            Err(HostError::Absent) => return None,
            Err(reason) => panic!("{what}: {reason}"),
        }
    }
}

/// As text: what is no UTF-8 becomes U+FFFD.
pub(crate) fn text_of(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(wrong) => String::from_utf8_lossy(wrong.as_bytes()).into_owned(),
    }
}

pub(crate) fn field(field: Field) -> Option<Vec<u8>> {
    whole("read", |into, capacity| unsafe { imports::read(field as i32, 0, into, capacity) })
}

/// One parameter of the session: what the server reported, or else what the StartupMessage said.
pub fn parameter(name: &str) -> Option<String> {
    let copy =
        |into, capacity| unsafe { imports::parameter(name.as_ptr(), name.len(), into, capacity) };
    whole("parameter", copy).map(text_of)
}

/// One value of the plugin's configuration by its path, such as `rules.0.table`: text as it is,
/// anything else as JSON.
pub fn config(path: &str) -> Option<String> {
    let copy =
        |into, capacity| unsafe { imports::config(path.as_ptr(), path.len(), into, capacity) };
    whole("config", copy).map(text_of)
}
