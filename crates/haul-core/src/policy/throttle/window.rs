//! What came since a point in time, under one allowance.

use std::time::Duration;

use crate::model::Time;

use super::allowance::{Allowance, SLOWEST};

/// Good answers that say how many are served at once, unless there was time: fewer say too little.
pub(super) const GOOD: u16 = 4;

/// Bad ones between any two good ones, where it is a rate that lets few through.
const APART: u8 = 2;

/// How much of what a host was seen to serve it is given.
const HEADROOM: f32 = 0.9;

/// What came since a point in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) since: Time,
    /// How attempts ended that were begun in it.
    pub(super) good: u16,
    pub(super) bad: u16,
    /// Good ones since the last bad one, and bad ones since the last good one.
    pub(super) well: u16,
    ill: u8,
    /// The fewest bad ones between two good ones.
    between: u8,
    /// The time that the good ones took together, in nanoseconds.
    busy: u64,
    /// It began with a rest.
    pub(super) rest: Option<Rest>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// When the last one began, and the good answers to what was begun since.
    pub(super) at: Time,
    pub(super) good: u32,
    /// One has come since the first one began: the window counts from there.
    is_over: bool,
}

impl Window {
    pub(super) const fn new(since: Time) -> Self {
        Self { since, good: 0, bad: 0, well: 0, ill: 0, between: u8::MAX, busy: 0, rest: None }
    }

    /// A good answer came to what was begun in it. Whether it counts: the first one after a rest only begins the window.
    pub(super) fn good(&mut self, started: Time, now: Time) -> bool {
        if let Some(rest) = self.rest.filter(|rest| !rest.is_over) {
            // How long nothing was served before it says nothing of how much is.
            *self = Self { rest: Some(Rest { is_over: true, good: 1, ..rest }), ..Self::new(now) };
            return false;
        }
        if self.good > 0 {
            self.between = self.between.min(self.ill);
        }
        self.ill = 0;
        self.good = self.good.saturating_add(1);
        self.well = self.well.saturating_add(1);
        if let Some(rest) = &mut self.rest {
            rest.good += u32::from(started > rest.at);
        }
        self.busy = self.busy.saturating_add(nanos(now.since(started)));
        true
    }

    /// What was begun in it failed.
    pub(super) const fn bad(&mut self) {
        self.bad = self.bad.saturating_add(1);
        self.ill = self.ill.saturating_add(1);
        self.well = 0;
    }

    /// The host rests, and had rested before, in this window: when.
    pub(super) fn rests(&mut self, now: Time) -> Option<Time> {
        let Some(rest) = self.rest else {
            *self = Self { rest: Some(Rest { at: now, good: 0, is_over: false }), ..Self::new(now) };
            return None;
        };
        self.rest = Some(Rest { at: now, good: 0, ..rest });
        Some(rest.at)
    }

    pub(super) fn attempts(&self) -> u32 {
        u32::from(self.good) + u32::from(self.bad)
    }

    /// Whether some were served, and never two shortly after each other, as by a rate.
    pub(super) const fn is_even(&self) -> bool {
        self.good >= 2 && self.between >= APART
    }

    /// The share that failed.
    pub(super) fn share(&self) -> f32 {
        f32::from(self.bad) / self.attempts() as f32
    }

    /// How long a good answer took, in nanoseconds.
    pub(super) fn service(&self) -> u64 {
        self.busy / u64::from(self.good.max(1))
    }

    /// Whether it lasted for so many times as long.
    pub(super) fn lasted(&self, now: Time, times: u64, nanoseconds: u64) -> bool {
        nanos(now.since(self.since)) / times >= nanoseconds
    }

    /// Whether it saw enough good answers, or any for twice as long as they take, to say how many are served at once.
    pub(super) fn says_how_many_are_served(&self, now: Time) -> bool {
        self.good >= GOOD || (self.good > 0 && self.lasted(now, 2, self.service()))
    }

    /// A little less than was served in this window: by Little's law the mean number of good requests at once, or, where that is less
    /// than one, their rate.
    pub(super) fn what_is_served(&self, now: Time, max: u32) -> Allowance {
        let elapsed = nanos(now.since(self.since)).max(1);
        let at_once = self.busy as f32 / elapsed as f32 * HEADROOM;
        if at_once < 0.75 {
            Allowance::Every((elapsed as f32 / (f32::from(self.good) * HEADROOM)).min(SLOWEST as f32) as u64)
        } else {
            Allowance::AtOnce((at_once.round() as u32).clamp(1, max.saturating_sub(1).max(1)))
        }
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_one_at_once_is_a_rate() {
        let window = Window { good: 4, busy: 8_000_000, ..Window::new(Time::ZERO) };
        assert_eq!(window.what_is_served(Time::from_millis(360), 8), Allowance::Every(100_000_000));
        assert_eq!(window.what_is_served(Time::from_millis(2), 8), Allowance::AtOnce(4));
        assert_eq!(window.what_is_served(Time::from_millis(8), 1), Allowance::AtOnce(1));
        assert_eq!(window.what_is_served(Time::from_millis(3_600_000), 8), Allowance::Every(5_000_000_000));
    }

    #[test]
    fn a_window_that_begins_with_a_rest_counts_from_the_first_good_answer_on() {
        let at = Time::from_millis;
        let mut window = Window::new(at(0));
        assert_eq!(window.rests(at(10)), None);
        assert!(!window.good(at(20), at(30)), "it only begins it");
        assert_eq!((window.since, window.good), (at(30), 0));
        assert!(window.good(at(31), at(33)));
        assert_eq!((window.good, window.rest.map(|rest| rest.good)), (1, Some(2)));
        assert_eq!(window.rests(at(40)), Some(at(10)));
        assert!(window.good(at(35), at(45)), "begun before the second rest");
        assert_eq!((window.good, window.rest.map(|rest| rest.good)), (2, Some(0)));
    }
}
