//! Two futures driven in one task: a connection, and an exchange on it that wait for each other.
//!
//! They wake each other many times a request. Through the task's own waker each of these would send the lane once
//! more through its run queue; here a wake-up while they are being driven only asks for another round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Rounds per wake-up of the task. A small response takes two; this many keep one fast connection from starving the
/// others.
const MOST_ROUNDS: usize = 16;

/// The waker that connection and exchange are polled with.
#[derive(Debug, Default)]
struct Bell {
    /// Whether they are being driven right now.
    driving: AtomicBool,
    /// Whether one of them was woken meanwhile.
    rung: AtomicBool,
    task: AtomicWaker,
}

// The atomics are there because wakers have to be `Send`; everything happens on one thread, so `Relaxed` will do,
// except for the timer and socket events, which are delivered on this thread too.
impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.driving.load(Ordering::Relaxed) {
            self.rung.store(true, Ordering::Relaxed);
        } else {
            self.task.wake();
        }
    }
}

/// Drives two futures that wake each other.
#[derive(Debug)]
pub(super) struct Driver {
    bell: Arc<Bell>,
    waker: Waker,
}

impl Driver {
    pub(super) fn new() -> Self {
        let bell = Arc::new(Bell::default());
        Self { waker: Waker::from(Arc::clone(&bell)), bell }
    }

    /// From now until the next [`Self::poll`] has returned, wake-ups are only noted: what is done in between needs no
    /// wake-up, because a round follows.
    pub(super) fn expect_poll(&self) {
        self.bell.driving.store(true, Ordering::Relaxed);
    }

    /// Calls `round` until it is ready, or nobody has been woken since it began. It polls both futures, the one that
    /// feeds the other first.
    pub(super) fn poll<R>(&self, cx: &Context<'_>, mut round: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
        self.bell.task.register(cx.waker());
        self.bell.driving.store(true, Ordering::Relaxed);
        let mut inner = Context::from_waker(&self.waker);
        let mut rounds = 0;
        let polled = loop {
            self.bell.rung.store(false, Ordering::Relaxed);
            let polled = round(&mut inner);
            rounds += 1;
            if polled.is_ready() || !self.bell.rung.load(Ordering::Relaxed) {
                break polled;
            }
            if rounds == MOST_ROUNDS {
                cx.waker().wake_by_ref();
                break polled;
            }
        };
        self.bell.driving.store(false, Ordering::Relaxed);
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wake_up_while_driving_asks_for_a_round_and_one_from_outside_wakes_the_task() {
        let task = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&task));
        let cx = Context::from_waker(&waker);
        let driver = Driver::new();
        let (mut rounds, mut left) = (0, None);
        let polled: Poll<()> = driver.poll(&cx, |inner| {
            rounds += 1;
            if rounds < 4 {
                inner.waker().wake_by_ref();
            }
            left = Some(inner.waker().clone());
            Poll::Pending
        });
        assert_eq!((polled, rounds, task.0.load(Ordering::Relaxed)), (Poll::Pending, 4, 0));
        left.expect("kept").wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn endless_wake_ups_end_the_turn_and_ask_for_another() {
        let task = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&task));
        let driver = Driver::new();
        let mut rounds = 0;
        let polled: Poll<()> = driver.poll(&Context::from_waker(&waker), |inner| {
            rounds += 1;
            inner.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((polled, rounds, task.0.load(Ordering::Relaxed)), (Poll::Pending, MOST_ROUNDS, 1));
    }
}
