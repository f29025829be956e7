//! Tells row level security which tenant a session belongs to, and sees to it that nobody changes
//! that.

mod guard;
mod settings;
mod startup;

use std::cell::RefCell;
use std::rc::Rc;

use sluice_plugin::{export, reject, replace, session_get, session_set, warn};
use sluice_plugin::{Counter, Event, Field, Verdict};

use settings::Settings;

static SESSIONS: Counter = Counter::new("tenant_sessions_total");
static REFUSED_SESSIONS: Counter = Counter::new("tenant_refused_sessions_total");
static REFUSED_QUERIES: Counter = Counter::new("tenant_refused_queries_total");

export!(manifest = "../tenant.yaml"; init = init; on_startup, on_query, on_traffic_from_client);

thread_local! {
    static SETTINGS: RefCell<Option<Rc<Settings>>> = RefCell::new(None);
}

fn init() -> Result<(), String> {
    let settings = Settings::read()?;
    SETTINGS.with(|cell| *cell.borrow_mut() = Some(Rc::new(settings)));
    SESSIONS.make();
    REFUSED_SESSIONS.make();
    REFUSED_QUERIES.make();
    Ok(())
}

fn settings() -> Rc<Settings> {
    SETTINGS.with(|cell| cell.borrow().clone()).expect("init was called first")
}

fn on_startup(event: &Event) -> Verdict {
    let settings = settings();
    let parameters = startup::decode(&event.payload());
    if startup::sets_in_options(&settings.setting, &parameters) {
        return refuse_session("the tenant cannot be set in options");
    }
    let tenant = startup::tenant_of(&settings, &parameters);
    if tenant.is_none() && settings.is_required {
        return refuse_session("no tenant is configured for this login");
    }
    if let Some(name) = &tenant {
        if session_set(name).is_err() {
            return refuse_session("the tenant cannot be kept");
        }
    }
    SESSIONS.add(1.0);
    let changed = startup::with_tenant(&settings.setting, parameters, tenant.as_deref());
    replace(startup::encode(&changed))
}

fn refuse_session(why: &str) -> Verdict {
    REFUSED_SESSIONS.add(1.0);
    warn(&format!("refused a session: {why}"));
    reject("28000", why, "")
}

fn on_query(event: &Event) -> Verdict {
    match guard::refusal(&settings(), event, session_get().is_some()) {
        Some(why) => refuse_query(event, why),
        None => Verdict::FORWARD,
    }
}

/// A FunctionCall names its function by number: it could be set_config.
fn on_traffic_from_client(event: &Event) -> Verdict {
    if event.message_type != b'F' {
        return Verdict::FORWARD;
    }
    refuse_query(event, "a function that is called by number could change the tenant")
}

fn refuse_query(event: &Event, why: &str) -> Verdict {
    REFUSED_QUERIES.add(1.0);
    let user = event.field_text(Field::User).unwrap_or_default();
    warn(&format!("refused a query of user {user:?}: {why}"));
    reject("42501", why, "")
}
