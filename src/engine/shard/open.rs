//! From a dispatched job to a lane on a new connection.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::task::Poll;

use super::Shard;
use super::connection_handle::{ConnectionHandle, Streams};
use super::connections::PoolKey;
use super::flight::{Flight, abandoned};
use super::host::Host;
use super::lane::{Alone, OneOfMany, Seat};
use super::log::CloseLog;
use crate::conn::{ExchangeOutcome, H1, H2};
use crate::dial::{DialError, DialFailure, DialOptions, DialedConnection, Target};
use crate::engine::mailbox::Mailbox;
use crate::model::{Clock, Failure, FailureKind, Phase, Scheme, Time};
use crate::protocol::Protocol;
use crate::sched::{Capacity, Event, HostId};

impl Shard {
    /// Dials for `flight` and, once connected, becomes the lane of the connection.
    pub(super) async fn open(self: Rc<Self>, key: PoolKey, mut flight: Flight) {
        match self.dial(key, &flight).await {
            Some(Ok(dialed)) => {
                let mut times = dialed.times;
                times.dns = self.hosts.change(flight.host, Host::take_lookup).flatten().or(times.dns);
                flight.dial = Some(times);
                self.shared.counters[self.index].connections_opened.add(1);
                let prior_knowledge = flight.job.url.scheme() == Scheme::Http
                    && self.shared.config.network.http2_prior_knowledge
                    && !self.hosts.habits(flight.host).wants_http1();
                if dialed.protocol == Protocol::Http2 || prior_knowledge {
                    // Boxed likewise: an HTTP/1.1 lane is far smaller.
                    Box::pin(self.open_h2(key, dialed, flight)).await;
                } else {
                    self.open_h1(key, dialed, flight).await;
                }
            }
            Some(Err(error)) => self.dial_failed(key, error, flight),
            None => self.attempt_failed(key, flight, abandoned()),
        }
    }

    /// A new connection to the flight's host. `None`: nobody waits for it any longer.
    async fn dial(&self, key: PoolKey, flight: &Flight) -> Option<Result<DialedConnection, DialError>> {
        let budget = self.requests.due(flight).since(self.clock.now());
        let target = Target::of(&flight.job.url);
        let wants_http1 = || self.hosts.habits(flight.host).wants_http1();
        let last = self.hosts.with(flight.host, |host| host.failed_addresses().to_vec()).unwrap_or_default();
        // Boxed, so that a lane does not carry the room a dial and its handshake need for the rest of its life.
        let mut dialing = Box::pin(async {
            let (dialer, options) =
                (self.connections.dialer(), DialOptions { egress: key.1, http1: false, last: &last });
            if !wants_http1() {
                let dialed = dialer.dial_with(&target, options, budget).await;
                // What it wants may have become known meanwhile.
                if !(dialed.as_ref().is_ok_and(|dialed| dialed.protocol == Protocol::Http2) && wants_http1()) {
                    return dialed;
                }
            }
            dialer.dial_with(&target, DialOptions { http1: true, ..options }, budget).await
        });
        let dialed = poll_fn(|cx| match flight.poll_gone(cx) {
            // Others wait for this connection too: it is theirs now.
            Poll::Ready(()) if self.connections.waiting_for(key) == 0 => Poll::Ready(None),
            _ => dialing.as_mut().poll(cx).map(Some),
        });
        dialed.await
    }

    async fn open_h1(self: &Rc<Self>, key: PoolKey, dialed: DialedConnection, flight: Flight) {
        let (remote, resumed) = (dialed.remote, dialed.resumed);
        match H1::new(dialed.io, &self.shared.config.body).await {
            Ok(h1) => {
                let now = self.clock.now();
                let id = self.connections.pool_mut().dialed(key, Protocol::Http1, 1, now);
                self.break_in(id, flight.host, self.requests.is_once(&flight));
                let ending = self.log_opened(&flight, id, remote, Protocol::Http1, resumed);
                let mailbox = Rc::new(Mailbox::default());
                self.connections.register(id, ConnectionHandle::Alone(Rc::clone(&mailbox)));
                self.note_address(flight.host, remote, now);
                self.learn_capacity(flight.host, Capacity::OneEach, now);
                self.board_waiting(key);
                let seat = Seat { id, remote, mailbox };
                let mut hold = Alone { seat, key, host: flight.host, connection: Box::new(h1) };
                let why = self.lane(&mut hold, flight).await;
                CloseLog::because(ending.as_ref(), why);
            }
            Err(failure) => self.attempt_failed(key, flight, failure),
        }
    }

    async fn open_h2(self: &Rc<Self>, key: PoolKey, dialed: DialedConnection, flight: Flight) {
        let (remote, resumed) = (dialed.remote, dialed.resumed);
        // Its first bytes are written now, and a peer may never take them.
        let limit = self.shared.config.timeouts.first_byte.min(self.requests.due(&flight).since(self.clock.now()));
        let opening = H2::new(dialed.io, &self.shared.config.body);
        let opened = tokio::time::timeout(limit, opening).await.unwrap_or_else(|_| {
            let message = format!("the server took no bytes for {limit:?} after connecting");
            Err(Failure::new(Phase::Send, FailureKind::Timeout, message))
        });
        match opened {
            Ok((h2, driver)) => {
                // What the peer allows is known with its settings; what is too much for it is sent away then. Until then it is what
                // the host's other connections are allowed.
                let slots = self.slots_known(flight.host).unwrap_or_else(|| self.streams(usize::MAX));
                let now = self.clock.now();
                let id = self.connections.pool_mut().dialed(key, Protocol::Http2, slots, now);
                self.break_in(id, flight.host, false);
                let ending = self.log_opened(&flight, id, remote, Protocol::Http2, resumed);
                let streams = Rc::new(RefCell::new(Streams::new(h2, remote, ending.clone())));
                self.connections.register(id, ConnectionHandle::Http2(Rc::clone(&streams)));
                let (shard, shared) = (Rc::clone(self), Rc::downgrade(&streams));
                tokio::task::spawn_local(async move {
                    let drain = driver.await;
                    CloseLog::because(ending.as_ref(), drain.why());
                    drop(ending);
                    if let Some(streams) = shared.upgrade() {
                        let (pool, history) = (shard.connections.pool(), &mut streams.borrow_mut().history);
                        history.carried = u32::try_from(pool.served(id)).unwrap_or(u32::MAX);
                        history.fell_idle = pool.idle_since(id);
                    }
                    shard.connections.closed(id, drain.why());
                    shard.board_waiting(key);
                    drop(shard);
                    drain.run().await;
                });
                self.note_address(flight.host, remote, now);
                self.learn_capacity(flight.host, self.host_streams(slots), now);
                self.board_waiting(key);
                self.lane(&mut OneOfMany::new(id, streams), flight).await;
            }
            Err(failure) => self.attempt_failed(key, flight, failure),
        }
    }

    /// Streams used on one connection whose peer allows so many.
    pub(super) fn streams(&self, allowed: usize) -> u32 {
        let max = self.shared.config.pool.max_h2_streams.max(1);
        u32::try_from(allowed).unwrap_or(u32::MAX).clamp(1, max)
    }

    /// Streams used on all connections of a host together.
    pub(super) fn host_streams(&self, per_connection: u32) -> Capacity {
        let streams = per_connection.saturating_mul(self.shared.config.pool.max_h2_connections.max(1));
        Capacity::Streams(NonZeroU32::new(streams).unwrap_or(NonZeroU32::MIN))
    }

    /// What the host's connections can carry is known, or has changed: its protocol gate follows.
    pub(super) fn learn_capacity(self: &Rc<Self>, id: HostId, capacity: Capacity, now: Time) {
        let before = self.sched.borrow().host_capacity(id);
        if capacity != before {
            self.sched.borrow_mut().handle(Event::Capacity { host: id, capacity }, now);
            self.log_capacity(id, capacity);
            self.turn(now);
        }
    }

    fn dial_failed(self: &Rc<Self>, key: PoolKey, error: DialError, mut flight: Flight) {
        flight.dial = Some(error.times);
        match error.cause {
            // Local ports are used up towards one destination only: its host is tried again later, others go on.
            DialFailure::Peer(failure) | DialFailure::NoPorts(failure) => {
                let host = flight.host;
                self.attempt_failed(key, flight, failure);
                self.note_failed_address(host, error.remote);
            }
            DialFailure::NoDescriptors(failure) => self.out_of_descriptors(key, flight, &failure),
        }
    }

    /// An attempt that ended before there was a connection to send it on.
    fn attempt_failed(self: &Rc<Self>, key: PoolKey, flight: Flight, failure: Failure) {
        self.connections.pool_mut().dial_failed(key);
        let now = self.clock.now();
        self.conclude(flight, None, ExchangeOutcome::unsent(failure, now), now);
        // Those who waited for this connection go back to their queue: the host's back-off holds for them too.
        let waiting = self.connections.take_waiting(key);
        waiting.into_iter().flatten().for_each(|flight| self.take_back(flight, now));
        self.turn(now);
    }
}
