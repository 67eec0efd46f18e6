//! How far the sink is behind, in bytes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes of records handed over and not yet written. Shards stop starting requests while it is over the limit.
#[derive(Debug)]
pub(super) struct Backlog {
    limit: usize,
    bytes: AtomicUsize,
    waiting: AtomicBool,
}

impl Backlog {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), bytes: AtomicUsize::new(0), waiting: AtomicBool::new(false) }
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.limit
    }

    /// A shard is going to wait; true when it need not after all.
    pub(super) fn wait(&self) -> bool {
        self.waiting.store(true, Ordering::SeqCst);
        self.bytes.load(Ordering::SeqCst) <= self.limit / 2
    }

    /// The sink has written `bytes`; true when waiting shards may go on.
    pub(super) fn sub(&self, bytes: usize) -> bool {
        let left = self.bytes.fetch_sub(bytes, Ordering::SeqCst) - bytes;
        left <= self.limit / 2 && self.waiting.swap(false, Ordering::SeqCst)
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
        assert!(backlog.wait(), "the sink caught up in between");
    }
}
