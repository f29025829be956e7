//! What is said of decisions: to the log, to metrics, to policies.

use sluice_plugin::{info, signal, warn, Counter, Event, Phase};

use crate::facts::Facts;

/// Bytes of a text in the log.
const TEXT_SIZE_MAX: usize = 1_000;

static ALLOWED: Counter = Counter::new("firewall_allowed_total");

/// Counters of each reason to deny: those of rules, then those that are built in.
pub struct Counters {
    denied: Vec<Counter>,
    would_deny: Vec<Counter>,
    logged: Vec<Counter>,
}

impl Counters {
    pub fn new<'a>(reasons: impl Iterator<Item = &'a str> + Clone) -> Counters {
        ALLOWED.make();
        let all = |name: &str| reasons.clone().map(|reason| counter(name, reason)).collect();
        Counters {
            denied: all("firewall_denied_total"),
            would_deny: all("firewall_would_deny_total"),
            logged: all("firewall_logged_total"),
        }
    }

    pub fn allowed(&self) {
        ALLOWED.add(1.0);
    }

    pub fn denied(&self, reason: usize) {
        self.denied[reason].add(1.0);
    }

    pub fn would_deny(&self, reason: usize) {
        self.would_deny[reason].add(1.0);
    }

    pub fn logged(&self, reason: usize) {
        self.logged[reason].add(1.0);
    }
}

/// Made once for each instance, so that its name may as well stay forever.
fn counter(name: &str, reason: &str) -> Counter {
    Counter::new(Box::leak(format!("{name}{{rule=\"{reason}\"}}").into_boxed_str()))
}

/// Says in the log what was decided, without any constant of the text.
pub fn log(event: &Event, what: &str, reason: &str, facts: Option<&Facts>) {
    let phase = match event.phase() {
        Phase::Simple => "simple",
        Phase::Parse => "parse",
        Phase::Execute => "execute",
        Phase::None => "none",
    };
    let mut line = format!("{what} {reason}: phase={phase}");
    if let Some(facts) = facts {
        let Facts { shape, user, database, .. } = facts;
        line += &format!(" fingerprint={shape} user={user:?} database={database:?}");
        line += &format!(" text={}", shown_text(event));
    }
    if what == "denied" {
        warn(&line);
    } else {
        info(&line);
    }
}

/// Tells policies of a text that looks like an injection.
pub fn tell(what: &str, reason: &str, facts: &Facts) {
    let signals: Vec<String> = facts.signals.iter().map(|one| json(one)).collect();
    let metadata = format!(
        "{{\"action\":{},\"rule\":{},\"signals\":[{}],\"fingerprint\":{},\"user\":{},\
         \"database\":{}}}",
        json(what),
        json(reason),
        signals.join(","),
        json(&facts.fingerprint),
        json(&facts.user),
        json(&facts.database),
    );
    // What is over a limit of the host's is not told; the query is decided all the same.
    let _ = signal("sql-injection", &metadata);
}

fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for one in text.chars() {
        match one {
            '"' | '\\' => out.extend(['\\', one]),
            _ if u32::from(one) < 32 => out += &format!("\\u{:04x}", u32::from(one)),
            _ => out.push(one),
        }
    }
    out + "\""
}

/// The text without its constants, and without its comments, which may hold some.
pub fn shown_text(event: &Event) -> String {
    let mut text = without_comments(&event.normalised_text().unwrap_or_default());
    if text.len() > TEXT_SIZE_MAX {
        let end = (0..=TEXT_SIZE_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text += "...";
    }
    text
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(one) = rest.next() {
        let next = rest.peek().copied();
        match (one, next) {
            ('-', Some('-')) if !is_quoted => {
                while rest.peek().map_or(false, |&behind| behind != '\n') {
                    rest.next();
                }
            }
            ('/', Some('*')) if !is_quoted => skip_block(&mut rest),
            _ => {
                is_quoted ^= one == '"';
                out.push(if one.is_control() { ' ' } else { one });
            }
        }
    }
    out.trim().into()
}

/// The rest of a comment that began with `/`; comments nest.
fn skip_block(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut depth = 0;
    let mut before = '/';
    while let Some(one) = rest.next() {
        // What was a part of one sign is no part of the next.
        before = match (before, one) {
            ('/', '*') => {
                depth += 1;
                ' '
            }
            ('*', '/') => {
                depth -= 1;
                ' '
            }
            _ => one,
        };
        if depth == 0 {
            return;
        }
    }
}
