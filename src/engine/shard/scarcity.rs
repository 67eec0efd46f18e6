//! What a shard does when the system has no descriptor left for a dial: it goes on with the sockets that are open, and
//! where there are none it rests. Nobody is blamed: the job waits.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::Shard;
use super::connections::PoolKey;
use super::flight::Flight;
use crate::model::{Clock, Failure, Time};
use crate::sched::Event;

/// How long nothing is started when no request is in flight whose end could free a descriptor: another shard, or
/// another process, has them all.
const REST: Duration = Duration::from_millis(100);

/// The least time between two warnings.
const QUIET: Duration = Duration::from_secs(1);

/// The shard's memory of its last want of descriptors.
#[derive(Default)]
pub(super) struct Scarcity {
    rest: Cell<Time>,
    quiet: Cell<Time>,
}

impl Scarcity {
    /// Nothing is started before this time.
    pub(super) fn rest(&self) -> Time {
        self.rest.get()
    }

    /// Whether a warning is due.
    fn is_news(&self, now: Time) -> bool {
        let news = now >= self.quiet.get();
        if news {
            self.quiet.set(now + QUIET);
        }
        news
    }
}

impl Shard {
    /// A dial found no descriptor: its flight returns to its queue.
    pub(super) fn out_of_descriptors(self: &Rc<Self>, key: PoolKey, flight: Flight, failure: &Failure) {
        let now = self.clock.now();
        let mut pool = self.connections.pool_mut();
        pool.dial_failed(key);
        pool.shrink_budget();
        let sockets = pool.budget();
        drop(pool);
        if self.scarcity.is_news(now) {
            tracing::warn!(sockets, %failure, "out of descriptors: going on with the sockets that are open");
        }
        self.board_waiting(key);
        self.hand_back(flight, now);
        if self.sched.borrow().in_flight() == 0 {
            let until = now + REST;
            self.scarcity.rest.set(until);
            self.sched.borrow_mut().handle(Event::NotBefore(until), now);
        }
        self.turn(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_a_second() {
        let scarcity = Scarcity::default();
        let warned = (0..3000).filter(|ms| scarcity.is_news(Time::from_millis(*ms))).count();
        assert_eq!(warned, 3);
    }
}
