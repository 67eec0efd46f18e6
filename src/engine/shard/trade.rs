//! The shard's side of the global limits.

use super::Shard;
use crate::engine::message::Message;
use crate::model::{Clock, Job, Time};
use crate::sched::{Action, Event};

impl Shard {
    /// Sets the scheduler's limits to the shard's share.
    pub(super) fn take_share(&self) {
        let share = self.shared.lease.share(self.index);
        self.sched.borrow_mut().handle(Event::Concurrency(share), self.clock.now());
    }

    /// Asks for more permits when they are what holds this shard; true when it got some. A single shard asks too: it
    /// may have given some up for want of sockets.
    pub(super) fn take_more_permits(&self, now: Time) -> bool {
        // Asked once, it is known to want more; nothing has to be locked until there is something to take.
        let known = self.asked.get() && !self.shared.lease.has_free();
        if known || !self.sched.borrow().wants_more() {
            return false;
        }
        let sockets = u32::try_from(self.pool.borrow().budget()).unwrap_or(u32::MAX);
        let (share, tell) = self.shared.lease.take(self.index, sockets);
        self.asked.set(share.is_none());
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

    /// Gives up permits that others want, and the wish for more when there is none any longer.
    pub(super) fn trade(&self, now: Time) {
        if self.shared.shards == 1 {
            return;
        }
        let lease = &self.shared.lease;
        if lease.wanted() && !self.sched.borrow().wants_more() {
            lease.content(self.index);
            self.asked.set(false);
        }
        if lease.wanted() {
            self.curbed.set(true);
            let in_flight = self.sched.borrow().in_flight();
            let (limit, given) = lease.give(self.index, in_flight);
            self.sched.borrow_mut().handle(Event::Concurrency(limit), now);
            if given {
                self.shared.send_all(Some(self.index), || Message::Traded);
            }
        } else if self.curbed.replace(false) {
            self.take_share();
        }
    }

    /// What to do next. Where shards keep a common rate, the door is closed but for the one start that was just drawn.
    pub(super) fn next_action(&self, now: Time) -> Option<Action<Job>> {
        let mut sched = self.sched.borrow_mut();
        if !self.shared.lease.is_paced() {
            return sched.next_action(now);
        }
        sched.handle(Event::NotBefore(Time::NEVER), now);
        let action = sched.next_action(now);
        if action.is_some() || !sched.could_start() {
            return action;
        }
        match self.draw(now) {
            Ok(()) => {
                sched.handle(Event::NotBefore(now), now);
                sched.next_action(now)
            }
            Err(again) => {
                sched.handle(Event::NotBefore(again), now);
                None
            }
        }
    }

    fn draw(&self, now: Time) -> Result<(), Time> {
        let rest = self.scarcity.rest();
        if rest > now { Err(rest) } else { self.shared.lease.draw(now) }
    }
}
