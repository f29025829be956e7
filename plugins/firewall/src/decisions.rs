//! What was decided of texts that were seen lately.

use std::collections::HashMap;
use std::rc::Rc;

/// What becomes of a text.
pub struct Decision {
    /// Number of what denies it: a rule, or behind the rules one of the built-in reasons.
    pub denied_by: Option<usize>,
    /// Numbers of rules that want it logged.
    pub logged_by: Vec<usize>,
}

/// Entries, and bytes of their keys, in each of two generations.
const ENTRIES_MAX: usize = 2_048;
const SIZE_MAX: usize = 1_048_576;

/// Decisions by user, database and the whole text. Nothing less will do as a key: a fingerprint
/// is the same for texts that a rule tells apart. What was not asked for since the last but one
/// generation began is forgotten.
#[derive(Default)]
pub struct Decisions {
    young: HashMap<Vec<u8>, Rc<Decision>>,
    old: HashMap<Vec<u8>, Rc<Decision>>,
    size: usize,
}

impl Decisions {
    pub fn get(&mut self, key: &[u8]) -> Option<Rc<Decision>> {
        if let Some(known) = self.young.get(key) {
            return Some(known.clone());
        }
        let (key, known) = self.old.remove_entry(key)?;
        self.add(key, known.clone());
        Some(known)
    }

    pub fn add(&mut self, key: Vec<u8>, decision: Rc<Decision>) {
        if key.len() > SIZE_MAX / 16 {
            return;
        }
        if self.young.len() >= ENTRIES_MAX || self.size + key.len() > SIZE_MAX {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += key.len();
        self.young.insert(key, decision);
    }

    pub fn clear(&mut self) {
        *self = Decisions::default();
    }
}
