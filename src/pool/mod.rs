//! Which connection serves the next request: pure book-keeping by id.
//!
//! Owns the counts: sockets open and being dialled against the budget, slots in use per connection (one for
//! HTTP/1.1, streams for HTTP/2), the idle order over all hosts. The caller owns the connections themselves and does
//! what it is told. Nothing is raced: a dial is asked for only when no live connection has room.
//!
//! Invariants: open + dialling ≤ budget; a slot is handed out once until it is released; a connection past its age or
//! draining is never handed out. Must not know: sockets, tasks, HTTP, the scheduler.

mod idle;

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use fastrand::Rng;
use foldhash::fast::FixedState;
use slab::Slab;

use crate::config::PoolSettings;
use crate::model::{CloseReason, Time};
use idle::{IdleLinks, IdleOrder};

/// A connection as the pool knows it. The index is used again; the birth number never is, so that a late word about a
/// connection that is gone can't be taken for one about its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    index: u32,
    birth: u64,
}

impl ConnId {
    /// A small number, unique among the live connections: the place to keep what belongs to it.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

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
}

impl Demand {
    /// One request, one connection.
    pub const SINGLE: Self = Self { slots: 1, waiting: 0 };
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
    /// Close it (it is no longer in the pool).
    Close(CloseReason),
}

#[derive(Debug)]
struct Conn<K> {
    key: K,
    birth: u64,
    slots: u32,
    used: u32,
    /// Requests served so far.
    served: u64,
    idle_since: Time,
    idle_timeout: Duration,
    expires: Time,
    draining: Option<CloseReason>,
    links: IdleLinks,
}

impl<K> Conn<K> {
    const fn has_room(&self) -> bool {
        self.used < self.slots && self.draining.is_none()
    }

    /// Takes nothing new from now on; returns whether it is retired by that.
    fn retire(&mut self, why: CloseReason) -> bool {
        let is_news = self.draining.is_none();
        self.draining.get_or_insert(why);
        is_news && self.is_retired()
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
    births: u64,
    settings: PoolSettings,
    rng: Rng,
}

/// The connection, unless it is gone. Borrows only the slab, so that the other books stay within reach.
fn live_mut<K>(conns: &mut Slab<Conn<K>>, id: ConnId) -> Option<&mut Conn<K>> {
    conns.get_mut(id.index()).filter(|conn| conn.birth == id.birth)
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
            births: 0,
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

    /// Connections of `key`, live or being dialled.
    #[must_use]
    pub fn connections(&self, key: K) -> u32 {
        self.buckets.get(&key).map_or(0, |bucket| bucket.live + bucket.dialing)
    }

    /// Requests a connection has served.
    #[must_use]
    pub fn served(&self, id: ConnId) -> u64 {
        self.live(id).map_or(0, |conn| conn.served)
    }

    fn live(&self, id: ConnId) -> Option<&Conn<K>> {
        self.conns.get(id.index()).filter(|conn| conn.birth == id.birth)
    }

    /// Finds a place for one request.
    pub fn acquire(&mut self, key: K, demand: Demand, now: Time) -> Acquired {
        if let Some(id) = self.take_slot(key, now) {
            return Acquired::Slot(id);
        }
        if self.should_wait(key, demand) {
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

    /// Whether connections that carry many requests are on their way, or are as many as allowed.
    fn should_wait(&self, key: K, demand: Demand) -> bool {
        let Some(bucket) = self.buckets.get(&key) else { return false };
        let coming = bucket.dialing.saturating_mul(demand.slots.saturating_sub(1));
        let open = bucket.live - bucket.retired + bucket.dialing;
        demand.slots > 1 && (demand.waiting < coming || open >= self.settings.max_h2_connections.max(1))
    }

    fn take_slot(&mut self, key: K, now: Time) -> Option<ConnId> {
        let bucket = self.buckets.get_mut(&key)?;
        // Connections past their age stay listed for their owner to close; they are only passed over.
        let at = bucket.roomy.iter().rposition(|id| now < self.conns[id.index()].expires)?;
        let id = bucket.roomy[at];
        let conn = &mut self.conns[id.index()];
        if conn.used == 0 {
            self.idle.remove(&mut self.conns, id);
        }
        let conn = &mut self.conns[id.index()];
        conn.used += 1;
        conn.served += 1;
        if !conn.has_room() {
            bucket.roomy.remove(at);
        }
        Some(id)
    }

    /// A dial succeeded: the connection joins the pool with one slot taken, for the request that waited for it.
    /// `slots` is 1 for HTTP/1.1.
    pub fn dialed(&mut self, key: K, slots: u32, now: Time) -> ConnId {
        self.dial_ended(key);
        self.budget = (self.budget + 1).min(self.most);
        let age = self.settings.max_age;
        let shortened = age.mul_f64(1.0 - 0.1 * self.rng.f64());
        let conn = Conn {
            key,
            birth: self.births,
            slots: slots.max(1),
            used: 1,
            served: 1,
            idle_since: now,
            idle_timeout: self.settings.idle_timeout,
            expires: now + shortened,
            draining: (!self.settings.reuse).then_some(CloseReason::NotKeptAlive),
            links: IdleLinks::default(),
        };
        let roomy = conn.has_room();
        let index = u32::try_from(self.conns.insert(conn)).expect("sockets are fewer than 4 billion");
        let id = ConnId { index, birth: self.births };
        self.births += 1;
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
    pub fn set_slots(&mut self, id: ConnId, slots: u32) {
        let Some(conn) = live_mut(&mut self.conns, id).filter(|conn| conn.slots != slots) else { return };
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

    /// A request on the connection ended and the connection is sound.
    pub fn release(&mut self, id: ConnId, now: Time) -> Released {
        let Some(conn) = live_mut(&mut self.conns, id) else { return Released::Close(CloseReason::Evicted) };
        let had_room = conn.has_room();
        conn.used -= 1;
        let retires = now >= conn.expires && conn.retire(CloseReason::MaxAge);
        let (in_use, draining, key) = (conn.used > 0, conn.draining, conn.key);
        if retires {
            self.buckets.entry(key).or_default().retired += 1;
        }
        match draining {
            Some(_) if in_use => Released::Shared,
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
