//! Which shapes of texts are usual, in the store that all workers share.

use std::collections::VecDeque;

use sluice_plugin::{info, kv_delete, kv_get, kv_increment, kv_set, Counter};

static LEARNED: Counter = Counter::new("firewall_learned_total");

/// Lines that wait for a tick.
const WAITING_MAX: usize = 1_000;

/// Lines that are written in one: the gateway limits how much a plugin may log.
const LINES_PER_TICK: usize = 20;

/// What one worker knows of learning.
#[derive(Default)]
pub struct Learning {
    ends_ms: Option<u64>,
    lines: VecDeque<String>,
}

pub fn make_metrics() {
    LEARNED.make();
}

/// Whether some worker has learned this.
pub fn is_learned(shape: &str) -> bool {
    kv_get(key_of(shape)).is_some()
}

fn key_of(shape: &str) -> String {
    format!("shape:{shape}")
}

impl Learning {
    /// Whether the time to learn is over, which began when the first worker asked.
    pub fn is_over(&mut self, now_ms: u64, learn_ms: u64) -> bool {
        if learn_ms == 0 {
            return false;
        }
        let ends_ms = *self.ends_ms.get_or_insert_with(|| started_ms(now_ms) + learn_ms);
        now_ms >= ends_ms
    }

    /// Takes note of a shape, and of the text that it was seen in first.
    pub fn learn(&mut self, shape: &str, text: &str, max: i64) {
        if !matches!(kv_increment(key_of(shape), 1, 0), Ok(1)) {
            return;
        }
        if kv_increment("count", 1, 0).map_or(true, |count| count > max) {
            // Not an error to go on with: there was none of the key before.
            let _ = kv_delete(key_of(shape));
            let _ = kv_increment("count", -1, 0);
            return;
        }
        LEARNED.add(1.0);
        if self.lines.len() < WAITING_MAX {
            self.lines.push_back(format!("learned {shape} {text}"));
        }
    }

    /// Writes some of what was learned to the log.
    pub fn write_lines(&mut self) {
        for _ in 0..LINES_PER_TICK.min(self.lines.len()) {
            if let Some(line) = self.lines.pop_front() {
                info(&line);
            }
        }
    }
}

fn started_ms(now_ms: u64) -> u64 {
    let known = kv_get("started").and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    known.unwrap_or_else(|| {
        let _ = kv_set("started", now_ms.to_string(), 0);
        now_ms
    })
}
