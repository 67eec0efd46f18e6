//! Two futures driven in one task: a connection, and an exchange on it that wait for each other.
//!
//! They wake each other many times a request. Through the task's own waker each of these would send the lane once
//! more through its run queue; here a wake-up while they are being driven only asks for another round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Rounds per wake-up of the task. A small response takes two; this many keep one fast connection from starving the
/// others.
const MOST_ROUNDS: usize = 16;

/// Nobody drives: a wake-up goes to the task.
const IDLE: u8 = 0;
/// They are being driven: a wake-up asks for another round.
const DRIVING: u8 = 1;
/// One of them was woken while they were being driven.
const NOTIFIED: u8 = 2;

/// The waker that connection and exchange are polled with. It coalesces the wake-ups of a round.
///
/// One word holds all of it, because wake-ups come from other threads too (whoever reads a body makes room for more): the
/// change from driving to idle and a wake-up can't miss each other.
#[derive(Debug)]
struct Notifier {
    state: AtomicU8,
    task: Waker,
}

impl Notifier {
    /// Ends a round; true when a wake-up came during it.
    fn was_notified(&self) -> bool {
        self.state.compare_exchange(DRIVING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_err()
    }
}

impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.compare_exchange(DRIVING, NOTIFIED, Ordering::AcqRel, Ordering::Acquire) == Err(IDLE) {
            self.task.wake_by_ref();
        }
    }
}

/// Drives two futures that wake each other.
#[derive(Debug, Default)]
pub(super) struct Driver {
    /// The notifier of the task that polled last, and the waker that calls it. A lane is one task for all its life, so one
    /// does; to change its task for each poll would take two locked instructions a poll.
    notifier: Option<(Arc<Notifier>, Waker)>,
}

impl Driver {
    /// From now until the next [`Self::poll`] has returned, wake-ups are only noted: what is done in between needs no
    /// wake-up, because a round follows.
    pub(super) fn expect_poll(&self) {
        if let Some((notifier, _)) = &self.notifier {
            notifier.state.store(DRIVING, Ordering::Release);
        }
    }

    /// Calls `round` until it is ready, or nobody has been woken since it began. It polls both futures, the one that
    /// feeds the other first.
    pub(super) fn poll<R>(&mut self, cx: &Context<'_>, mut round: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
        let (notifier, waker) = match &mut self.notifier {
            Some(cached) if cached.0.task.will_wake(cx.waker()) => cached,
            none => none.insert(new_notifier(cx.waker())),
        };
        let mut inner = Context::from_waker(waker);
        for _ in 0..MOST_ROUNDS {
            notifier.state.store(DRIVING, Ordering::Release);
            let polled = round(&mut inner);
            if polled.is_ready() {
                notifier.state.store(IDLE, Ordering::Release);
                return polled;
            }
            if !notifier.was_notified() {
                return polled;
            }
        }
        notifier.state.store(IDLE, Ordering::Release);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A notifier for `task`, and the waker that calls it.
fn new_notifier(task: &Waker) -> (Arc<Notifier>, Waker) {
    let notifier = Arc::new(Notifier { state: AtomicU8::new(IDLE), task: task.clone() });
    (Arc::clone(&notifier), Waker::from(notifier))
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
        let mut driver = Driver::default();
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
        let mut driver = Driver::default();
        let mut rounds = 0;
        let polled: Poll<()> = driver.poll(&Context::from_waker(&waker), |inner| {
            rounds += 1;
            inner.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((polled, rounds, task.0.load(Ordering::Relaxed)), (Poll::Pending, MOST_ROUNDS, 1));
    }

    #[test]
    fn no_wake_up_from_another_thread_is_lost() {
        const TURNS: usize = 100_000;
        let mut driver = Driver::default();
        let given = Arc::new(AtomicUsize::new(0));
        let (asked, asks) = std::sync::mpsc::channel::<Waker>();
        let giver = {
            let given = Arc::clone(&given);
            std::thread::spawn(move || {
                // Later by a little each time, so that some come about when the driver stops driving.
                for (turn, waker) in asks.into_iter().enumerate() {
                    (0..turn % 64).for_each(|_| std::hint::spin_loop());
                    given.fetch_add(1, Ordering::SeqCst);
                    waker.wake();
                }
            })
        };
        // A lost one would leave this waiting for ever.
        crate::wait::wait(async {
            for turn in 1..=TURNS {
                let mut is_asked = false;
                std::future::poll_fn(|cx| {
                    driver.poll(cx, |inner| {
                        if given.load(Ordering::SeqCst) >= turn {
                            return Poll::Ready(());
                        }
                        if !std::mem::replace(&mut is_asked, true) {
                            asked.send(inner.waker().clone()).expect("the giver waits");
                        }
                        Poll::Pending
                    })
                })
                .await;
            }
        });
        drop(asked);
        giver.join().expect("no panic");
        assert_eq!(given.load(Ordering::SeqCst), TURNS);
    }
}
