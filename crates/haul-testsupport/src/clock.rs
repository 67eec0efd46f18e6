//! The run's clock for tests.

use haul::model::Time;

/// A clock that starts at zero now and follows the tokio timer.
#[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
pub fn running() -> impl Fn() -> Time + 'static {
    let start = tokio::time::Instant::now();
    move || Time::ZERO + start.elapsed()
}
