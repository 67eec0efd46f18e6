//! The task that wakes the scheduler when time alone makes something possible.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::Shard;
use crate::conn::LazyTimer;
use crate::model::{Clock, Time};
use crate::sched::Event;

/// When the scheduler wants to be woken, and the task that will do it.
pub(super) struct Alarm {
    due: Cell<Time>,
    /// What the timer was last asked for: a later deadline need not disturb it.
    armed: Cell<Time>,
    waker: RefCell<Option<Waker>>,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { due: Cell::new(Time::NEVER), armed: Cell::new(Time::NEVER), waker: RefCell::new(None) }
    }
}

impl Alarm {
    /// Asks to be woken at `due`.
    pub(super) fn set(&self, due: Time) {
        self.due.set(due);
        if due < self.armed.get()
            && let Some(waker) = self.waker.borrow().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    fn poll(&self, cx: &mut Context<'_>, timer: &mut LazyTimer, clock: &impl Clock) -> Poll<()> {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        let due = self.due.get();
        self.armed.set(due);
        timer.poll_due(cx, due, clock)
    }
}

impl Shard {
    /// Runs for as long as the shard.
    pub(super) async fn alarm_loop(self: Rc<Self>) {
        let mut timer = LazyTimer::new(&self.clock, Time::NEVER);
        loop {
            std::future::poll_fn(|cx| self.alarm.poll(cx, &mut timer, &self.clock)).await;
            self.alarm.due.set(Time::NEVER);
            let now = self.clock.now();
            self.sched.borrow_mut().handle(Event::Tick, now);
            self.turn(now);
            // A turn may leave work for another turn at once; lanes and sockets come in between.
            tokio::task::yield_now().await;
        }
    }
}
