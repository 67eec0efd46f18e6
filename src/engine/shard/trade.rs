//! The shard's side of the global limits.

use super::Shard;
use crate::engine::message::Message;
use crate::engine::steering::LiveLimits;
use crate::model::{Clock, CloseReason, Job, Time};
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
        let sockets_came = self.asked_for_sockets.get() && self.shared.spare.has_free();
        let known = self.asked.get() && !self.shared.lease.has_free() && !sockets_came;
        if known || !self.sched.borrow().wants_more() {
            return false;
        }
        let mut sockets = self.connections.pool().budget();
        if self.sched.borrow().limit() as usize >= sockets {
            sockets += self.take_more_sockets();
        }
        let sockets = u32::try_from(sockets).unwrap_or(u32::MAX);
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

    /// Asks for more sockets, where these are what holds this shard; says how many it got.
    pub(super) fn take_more_sockets(&self) -> usize {
        let spare = &self.shared.spare;
        if self.shared.shards == 1 || (self.asked_for_sockets.get() && !spare.has_free()) {
            return 0;
        }
        let (taken, tell) = spare.take(self.index, spare.batch());
        self.asked_for_sockets.set(taken == 0);
        self.connections.pool_mut().gain(taken);
        if tell {
            self.shared.send_all(Some(self.index), || Message::Traded);
        }
        taken
    }

    /// Gives up sockets that others want, and the wish for more when there is none any longer.
    fn trade_sockets(&self) {
        let spare = &self.shared.spare;
        if self.asked_for_sockets.get() && !self.sched.borrow().wants_more() {
            spare.content(self.index);
            self.asked_for_sockets.set(false);
        }
        let wanted = spare.wanted_by_others(self.index);
        if wanted == 0 {
            return;
        }
        let (in_flight, queued) = {
            let sched = self.sched.borrow();
            (sched.in_flight(), sched.queued())
        };
        // What its permits are for, as far as it has work for them.
        let keep = in_flight.max(self.shared.lease.share(self.index).min(u32::try_from(queued).unwrap_or(u32::MAX)));
        let (given, evicted) = self.connections.pool_mut().part_with(wanted, keep as usize);
        self.connections.dismiss_all(evicted, CloseReason::Evicted);
        if given > 0 {
            spare.give(given);
            self.shared.send_all(Some(self.index), || Message::Traded);
        }
    }

    /// Gives up permits that are owed or that others want, and the wish for more when there is none any longer; `true`
    /// when this shard may start more than before.
    pub(super) fn trade(&self, now: Time) -> bool {
        let lease = &self.shared.lease;
        if lease.is_owed() && !self.repay(now) {
            return false;
        }
        if self.shared.shards == 1 {
            return self.uncurb();
        }
        if self.shared.spare.is_wanted() {
            self.trade_sockets();
        }
        if lease.wanted() && !self.sched.borrow().wants_more() {
            lease.content(self.index);
            self.asked.set(false);
        }
        if !lease.wanted() {
            return self.uncurb();
        }
        self.curbed.set(true);
        let (in_flight, idle) = {
            let sched = self.sched.borrow();
            (sched.in_flight(), sched.in_flight() == 0 && sched.queued() == 0)
        };
        let (limit, given) = lease.give(self.index, in_flight, idle);
        let before = self.sched.borrow().limit();
        self.sched.borrow_mut().handle(Event::Concurrency(limit), now);
        if given {
            self.shared.send_all(Some(self.index), || Message::Traded);
        }
        limit > before
    }

    /// Pays of what is owed, since the limit was lowered, what this shard does not use; while anything is left it starts
    /// nothing. `true` when all is paid.
    fn repay(&self, now: Time) -> bool {
        self.curbed.set(true);
        let in_flight = self.sched.borrow().in_flight();
        let paid = self.shared.lease.repay(self.index, in_flight);
        if paid {
            self.shared.send_all(Some(self.index), || Message::Traded);
        } else {
            self.sched.borrow_mut().handle(Event::Concurrency(0), now);
        }
        paid
    }

    /// The limit is the share again, if it was less; `true` if so.
    fn uncurb(&self) -> bool {
        let curbed = self.curbed.replace(false);
        if curbed {
            self.take_share();
        }
        curbed
    }

    /// Takes on what the user has said last.
    pub(super) fn steered(&self, now: Time) {
        let (wanted, paused) = (*self.shared.steering.limits(), self.shared.steering.is_paused());
        let is_news = self.held.replace(paused) != paused;
        if is_news {
            self.log_pause(paused, "its user says so");
        }
        if is_news && !self.paused.get() {
            self.sched.borrow_mut().handle(if paused { Event::Paused } else { Event::Resumed }, now);
        }
        let before = self.live.replace(wanted);
        let per_host = |limits: &LiveLimits| (limits.per_host, limits.delay, limits.host_rate);
        if per_host(&wanted) != per_host(&before) {
            self.limit_hosts(now);
        }
        if wanted.concurrency != before.concurrency && !self.shared.config.retries.backoff_max.is_zero() {
            let places = super::part(wanted.concurrency, self.shared.shards);
            self.sched.borrow_mut().handle(Event::Places(places), now);
        }
        if wanted.rate != before.rate {
            // The door may have been left closed; the next start is drawn, or free.
            self.sched.borrow_mut().handle(Event::NotBefore(self.scarcity.rest()), now);
        }
        self.trade(now);
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
