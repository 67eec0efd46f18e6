//! What a run has done so far: counters that one thread writes and any may read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number with one writer: adding is a load and a store, no locked instruction.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    pub(super) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one shard.
#[derive(Debug, Default)]
pub(super) struct ShardCounters {
    pub(super) succeeded: Counter,
    pub(super) failed: Counter,
    pub(super) cancelled: Counter,
    pub(super) queued: Counter,
    pub(super) in_flight: Counter,
    pub(super) hosts: Counter,
    pub(super) connections_opened: Counter,
    pub(super) reused: Counter,
    pub(super) retries: Counter,
    pub(super) redirects: Counter,
    pub(super) wire_bytes: Counter,
    pub(super) body_bytes: Counter,
    /// Final statuses by their first digit.
    pub(super) status: [Counter; 6],
}

/// The counters of the intake.
#[derive(Debug, Default)]
pub(super) struct IntakeCounters {
    pub(super) accepted: Counter,
    pub(super) rejected: Counter,
}
