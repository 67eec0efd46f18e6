//! The global limits, divided among shards and traded between them.
//!
//! Each shard owns a share of the in-flight limit and dispatches against it without asking anyone. A shard that could
//! start more takes free permits, or asks for them; the others then put back what they don't use, and what they have
//! over an equal share as soon as it falls free. The limit may change while requests are in flight: what it is lowered
//! by beyond the free permits is *owed*, and until shards have paid it, none starts anything. Always:
//!
//! > sum of all shares + free − owed = limit, and nothing is owed while any permit is free
//!
//! A start rate is not divided, because a shard that is idle now may start the next job: there is one pace, and each
//! start is drawn from it. Without a rate nothing is asked per start.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::config::Rate;
use crate::model::Time;
use crate::policy::Pace;

/// The shares of the global in-flight limit, and the start rate that all shards keep together.
#[derive(Debug)]
pub(super) struct PermitPool {
    state: Mutex<PermitCounts>,
    /// Whether any shard wants more: read once a turn without the lock.
    wanted: AtomicBool,
    /// A copy of the state's count of free permits.
    free: AtomicU32,
    /// Whether permits are owed.
    owed: AtomicBool,
    pace: Mutex<Pace>,
    /// Whether there is a start rate.
    paced: AtomicBool,
}

#[derive(Debug)]
struct PermitCounts {
    limit: u32,
    free: u32,
    /// Permits in use beyond the limit, which has been lowered.
    owed: u32,
    shares: Vec<u32>,
    wants: Vec<bool>,
}

impl PermitCounts {
    fn wanted(&self) -> bool {
        self.wants.iter().any(|wants| *wants)
    }

    /// What every shard gets when all want more. 0 when there are more shards than permits: then permits go round.
    fn fair(&self) -> u32 {
        self.limit / u32::try_from(self.shares.len()).unwrap_or(u32::MAX)
    }

    /// `shard` keeps no more than `keep`: says how many permits it has put back.
    fn put_back(&mut self, shard: usize, keep: u32) -> u32 {
        let given = self.shares[shard].saturating_sub(keep);
        self.shares[shard] -= given;
        self.gain(given);
        given
    }

    /// So many permits more: debts first.
    fn gain(&mut self, permits: u32) {
        let paid = self.owed.min(permits);
        self.owed -= paid;
        self.free += permits - paid;
    }
}

impl PermitPool {
    /// Divides `limit` permits among `shards`; every shard gets at least one, so `limit` is at least their number.
    pub(super) fn new(limit: u32, shards: usize, rate: Option<Rate>) -> Self {
        let count = u32::try_from(shards).unwrap_or(1).max(1);
        let limit = limit.max(count);
        let shares: Vec<u32> = (0..count).map(|shard| limit / count + u32::from(shard < limit % count)).collect();
        let state = PermitCounts { limit, free: 0, owed: 0, wants: vec![false; shares.len()], shares };
        Self {
            state: Mutex::new(state),
            wanted: AtomicBool::new(false),
            free: AtomicU32::new(0),
            owed: AtomicBool::new(false),
            pace: Mutex::new(Pace::new(Duration::ZERO, rate.map(Rate::interval))),
            paced: AtomicBool::new(rate.is_some()),
        }
    }

    fn state(&self) -> MutexGuard<'_, PermitCounts> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The share of `shard`.
    pub(super) fn share(&self, shard: usize) -> u32 {
        self.state().shares[shard]
    }

    /// Another limit from now on, at least 1. The shards have to be told: there may be free permits, or some owed.
    pub(super) fn set_limit(&self, limit: u32) {
        let mut state = self.state();
        let limit = limit.max(1);
        if let Some(more) = limit.checked_sub(state.limit) {
            state.gain(more);
        } else {
            let less = state.limit - limit;
            let unused = state.free.min(less);
            state.free -= unused;
            state.owed += less - unused;
        }
        state.limit = limit;
        self.mirror(&state);
    }

    /// Takes free permits for `shard`, up to a share of `most`, what it has sockets for: its new share, or `None` when
    /// there are none. It is then known to want some; `true` beside it when the others have to be told.
    pub(super) fn acquire(&self, shard: usize, most: u32) -> (Option<u32>, bool) {
        let mut state = self.state();
        let room = most.saturating_sub(state.shares[shard]);
        let batch = state.free.min(state.fair() / 4 + 1).min(room);
        state.free -= batch;
        self.mirror(&state);
        state.shares[shard] += batch;
        let wants = room > 0 && batch == 0;
        let news = wants && !state.wants[shard];
        self.set_wants(&mut state, shard, wants);
        ((batch > 0).then(|| state.shares[shard]), news)
    }

    /// Keeps copies of what is read without the lock.
    fn mirror(&self, state: &PermitCounts) {
        self.free.store(state.free, Ordering::Release);
        self.owed.store(state.owed > 0, Ordering::Release);
    }

    /// Whether there are free permits: read once a turn, so without the lock.
    pub(super) fn has_free(&self) -> bool {
        self.free.load(Ordering::Acquire) > 0
    }

    fn set_wants(&self, state: &mut PermitCounts, shard: usize, wants: bool) {
        state.wants[shard] = wants;
        self.wanted.store(state.wanted(), Ordering::Release);
    }

    /// `shard` could not use more permits than it has.
    pub(super) fn content(&self, shard: usize) {
        let mut state = self.state();
        self.set_wants(&mut state, shard, false);
    }

    /// Whether any shard wants permits.
    pub(super) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Whether permits are owed: then nothing may be started, and each shard has to [`Self::repay`].
    pub(super) fn is_owed(&self) -> bool {
        self.owed.load(Ordering::Acquire)
    }

    /// `shard`, with so many in flight, pays of the debt what it does not use; says whether all is paid.
    pub(super) fn repay(&self, shard: usize, in_flight: u32) -> bool {
        let mut state = self.state();
        let keep = in_flight.max(state.shares[shard].saturating_sub(state.owed));
        state.put_back(shard, keep);
        self.mirror(&state);
        state.owed == 0
    }

    /// What `shard`, with so many in flight, should limit itself to while others want permits: its share as far as it
    /// uses it, but no more than an equal share. The unused rest goes back; `true` when there was some. One is kept for what is
    /// queued, none by a shard that is `idle`: the limit may be just what another needs.
    pub(super) fn release(&self, shard: usize, in_flight: u32, idle: bool) -> (u32, bool) {
        let mut state = self.state();
        let others_want = state.wants.iter().enumerate().any(|(other, wants)| *wants && other != shard);
        if !others_want {
            return (state.shares[shard], false);
        }
        let fair = state.fair();
        let kept = if idle { 0 } else { fair.min(1) };
        let given = state.put_back(shard, in_flight.max(kept));
        self.mirror(&state);
        (state.shares[shard].min(fair), given > 0)
    }

    /// `shard` has no sockets for more than `limit` permits: the rest goes back. `true` when the others have to be told:
    /// one wants it, or the last debt is paid.
    pub(super) fn release_above(&self, shard: usize, limit: u32) -> bool {
        let mut state = self.state();
        let owed = state.owed > 0;
        state.put_back(shard, limit.max(1));
        self.mirror(&state);
        (owed && state.owed == 0) || (state.free > 0 && state.wanted())
    }

    /// Whether each start has to be drawn.
    pub(super) fn is_paced(&self) -> bool {
        self.paced.load(Ordering::Acquire)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("no holder of this lock panics")
    }

    /// Another start rate from now on; it counts from the last start.
    pub(super) fn set_rate(&self, rate: Option<Rate>) {
        self.pace().change(Duration::ZERO, rate.map(Rate::interval));
        self.paced.store(rate.is_some(), Ordering::Release);
    }

    /// Draws one start at the run's rate, to be made at once; or says when to ask again.
    pub(super) fn draw(&self, now: Time) -> Result<(), Time> {
        let mut pace = self.pace();
        if pace.next() > now {
            return Err(pace.next());
        }
        pace.started(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sockets enough.
    const MANY: u32 = 1000;

    fn total(permit_pool: &PermitPool) -> u32 {
        let state = permit_pool.state();
        state.free + state.shares.iter().sum::<u32>() - state.owed
    }

    #[test]
    fn the_limit_is_divided_without_remainder() {
        let permit_pool = PermitPool::new(10, 4, None);
        assert_eq!((0..4).map(|shard| permit_pool.share(shard)).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(total(&PermitPool::new(1, 4, None)), 4, "every shard has at least one");
    }

    #[test]
    fn unused_permits_move_to_the_shard_that_wants_them() {
        let permit_pool = PermitPool::new(100, 2, None);
        assert_eq!(permit_pool.acquire(0, MANY), (None, true), "none free: the others are told");
        assert_eq!(permit_pool.acquire(0, MANY), (None, false), "once");
        assert!(permit_pool.wanted());
        assert_eq!(permit_pool.release(1, 10, false), (10, true));
        assert_eq!(permit_pool.acquire(0, MANY).0, Some(63), "in batches");
        assert!(!permit_pool.wanted());
        assert_eq!(total(&permit_pool), 100);
    }

    #[test]
    fn a_shard_over_its_equal_share_shrinks_to_it_when_another_wants_more() {
        let permit_pool = PermitPool::new(100, 2, None);
        permit_pool.acquire(0, MANY);
        permit_pool.release(1, 1, false);
        while permit_pool.acquire(0, MANY).0.is_some() {}
        assert_eq!(permit_pool.share(0), 99);
        permit_pool.acquire(1, MANY);
        assert_eq!(
            permit_pool.release(0, 99, false),
            (50, false),
            "nothing free yet: it starts no more until it is down to 50"
        );
        assert_eq!(permit_pool.release(0, 70, false), (50, true));
        assert_eq!(permit_pool.acquire(1, MANY).0, Some(14));
        assert_eq!(total(&permit_pool), 100);
    }

    #[test]
    fn a_shard_keeps_one_unless_it_is_idle() {
        let permit_pool = PermitPool::new(8, 2, None);
        permit_pool.acquire(0, MANY);
        assert_eq!(permit_pool.release(1, 0, false), (1, true));
        assert_eq!(permit_pool.share(1), 1);
        while permit_pool.acquire(0, MANY).0.is_some() {}
        assert_eq!(permit_pool.release(1, 0, true), (0, true));
        assert_eq!((permit_pool.acquire(0, MANY).0, total(&permit_pool)), (Some(8), 8));
        permit_pool.acquire(1, MANY);
        assert_eq!(permit_pool.release(0, 7, false), (4, true));
        assert_eq!(permit_pool.acquire(1, MANY).0, Some(1), "as soon as it has something to do and one falls free");
    }

    #[test]
    fn a_shard_that_is_content_wants_nothing_of_the_others() {
        let permit_pool = PermitPool::new(8, 2, None);
        assert_eq!(permit_pool.acquire(0, MANY), (None, true));
        assert!(permit_pool.wanted());
        permit_pool.content(0);
        assert!(!permit_pool.wanted());
        assert_eq!(permit_pool.release(1, 0, false), (4, false), "nobody wants them");
        assert_eq!(permit_pool.acquire(0, MANY), (None, true), "told again");
    }

    #[test]
    fn what_a_shard_has_no_sockets_for_is_left_to_the_others() {
        let permit_pool = PermitPool::new(100, 2, None);
        permit_pool.acquire(1, MANY);
        assert!(permit_pool.release_above(0, 20), "another wants it");
        assert_eq!((permit_pool.share(0), total(&permit_pool)), (20, 100));
        assert_eq!(permit_pool.acquire(0, 20), (None, false), "no sockets for more");
        assert_eq!(permit_pool.acquire(0, 25), (Some(25), false));
        while permit_pool.acquire(1, 60).0.is_some() {}
        assert_eq!((permit_pool.share(1), total(&permit_pool)), (60, 100));
        assert!(!permit_pool.wanted(), "both have what they can use");
    }

    #[test]
    fn shards_that_draw_in_turn_keep_one_rate() {
        let permit_pool = PermitPool::new(8, 4, Rate::new(100.0));
        let starts = (0..1000).filter(|ms| permit_pool.draw(Time::from_millis(*ms)).is_ok()).count();
        assert_eq!(starts, 101, "one at once, and 4 ms of slack");
        assert_eq!(permit_pool.draw(Time::from_millis(1000)), Err(Time::from_millis(1006)));
        permit_pool.set_rate(Rate::new(10.0));
        assert_eq!(permit_pool.draw(Time::from_millis(1010)), Err(Time::from_millis(1092)), "from the last start on");
        permit_pool.set_rate(None);
        assert!(!permit_pool.is_paced());
        assert_eq!(permit_pool.draw(Time::from_millis(1010)), Ok(()));
    }

    #[test]
    fn a_raised_limit_frees_permits_and_a_lowered_one_is_owed_until_requests_have_ended() {
        let permit_pool = PermitPool::new(10, 2, None);
        permit_pool.set_limit(14);
        assert_eq!((total(&permit_pool), permit_pool.has_free()), (14, true));
        assert_eq!(permit_pool.acquire(0, MANY).0, Some(7), "a quarter of an equal share, and one");
        assert_eq!(permit_pool.acquire(1, MANY).0, Some(7));
        permit_pool.set_limit(4);
        assert!(permit_pool.is_owed() && !permit_pool.has_free());
        assert!(!permit_pool.repay(0, 6) && !permit_pool.repay(1, 5), "ten are owed, three are unused");
        assert_eq!((permit_pool.share(0), permit_pool.share(1), total(&permit_pool)), (6, 5, 4));
        assert_eq!(permit_pool.acquire(0, MANY), (None, true));
        assert!(!permit_pool.repay(0, 0));
        assert!(permit_pool.repay(1, 4), "as many as the limit are in flight");
        assert_eq!((permit_pool.share(0), permit_pool.share(1), total(&permit_pool)), (0, 4, 4));
        assert_eq!(permit_pool.release(1, 3, false), (2, true), "the other wants some: an equal share is two");
        assert_eq!(permit_pool.acquire(0, MANY).0, Some(1));
    }

    #[test]
    fn with_fewer_permits_than_shards_they_go_round() {
        let permit_pool = PermitPool::new(4, 2, None);
        permit_pool.set_limit(1);
        permit_pool.repay(0, 1);
        assert!(permit_pool.repay(1, 0));
        assert_eq!((permit_pool.share(0), permit_pool.share(1)), (1, 0));
        permit_pool.acquire(1, MANY);
        assert_eq!(permit_pool.release(0, 1, false), (0, false), "starts no more");
        assert_eq!(permit_pool.release(0, 0, false), (0, true));
        assert_eq!(permit_pool.acquire(1, MANY).0, Some(1));
    }

    /// Shards that start, end, want, give and repay at random while the limit changes: the sum holds, and no start is made
    /// while as many as the limit are in flight.
    #[test]
    fn the_sum_holds_whatever_happens() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let shards = rng.usize(1..5);
            let permit_pool = PermitPool::new(rng.u32(1..20), shards, None);
            let mut in_flight = vec![0_u32; shards];
            let mut limits: Vec<_> = (0..shards).map(|shard| permit_pool.share(shard)).collect();
            for _ in 0..500 {
                let shard = rng.usize(..shards);
                match rng.u8(..8) {
                    0 => permit_pool.set_limit(rng.u32(1..20)),
                    1 | 2 => in_flight[shard] = in_flight[shard].saturating_sub(1),
                    3 if permit_pool.is_owed() => {
                        let paid = permit_pool.repay(shard, in_flight[shard]);
                        limits[shard] = if paid { permit_pool.share(shard) } else { 0 };
                    }
                    3 => (limits[shard], _) = permit_pool.release(shard, in_flight[shard], rng.bool()),
                    4 => limits[shard] = permit_pool.acquire(shard, MANY).0.unwrap_or(limits[shard]),
                    5 => permit_pool.content(shard),
                    6 => {
                        permit_pool.release_above(shard, in_flight[shard].max(1));
                        limits[shard] = limits[shard].min(in_flight[shard].max(1)).min(permit_pool.share(shard));
                    }
                    // A debt is seen in the turn in which it comes up.
                    _ if permit_pool.is_owed() => {}
                    _ if in_flight[shard] < limits[shard].min(permit_pool.share(shard)) => {
                        in_flight[shard] += 1;
                        let state = permit_pool.state();
                        assert!(in_flight.iter().sum::<u32>() <= state.limit, "{in_flight:?} {state:?}");
                    }
                    _ => {}
                }
                let state = permit_pool.state();
                assert!(state.owed == 0 || state.free == 0, "{state:?}");
                assert_eq!(state.shares.iter().sum::<u32>() + state.free - state.owed, state.limit);
            }
        }
    }
}
