//! What the configuration says.

use std::collections::HashMap;

use sluice_plugin::config;

/// Where a tenant's name may come from: a parameter of the StartupMessage, and what of it.
pub struct Source {
    pub parameter: String,
    /// What stands before and behind the name.
    prefix: String,
    suffix: String,
}

impl Source {
    /// The name in a parameter's value.
    pub fn tenant_of<'a>(&self, value: &'a str) -> Option<&'a str> {
        let tenant = value.strip_prefix(&self.prefix[..])?.strip_suffix(&self.suffix[..])?;
        is_tenant(tenant).then(|| tenant)
    }
}

/// What a tenant may be called: nothing that has a meaning in SQL or in `options`.
fn is_tenant(name: &str) -> bool {
    let is_plain = |one: u8| one.is_ascii_alphanumeric() || b"_.-".contains(&one);
    (1..=63).contains(&name.len()) && name.bytes().all(is_plain)
}

pub struct Settings {
    /// The parameter that policies look at, in lower case.
    pub setting: String,
    /// Whether a session without a tenant is refused.
    pub is_required: bool,
    pub users: HashMap<String, String>,
    pub sources: Vec<Source>,
    /// Tables that a session without a tenant must not name.
    pub tables: Vec<String>,
    /// Whether programs in strings (DO, CREATE FUNCTION) may run.
    pub has_programs: bool,
    /// Functions that could change the setting.
    pub functions: Vec<String>,
    pub text_size_max: u32,
}

impl Settings {
    /// Reads the configuration. The error says what is wrong with it.
    pub fn read() -> Result<Settings, String> {
        let setting = config("setting").unwrap_or_else(|| "app.tenant".into()).to_lowercase();
        if !setting.contains('.') {
            return Err(format!("setting: \"{setting}\" has no dot, which PostgreSQL asks for"));
        }
        let users = read_users()?;
        let sources = read_sources()?;
        if users.is_empty() && sources.is_empty() {
            return Err("there are neither users nor sources: nobody would have a tenant".into());
        }
        let size = config("textSizeMax").unwrap_or_else(|| "32768".into());
        Ok(Settings {
            setting,
            is_required: config("required").as_deref() != Some("false"),
            users,
            sources,
            tables: list("tables"),
            has_programs: config("programs").as_deref() == Some("allow"),
            functions: list("functions"),
            text_size_max: size.parse().map_err(|_| format!("textSizeMax: \"{size}\""))?,
        })
    }
}

fn read_users() -> Result<HashMap<String, String>, String> {
    let mut users = HashMap::new();
    while let Some(user) = config(&format!("users.{}.user", users.len())) {
        let tenant = config(&format!("users.{}.tenant", users.len())).unwrap_or_default();
        if !is_tenant(&tenant) {
            return Err(format!("users: \"{tenant}\" is no name of a tenant"));
        }
        if users.insert(user.clone(), tenant).is_some() {
            return Err(format!("users: \"{user}\" is there twice"));
        }
    }
    Ok(users)
}

fn read_sources() -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    while let Some(parameter) = config(&format!("sources.{}.parameter", sources.len())) {
        let path = format!("sources.{}.pattern", sources.len());
        let pattern = config(&path).unwrap_or_else(|| "*".into());
        match pattern.split_once('*') {
            Some((prefix, suffix)) if !suffix.contains('*') => {
                sources.push(Source { parameter, prefix: prefix.into(), suffix: suffix.into() })
            }
            _ => return Err(format!("{path}: expected one *, got \"{pattern}\"")),
        }
    }
    Ok(sources)
}

fn list(path: &str) -> Vec<String> {
    (0..).map_while(|number: usize| config(&format!("{path}.{number}"))).collect()
}
