//! StartupMessages: whose session it is, and how the server is told.

use crate::settings::Settings;

/// Names and values, in order.
pub type Parameters = Vec<(String, String)>;

/// Takes the field `startup-parameters` apart.
pub fn decode(bytes: &[u8]) -> Parameters {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let mut parameters = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        parameters.push((name.into(), value.into()));
    }
    parameters
}

pub fn encode(parameters: &Parameters) -> Vec<u8> {
    let texts = parameters.iter().map(|(name, value)| format!("{name}\0{value}\0"));
    texts.collect::<String>().into_bytes()
}

/// The tenant of a session that begins like this.
pub fn tenant_of(settings: &Settings, parameters: &Parameters) -> Option<String> {
    let value = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let user = value("user")?;
    if let Some(tenant) = settings.users.get(user) {
        return Some(tenant.clone());
    }
    settings.sources.iter().find_map(|source| {
        // Without a database, it is that of the user's name.
        let is_database = source.parameter == "database";
        let found = value(&source.parameter).or_else(|| is_database.then(|| user))?;
        source.tenant_of(found).map(String::from)
    })
}

/// Whether a client names the setting in `options`. There, a backslash keeps the meaning from what
/// follows, and - in a name is _.
pub fn sets_in_options(setting: &str, parameters: &Parameters) -> bool {
    parameters.iter().filter(|(name, _)| name == "options").any(|(_, value)| {
        let plain: String = value.to_lowercase().replace('\\', "").replace('-', "_");
        plain.contains(setting)
    })
}

/// The parameters with the tenant, and with nothing that the client has said of it.
pub fn with_tenant(setting: &str, parameters: Parameters, tenant: Option<&str>) -> Parameters {
    let mut changed: Parameters =
        parameters.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case(setting)).collect();
    if let Some(tenant) = tenant {
        changed.push((setting.into(), tenant.into()));
    }
    changed
}
