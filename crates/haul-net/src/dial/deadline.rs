//! The deadline of a phase: how long it may still take, by the clock that is passed in. Pure; the clock is a function.

use std::time::Duration;

use haul_core::model::{FailureKind, Phase, Time};

/// The run's clock.
pub(super) struct DialClock(Box<dyn Fn() -> Time>);

impl DialClock {
    pub(super) fn new(now: impl Fn() -> Time + 'static) -> Self {
        Self(Box::new(now))
    }

    pub(super) fn now(&self) -> Time {
        (self.0)()
    }
}

/// When a phase ends at the latest, and which time-out that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PhaseDeadline {
    pub(super) phase: Phase,
    pub(super) started: Time,
    pub(super) end: Time,
    /// `timeout` when the phase's own limit is the nearer one, `total_timeout` when the caller's is.
    pub(super) kind: FailureKind,
}

impl PhaseDeadline {
    /// The bound of a phase that starts now, may take `limit`, and must not go past `total`.
    pub(super) fn new(phase: Phase, now: Time, limit: Duration, total: Time) -> Self {
        let own = now + limit;
        let (end, kind) = if own <= total { (own, FailureKind::Timeout) } else { (total, FailureKind::TotalTimeout) };
        Self { phase, started: now, end, kind }
    }

    /// How long the phase may take from its start.
    pub(super) const fn left(&self) -> Duration {
        self.end.since(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_of_the_two_time_outs_counts_and_is_named() {
        let now = Time::from_millis(1000);
        let own = PhaseDeadline::new(Phase::Connect, now, Duration::from_millis(10), Time::from_millis(1500));
        assert_eq!((own.left(), own.kind), (Duration::from_millis(10), FailureKind::Timeout));
        let total = PhaseDeadline::new(Phase::Connect, now, Duration::from_millis(600), Time::from_millis(1500));
        assert_eq!((total.left(), total.kind), (Duration::from_millis(500), FailureKind::TotalTimeout));
        let late = PhaseDeadline::new(Phase::Tls, now, Duration::from_millis(600), Time::from_millis(900));
        assert_eq!((late.left(), late.kind), (Duration::ZERO, FailureKind::TotalTimeout));
    }
}
