//! Which connection serves the next request: pure book-keeping by id.
//!
//! Owns the counts: sockets open and being dialled against the budget, slots in use per connection (one for
//! HTTP/1.1, streams for HTTP/2), the idle order over all hosts. The caller owns the connections themselves and does
//! what it is told. Nothing is raced: a dial is asked for only when no live connection has room.
//!
//! Invariants: open + dialling ≤ budget; a slot is handed out once until it is released; a connection past its age or
//! draining is never handed out. Must not know: sockets, tasks, messages, the scheduler.

mod habits;
mod idle;

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use fastrand::Rng;
use foldhash::fast::FixedState;
use slab::Slab;

use crate::config::PoolSettings;
use crate::model::{CloseReason, Time};
use crate::protocol::Protocol;
pub use habits::{Habits, SOON};
use idle::{IdleLinks, IdleOrder};

/// A connection as the pool knows it. The index is used again; the generation never is, so that a late word about a
/// connection that is gone can't be taken for one about its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    index: u32,
    generation: u64,
}

impl ConnId {
    /// A small number, unique among the live connections: the place to keep what belongs to it.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// A number that no other connection of the pool ever has.
    pub const fn number(self) -> u64 {
        self.generation
    }
}

/// Rounds of responses after which a connection that has refused a stream is tried with one more at once.
const CALM: u32 = 8;

/// Where the next request of a key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// On this connection; one of its slots is now taken.
    Slot(ConnId),
    /// On a new connection: dial, then say [`Pool::dialed`] or [`Pool::dial_failed`]. A socket of the budget is taken.
    /// `evict` was idle elsewhere and makes room: close it (it is no longer in the pool).
    Dial {
        /// The connection to close.
        evict: Option<ConnId>,
    },
    /// On a connection that is being dialled, or as soon as a stream falls free: ask again then.
    Wait,
    /// Nowhere: the budget is used up by connections that are all busy.
    NoSocket,
}

/// What is known of the need for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Requests a new connection of this key is expected to carry at once: 1 for HTTP/1.1, or when it is not known.
    pub slots: u32,
    /// Requests that were told to wait and still do.
    pub waiting: u32,
    /// What is known of the host's connections.
    pub habits: Habits,
    /// The request may be sent only once: a kept connection has to be one that can be relied on.
    pub once: bool,
    /// It has been refused before: no stream will do that is tried beyond what a connection was seen to take at once.
    pub again: bool,
    /// Connections opened before this one won't do: a count that [`Pool::opened`] gave. Nor will one over HTTP/1.1 that has been
    /// opened since and has carried a request: it may be as worn as the one that lost this.
    pub not_before: u64,
}

impl Demand {
    /// One request, one connection, any.
    pub const SINGLE: Self =
        Self { slots: 1, waiting: 0, habits: Habits::NONE, once: false, again: false, not_before: 0 };

    /// Requests that a new connection will carry at once.
    fn carries(&self) -> u32 {
        self.slots.min(self.habits.takes()).min(self.habits.at_once())
    }

    /// Whether a connection of the key's own will do.
    fn suits<K>(&self, conn: &Conn<K>, now: Time) -> bool {
        let idle = || now.since(conn.idle_since);
        now < conn.expires
            && (self.not_before == 0
                || (conn.generation >= self.not_before && (conn.tells_apart() || conn.served == 0)))
            && (!self.again || conn.used < conn.proven)
            && (!self.once || conn.tells_apart() || self.habits.is_safe(conn.served, idle()))
    }
}

/// What becomes of a connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// It may serve the next one; keep it open until the given time if none comes.
    Parked {
        /// When it has been idle for too long, or too old.
        until: Time,
    },
    /// Other requests still run on it.
    Shared,
    /// It has carried all the requests that it was given: close it (it is no longer in the pool).
    Spent {
        /// So many.
        given: u32,
    },
    /// Close it (it is no longer in the pool).
    Close(CloseReason),
}

#[derive(Debug)]
struct Conn<K> {
    key: K,
    generation: u64,
    /// Requests at once: what the peer says that it allows, but no more than it has been seen to take.
    slots: u32,
    allowed: u32,
    cap: u32,
    /// How many it was seen to take of these.
    proven: u32,
    /// Requests that ended well since `cap` last changed.
    calm: u32,
    used: u32,
    protocol: Protocol,
    /// Failing statuses in a row.
    failing: u8,
    /// Requests served so far.
    served: u64,
    /// Requests that it may carry in all.
    most: u64,
    idle_since: Time,
    idle_timeout: Duration,
    expires: Time,
    draining: Option<CloseReason>,
    links: IdleLinks,
}

impl<K> Conn<K> {
    /// Whether its peer can say which of its requests it has not processed (GOAWAY, RFC 9113 §6.8).
    const fn tells_apart(&self) -> bool {
        matches!(self.protocol, Protocol::Http2)
    }

    const fn has_room(&self) -> bool {
        self.used < self.slots && self.draining.is_none()
    }

    /// Takes nothing new from now on; returns whether it is retired by that.
    fn retire(&mut self, why: CloseReason) -> bool {
        let is_news = self.draining.is_none();
        self.draining.get_or_insert(why);
        is_news && self.is_retired()
    }

    /// A request on it has ended, well as far as is known here.
    fn grow(&mut self) {
        self.calm += 1;
        if self.calm >= self.cap.saturating_mul(CALM) {
            (self.proven, self.cap, self.calm) = (self.cap, self.cap.saturating_add(1), 0);
            self.slots = self.allowed.min(self.cap);
        }
    }

    /// Whether another may be opened in its place, while its last requests go on. One that was for a single request from the
    /// start counts like any other.
    fn is_retired(&self) -> bool {
        self.draining.is_some_and(|why| why != CloseReason::NotKeptAlive)
    }
}

#[derive(Debug, Default)]
struct Bucket {
    /// Connections with a free slot; the last is used first, so that surplus ones grow old.
    roomy: Vec<ConnId>,
    live: u32,
    /// Those of the live ones that are retired.
    retired: u32,
    dialing: u32,
}

/// Connections by key (origin and egress), under one socket budget.
#[derive(Debug)]
pub struct Pool<K> {
    conns: Slab<Conn<K>>,
    buckets: HashMap<K, Bucket, FixedState>,
    idle: IdleOrder,
    dialing: usize,
    budget: usize,
    /// The budget to begin with.
    most: usize,
    generations: u64,
    settings: PoolSettings,
    rng: Rng,
}

/// The connection, unless it is gone. Borrows only the slab, so that the other books stay within reach.
fn live_mut<K>(conns: &mut Slab<Conn<K>>, id: ConnId) -> Option<&mut Conn<K>> {
    conns.get_mut(id.index()).filter(|conn| conn.generation == id.generation)
}

impl<K: Copy + Eq + Hash> Pool<K> {
    /// An empty pool that may hold `budget` sockets.
    #[must_use]
    pub fn new(settings: PoolSettings, budget: usize, seed: u64) -> Self {
        Self {
            conns: Slab::new(),
            buckets: HashMap::default(),
            idle: IdleOrder::default(),
            dialing: 0,
            budget: budget.max(1),
            most: budget.max(1),
            generations: 0,
            settings,
            rng: Rng::with_seed(seed),
        }
    }

    /// Sockets open or being opened.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.conns.len() + self.dialing
    }

    /// Connections nobody uses.
    #[must_use]
    pub const fn idle(&self) -> usize {
        self.idle.len()
    }

    /// The socket budget.
    #[must_use]
    pub const fn budget(&self) -> usize {
        self.budget
    }

    /// Lowers the budget to what is open now (at least 1): the system has no more descriptors. Each dial that succeeds
    /// raises it again by one.
    pub fn shrink_budget(&mut self) {
        self.budget = self.sockets().clamp(1, self.budget);
    }

    /// So many sockets more.
    pub fn gain(&mut self, sockets: usize) {
        self.budget += sockets;
        self.most += sockets;
    }

    /// Gives up to `wanted` sockets of the budget away, those beyond `keep`: unused ones first, then those of the connections
    /// that have been idle for longest. Says how many; the connections are to be closed.
    pub fn part_with(&mut self, wanted: usize, keep: usize) -> (usize, Vec<ConnId>) {
        let keep = keep.max(1);
        let given = wanted.min(self.budget.saturating_sub(keep));
        let mut evicted = Vec::new();
        while self.sockets() + given > self.budget {
            let Some(id) = self.idle.oldest() else { break };
            self.remove(id);
            evicted.push(id);
        }
        let given = given.min(self.budget.saturating_sub(self.sockets().max(1)));
        self.budget -= given;
        self.most = self.most.saturating_sub(given).max(self.budget);
        (given, evicted)
    }

    /// Connections of `key`, live or being dialled.
    #[must_use]
    pub fn connections(&self, key: K) -> u32 {
        self.buckets.get(&key).map_or(0, |bucket| bucket.live + bucket.dialing)
    }

    /// Connections opened so far. One opened from now on has a greater number than all before.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.generations
    }

    /// Since when a connection has been idle, or had been when it was last taken into use.
    #[must_use]
    pub fn idle_since(&self, id: ConnId) -> Option<Time> {
        self.live(id).map(|conn| conn.idle_since)
    }

    /// Requests a connection has served.
    #[must_use]
    pub fn served(&self, id: ConnId) -> u64 {
        self.live(id).map_or(0, |conn| conn.served)
    }

    fn live(&self, id: ConnId) -> Option<&Conn<K>> {
        self.conns.get(id.index()).filter(|conn| conn.generation == id.generation)
    }

    /// Finds a place for one request.
    pub fn acquire(&mut self, key: K, demand: Demand, now: Time) -> Acquired {
        if let Some(id) = self.take_slot(key, &demand, now) {
            return Acquired::Slot(id);
        }
        if self.should_wait(key, &demand) {
            return Acquired::Wait;
        }
        let evict = if self.sockets() < self.budget { None } else { self.idle.oldest() };
        if let Some(id) = evict {
            self.remove(id);
        } else if self.sockets() >= self.budget {
            return Acquired::NoSocket;
        }
        self.dialing += 1;
        self.buckets.entry(key).or_default().dialing += 1;
        Acquired::Dial { evict }
    }

    /// Whether connections that carry many requests are on their way, or are as many as allowed. Those that take few in all
    /// are as many as their requests need, as over HTTP/1.1; and who can't use those that are open is not held up by them.
    fn should_wait(&self, key: K, demand: &Demand) -> bool {
        let Some(bucket) = self.buckets.get(&key) else { return false };
        let carries = demand.carries();
        let coming = bucket.dialing.saturating_mul(carries.saturating_sub(1));
        let takes_few = demand.habits.takes() <= carries && carries < demand.slots;
        let bounded = !takes_few && demand.not_before == 0;
        let open = bucket.live - bucket.retired + bucket.dialing;
        carries > 1 && (demand.waiting < coming || (bounded && open >= self.settings.max_h2_connections.max(1)))
    }

    fn take_slot(&mut self, key: K, demand: &Demand, now: Time) -> Option<ConnId> {
        let bucket = self.buckets.get_mut(&key)?;
        // Connections past their age stay listed for their owner to close; they are only passed over.
        let at = bucket.roomy.iter().rposition(|id| demand.suits(&self.conns[id.index()], now))?;
        let id = bucket.roomy[at];
        let conn = &mut self.conns[id.index()];
        if conn.used == 0 {
            self.idle.remove(&mut self.conns, id);
        }
        let conn = &mut self.conns[id.index()];
        conn.used += 1;
        conn.served += 1;
        if conn.served >= conn.most && conn.retire(CloseReason::Spent) {
            bucket.retired += 1;
        }
        if !conn.has_room() {
            bucket.roomy.remove(at);
        }
        Some(id)
    }

    /// The connection is to carry no more than so many requests in all.
    pub fn give(&mut self, id: ConnId, requests: u32) {
        let Some(conn) = live_mut(&mut self.conns, id) else { return };
        conn.most = u64::from(requests.max(1));
        if conn.served >= conn.most {
            self.drain(id, CloseReason::Spent);
        }
    }

    /// What is kept of the connection while nobody uses it, at most.
    pub fn keep(&mut self, id: ConnId, idle: Duration) {
        if let Some(conn) = live_mut(&mut self.conns, id) {
            conn.idle_timeout = conn.idle_timeout.min(idle);
        }
    }

    /// The peer refused a stream of the connection while it served others: so many are what it takes at once. It may take more
    /// later: each eight times as many responses as it takes make room for one more. Says how many; `None` when it was
    /// alone.
    pub fn refused(&mut self, id: ConnId) -> Option<u32> {
        let others = self.live(id)?.used.checked_sub(1).filter(|others| *others > 0)?;
        self.cap(id, others);
        Some(others)
    }

    /// The connection is to carry no more than so many requests at once, for now.
    pub fn cap(&mut self, id: ConnId, streams: u32) {
        let Some(conn) = live_mut(&mut self.conns, id) else { return };
        let cap = conn.cap.min(streams.max(1));
        (conn.cap, conn.proven, conn.calm) = (cap, cap, 0);
        let allowed = conn.allowed;
        self.set_slots(id, allowed);
    }

    /// A connection of the same key has turned out to be dead that had fallen idle at this time: so may be those that have
    /// been idle for as long. They are out of the pool; close them.
    pub fn suspect(&mut self, key: K, idle_since: Time) -> Vec<ConnId> {
        self.take_out(key, |conn| conn.used == 0 && conn.idle_since <= idle_since)
    }

    /// No connection of the key is of use any longer: takes the idle ones out, which are to be closed, and drains the others.
    pub fn abandon(&mut self, key: K, why: CloseReason) -> Vec<ConnId> {
        let idle = self.take_out(key, |conn| conn.used == 0);
        let busy: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.key == key)
            .map(|(index, conn)| (index, conn.generation))
            .collect();
        for (index, generation) in busy {
            self.drain(ConnId { index: index as u32, generation }, why);
        }
        idle
    }

    fn take_out(&mut self, key: K, which: impl Fn(&Conn<K>) -> bool) -> Vec<ConnId> {
        let Some(bucket) = self.buckets.get(&key) else { return Vec::new() };
        let gone: Vec<_> = bucket.roomy.iter().copied().filter(|id| which(&self.conns[id.index()])).collect();
        gone.iter().for_each(|id| self.remove(*id));
        gone
    }

    /// A dial succeeded: the connection joins the pool with one slot taken, for the request that waited for it.
    /// `slots`: how many requests it carries at once; 1 over HTTP/1.1.
    pub fn dialed(&mut self, key: K, protocol: Protocol, slots: u32, now: Time) -> ConnId {
        self.dial_ended(key);
        self.budget = (self.budget + 1).min(self.most);
        let age = self.settings.max_age;
        let shortened = age.mul_f64(1.0 - 0.1 * self.rng.f64());
        let conn = Conn {
            key,
            generation: self.generations,
            slots: slots.max(1),
            allowed: slots.max(1),
            protocol,
            cap: u32::MAX,
            proven: u32::MAX,
            calm: 0,
            used: 1,
            failing: 0,
            served: 1,
            most: u64::MAX,
            idle_since: now,
            idle_timeout: self.settings.idle_timeout,
            expires: now + shortened,
            draining: (!self.settings.reuse).then_some(CloseReason::NotKeptAlive),
            links: IdleLinks::default(),
        };
        let roomy = conn.has_room();
        let index = u32::try_from(self.conns.insert(conn)).expect("sockets are fewer than 4 billion");
        let id = ConnId { index, generation: self.generations };
        self.generations += 1;
        let bucket = self.buckets.entry(key).or_default();
        bucket.live += 1;
        if roomy {
            bucket.roomy.push(id);
        }
        id
    }

    /// A dial failed or was dropped: its socket returns to the budget.
    pub fn dial_failed(&mut self, key: K) {
        self.dial_ended(key);
        self.drop_if_empty(key);
    }

    fn dial_ended(&mut self, key: K) {
        self.dialing -= 1;
        if let Some(bucket) = self.buckets.get_mut(&key) {
            bucket.dialing -= 1;
        }
    }

    /// The peer's `Keep-Alive: timeout`: the connection is given up a second before the peer would.
    pub fn keep_alive_hint(&mut self, id: ConnId, timeout: Duration) {
        if let Some(conn) = live_mut(&mut self.conns, id) {
            conn.idle_timeout = conn.idle_timeout.min(timeout.saturating_sub(Duration::from_secs(1)));
        }
    }

    /// The peer changed how many streams it allows.
    pub fn set_slots(&mut self, id: ConnId, allowed: u32) {
        let Some(conn) = live_mut(&mut self.conns, id) else { return };
        let slots = allowed.min(conn.cap);
        conn.allowed = allowed;
        if slots == conn.slots {
            return;
        }
        let had_room = conn.has_room();
        conn.slots = slots;
        let has_room = conn.has_room();
        let bucket = self.buckets.entry(conn.key).or_default();
        if has_room && !had_room {
            bucket.roomy.push(id);
        } else if had_room && !has_room {
            bucket.roomy.retain(|other| *other != id);
        }
    }

    /// No new request may go on this connection; it closes when its last one ends. Returns whether that is now.
    pub fn drain(&mut self, id: ConnId, why: CloseReason) -> bool {
        let Some(conn) = live_mut(&mut self.conns, id) else { return false };
        let retires = conn.retire(why);
        let idle = conn.used == 0;
        let key = conn.key;
        if let Some(bucket) = self.buckets.get_mut(&key) {
            bucket.retired += u32::from(retires);
            bucket.roomy.retain(|other| *other != id);
        }
        if idle {
            self.remove(id);
        }
        idle
    }

    /// A request on the connection ended and the connection is sound. `sent`: whether anything of it was sent; else it has never been
    /// there.
    pub fn release(&mut self, id: ConnId, sent: bool, now: Time) -> Released {
        let Some(conn) = live_mut(&mut self.conns, id) else { return Released::Close(CloseReason::Evicted) };
        let had_room = conn.has_room();
        conn.used -= 1;
        if !sent {
            let retired = conn.is_retired();
            conn.served -= 1;
            conn.draining.take_if(|why| *why == CloseReason::Spent && conn.served < conn.most);
            let returns = retired && !conn.is_retired();
            if returns {
                self.buckets.entry(conn.key).or_default().retired -= 1;
            }
        } else if conn.cap != u32::MAX {
            conn.grow();
        }
        let retires = now >= conn.expires && conn.retire(CloseReason::MaxAge);
        let (in_use, draining, key, given) = (conn.used > 0, conn.draining, conn.key, conn.most);
        if retires {
            self.buckets.entry(key).or_default().retired += 1;
        }
        match draining {
            Some(_) if in_use => Released::Shared,
            Some(CloseReason::Spent) => {
                self.remove(id);
                Released::Spent { given: u32::try_from(given).unwrap_or(u32::MAX) }
            }
            Some(why) => {
                self.remove(id);
                Released::Close(why)
            }
            None => {
                let until = conn.expires.min(now + conn.idle_timeout);
                let roomy = conn.has_room() && !had_room;
                if roomy {
                    self.buckets.entry(key).or_default().roomy.push(id);
                }
                if in_use {
                    return Released::Shared;
                }
                conn.idle_since = now;
                self.idle.push_newest(&mut self.conns, id);
                Released::Parked { until }
            }
        }
    }

    /// A response came over the connection, with a status that is tried again (`failing`) or another. How many of the former have
    /// come in a row, at most 255.
    pub fn answered(&mut self, id: ConnId, failing: bool) -> u8 {
        let Some(conn) = live_mut(&mut self.conns, id) else { return 0 };
        conn.failing = if failing { conn.failing.saturating_add(1) } else { 0 };
        conn.failing
    }

    /// The connection is gone (failed, closed by the peer, idle for too long). Harmless when it already was.
    pub fn closed(&mut self, id: ConnId) {
        if self.live(id).is_some() {
            self.remove(id);
        }
    }

    /// Closes the connection if it has been idle for as long as it may; returns whether it is gone.
    pub fn expire(&mut self, id: ConnId, now: Time) -> bool {
        let Some(conn) = self.live(id) else { return true };
        let due = conn.expires.min(conn.idle_since + conn.idle_timeout);
        let expired = conn.used == 0 && now >= due;
        if expired {
            self.remove(id);
        }
        expired
    }

    fn remove(&mut self, id: ConnId) {
        if self.conns[id.index()].used == 0 {
            self.idle.remove(&mut self.conns, id);
        }
        let conn = self.conns.remove(id.index());
        if let Some(bucket) = self.buckets.get_mut(&conn.key) {
            bucket.roomy.retain(|other| *other != id);
            bucket.live -= 1;
            bucket.retired -= u32::from(conn.is_retired());
        }
        self.drop_if_empty(conn.key);
    }

    fn drop_if_empty(&mut self, key: K) {
        if self.buckets.get(&key).is_some_and(|bucket| bucket.live + bucket.dialing == 0) {
            self.buckets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
