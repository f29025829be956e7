//! Which queries a session may send.

use sluice_plugin::{Event, Field, Phase};

use crate::settings::Settings;

/// Statements that hold another program in a string, or have a function called in other ways:
/// set_config can be the state function of an aggregate.
const PROGRAMS: [&str; 9] = [
    "DO",
    "CREATE AGGREGATE",
    "CREATE CAST",
    "CREATE EXTENSION",
    "CREATE FUNCTION",
    "CREATE LANGUAGE",
    "CREATE OPERATOR",
    "CREATE PROCEDURE",
    "CREATE TYPE",
];

/// Statements that name a setting to change it, for now or for later.
const SETTING: [&str; 8] = [
    "SET",
    "RESET",
    "ALTER ROLE",
    "ALTER DATABASE",
    "ALTER SYSTEM",
    "ALTER FUNCTION",
    "ALTER PROCEDURE",
    "ALTER ROUTINE",
];

/// Why the query is refused, if it is.
pub fn refusal(settings: &Settings, event: &Event, has_tenant: bool) -> Option<&'static str> {
    if settings.is_required && !has_tenant {
        return Some("the session has no tenant; connect again");
    }
    if event.payload_size > settings.text_size_max {
        return Some("the text is too long to be analysed");
    }
    let text = match event.field(Field::Text) {
        Some(text) => text,
        None if event.phase() == Phase::Execute => {
            return Some("it is not known what the statement does");
        }
        None => event.payload(),
    };
    let is_known = event.fingerprint().map_or(false, |one| !one.is_empty());
    if !is_known || text != event.payload() || event.is_ambiguous() {
        return Some("the text cannot be analysed");
    }
    of_statements(settings, event, &text).or_else(|| of_names(settings, event, has_tenant))
}

fn of_statements(settings: &Settings, event: &Event, text: &[u8]) -> Option<&'static str> {
    let statements = event.statements();
    let has = |kinds: &[&str]| statements.iter().any(|one| kinds.contains(&one.kind.as_str()));
    if !settings.has_programs && has(&PROGRAMS) {
        return Some("programs in strings could change the tenant");
    }
    if has(&SETTING) && may_name(&settings.setting, text) {
        return Some("the tenant's setting must not be changed");
    }
    None
}

/// Whether a text may name the setting: it has both parts of it, or writes names in a way that hides
/// them.
fn may_name(setting: &str, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_lowercase();
    text.contains("u&") || setting.split('.').all(|part| text.contains(part))
}

fn of_names(settings: &Settings, event: &Event, has_tenant: bool) -> Option<&'static str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    let functions = event.functions();
    if functions.iter().any(|one| settings.functions.contains(&last(one))) {
        return Some("it calls a function that could change the tenant");
    }
    let tables = event.tables();
    // A rule of the view calls set_config.
    if tables.iter().any(|one| one.is_write && last(&one.name) == "pg_settings") {
        return Some("the tenant's setting must not be changed");
    }
    let is_guarded =
        |name: &str| settings.tables.iter().any(|one| one == name || *one == last(name));
    if !has_tenant && tables.iter().any(|one| is_guarded(&one.name)) {
        return Some("sessions without a tenant cannot use this table");
    }
    None
}
