//! Metrics, as statics: `static SEEN: Counter = Counter::new("seen_total");`. A name may have
//! labels: `queries_total{kind="select"}`. The host makes one when it is first used.

use core::sync::atomic::{AtomicI32, Ordering};

use crate::imports;

const UNKNOWN: i32 = -1;

struct Metric {
    kind: i32,
    name: &'static str,
    number: AtomicI32,
}

impl Metric {
    const fn new(kind: i32, name: &'static str) -> Metric {
        Metric { kind, name, number: AtomicI32::new(UNKNOWN) }
    }

    fn number(&self) -> i32 {
        let known = self.number.load(Ordering::Relaxed);
        if known >= 0 {
            return known;
        }
        let number = unsafe { imports::metric(self.kind, self.name.as_ptr(), self.name.len()) };
        assert!(number >= 0, "the host refuses the metric {}", self.name);
        self.number.store(number, Ordering::Relaxed);
        number
    }

    fn record(&self, value: f64) {
        unsafe { imports::metric_record(self.number(), value) };
    }
}

/// A sum that only grows.
pub struct Counter(Metric);

impl Counter {
    /// Named, and nothing else yet.
    pub const fn new(name: &'static str) -> Counter {
        Counter(Metric::new(0, name))
    }

    /// Makes it now, in `init`, so that it is shown as 0 before it is first used.
    pub fn make(&self) {
        self.0.number();
    }

    /// Adds a value, which is not negative.
    pub fn add(&self, value: f64) {
        self.0.record(value);
    }
}

/// A value that comes and goes.
pub struct Gauge(Metric);

impl Gauge {
    /// Named, and nothing else yet.
    pub const fn new(name: &'static str) -> Gauge {
        Gauge(Metric::new(1, name))
    }

    /// Makes it now, in `init`, so that it is shown before it is first used.
    pub fn make(&self) {
        self.0.number();
    }

    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.record(value);
    }
}

/// Values, counted by size.
pub struct Histogram(Metric);

impl Histogram {
    /// Named, and nothing else yet.
    pub const fn new(name: &'static str) -> Histogram {
        Histogram(Metric::new(2, name))
    }

    /// Makes it now, in `init`, so that it is shown before it is first used.
    pub fn make(&self) {
        self.0.number();
    }

    /// Counts one value.
    pub fn observe(&self, value: f64) {
        self.0.record(value);
    }
}
