//! A shard's connections: which there are, how their lanes are reached, who waits for one.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::connection_handle::{ConnectionHandle, LaneMessage, Streams};
use super::flight::Flight;
use crate::conn::H2;
use crate::dial::Dialer;
use crate::dns::Resolver;
use crate::engine::shared::Shared;
use crate::model::{Clock, CloseReason, Egress, Resolve, Time};
use crate::pool::{ConnId, Pool};

/// What connections are kept under: an origin's number, which is never used again, and how requests leave.
pub(super) type PoolKey = (u64, Egress);

/// The way to new connections.
fn dialer(shared: &Shared, resolver: &Rc<Resolver>) -> Dialer {
    let (clock, tls) = (shared.clock, Arc::clone(&shared.tls));
    let names = Rc::clone(resolver) as Rc<dyn Resolve>;
    let mut dialer = Dialer::new(&shared.config, tls, names, move || clock.now());
    if let Some(filter) = &shared.extensions.address_filter {
        dialer = dialer.with_filter(Arc::clone(filter));
    }
    if let Some(connector) = &shared.extensions.connector {
        dialer = dialer.with_connector(Arc::clone(connector));
    }
    dialer
}

/// The connections of a shard, open and under way.
pub(super) struct Connections {
    pool: RefCell<Pool<PoolKey>>,
    dialer: Dialer,
    /// The live ones, by the pool's ids.
    live: RefCell<Vec<Option<(ConnId, ConnectionHandle)>>>,
    /// Dispatched jobs that wait for a connection under way, or for a stream. Bounded by the requests in flight.
    waiting: RefCell<HashMap<PoolKey, VecDeque<Flight>>>,
}

impl Connections {
    pub(super) fn new(shared: &Shared, resolver: &Rc<Resolver>, seed: u64) -> Self {
        Self {
            pool: RefCell::new(Pool::new(shared.config.pool.clone(), shared.spare.share(), seed)),
            dialer: dialer(shared, resolver),
            live: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// Where the next request may go.
    pub(super) fn pool(&self) -> Ref<'_, Pool<PoolKey>> {
        self.pool.borrow()
    }

    pub(super) fn pool_mut(&self) -> RefMut<'_, Pool<PoolKey>> {
        self.pool.borrow_mut()
    }

    pub(super) const fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Makes a new connection reachable.
    pub(super) fn register(&self, id: ConnId, connection_handle: ConnectionHandle) {
        let mut live = self.live.borrow_mut();
        if live.len() <= id.index() {
            live.resize_with(id.index() + 1, || None);
        }
        live[id.index()] = Some((id, connection_handle));
    }

    /// Takes a connection that the pool has dropped out of reach. Harmless when it is gone already.
    fn unregister(&self, id: ConnId) -> Option<ConnectionHandle> {
        let mut live = self.live.borrow_mut();
        let place = live.get_mut(id.index())?;
        if place.as_ref().is_some_and(|(known, _)| *known == id) {
            place.take().map(|(_, connection_handle)| connection_handle)
        } else {
            None
        }
    }

    /// Closes a connection's books: it failed, was closed by its peer, or has been idle for too long.
    pub(super) fn closed(&self, id: ConnId, why: CloseReason) {
        self.pool.borrow_mut().closed(id);
        self.dismiss(id, why);
    }

    /// Sends home the lanes that wait on a connection that the pool has dropped.
    pub(super) fn dismiss(&self, id: ConnId, why: CloseReason) {
        if let Some(connection_handle) = self.unregister(id) {
            connection_handle.dismiss(why);
        }
    }

    pub(super) fn dismiss_all(&self, ids: impl IntoIterator<Item = ConnId>, why: CloseReason) {
        ids.into_iter().for_each(|id| self.dismiss(id, why));
    }

    /// Nothing new goes over the connections of now.
    #[cold]
    pub(super) fn leave(&self, key: PoolKey, why: CloseReason) {
        let idle = self.pool.borrow_mut().abandon(key, why);
        self.dismiss_all(idle, why);
    }

    /// Drops a connection if all of its lanes have been idle for too long.
    pub(super) fn expire(&self, id: ConnId, now: Time) {
        let expired = self.pool.borrow_mut().expire(id, now);
        if expired {
            self.dismiss(id, CloseReason::IdleTimeout);
        }
    }

    /// Hands a flight to an open connection with a free slot, or gives it back with the streams that it needs a lane on.
    pub(super) fn board(&self, id: ConnId, flight: Flight) -> Option<(Rc<RefCell<Streams<H2>>>, Flight)> {
        let live = self.live.borrow();
        let connection_handle = live.get(id.index()).and_then(Option::as_ref);
        match &connection_handle.expect("the pool hands out only connections that are registered").1 {
            ConnectionHandle::Alone(mailbox) => {
                let earlier = mailbox.put(LaneMessage::Flight(flight));
                debug_assert!(earlier.is_none(), "a slot was handed out twice");
                None
            }
            ConnectionHandle::Http2(streams) => {
                let flight = streams.borrow_mut().wake_idle(flight)?;
                Some((Rc::clone(streams), flight))
            }
        }
    }

    /// The flight waits for a connection under way, or for a stream.
    pub(super) fn wait(&self, key: PoolKey, flight: Flight) {
        self.waiting.borrow_mut().entry(key).or_default().push_back(flight);
    }

    /// Whether any flight waits.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// How many wait.
    pub(super) fn waiting_for(&self, key: PoolKey) -> u32 {
        // Nearly always there is nobody: the whole table is empty then.
        if self.has_waiting() { self.waiting.borrow().get(&key).map_or(0, |queue| queue.len() as u32) } else { 0 }
    }

    /// Those who wait, first come first.
    pub(super) fn take_waiting(&self, key: PoolKey) -> Option<VecDeque<Flight>> {
        if self.has_waiting() { self.waiting.borrow_mut().remove(&key) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::engine::Engine;
    use crate::engine::mailbox::Mailbox;
    use crate::model::{Job, WebUrl};
    use crate::pool::{Acquired, Demand, Habits};
    use crate::protocol::Protocol;
    use crate::sched::HostId;

    const KEY: PoolKey = (1, Egress(0));

    fn connections() -> Connections {
        let mut config = Config::default();
        config.limits.shards = 1;
        let shared = Engine::new(config).expect("a machine that can run haul").shared;
        let clock = shared.clock;
        let resolver = Rc::new(Resolver::with(&shared.config, None, move || clock.now()));
        Connections::new(&shared, &resolver, 1)
    }

    fn flight() -> Flight {
        let url = WebUrl::parse("http://a.example/").expect("a URL").0;
        Flight::new(HostId(0), Job::new(0, url, Time::ZERO), Time::ZERO, std::time::Duration::ZERO)
    }

    /// A new connection, and its lane's mailbox.
    fn opened(connections: &Connections) -> (ConnId, Rc<Mailbox<LaneMessage>>) {
        let demand =
            Demand { slots: 1, waiting: 0, habits: Habits::default(), once: false, again: false, not_before: 0 };
        let acquired = connections.pool_mut().acquire(KEY, demand, Time::ZERO);
        assert!(matches!(acquired, Acquired::Dial { .. }), "{acquired:?}");
        let id = connections.pool_mut().dialed(KEY, Protocol::Http1, 1, Time::ZERO);
        let mailbox = Rc::new(Mailbox::default());
        connections.register(id, ConnectionHandle::Alone(Rc::clone(&mailbox)));
        (id, mailbox)
    }

    #[test]
    fn a_lane_is_reached_by_its_connection_until_that_is_closed() {
        let connections = connections();
        let (id, mailbox) = opened(&connections);
        assert!(connections.board(id, flight()).is_none());
        assert!(matches!(mailbox.take(), Some(LaneMessage::Flight(_))));
        connections.closed(id, CloseReason::PeerClosed);
        assert!(matches!(mailbox.take(), Some(LaneMessage::Leave(CloseReason::PeerClosed))));
        assert_eq!(connections.pool().sockets(), 0);
    }

    #[test]
    fn who_is_gone_already_is_not_dismissed_in_another_s_place() {
        let connections = connections();
        let (old, _) = opened(&connections);
        connections.closed(old, CloseReason::PeerClosed);
        let (new, mailbox) = opened(&connections);
        assert_eq!(new.index(), old.index());
        connections.dismiss(old, CloseReason::Evicted);
        assert!(mailbox.take().is_none());
    }

    #[test]
    fn those_who_wait_come_in_the_order_they_came() {
        let connections = connections();
        assert!(connections.take_waiting(KEY).is_none());
        let urls = ["http://a.example/1", "http://a.example/2"];
        for url in urls {
            let mut flight = flight();
            flight.job.url = WebUrl::parse(url).expect("a URL").0;
            connections.wait(KEY, flight);
        }
        assert_eq!(connections.waiting_for(KEY), 2);
        let came = connections.take_waiting(KEY).expect("two wait");
        assert!(came.iter().map(|flight| flight.job.url.as_str()).eq(urls));
        assert_eq!(connections.waiting_for(KEY), 0);
    }
}
