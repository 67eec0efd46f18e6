//! Is a host dead? Failure events in a row open the breaker, time makes it half-open, one probe decides.

use std::time::Duration;

use crate::config::RetrySettings;
use crate::model::{FailureKind, Time};

/// A host that stays dead is asked ever less often, down to once in this many times `dead_for`.
const LONGEST: u32 = 8;

/// Dead means dead for a moment at least, so that the waiting jobs can be given up instead of asking again at once.
const SHORTEST: Duration = Duration::from_millis(1);

/// One host's breaker: closed, open until a time, and from then on half-open.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    until: Time,
    failures: u32,
    /// How often it opened since it was last closed; 0 is closed.
    opened: u32,
    cause: FailureKind,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

impl Breaker {
    /// Closed, and no failure counted.
    #[must_use]
    pub const fn new() -> Self {
        // The cause is only read while open.
        Self { until: Time::ZERO, failures: 0, opened: 0, cause: FailureKind::HostDead }
    }

    /// The cause, while the host is dead.
    #[must_use]
    pub fn dead(&self, now: Time) -> Option<FailureKind> {
        (self.opened > 0 && now < self.until).then_some(self.cause)
    }

    /// Whether only a probe may pass: the host was dead and has not answered since.
    #[must_use]
    pub fn half_open(&self, now: Time) -> bool {
        self.opened > 0 && now >= self.until
    }

    /// When the host stops being dead; in the past for one that isn't.
    #[must_use]
    pub const fn until(&self) -> Time {
        self.until
    }

    /// Whether it is as new: closed, and no failure counted.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        self.opened == 0 && self.failures == 0
    }

    /// Whether a failure of an attempt begun at `started` tells something new: not if the breaker opened after it
    /// began.
    #[must_use]
    pub fn is_news(&self, started: Time) -> bool {
        self.opened == 0 || started >= self.until
    }

    /// The host answered: closed, and the count starts afresh.
    pub const fn answered(&mut self) {
        self.failures = 0;
        self.opened = 0;
        self.until = Time::ZERO;
    }

    /// A failure event that counts for `weight`. The `after`th in a row opens the breaker (0: never); while half-open the
    /// first does.
    pub fn failed(&mut self, cause: FailureKind, weight: u32, after: u32, settings: &RetrySettings, now: Time) {
        self.failures = self.failures.saturating_add(weight);
        if self.opened > 0 || (after > 0 && self.failures >= after) {
            self.open(cause, settings, now);
        }
    }

    /// Dead at once, for longer each time in a row.
    pub fn open(&mut self, cause: FailureKind, settings: &RetrySettings, now: Time) {
        self.until = now + dead_for(self.opened, settings);
        self.opened = self.opened.saturating_add(1);
        self.cause = cause;
    }
}

fn dead_for(opened: u32, settings: &RetrySettings) -> Duration {
    let factor = 1_u32.checked_shl(opened).unwrap_or(LONGEST).min(LONGEST);
    settings.dead_for.saturating_mul(factor).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RetrySettings {
        RetrySettings { dead_after: 3, dead_for: Duration::from_secs(10), ..RetrySettings::default() }
    }

    const fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn fail(breaker: &mut Breaker, now: Time) {
        breaker.failed(FailureKind::Refused, 1, settings().dead_after, &settings(), now);
    }

    #[test]
    fn opens_after_failures_in_a_row_and_an_answer_starts_the_count_afresh() {
        let mut breaker = Breaker::default();
        fail(&mut breaker, at(1));
        fail(&mut breaker, at(2));
        assert!(!breaker.is_at_rest());
        breaker.answered();
        assert!(breaker.is_at_rest());
        fail(&mut breaker, at(3));
        fail(&mut breaker, at(4));
        assert_eq!(breaker.dead(at(4)), None);
        fail(&mut breaker, at(5));
        assert_eq!(breaker.dead(at(5)), Some(FailureKind::Refused));
        assert!(!breaker.is_news(at(14)) && breaker.is_news(at(15)));
        assert!(!breaker.half_open(at(14)));
        assert!(breaker.half_open(at(15)));
        assert_eq!(breaker.dead(at(15)), None);
    }

    #[test]
    fn a_failed_probe_opens_it_for_twice_as_long_up_to_eight_times() {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        let mut spans = Vec::new();
        breaker.open(FailureKind::NameNotFound, &settings(), now);
        for _ in 0..40 {
            spans.push(breaker.until().since(now).as_secs());
            now = breaker.until();
            fail(&mut breaker, now);
        }
        assert_eq!(spans[..6], [10, 20, 40, 80, 80, 80]);
        assert_eq!(spans.last(), Some(&80));
        breaker.answered();
        assert!(!breaker.half_open(now) && breaker.dead(now).is_none());
    }

    #[test]
    fn zero_never_opens_by_count() {
        let mut breaker = Breaker::default();
        for second in 0..100 {
            breaker.failed(FailureKind::Reset, 1, 0, &settings(), at(second));
        }
        assert_eq!(breaker.dead(at(100)), None);
    }
}
