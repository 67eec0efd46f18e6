//! How fast: a strict delay between two starts, and a start rate with a little slack. One clock for a host, one for
//! the run. Back-off is another clock and never touches this one.

use std::time::Duration;

use crate::model::Time;

/// How far a start may run ahead of the rate's schedule to make up for one that was late: the engine's timer has a
/// grain of 1 ms and a turn takes time, and without slack each such lateness would be lost for good.
const SLACK: u64 = 4_000_000;

/// The pace of starts.
///
/// The delay is strict. The rate is kept by the generic cell rate algorithm: over any span `w` there are at most
/// `(w + 4 ms) / interval + 1` starts.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    delay: u64,
    interval: u64,
    /// When the last start was made; never: there was none.
    last: Time,
    due: Time,
}

impl Pace {
    /// At least `delay` between starts, and `interval` on average; zero means no limit.
    #[must_use]
    pub fn new(delay: Duration, interval: Option<Duration>) -> Self {
        Self { delay: nanos(delay), interval: nanos(interval.unwrap_or_default()), last: Time::NEVER, due: Time::ZERO }
    }

    /// Another delay and interval from now on. They count from the last start: what was started before it is forgotten
    /// with the interval that held then.
    pub fn change(&mut self, delay: Duration, interval: Option<Duration>) {
        self.delay = nanos(delay);
        let before = std::mem::replace(&mut self.interval, nanos(interval.unwrap_or_default()));
        if self.interval != before {
            self.due = if self.last == Time::NEVER { Time::ZERO } else { self.after_last(self.interval) };
        }
    }

    /// The earliest time of the next start.
    #[must_use]
    pub fn next(&self) -> Time {
        let fresh = self.delay == 0 || self.last == Time::NEVER;
        let rested = if fresh { Time::ZERO } else { self.after_last(self.delay) };
        rested.max(self.due - Duration::from_nanos(SLACK))
    }

    /// When the last start was made.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        Some(self.last).filter(|last| *last != Time::NEVER)
    }

    fn after_last(&self, nanos: u64) -> Time {
        self.last + Duration::from_nanos(nanos)
    }

    /// A start was made.
    pub fn started(&mut self, now: Time) {
        self.last = now;
        if self.interval > 0 {
            self.due = self.due.max(now) + Duration::from_nanos(self.interval);
        }
    }

    /// Whether the delay is what spaces starts, and not the rate.
    #[must_use]
    pub fn is_delay(&self) -> bool {
        self.delay >= self.interval
    }

    /// The mean nanoseconds between starts that this pace enforces.
    #[must_use]
    pub fn spacing(&self) -> u64 {
        self.delay.max(self.interval)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn the_delay_is_strict_and_counts_from_the_start_made() {
        let mut pace = Pace::new(Duration::from_millis(100), None);
        assert_eq!(pace.next(), Time::ZERO);
        pace.started(ms(7));
        assert_eq!(pace.next(), ms(107));
        pace.started(ms(130));
        assert_eq!(pace.next(), ms(230));
    }

    #[test]
    fn a_change_counts_from_the_last_start() {
        let interval = |millis| Some(Duration::from_millis(millis));
        let mut pace = Pace::new(Duration::ZERO, None);
        pace.change(Duration::from_millis(100), interval(10));
        assert_eq!(pace.next(), Time::ZERO, "none yet");
        pace.change(Duration::ZERO, None);
        pace.started(ms(50));
        pace.change(Duration::from_millis(100), None);
        assert_eq!(pace.next(), ms(150));
        pace.change(Duration::from_millis(10), interval(1000));
        assert_eq!(pace.next(), ms(1046));
        (0..5).for_each(|_| pace.change(Duration::from_millis(10), interval(1000)));
        assert_eq!(pace.next(), ms(1046), "the same again earns nothing");
        pace.change(Duration::from_millis(10), None);
        assert_eq!(pace.next(), ms(60));
    }

    #[test]
    fn lateness_within_the_slack_is_made_up_and_no_more() {
        let mut pace = Pace::new(Duration::ZERO, Some(Duration::from_millis(10)));
        pace.started(ms(0));
        assert_eq!(pace.next(), ms(6));
        pace.started(ms(13));
        assert_eq!(pace.next(), ms(19));
        // On time again: the schedule, not the start, moves on.
        pace.started(ms(19));
        assert_eq!(pace.next(), ms(29));
        // A long silence earns nothing.
        pace.started(ms(500));
        assert_eq!(pace.next(), ms(506));
    }

    #[test]
    fn a_rate_holds_over_a_long_run_of_greedy_starts() {
        let mut pace = Pace::new(Duration::ZERO, Some(Duration::from_millis(1)));
        let (mut now, mut starts) = (Time::ZERO, 0);
        while now < ms(1000) {
            now = now.max(pace.next());
            pace.started(now);
            starts += 1;
        }
        assert_eq!(starts, 1000 + 4 + 1);
    }

    #[test]
    fn the_slower_of_delay_and_rate_is_the_spacing() {
        assert_eq!(Pace::new(Duration::from_secs(1), Some(Duration::from_secs(2))).spacing(), 2_000_000_000);
    }
}
