//! A turn: do what the scheduler says until it has nothing more to say.

use std::rc::Rc;

use super::Shard;
use super::flight::Flight;
use crate::conn::ExchangeOutcome;
use crate::model::{Job, Time};
use crate::sched::{Action, Event, Gate};

/// Actions per turn: enough that a turn is worth its overhead, few enough that sockets are looked at every 100 µs or
/// so even while a dead host's queue of a million is handed back.
const MAX_ACTIONS: usize = 512;

impl Shard {
    /// Carries out the scheduler's actions, then sees that it is woken in time.
    pub(super) fn turn(self: &Rc<Self>, now: Time) {
        self.pause_if_sink_is_behind(now);
        // While the sink is behind nothing is done: a job that is given up is a record too. The turn after it has caught
        // up does it all.
        let mut left = MAX_ACTIONS;
        while left > 0 && !self.pauses.sink_is_behind() {
            match self.permits.next_action(&self.sched, now) {
                Some(action) => self.act(action, now),
                None if self.permits.take_more(&self.sched, &self.connections, now) => {}
                None => break,
            }
            left -= 1;
        }
        let may_start_more = self.permits.trade(&self.sched, &self.connections, now);
        let due = match left {
            _ if self.pauses.sink_is_behind() => Time::NEVER,
            0 => now,
            _ if may_start_more => now,
            _ => self.next_deadline(),
        };
        self.alarm.set(due);
        self.count();
    }

    fn next_deadline(&self) -> Time {
        self.sched.borrow_mut().next_deadline().map_or(Time::NEVER, |(due, _)| due)
    }

    fn count(&self) {
        let counters = &self.shared.counters[self.index];
        let sched = self.sched.borrow();
        counters.queued.set((sched.queued() + sched.waiting_retries()) as u64);
        counters.in_flight.set(u64::from(sched.in_flight()));
    }

    fn act(self: &Rc<Self>, action: Action<Job>, now: Time) {
        match action {
            Action::Start { host, mut job } => {
                let backed_off = self.sched.borrow().host_rested(host, job.accepted, now);
                let unstowed = self.stowage.take(&mut job);
                let flight = Flight::new(host, job, now, backed_off);
                match unstowed {
                    Ok(()) => self.start(flight, now),
                    Err(failure) => self.conclude(flight, None, ExchangeOutcome::unsent(failure, now), now),
                }
            }
            Action::Open { host, gate: Gate::Address } => {
                tokio::task::spawn_local(Rc::clone(self).resolve(host));
            }
            // Nobody has asked for it: it is open.
            Action::Open { host, gate: gate @ Gate::Robots } => {
                self.sched.borrow_mut().handle(Event::Opened { host, gate }, now);
            }
            Action::GiveUp { host, job, reason } if self.may_be_named_now(host, reason) => {
                let mut sched = self.sched.borrow_mut();
                sched.handle(Event::Renamed { host }, now);
                sched.handle(Event::Arrived { host, job }, now);
            }
            Action::GiveUp { host, job, reason } => self.give_up(host, job, reason),
            Action::Forget { host } => self.forget(host),
        }
    }
}
