//! How far the sink is behind, in bytes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Bytes of records handed over and not yet written. While it is over the limit, shards start no requests and the
/// intake hands over no rejected lines.
#[derive(Debug)]
pub(super) struct Backlog {
    limit: usize,
    bytes: AtomicUsize,
    waiting: AtomicBool,
    intake: Mutex<()>,
    caught_up: Condvar,
}

/// How long the intake waits before it looks for itself. It is woken; this only bounds what a missed wake-up costs.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Backlog {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            bytes: AtomicUsize::new(0),
            waiting: AtomicBool::new(false),
            intake: Mutex::new(()),
            caught_up: Condvar::new(),
        }
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.limit
    }

    /// Whether shards wait for the sink.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A shard is going to wait; true when it need not after all.
    pub(super) fn wait(&self) -> bool {
        self.waiting.store(true, Ordering::SeqCst);
        self.bytes.load(Ordering::SeqCst) <= self.limit / 2
    }

    /// The sink has written `bytes`; true when waiting shards may go on.
    pub(super) fn sub(&self, bytes: usize) -> bool {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        let half = self.limit / 2;
        let caught_up = before - bytes <= half;
        // Only then: to notify costs a system call even when nobody waits.
        if caught_up && before > half {
            self.caught_up.notify_all();
        }
        caught_up && self.waiting.swap(false, Ordering::SeqCst)
    }

    /// Blocks the intake's thread while the sink is too far behind.
    pub(super) fn wait_in_intake(&self) {
        let mut turn = self.intake.lock().expect("no holder of this lock panics");
        while self.is_over() {
            turn = self.caught_up.wait_timeout(turn, LOOK_AGAIN).expect("no holder of this lock panics").0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_wait_over_the_limit_and_go_on_at_half_of_it() {
        let backlog = Backlog::new(100);
        backlog.add(101);
        assert!(backlog.is_over());
        assert!(!backlog.wait());
        assert!(!backlog.sub(40), "61 left");
        assert!(backlog.sub(11), "50 left: half");
        assert!(!backlog.sub(10), "told once");
        backlog.add(200);
        backlog.sub(200);
        backlog.wait_in_intake();
        assert!(backlog.wait(), "the sink caught up in between");
    }
}
