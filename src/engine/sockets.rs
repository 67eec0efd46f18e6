//! The socket budget, divided among shards and traded between them: one host is one shard's, and a shard's part of the sockets
//! must not be the host's limit.
//!
//! Each shard's pool has a budget of its own and asks nobody per connection. A shard whose requests in flight have come up to
//! its sockets takes free ones, or asks for them; the others then give what they have no work for, but for one, and close idle
//! connections for it. Always:
//!
//! > sum of all pools' budgets + free ≤ sockets of the run (less where the system has refused some)

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

/// The sockets that no shard has, and who wants some.
#[derive(Debug)]
pub(super) struct Sockets {
    state: Mutex<SocketShares>,
    /// A copy of the state's count of free ones, read without the lock.
    free: AtomicUsize,
    /// How many are wanted that are not free: read once a turn without the lock.
    wanted: AtomicUsize,
    total: usize,
    shards: usize,
}

#[derive(Debug)]
struct SocketShares {
    free: usize,
    wants: Vec<usize>,
}

impl Sockets {
    /// Divides `total` among `shards`, of which each has at least one.
    pub(super) fn new(total: usize, shards: usize) -> Self {
        let shards = shards.max(1);
        let free = total.saturating_sub(total / shards * shards);
        let state = SocketShares { free, wants: vec![0; shards] };
        Self { state: Mutex::new(state), free: AtomicUsize::new(free), wanted: AtomicUsize::new(0), total, shards }
    }

    /// What a shard begins with.
    pub(super) fn share(&self) -> usize {
        (self.total / self.shards).max(1)
    }

    /// How many a shard asks for at once.
    pub(super) fn batch(&self) -> usize {
        self.share() / 4 + 1
    }

    fn state(&self) -> MutexGuard<'_, SocketShares> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn mirror(&self, state: &SocketShares) {
        self.free.store(state.free, Ordering::Release);
        self.wanted.store(state.wants.iter().sum::<usize>().saturating_sub(state.free), Ordering::Release);
    }

    /// Takes up to `most` free ones for `shard`; it is known to want them when there are none. `true` beside it when the others
    /// have to be told.
    pub(super) fn take(&self, shard: usize, most: usize) -> (usize, bool) {
        let mut state = self.state();
        let taken = state.free.min(most);
        state.free -= taken;
        let news = taken == 0 && state.wants[shard] == 0;
        state.wants[shard] = if taken == 0 { most } else { 0 };
        self.mirror(&state);
        (taken, news)
    }

    /// `shard` wants none any longer.
    pub(super) fn content(&self, shard: usize) {
        let mut state = self.state();
        state.wants[shard] = 0;
        self.mirror(&state);
    }

    /// How many the others of `shard` want beyond those that are free.
    pub(super) fn wanted_by_others(&self, shard: usize) -> usize {
        let state = self.state();
        let wanted: usize = state.wants.iter().sum();
        (wanted - state.wants[shard]).saturating_sub(state.free)
    }

    /// Puts back so many.
    pub(super) fn give(&self, sockets: usize) {
        let mut state = self.state();
        state.free += sockets;
        self.mirror(&state);
    }

    /// Whether there are free ones.
    pub(super) fn has_free(&self) -> bool {
        self.free.load(Ordering::Acquire) > 0
    }

    /// Whether any shard wants more than there are.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_division_is_free_and_every_shard_has_one() {
        let sockets = Sockets::new(11, 4);
        assert_eq!((sockets.share(), sockets.has_free()), (2, true));
        assert_eq!((sockets.take(0, 9), sockets.take(0, 9)), ((3, false), (0, true)));
        assert_eq!(Sockets::new(2, 4).share(), 1);
        assert!(!Sockets::new(312, 1).has_free());
    }

    #[test]
    fn who_wants_some_is_known_until_he_has_got_some_or_is_content() {
        let sockets = Sockets::new(100, 2);
        assert_eq!(sockets.take(0, 13), (0, true), "the other is told");
        assert_eq!(sockets.take(0, 13), (0, false), "once");
        assert!(sockets.is_wanted() && !sockets.has_free());
        assert_eq!((sockets.wanted_by_others(1), sockets.wanted_by_others(0)), (13, 0));
        sockets.give(5);
        assert_eq!((sockets.wanted_by_others(1), sockets.take(0, 13)), (8, (5, false)));
        assert!(!sockets.is_wanted());
        sockets.take(1, 4);
        sockets.content(1);
        assert!(!sockets.is_wanted());
        sockets.give(7);
        assert!(sockets.has_free());
    }

    #[test]
    fn none_is_made_or_lost_whatever_the_shards_do() {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..200 {
            let (total, shards) = (rng.usize(10..500), rng.usize(1..6));
            let sockets = Sockets::new(total, shards);
            let mut budgets = vec![sockets.share(); shards];
            for _ in 0..300 {
                let shard = rng.usize(..shards);
                match rng.u8(..3) {
                    0 => budgets[shard] += sockets.take(shard, rng.usize(1..40)).0,
                    1 => sockets.content(shard),
                    _ => {
                        let given = sockets.wanted_by_others(shard).min(budgets[shard] - 1);
                        budgets[shard] -= given;
                        sockets.give(given);
                    }
                }
                let free = sockets.state().free;
                assert_eq!(budgets.iter().sum::<usize>() + free, total.max(shards));
                assert_eq!(sockets.has_free(), free > 0);
            }
        }
    }
}
