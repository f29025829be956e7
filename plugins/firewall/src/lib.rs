//! Lets queries pass, or not, by what PostgreSQL's own parser says of them.

mod decisions;
mod facts;
mod learning;
mod names;
mod report;
mod rules;
mod settings;

use std::cell::RefCell;
use std::rc::Rc;

use sluice_plugin::{export, reject, Event, Field, Phase, Verdict};

use decisions::{Decision, Decisions};
use facts::Facts;
use learning::Learning;
use report::Counters;
use rules::{Action, Outcome};
use settings::{Mode, Settings, BUILT_IN};

/// Places in [`BUILT_IN`].
const DEFAULT: usize = 0;
const FUNCTION_CALL: usize = 1;
const NOT_LEARNED: usize = 2;
const TOO_LARGE: usize = 3;
const UNKNOWN_STATEMENT: usize = 4;
const UNPARSABLE: usize = 5;

export!(manifest = "../firewall.yaml"; init = init; on_query, on_traffic_from_client, on_tick);

thread_local! {
    static FIREWALL: RefCell<Option<Firewall>> = RefCell::new(None);
}

fn init() -> Result<(), String> {
    let firewall = Firewall::new(Settings::read()?);
    FIREWALL.with(|cell| *cell.borrow_mut() = Some(firewall));
    Ok(())
}

fn with_firewall<Result>(act: impl FnOnce(&mut Firewall) -> Result) -> Result {
    FIREWALL.with(|cell| act(cell.borrow_mut().as_mut().expect("init was called first")))
}

fn on_query(event: &Event) -> Verdict {
    with_firewall(|firewall| firewall.on_query(event))
}

/// A FunctionCall names its function by number: there is no text to judge.
fn on_traffic_from_client(event: &Event) -> Verdict {
    with_firewall(|firewall| {
        if event.message_type != b'F' || firewall.settings.is_allowed[FUNCTION_CALL] {
            return Verdict::FORWARD;
        }
        firewall.deny(event, firewall.built_in(FUNCTION_CALL), None)
    })
}

fn on_tick(event: &Event) -> Verdict {
    with_firewall(|firewall| {
        firewall.look_at_clock(event);
        firewall.learning.write_lines();
    });
    Verdict::FORWARD
}

struct Firewall {
    settings: Settings,
    /// Names of rules, then [`BUILT_IN`].
    reasons: Vec<String>,
    counters: Counters,
    decisions: Decisions,
    learning: Learning,
}

impl Firewall {
    fn new(settings: Settings) -> Firewall {
        let names = settings.rules.iter().map(|rule| rule.name.as_str());
        let reasons: Vec<String> =
            names.chain(BUILT_IN.iter().copied()).map(String::from).collect();
        learning::make_metrics();
        Firewall {
            settings,
            counters: Counters::new(reasons.iter().map(String::as_str)),
            reasons,
            decisions: Decisions::default(),
            learning: Learning::default(),
        }
    }

    fn built_in(&self, number: usize) -> usize {
        self.settings.rules.len() + number
    }

    /// When the time to learn is over, only what was learned passes.
    fn look_at_clock(&mut self, event: &Event) {
        let Settings { mode, learn_ms, .. } = self.settings;
        if mode != Mode::Learn || !self.learning.is_over(event.time_ms, learn_ms) {
            return;
        }
        self.settings.mode = Mode::Enforce;
        self.settings.is_only_learned = true;
        self.decisions.clear();
    }

    fn on_query(&mut self, event: &Event) -> Verdict {
        self.look_at_clock(event);
        if event.payload_size as usize > self.settings.text_size_max {
            return self.deny(event, self.built_in(TOO_LARGE), None);
        }
        let text = event.payload();
        let is_execute = event.phase() == Phase::Execute;
        if is_execute && text.is_empty() && event.field(Field::Text).is_none() {
            return self.unless_allowed(event, UNKNOWN_STATEMENT);
        }
        if event.is_ambiguous() {
            return self.unless_allowed(event, UNPARSABLE);
        }
        let key = key_of(event, &text);
        let known = self.decisions.get(&key);
        let decision = known.unwrap_or_else(|| {
            let decision = Rc::new(self.decide(event, &text));
            self.decisions.add(key, decision.clone());
            decision
        });
        self.carry_out(event, &decision)
    }

    fn unless_allowed(&self, event: &Event, number: usize) -> Verdict {
        if self.settings.is_allowed[number] {
            self.allow(event)
        } else {
            self.deny(event, self.built_in(number), None)
        }
    }

    fn decide(&mut self, event: &Event, text: &[u8]) -> Decision {
        let facts = match read_facts(event, text) {
            Some(facts) => facts,
            None => return self.by_built_in(UNPARSABLE, Vec::new()),
        };
        if facts.statements.is_empty() {
            return Decision { denied_by: None, logged_by: Vec::new() };
        }
        let Outcome { logged, decided } = rules::decide(&self.settings.rules, &facts);
        if let Some(number) = decided {
            let is_denied = self.settings.rules[number].action == Action::Deny;
            if !is_denied && self.settings.mode == Mode::Learn {
                self.learn(event, &facts);
            }
            return Decision { denied_by: is_denied.then(|| number), logged_by: logged };
        }
        if self.settings.mode == Mode::Learn {
            self.learn(event, &facts);
            return Decision { denied_by: None, logged_by: logged };
        }
        if !self.settings.is_only_learned {
            return self.by_built_in(DEFAULT, logged);
        }
        let is_learned =
            self.settings.learned.contains(&facts.shape) || learning::is_learned(&facts.shape);
        let denied_by = (!is_learned).then(|| self.built_in(NOT_LEARNED));
        Decision { denied_by, logged_by: logged }
    }

    fn by_built_in(&self, number: usize, logged_by: Vec<usize>) -> Decision {
        let is_allowed = self.settings.is_allowed[number];
        Decision { denied_by: (!is_allowed).then(|| self.built_in(number)), logged_by }
    }

    fn learn(&mut self, event: &Event, facts: &Facts) {
        if !self.settings.learned.contains(&facts.shape) {
            let text = report::shown_text(event);
            self.learning.learn(&facts.shape, &text, self.settings.learn_max);
        }
    }

    fn carry_out(&self, event: &Event, decision: &Decision) -> Verdict {
        let Decision { denied_by, logged_by } = decision;
        if logged_by.is_empty() && denied_by.is_none() {
            return self.allow(event);
        }
        let facts = read_facts(event, &event.payload());
        for &number in logged_by {
            self.counters.logged(number);
            report::log(event, "seen by", &self.reasons[number], facts.as_ref());
            self.tell("log", number, facts.as_ref());
        }
        match *denied_by {
            Some(number) => self.deny(event, number, facts.as_ref()),
            None => self.allow(event),
        }
    }

    /// Policies are told of what a rule that asks for signs of an injection has found.
    fn tell(&self, what: &str, number: usize, facts: Option<&Facts>) {
        let asks = self.settings.rules.get(number).map_or(false, |rule| !rule.signals.is_empty());
        if let (true, Some(facts)) = (asks, facts) {
            report::tell(what, &self.reasons[number], facts);
        }
    }

    /// Texts are counted when they run, not when they are prepared.
    fn allow(&self, event: &Event) -> Verdict {
        if event.phase() != Phase::Parse {
            self.counters.allowed();
        }
        Verdict::FORWARD
    }

    fn deny(&self, event: &Event, number: usize, facts: Option<&Facts>) -> Verdict {
        let reason = &self.reasons[number];
        if self.settings.mode != Mode::Enforce {
            self.counters.would_deny(number);
            report::log(event, "would deny", reason, facts);
            self.tell("would-deny", number, facts);
            return Verdict::FORWARD;
        }
        self.counters.denied(number);
        report::log(event, "denied", reason, facts);
        self.tell("deny", number, facts);
        reject("42501", &format!("firewall rule \"{reason}\" does not allow this"), "")
    }
}

/// A plugin ahead may have put another text in the place of the one that the parser was given.
fn read_facts(event: &Event, text: &[u8]) -> Option<Facts> {
    if event.field(Field::Text)? != text {
        return None;
    }
    let field = |name| event.field_text(name).unwrap_or_default();
    Facts::read(event, field(Field::User), field(Field::Database))
}

fn key_of(event: &Event, text: &[u8]) -> Vec<u8> {
    let field = |name| event.field(name).unwrap_or_default();
    let parts = [&field(Field::User)[..], &field(Field::Database)[..], text];
    parts.join(&0)
}
