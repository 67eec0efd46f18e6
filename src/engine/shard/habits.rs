//! What a shard learns of its hosts' connections from how they end, and what a new one is told of it.

use super::Shard;
use super::connection_handle::History;
use super::connections::PoolKey;
use super::flight::Flight;
use crate::attempt::{Sent, is_cut, is_timeout};
use crate::conn::ExchangeOutcome;
use crate::model::{CloseReason, Time};
use crate::pool::{ConnId, Habits, SOON};
use crate::sched::HostId;
use crate::work;

impl Shard {
    /// A new connection carries no more than its host is known to take, and is kept no longer than it is known to last.
    pub(super) fn break_in(&self, id: ConnId, host: HostId, once: bool) {
        if self.hosts.habits(host) == Habits::default() {
            return;
        }
        let known = self.hosts.learn(host, |habits| (habits.give(once), habits.at_once(), habits.keep()));
        let Some((requests, streams, keep)) = known else { return };
        let mut pool = self.connections.pool_mut();
        if streams < u32::MAX {
            pool.cap(id, streams);
        }
        if requests < u32::MAX {
            pool.give(id, requests);
        }
        if let Some(idle) = keep {
            pool.keep(id, idle);
        }
    }

    /// A connection has carried all the requests that it was given.
    pub(super) fn has_carried_all(&self, host: HostId, given: u32) {
        self.hosts.learn(host, |habits| habits.took_all(given));
    }

    /// The first response over a connection says whether it will be kept.
    pub(super) fn note_promise(&self, host: HostId, exchanged: &ExchangeOutcome) {
        if exchanged.promises_keep_alive() {
            self.hosts.learn(host, Habits::kept);
        }
    }

    /// A kept connection was the wrong one for a request (421): it takes no more, and over HTTP/1.1 the requests before are all
    /// that one is good for.
    #[cold]
    pub(super) fn note_misdirected(&self, id: ConnId, host: HostId, is_h1: bool) {
        let served = u32::try_from(self.connections.pool().served(id)).unwrap_or(u32::MAX);
        self.connections.pool_mut().drain(id, CloseReason::Suspect);
        if is_h1 {
            self.hosts.learn(host, |habits| habits.ended_after(served.saturating_sub(1)));
        }
    }

    /// The peer ended an idle connection, or it was found so when its turn came.
    pub(super) fn note_end(&self, id: ConnId, key: PoolKey, host: HostId, reason: CloseReason, now: Time) {
        let pool = self.connections.pool();
        let Some(idle_since) = pool.idle_since(id) else { return };
        let is_its = self.hosts.with(host, |host| host.generation) == Some(key.0);
        if !is_its || !matches!(reason, CloseReason::PeerClosed | CloseReason::UnsolicitedBytes) {
            return;
        }
        let served = u32::try_from(pool.served(id)).unwrap_or(u32::MAX);
        let idle = now.since(idle_since);
        self.hosts.learn(host, |habits| if idle < SOON { habits.ended_after(served) } else { habits.faded(idle) });
    }

    /// Takes note of a request that had no answer on a kept connection, before that is released: its siblings may be as
    /// dead as it is. `streams`: those of one over HTTP/2.
    #[cold]
    pub(super) fn note_unanswered(
        &self,
        id: ConnId,
        flight: &Flight,
        exchanged: &ExchangeOutcome,
        streams: Option<&mut History>,
    ) {
        let Err(failure) = &exchanged.result else { return };
        self.hosts.learn(flight.host, Habits::failed);
        let timed_out = is_timeout(failure);
        let unanswered = matches!(exchanged.sent, Sent::No | Sent::Unanswered);
        if !unanswered || !(timed_out || is_cut(failure)) {
            return;
        }
        if flight.dial.is_some() {
            if work::counts(&flight.job).repeats.not_before > 0 {
                self.hosts.learn(flight.host, Habits::pardon);
            }
            return;
        }
        let key = self.pool_key(flight);
        let mut pool = self.connections.pool_mut();
        let (since, served) = match streams {
            Some(streams) => {
                streams.refused += 1;
                (streams.fell_idle, streams.carried.saturating_sub(streams.refused))
            }
            None => (pool.idle_since(id), u32::try_from(pool.served(id)).unwrap_or(u32::MAX).saturating_sub(1)),
        };
        let proven_before = if timed_out { flight.dispatched } else { since.unwrap_or(flight.dispatched) };
        let suspects = pool.suspect(key, proven_before);
        drop(pool);
        self.connections.dismiss_all(suspects, CloseReason::Suspect);
        let Some(since) = since else { return };
        let idle = flight.dispatched.since(since);
        self.hosts.learn(flight.host, |habits| match (timed_out, idle < SOON) {
            (false, true) => habits.ended_after(served),
            (false, false) => habits.faded(idle),
            (true, false) => habits.swallowed(idle),
            // Too slow an answer, as far as anyone can tell; or one that never comes, where no kept connection ever brought one.
            (true, true) if habits.are_kept() => {}
            (true, true) => habits.ended_after(served),
        });
    }

    /// A stream was not processed: the connection has ended, after as many as it took; or it takes no more at once.
    #[cold]
    pub(super) fn note_unprocessed(&self, id: ConnId, flight: &Flight, streams: &mut History, ended: bool) {
        streams.refused += 1;
        if ended {
            let served = streams.carried.saturating_sub(streams.refused);
            flight.crowded.set(streams.answered);
            self.hosts.learn(flight.host, |habits| habits.ended_after(served));
            return;
        }
        let others = self.connections.pool_mut().refused(id);
        match others {
            Some(served) => {
                flight.crowded.set(true);
                self.hosts.learn(flight.host, |habits| habits.refused(served));
            }
            // It may take the next: the first comes before the server has said how many it takes.
            None if !streams.answered && !std::mem::replace(&mut streams.turned_away, true) => {}
            // It takes no more, and those that it served are what it takes.
            None => {
                self.connections.pool_mut().drain(id, CloseReason::Suspect);
                let served = streams.carried.saturating_sub(streams.refused);
                if served > 0 {
                    self.hosts.learn(flight.host, |habits| habits.ended_after(served));
                }
            }
        }
    }

    /// The host wants HTTP/1.1: nothing new goes over its HTTP/2 connections.
    #[cold]
    pub(super) fn go_to_http1(&self, key: PoolKey, host: HostId) {
        if self.hosts.learn(host, Habits::want_http1) == Some(true) {
            self.log_http1(host);
            self.connections.leave(key, CloseReason::NotKeptAlive);
        }
    }
}
