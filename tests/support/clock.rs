//! The run's clock for tests: follows the tokio timer, and can be put forward.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use haul::model::Time;

/// A clock that starts at zero. Clones are the same clock.
#[derive(Clone)]
pub(crate) struct TestClock {
    start: tokio::time::Instant,
    ahead: Rc<Cell<Duration>>,
}

impl TestClock {
    #[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
    pub(crate) fn new() -> Self {
        Self { start: tokio::time::Instant::now(), ahead: Rc::default() }
    }

    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed() + self.ahead.get()
    }

    /// Puts the clock forward; timers don't notice.
    pub(crate) fn skip(&self, by: Duration) {
        self.ahead.set(self.ahead.get() + by);
    }

    /// As the function the engine passes around.
    pub(crate) fn function(&self) -> impl Fn() -> Time + 'static {
        let clock = self.clone();
        move || clock.now()
    }
}
