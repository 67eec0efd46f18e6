//! The one place that reads the clock.

use std::time::{Instant, SystemTime};

use crate::model::{Clock, Time};

/// The system's monotonic clock, counted from the run's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that reads [`Time::ZERO`] now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The date, for `Retry-After` given as one.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub(super) fn date() -> SystemTime {
        SystemTime::now()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    fn instant(&self, at: Time) -> Instant {
        let far = std::time::Duration::from_secs(86_400 * 365);
        self.start + at.since(Time::ZERO).min(far)
    }
}
