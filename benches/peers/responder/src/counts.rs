//! What was seen since the start, read by another thread than the one that counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Counts since the start, but for the two times: those are since they were last forgotten.
#[derive(Default)]
pub(crate) struct Counts {
    connections: AtomicU64,
    /// Of the connections, those that are over.
    closed: AtomicU64,
    requests: AtomicU64,
    full_handshakes: AtomicU64,
    resumed_handshakes: AtomicU64,
    /// Microseconds since the start, plus 1: when the first and the last request came that was answered at once. 0: none.
    first: AtomicU64,
    last: AtomicU64,
}

/// One writer, so a load and a store will do.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Relaxed) + more, Relaxed);
}

impl Counts {
    pub(crate) fn connected(&self) {
        add(&self.connections, 1);
    }

    pub(crate) fn disconnected(&self) {
        add(&self.closed, 1);
    }

    pub(crate) fn asked(&self, requests: u64) {
        add(&self.requests, requests);
    }

    pub(crate) fn shook_hands(&self, resumed: bool) {
        add(if resumed { &self.resumed_handshakes } else { &self.full_handshakes }, 1);
    }

    /// Requests were answered at once, so long after the start.
    pub(crate) fn answered_at(&self, micros: u64) {
        if self.first.load(Relaxed) == 0 {
            self.first.store(micros + 1, Relaxed);
        }
        self.last.store(micros + 1, Relaxed);
    }

    /// Forgets the two times; nobody asks at the moment.
    pub(crate) fn forget_times(&self) {
        self.first.store(0, Relaxed);
        self.last.store(0, Relaxed);
    }

    pub(crate) fn json(&self) -> String {
        let cpu = getrusage(UsageWho::RUSAGE_SELF)
            .map_or(0, |usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds());
        let (first, last) = (self.first.load(Relaxed), self.last.load(Relaxed));
        let connections = self.connections.load(Relaxed);
        let open = connections.saturating_sub(self.closed.load(Relaxed));
        format!(
            r#"{{"open":{open},"connections":{connections},"requests":{},"full_handshakes":{},"resumed_handshakes":{},"answered_for_us":{},"cpu_us":{cpu}}}"#,
            self.requests.load(Relaxed),
            self.full_handshakes.load(Relaxed),
            self.resumed_handshakes.load(Relaxed),
            last.saturating_sub(first),
        )
    }
}
