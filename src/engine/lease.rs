//! The global limits, divided among shards and traded between them.
//!
//! Each shard owns a share of the in-flight limit and dispatches against it without asking anyone. A shard that could
//! start more takes free permits, or asks for them; the others then put back what they don't use, and what they have
//! over an equal share as soon as it falls free. The sum of all shares and the free permits is the limit, always.
//!
//! A start rate is not divided, because a shard that is idle now may start the next job: with several shards there is
//! one pace, and each start is drawn from it. Without a rate there is none, and nothing is asked per start.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::config::Rate;
use crate::model::Time;
use crate::policy::Pace;

/// The shares of the global in-flight limit, and the start rate that all shards keep together.
#[derive(Debug)]
pub(super) struct Lease {
    /// What every shard gets when all want more.
    fair: u32,
    state: Mutex<State>,
    /// Whether any shard wants more: read once a turn without the lock.
    wanted: AtomicBool,
    /// A copy of the state's count of free permits.
    free: AtomicU32,
    pace: Option<Mutex<Pace>>,
}

#[derive(Debug)]
struct State {
    free: u32,
    shares: Vec<u32>,
    wants: Vec<bool>,
}

impl State {
    fn wanted(&self) -> bool {
        self.wants.iter().any(|wants| *wants)
    }
}

impl Lease {
    /// Divides `limit` permits among `shards`; every shard gets at least one, so `limit` is at least their number. A
    /// single shard keeps the rate itself.
    pub(super) fn new(limit: u32, shards: usize, rate: Option<Rate>) -> Self {
        let count = u32::try_from(shards).unwrap_or(1).max(1);
        let limit = limit.max(count);
        let shares: Vec<u32> = (0..count).map(|shard| limit / count + u32::from(shard < limit % count)).collect();
        let state = State { free: 0, wants: vec![false; shares.len()], shares };
        Self {
            fair: limit / count,
            state: Mutex::new(state),
            wanted: AtomicBool::new(false),
            free: AtomicU32::new(0),
            pace: rate.filter(|_| shards > 1).map(|rate| Mutex::new(Pace::new(Duration::ZERO, Some(rate.interval())))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The share of `shard`.
    pub(super) fn share(&self, shard: usize) -> u32 {
        self.state().shares[shard]
    }

    /// Takes free permits for `shard`, up to a share of `most`, what it has sockets for: its new share, or `None` when
    /// there are none. It is then known to want some; `true` beside it when the others have to be told.
    pub(super) fn take(&self, shard: usize, most: u32) -> (Option<u32>, bool) {
        let mut state = self.state();
        let room = most.saturating_sub(state.shares[shard]);
        let batch = state.free.min(self.fair / 4 + 1).min(room);
        state.free -= batch;
        self.mirror(&state);
        state.shares[shard] += batch;
        let wants = room > 0 && batch == 0;
        let news = wants && !state.wants[shard];
        self.set_wants(&mut state, shard, wants);
        ((batch > 0).then(|| state.shares[shard]), news)
    }

    /// Keeps a copy of the count of free permits that is read without the lock.
    fn mirror(&self, state: &State) {
        self.free.store(state.free, Ordering::Release);
    }

    /// Whether there are free permits: read once a turn, so without the lock.
    pub(super) fn has_free(&self) -> bool {
        self.free.load(Ordering::Acquire) > 0
    }

    fn set_wants(&self, state: &mut State, shard: usize, wants: bool) {
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
        self.mirror(&state);
        (keep.min(self.fair.max(1)), given > 0)
    }

    /// `shard` has no sockets for more than `limit` permits: the rest goes back. `true` when another wants it.
    pub(super) fn surrender(&self, shard: usize, limit: u32) -> bool {
        let mut state = self.state();
        let keep = state.shares[shard].min(limit.max(1));
        state.free += state.shares[shard] - keep;
        self.mirror(&state);
        state.shares[shard] = keep;
        state.free > 0 && state.wanted()
    }

    /// Whether each start has to be drawn.
    pub(super) const fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    /// Draws one start at the run's rate, to be made at once; or says when to ask again.
    pub(super) fn draw(&self, now: Time) -> Result<(), Time> {
        let Some(pace) = &self.pace else { return Ok(()) };
        let mut pace = pace.lock().expect("no holder of this lock panics");
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

    fn total(lease: &Lease) -> u32 {
        let state = lease.state();
        state.free + state.shares.iter().sum::<u32>()
    }

    #[test]
    fn the_limit_is_divided_without_remainder() {
        let lease = Lease::new(10, 4, None);
        assert_eq!((0..4).map(|shard| lease.share(shard)).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(total(&Lease::new(1, 4, None)), 4, "every shard has at least one");
    }

    #[test]
    fn unused_permits_move_to_the_shard_that_wants_them() {
        let lease = Lease::new(100, 2, None);
        assert_eq!(lease.take(0, MANY), (None, true), "none free: the others are told");
        assert_eq!(lease.take(0, MANY), (None, false), "once");
        assert!(lease.wanted());
        assert_eq!(lease.give(1, 10), (10, true));
        assert_eq!(lease.take(0, MANY).0, Some(63), "in batches");
        assert!(!lease.wanted());
        assert_eq!(total(&lease), 100);
    }

    #[test]
    fn a_shard_over_its_equal_share_shrinks_to_it_when_another_wants_more() {
        let lease = Lease::new(100, 2, None);
        lease.take(0, MANY);
        lease.give(1, 1);
        while lease.take(0, MANY).0.is_some() {}
        assert_eq!(lease.share(0), 99);
        lease.take(1, MANY);
        assert_eq!(lease.give(0, 99), (50, false), "nothing free yet: it starts no more until it is down to 50");
        assert_eq!(lease.give(0, 70), (50, true));
        assert_eq!(lease.take(1, MANY).0, Some(14));
        assert_eq!(total(&lease), 100);
    }

    #[test]
    fn a_shard_always_keeps_one() {
        let lease = Lease::new(8, 2, None);
        lease.take(0, MANY);
        assert_eq!(lease.give(1, 0), (1, true));
        assert_eq!(lease.share(1), 1);
    }

    #[test]
    fn a_shard_that_is_content_wants_nothing_of_the_others() {
        let lease = Lease::new(8, 2, None);
        assert_eq!(lease.take(0, MANY), (None, true));
        assert!(lease.wanted());
        lease.content(0);
        assert!(!lease.wanted());
        assert_eq!(lease.give(1, 0), (4, false), "nobody wants them");
        assert_eq!(lease.take(0, MANY), (None, true), "told again");
    }

    #[test]
    fn what_a_shard_has_no_sockets_for_is_left_to_the_others() {
        let lease = Lease::new(100, 2, None);
        lease.take(1, MANY);
        assert!(lease.surrender(0, 20), "another wants it");
        assert_eq!((lease.share(0), total(&lease)), (20, 100));
        assert_eq!(lease.take(0, 20), (None, false), "no sockets for more");
        assert_eq!(lease.take(0, 25), (Some(25), false));
        while lease.take(1, 60).0.is_some() {}
        assert_eq!((lease.share(1), total(&lease)), (60, 100));
        assert!(!lease.wanted(), "both have what they can use");
    }

    #[test]
    fn shards_that_draw_in_turn_keep_one_rate() {
        let lease = Lease::new(8, 4, Rate::new(100.0));
        let starts = (0..1000).filter(|ms| lease.draw(Time::from_millis(*ms)).is_ok()).count();
        assert_eq!(starts, 101, "one at once, and 4 ms of slack");
        assert_eq!(lease.draw(Time::from_millis(1000)), Err(Time::from_millis(1006)));
        assert!(!Lease::new(8, 4, None).is_paced() && !Lease::new(8, 1, Rate::new(100.0)).is_paced());
    }
}
