//! What a shard does when the system has no descriptor left for a dial: it goes on with the sockets that are open, and
//! where there are none it rests. Nobody is blamed: the job waits.

use std::rc::Rc;

use super::Shard;
use super::connections::PoolKey;
use super::flight::Flight;
use crate::model::{Clock, Failure, Time};

impl Shard {
    /// A dial found no descriptor: its flight returns to its queue.
    pub(super) fn out_of_descriptors(self: &Rc<Self>, key: PoolKey, flight: Flight, failure: &Failure) {
        let now = self.clock.now();
        let mut pool = self.connections.pool_mut();
        pool.dial_failed(key);
        pool.shrink_budget();
        let sockets = pool.budget();
        drop(pool);
        if self.permits.is_news(now) {
            tracing::warn!(sockets, %failure, "out of descriptors: going on with the sockets that are open");
        }
        self.board_waiting(key);
        self.hand_back(flight, now);
        self.permits.rest_without_descriptors(&self.sched, now);
        self.turn(now);
    }

    /// There is no socket for a flight: those that other shards do not use may do, or it returns to its queue.
    pub(super) fn out_of_sockets(self: &Rc<Self>, flight: Flight, now: Time) {
        if self.permits.take_more_sockets(&self.connections) > 0 {
            self.start(flight, now);
        } else {
            self.hand_back(flight, now);
        }
    }

    /// Returns a flight to its queue because we have no socket for it.
    fn hand_back(&self, flight: Flight, now: Time) {
        self.take_back(flight, now);
        self.permits.release_above(&self.sched, now);
    }
}
