//! One timer per lane, armed rarely.
//!
//! A request's deadline is nearly always later than the one before it. So the timer is left where it is when a deadline
//! moves out, and only when it fires is it moved: at a steady state that is once per time-out, not once per request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::deadlines::Deadlines;
use haul_core::model::{Clock, Failure, Time};

/// A timer that is moved only when it has to be, for one task.
#[derive(Debug)]
pub struct LazyTimer {
    sleep: Pin<Box<Sleep>>,
    armed: Time,
    /// Whether the task knows that it will be woken: set by the first poll after a move. A lane is one task for all its
    /// life, so that its waker stays the same.
    registered: bool,
}

impl LazyTimer {
    /// A timer first due at `due`.
    pub fn new(clock: &impl Clock, due: Time) -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::from_std(clock.instant(due)))), armed: due, registered: false }
    }

    /// Ready once the clock has reached `due`. May be asked with another `due` each time.
    pub fn poll_due(&mut self, cx: &mut Context<'_>, due: Time, clock: &impl Clock) -> Poll<()> {
        if due < self.armed {
            self.arm(due, clock);
        }
        loop {
            if self.registered && !self.sleep.is_elapsed() {
                return Poll::Pending;
            }
            self.registered = true;
            // A peer that sends without a pause uses up the task's budget each time; it may not keep time from passing.
            ready!(Pin::new(&mut unconstrained(self.sleep.as_mut())).poll(cx));
            if clock.now() >= due {
                return Poll::Ready(());
            }
            self.arm(due, clock);
        }
    }

    fn arm(&mut self, due: Time, clock: &impl Clock) {
        self.sleep.as_mut().reset(Instant::from_std(clock.instant(due)));
        self.armed = due;
        self.registered = false;
    }
}

impl Deadlines<'_> {
    /// Ready with the failure that time has brought.
    pub(super) fn poll_timeout(
        &self,
        cx: &mut Context<'_>,
        timer: &mut LazyTimer,
        clock: &impl Clock,
    ) -> Poll<Failure> {
        self.pause(|| clock.now());
        loop {
            ready!(timer.poll_due(cx, self.due(), clock));
            if let Some(failure) = self.check(clock.now()) {
                return Poll::Ready(failure);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::task::coop::{consume_budget, has_budget_remaining};

    use super::*;

    /// tokio's paused clock.
    struct Paused(Instant);

    impl Clock for Paused {
        fn now(&self) -> Time {
            Time::ZERO + self.0.elapsed()
        }

        fn instant(&self, at: Time) -> std::time::Instant {
            (self.0 + at.since(Time::ZERO)).into_std()
        }
    }

    fn use_up_budget(cx: &mut Context<'_>) {
        while has_budget_remaining() {
            let _ = Box::pin(consume_budget()).as_mut().poll(cx);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the test's own clock")]
    #[tokio::test(start_paused = true)]
    async fn time_passes_for_a_task_that_is_always_out_of_budget() {
        let clock = Paused(Instant::now());
        let due = Time::from_millis(10);
        let mut timer = LazyTimer::new(&clock, due);
        let mut is_due = async || {
            poll_fn(|cx| {
                use_up_budget(cx);
                Poll::Ready(timer.poll_due(cx, due, &clock).is_ready())
            })
            .await
        };
        assert!(!is_due().await);
        tokio::time::advance(Duration::from_millis(20)).await;
        assert!(is_due().await);
    }
}
