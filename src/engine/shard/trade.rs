//! The shard's side of the global limits.

use super::Shard;
use crate::engine::message::Message;
use crate::model::{Clock, Time};
use crate::sched::Event;

impl Shard {
    /// Sets the scheduler's limits to the shard's share.
    pub(super) fn take_share(&self) {
        let share = self.shared.lease.share(self.index);
        self.sched.borrow_mut().handle(Event::Concurrency(share), self.clock.now());
    }

    /// Asks for more permits when they are what holds this shard; true when it got some.
    pub(super) fn take_more_permits(&self, now: Time) -> bool {
        if self.shared.shards == 1 || !self.sched.borrow().wants_more() {
            return false;
        }
        let (share, tell) = self.shared.lease.take(self.index);
        if tell {
            self.shared.send_all(Some(self.index), || Message::Traded);
        }
        match share {
            Some(share) => {
                self.sched.borrow_mut().handle(Event::Concurrency(share), now);
                true
            }
            None => false,
        }
    }

    /// Gives up permits that others want, and follows the number of shards that share the global rate.
    pub(super) fn trade(&self, now: Time) {
        if self.shared.shards == 1 {
            return;
        }
        if self.shared.lease.wanted() {
            let in_flight = self.sched.borrow().in_flight();
            let (limit, given) = self.shared.lease.give(self.index, in_flight);
            self.sched.borrow_mut().handle(Event::Concurrency(limit), now);
            if given {
                self.shared.send_all(Some(self.index), || Message::Traded);
            }
        }
        self.share_rate(now);
    }

    fn share_rate(&self, now: Time) {
        let Some(rate) = self.shared.config.limits.rate else { return };
        let sched = self.sched.borrow();
        let active = sched.queued() + sched.waiting_retries() > 0 || sched.in_flight() > 0;
        drop(sched);
        if self.active.replace(active) != active {
            self.shared.lease.set_active(active);
            self.shared.send_all(Some(self.index), || Message::Traded);
        }
        let sharers = self.shared.lease.active();
        if self.rate_sharers.replace(sharers) != sharers {
            let interval = rate.interval().saturating_mul(u32::try_from(sharers).unwrap_or(u32::MAX));
            self.sched.borrow_mut().handle(Event::Interval(Some(interval)), now);
        }
    }
}
