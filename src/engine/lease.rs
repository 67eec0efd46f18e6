//! The global limits, divided among shards and traded between them.
//!
//! Each shard owns a share of the in-flight limit and dispatches against it without asking anyone. A shard that could
//! start more takes free permits, or asks for them; the others then put back what they don't use, and what they have
//! over an equal share as soon as it falls free. The sum of all shares and the free permits is the limit, always.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

/// The shares of the global in-flight limit, and the count of shards that have work.
#[derive(Debug)]
pub(super) struct Lease {
    /// What every shard gets when all want more.
    fair: u32,
    state: Mutex<State>,
    /// Whether any shard wants more: read once a turn without the lock.
    wanted: AtomicBool,
    active: AtomicUsize,
}

#[derive(Debug)]
struct State {
    free: u32,
    shares: Vec<u32>,
    wants: Vec<bool>,
}

impl Lease {
    /// Divides `limit` permits among `shards`; every shard gets at least one, so `limit` is at least their number.
    pub(super) fn new(limit: u32, shards: usize) -> Self {
        let count = u32::try_from(shards).unwrap_or(1).max(1);
        let limit = limit.max(count);
        let shares: Vec<u32> = (0..count).map(|shard| limit / count + u32::from(shard < limit % count)).collect();
        let state = State { free: 0, wants: vec![false; shares.len()], shares };
        Self {
            fair: limit / count,
            state: Mutex::new(state),
            wanted: AtomicBool::new(false),
            active: AtomicUsize::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The share of `shard`.
    pub(super) fn share(&self, shard: usize) -> u32 {
        self.state().shares[shard]
    }

    /// Takes free permits for `shard`: its new share, or `None` when there are none. It is then known to want some;
    /// `true` beside it when the others have to be told.
    pub(super) fn take(&self, shard: usize) -> (Option<u32>, bool) {
        let mut state = self.state();
        if state.free == 0 {
            let news = !std::mem::replace(&mut state.wants[shard], true);
            self.wanted.store(true, Ordering::Release);
            return (None, news);
        }
        let batch = state.free.min(self.fair / 4 + 1);
        state.free -= batch;
        state.shares[shard] += batch;
        state.wants[shard] = false;
        let wanted = state.wants.iter().any(|wants| *wants);
        self.wanted.store(wanted, Ordering::Release);
        (Some(state.shares[shard]), false)
    }

    /// Whether any shard wants permits.
    pub(super) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// What `shard`, with so many in flight, should limit itself to while others want permits: its share as far as it
    /// uses it, but no more than an equal share. The unused rest goes back; `true` when there was some.
    pub(super) fn give(&self, shard: usize, in_flight: u32) -> (u32, bool) {
        let mut state = self.state();
        let others_want = state.wants.iter().enumerate().any(|(other, wants)| *wants && other != shard);
        let share = state.shares[shard];
        if !others_want {
            return (share, false);
        }
        let keep = in_flight.clamp(1, share);
        let given = share - keep;
        state.shares[shard] = keep;
        state.free += given;
        (keep.min(self.fair.max(1)), given > 0)
    }

    /// `shard` can't use more than `limit` permits for want of sockets; the rest is lost to the run.
    pub(super) fn lose(&self, shard: usize, limit: u32) {
        let mut state = self.state();
        state.shares[shard] = state.shares[shard].min(limit.max(1));
    }

    /// A shard has begun (`true`) or ceased to have work.
    pub(super) fn set_active(&self, active: bool) {
        if active {
            self.active.fetch_add(1, Ordering::AcqRel);
        } else {
            self.active.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Shards that have work: they divide the global start rate.
    pub(super) fn active(&self) -> usize {
        self.active.load(Ordering::Acquire).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(lease: &Lease) -> u32 {
        let state = lease.state();
        state.free + state.shares.iter().sum::<u32>()
    }

    #[test]
    fn the_limit_is_divided_without_remainder() {
        let lease = Lease::new(10, 4);
        assert_eq!((0..4).map(|shard| lease.share(shard)).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(total(&Lease::new(1, 4)), 4, "every shard has at least one");
    }

    #[test]
    fn unused_permits_move_to_the_shard_that_wants_them() {
        let lease = Lease::new(100, 2);
        assert_eq!(lease.take(0), (None, true), "none free: the others are told");
        assert_eq!(lease.take(0), (None, false), "once");
        assert!(lease.wanted());
        assert_eq!(lease.give(1, 10), (10, true));
        assert_eq!(lease.take(0).0, Some(63), "in batches");
        assert!(!lease.wanted());
        assert_eq!(total(&lease), 100);
    }

    #[test]
    fn a_shard_over_its_equal_share_shrinks_to_it_when_another_wants_more() {
        let lease = Lease::new(100, 2);
        lease.take(0);
        lease.give(1, 1);
        while lease.take(0).0.is_some() {}
        assert_eq!(lease.share(0), 99);
        lease.take(1);
        assert_eq!(lease.give(0, 99), (50, false), "nothing free yet: it starts no more until it is down to 50");
        assert_eq!(lease.give(0, 70), (50, true));
        assert_eq!(lease.take(1).0, Some(14));
        assert_eq!(total(&lease), 100);
    }

    #[test]
    fn a_shard_always_keeps_one() {
        let lease = Lease::new(8, 2);
        lease.take(0);
        assert_eq!(lease.give(1, 0), (1, true));
        assert_eq!(lease.share(1), 1);
    }
}
