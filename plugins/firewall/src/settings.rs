//! What the configuration says.

use std::collections::HashSet;

use sluice_plugin::config;

use crate::names::{NamePattern, Pattern};
use crate::rules::{Action, Rule};

/// What is done with what is decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Nothing is denied; what the rules let through is learned.
    Learn,
    /// Nothing is denied; what would be is logged.
    Log,
    Enforce,
}

/// What decides where no rule does: names that rules cannot have.
pub const BUILT_IN: [&str; 6] =
    ["default", "function-call", "not-learned", "too-large", "unknown-statement", "unparsable"];

pub struct Settings {
    pub mode: Mode,
    pub rules: Vec<Rule>,
    /// What becomes of each of [`BUILT_IN`].
    pub is_allowed: [bool; 6],
    /// Bytes of the longest text that is analysed.
    pub text_size_max: usize,
    pub is_only_learned: bool,
    /// Shapes that were learned before.
    pub learned: HashSet<String>,
    /// How long is learned before it is enforced; 0: until the mode is another.
    pub learn_ms: u64,
    /// Shapes that are learned at most.
    pub learn_max: i64,
}

impl Settings {
    /// Reads the configuration. The error says what is wrong with it.
    pub fn read() -> Result<Settings, String> {
        let mode = match text("mode", "enforce").as_str() {
            "learn" => Mode::Learn,
            "log" => Mode::Log,
            "enforce" => Mode::Enforce,
            other => return Err(wrong("mode", other, "learn, log or enforce")),
        };
        let rules = read_rules()?;
        let is_only_learned = is_true("onlyLearned");
        let paths = ["default", "functionCalls", "", "", "unknownStatements", "unparsable"];
        let mut is_allowed = [false; 6];
        for (number, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            let usual = if *path == "default" { "allow" } else { "deny" };
            is_allowed[number] = match text(path, usual).as_str() {
                "allow" => true,
                "deny" => false,
                other => return Err(wrong(path, other, "allow or deny")),
            };
        }
        Ok(Settings {
            mode,
            rules,
            is_allowed,
            text_size_max: number("textSizeMax", 32_768)? as usize,
            is_only_learned,
            learned: list("learned").into_iter().collect(),
            learn_ms: number("learnSeconds", 0)? * 1_000,
            learn_max: number("learnMax", 5_000)? as i64,
        })
    }
}

fn read_rules() -> Result<Vec<Rule>, String> {
    let mut rules: Vec<Rule> = Vec::new();
    while config(&format!("rules.{}", rules.len())).is_some() {
        let rule = read_rule(&format!("rules.{}", rules.len()))?;
        let is_known = rules.iter().any(|other| other.name == rule.name);
        if is_known || BUILT_IN.contains(&rule.name.as_str()) {
            return Err(format!("rules: the name \"{}\" is taken", rule.name));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn read_rule(path: &str) -> Result<Rule, String> {
    let at = |key: &str| format!("{path}.{key}");
    let action = match text(&at("action"), "").as_str() {
        "allow" => Action::Allow,
        "deny" => Action::Deny,
        "log" => Action::Log,
        other => return Err(wrong(&at("action"), other, "allow, deny or log")),
    };
    let name = config(&at("name")).ok_or_else(|| format!("{path}: it has no name"))?;
    // Only what stands in a header of its own keeps a label of a metric and a log line whole.
    if !name.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-' || one == b'_') {
        return Err(wrong(&at("name"), &name, "letters, digits, - and _"));
    }
    let fingerprints = list(&at("fingerprints"));
    let signals = patterns(&at("signals"));
    if action == Action::Allow && !signals.is_empty() {
        return Err(format!("{path}: a rule that allows cannot ask for signals"));
    }
    if action == Action::Allow && fingerprints.iter().any(|one| one.len() == 16) {
        return Err(format!(
            "{path}: a rule that allows needs whole fingerprints, as they are learned: 16 digits \
             do not tell t1 from t22, nor one DO from another"
        ));
    }
    Ok(Rule {
        name,
        action,
        users: patterns(&at("users")),
        databases: patterns(&at("databases")),
        statements: patterns_upper(&at("statements")),
        is_write: access(&at("access"))?,
        is_without_where: is_true(&at("withoutWhere")),
        is_stacked: is_true(&at("stacked")),
        tables: names(&at("tables")),
        is_table_write: access(&at("tableAccess"))?,
        functions: names(&at("functions")),
        fingerprints,
        signals,
    })
}

fn wrong(path: &str, value: &str, expected: &str) -> String {
    format!("{path}: expected {expected}, got \"{value}\"")
}

fn text(path: &str, usual: &str) -> String {
    config(path).unwrap_or_else(|| usual.into())
}

fn number(path: &str, usual: u64) -> Result<u64, String> {
    let written = text(path, &usual.to_string());
    written.parse().map_err(|_| wrong(path, &written, "a whole number, 0 or more"))
}

fn is_true(path: &str) -> bool {
    config(path).as_deref() == Some("true")
}

fn access(path: &str) -> Result<Option<bool>, String> {
    match config(path).as_deref() {
        None => Ok(None),
        Some("read") => Ok(Some(false)),
        Some("write") => Ok(Some(true)),
        Some(other) => Err(wrong(path, other, "read or write")),
    }
}

fn list(path: &str) -> Vec<String> {
    (0..).map_while(|number: usize| config(&format!("{path}.{number}"))).collect()
}

fn patterns(path: &str) -> Vec<Pattern> {
    list(path).into_iter().map(Pattern::new).collect()
}

fn patterns_upper(path: &str) -> Vec<Pattern> {
    list(path).into_iter().map(|one| Pattern::new(one.to_uppercase())).collect()
}

fn names(path: &str) -> Vec<NamePattern> {
    list(path).iter().map(|one| NamePattern::parse(one)).collect()
}
