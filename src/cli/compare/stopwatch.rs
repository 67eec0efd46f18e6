//! The clocks of the comparison: the only place where it looks at one.

use std::time::{Duration, Instant};

use nix::time::ClockId;

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "what several engines do together has no engine's clock to be measured by"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Processor time of all threads of this process so far. Where the system keeps no such clock: none.
pub(super) fn processor_time() -> Duration {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().map_or(Duration::ZERO, Duration::from)
}
