//! Rules: what they are about, and which of them decides.

use sluice_plugin::Statement;

use crate::facts::{Facts, Table};
use crate::names::{NamePattern, Pattern};

/// What a rule does with a query that it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Allow,
    Deny,
    /// It is logged, and the next rules are asked.
    Log,
}

/// One rule: all that it names must be so. What is empty or `None` is not asked for.
pub struct Rule {
    pub name: String,
    pub action: Action,
    pub users: Vec<Pattern>,
    pub databases: Vec<Pattern>,
    pub statements: Vec<Pattern>,
    pub is_write: Option<bool>,
    pub is_without_where: bool,
    pub is_stacked: bool,
    pub tables: Vec<NamePattern>,
    pub is_table_write: Option<bool>,
    pub functions: Vec<NamePattern>,
    pub fingerprints: Vec<String>,
    pub signals: Vec<Pattern>,
}

impl Rule {
    /// Whether the rule is about the text. A rule that allows must be about each statement, table
    /// and function of it; for any other, one of them is enough.
    pub fn matches(&self, facts: &Facts) -> bool {
        has(&self.users, &facts.user)
            && has(&self.databases, &facts.database)
            && (!self.is_stacked || facts.statements.len() > 1)
            && self.matches_fingerprint(facts)
            && self.matches_statements(&facts.statements)
            && self.matches_tables(&facts.tables)
            && self.matches_functions(facts)
            && self.matches_signals(facts)
    }

    fn matches_fingerprint(&self, facts: &Facts) -> bool {
        self.fingerprints.is_empty()
            || self.fingerprints.iter().any(|one| *one == facts.fingerprint || *one == facts.shape)
    }

    fn matches_statements(&self, statements: &[Statement]) -> bool {
        let is_one = |one: &Statement| {
            has(&self.statements, &one.kind)
                && self.is_write.map_or(true, |is_write| one.is_write == is_write)
                && (!self.is_without_where || one.is_without_where)
        };
        match self.action {
            Action::Allow => statements.iter().all(is_one),
            _ => statements.iter().any(is_one),
        }
    }

    fn matches_tables(&self, tables: &[Table]) -> bool {
        if self.tables.is_empty() && self.is_table_write.is_none() {
            return true;
        }
        let has_access =
            |one: &Table| self.is_table_write.map_or(true, |is_write| one.is_write == is_write);
        let must = |one: &Table| {
            has_access(one)
                && (self.tables.is_empty() || self.tables.iter().any(|it| it.must_match(&one.name)))
        };
        let may = |one: &Table| {
            has_access(one)
                && (self.tables.is_empty() || self.tables.iter().any(|it| it.may_match(&one.name)))
        };
        match self.action {
            Action::Allow => !tables.is_empty() && tables.iter().all(must),
            _ => tables.iter().any(may),
        }
    }

    fn matches_functions(&self, facts: &Facts) -> bool {
        if self.functions.is_empty() {
            return true;
        }
        let mut all = facts.functions.iter();
        match self.action {
            Action::Allow => all.all(|one| self.functions.iter().any(|it| it.must_match(one))),
            _ => all.any(|one| self.functions.iter().any(|it| it.may_match(one))),
        }
    }

    fn matches_signals(&self, facts: &Facts) -> bool {
        self.signals.is_empty() || facts.signals.iter().any(|one| has(&self.signals, one))
    }
}

fn has(patterns: &[Pattern], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|one| one.matches(text))
}

/// What the rules have come to.
pub struct Outcome {
    /// Numbers of the rules that want it logged.
    pub logged: Vec<usize>,
    /// Number of the rule that allows or denies it.
    pub decided: Option<usize>,
}

/// Asks the rules, first to last.
pub fn decide(rules: &[Rule], facts: &Facts) -> Outcome {
    let mut logged = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        if !rule.matches(facts) {
            continue;
        }
        if rule.action != Action::Log {
            return Outcome { logged, decided: Some(number) };
        }
        logged.push(number);
    }
    Outcome { logged, decided: None }
}
