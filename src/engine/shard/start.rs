//! The beginning of an attempt: a place on a connection for it.

use std::rc::Rc;

use super::Shard;
use super::connections::PoolKey;
use super::flight::{Flight, abandoned};
use super::lane::OneOfMany;
use crate::conn::ExchangeOutcome;
use crate::model::{Clock, CloseReason, Egress, Job, Time};
use crate::pool::{Acquired, ConnId, Demand, Habits};
use crate::sched::{Capacity, Event, HostId};
use crate::work;

/// How a job's requests leave this machine.
pub(super) fn egress_of(job: &Job) -> Egress {
    job.overrides().map_or_else(Egress::default, |overrides| overrides.egress)
}

impl Shard {
    /// Puts a flight on a connection: an open one, or a new one.
    pub(super) fn start(self: &Rc<Self>, flight: Flight, now: Time) {
        if flight.is_abandoned() {
            // Without a connection: it would be opened for nobody.
            return self.conclude(flight, None, ExchangeOutcome::unsent(abandoned(), now), now);
        }
        let (key, habits) = self.place_of(&flight);
        let repeats = work::counts(&flight.job).repeats;
        let demand = Demand {
            slots: if habits.wants_http1() { 1 } else { self.slots_per_connection(flight.host) },
            waiting: self.connections.waiting_for(key),
            habits,
            once: self.requests.is_once(&flight),
            again: repeats.made > 0,
            not_before: repeats.not_before,
        };
        let acquired = self.connections.pool_mut().acquire(key, demand, now);
        match acquired {
            Acquired::Slot(id) => {
                if demand.once {
                    self.hosts.learn(flight.host, Habits::probe);
                }
                self.board(id, flight);
            }
            Acquired::Dial { evict } => {
                if let Some(id) = evict {
                    self.connections.dismiss(id, CloseReason::Evicted);
                }
                tokio::task::spawn_local(Rc::clone(self).open(key, flight));
            }
            Acquired::Wait => self.connections.wait(key, flight),
            Acquired::NoSocket => self.out_of_sockets(flight, now),
        }
    }

    /// A host that sends a long body answers, though its first request has not ended.
    pub(super) fn head_came(&self, host: HostId) {
        if self.sched.borrow().host_answers(host) {
            return;
        }
        let now = self.clock.now();
        self.sched.borrow_mut().handle(Event::Answers { host }, now);
        self.alarm.set(now);
    }

    /// Requests that one connection of the host carries at once, as far as known.
    fn slots_per_connection(&self, host: HostId) -> u32 {
        self.slots_known(host).unwrap_or(1)
    }

    /// Streams that each of the host's HTTP/2 connections is allowed, if it has had any.
    pub(super) fn slots_known(&self, host: HostId) -> Option<u32> {
        match self.sched.borrow().host_capacity(host) {
            Capacity::Unknown | Capacity::OneEach => None,
            Capacity::Streams(all) => Some((all.get() / self.shared.config.pool.max_h2_connections.max(1)).max(1)),
        }
    }

    /// A slot on a connection of this flight's host is free: others may wait for it.
    pub(super) fn board_others(self: &Rc<Self>, flight: &Flight) {
        // Nearly always there is nobody.
        if self.connections.has_waiting() {
            self.board_waiting(self.pool_key(flight));
        }
    }

    /// Something has changed for those who wait for a connection of `key`: they ask again, first come first served.
    pub(super) fn board_waiting(self: &Rc<Self>, key: PoolKey) {
        let Some(queue) = self.connections.take_waiting(key) else { return };
        let now = self.clock.now();
        queue.into_iter().for_each(|flight| self.start(flight, now));
    }

    /// Returns a flight to its queue: nothing of it was sent, and nobody is to blame.
    pub(super) fn take_back(&self, mut flight: Flight, now: Time) {
        self.stowage.put_again(&mut flight.job);
        self.sched.borrow_mut().handle(Event::Returned { host: flight.host, job: flight.job }, now);
    }

    pub(super) fn pool_key(&self, flight: &Flight) -> PoolKey {
        self.place_of(flight).0
    }

    /// What its connections are kept under, and what is known of them.
    fn place_of(&self, flight: &Flight) -> (PoolKey, Habits) {
        let known = self.hosts.with(flight.host, |host| (host.generation, host.habits()));
        let (generation, habits) = known.unwrap_or_default();
        ((generation, egress_of(&flight.job)), habits)
    }

    /// Hands a flight to an open connection with a free slot.
    fn board(self: &Rc<Self>, id: ConnId, flight: Flight) {
        if let Some((streams, flight)) = self.connections.board(id, flight) {
            let (shard, mut hold) = (Rc::clone(self), OneOfMany::new(id, streams));
            tokio::task::spawn_local(async move { shard.lane(&mut hold, flight).await });
        }
    }
}
