//! The origin's clock: its limits are refilled by real time.

use std::time::Instant;

use haul_core::model::Time;

/// Counts from the origin's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartClock(Instant);

impl StartClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the origin reads the clock")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    pub(super) fn now(self) -> Time {
        Time::ZERO + self.0.elapsed()
    }
}
