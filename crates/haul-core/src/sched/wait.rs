//! Hosts that wait for a point in time: a heap of (time, host) with lazy deletion.
//!
//! A host has one armed time. Waiting longer than armed for costs nothing: the entry comes up early, the host is looked
//! at and armed again. Waiting less long pushes a second entry, and the first is dead when it comes up. Dead entries
//! never outnumber the armed hosts by more than [`TOLERATED`]: then they are swept out, which costs O(1) per push on
//! average.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::Time;

/// Dead entries allowed beyond one per armed host.
const TOLERATED: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Time, u32)>>,
    /// What each host is armed for; never: not armed.
    armed: Vec<Time>,
    live: usize,
}

impl Timers {
    /// Makes room for one more host.
    pub(super) fn grow(&mut self) {
        self.armed.push(Time::NEVER);
    }

    /// The host is looked at no later than `at`.
    pub(super) fn arm(&mut self, host: u32, at: Time) {
        let armed = &mut self.armed[host as usize];
        if *armed <= at {
            return;
        }
        self.live += usize::from(*armed == Time::NEVER);
        *armed = at;
        self.heap.push(Reverse((at, host)));
        if self.heap.len() > 2 * self.live + TOLERATED {
            self.sweep();
        }
    }

    /// The earliest armed host and its time. It may have no reason to wait any longer.
    pub(super) fn first(&mut self) -> Option<(Time, u32)> {
        while let Some(Reverse((at, host))) = self.heap.peek() {
            if self.armed[*host as usize] == *at {
                return Some((*at, *host));
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the earliest armed host off. To be called after [`Self::first`] named it.
    pub(super) fn disarm_first(&mut self) {
        if let Some(Reverse((_, host))) = self.heap.pop() {
            self.armed[host as usize] = Time::NEVER;
            self.live -= 1;
        }
    }

    /// Entries kept, dead ones included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.heap.len()
    }

    fn sweep(&mut self) {
        let armed = &self.armed;
        self.heap.retain(|Reverse((at, host))| armed[*host as usize] == *at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timers(hosts: u32) -> Timers {
        let mut timers = Timers::default();
        (0..hosts).for_each(|_| timers.grow());
        timers
    }

    #[test]
    fn the_earliest_comes_first_and_an_earlier_time_replaces_a_later_one() {
        let mut timers = timers(3);
        timers.arm(0, Time::from_millis(30));
        timers.arm(1, Time::from_millis(20));
        timers.arm(1, Time::from_millis(25));
        timers.arm(0, Time::from_millis(10));
        let mut seen = Vec::new();
        while let Some((at, host)) = timers.first() {
            timers.disarm_first();
            seen.push((at.as_nanos() / 1_000_000, host));
        }
        assert_eq!(seen, [(10, 0), (20, 1)]);
        assert_eq!(timers.entries(), 0);
    }

    #[test]
    fn dead_entries_do_not_pile_up() {
        let mut timers = timers(1);
        for step in 0..100_000 {
            timers.arm(0, Time::from_millis(1_000_000 - step));
            assert!(timers.entries() <= 2 + TOLERATED);
        }
        assert_eq!(timers.first(), Some((Time::from_millis(900_001), 0)));
    }
}
