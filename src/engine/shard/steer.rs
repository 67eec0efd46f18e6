//! What comes from outside of the shard: its user's wishes, and its sink's state.

use super::pauses::Change;
use super::{Shard, permits};
use crate::engine::steering::LiveLimits;
use crate::model::Time;
use crate::sched::Event;

impl Shard {
    /// Takes on what the user has said last.
    pub(super) fn steered(&self, now: Time) {
        let (wanted, paused) = (*self.shared.steering.limits(), self.shared.steering.is_paused());
        if let Some(change) = self.pauses.set_by_user(paused) {
            self.log_pause(paused, "its user says so");
            self.pause(change, now);
        }
        let before = self.permits.replace_limits(wanted);
        let per_host = |limits: &LiveLimits| (limits.per_host, limits.delay, limits.host_rate);
        if per_host(&wanted) != per_host(&before) {
            self.limit_hosts(now);
        }
        if wanted.concurrency != before.concurrency && !self.shared.config.retries.backoff_max.is_zero() {
            let places = permits::part(wanted.concurrency, self.shared.shards);
            self.sched.borrow_mut().handle(Event::Places(places), now);
        }
        if wanted.rate != before.rate {
            self.permits.pace_anew(&self.sched, now);
        }
        self.permits.trade(&self.sched, &self.connections, now);
    }

    /// Stops the start of requests while the sink is too far behind.
    pub(super) fn pause_if_sink_is_behind(&self, now: Time) {
        if !self.pauses.sink_is_behind() && self.shared.backlog.is_over() {
            let change = self.pauses.set_sink_behind(true).flatten();
            self.log_pause(true, "the sink is behind");
            self.pause(change, now);
            // The sink may have caught up between the two lines above; it tells only those it sees waiting.
            if self.shared.backlog.wait() {
                self.sink_caught_up(now);
            }
        }
    }

    /// The sink takes more again.
    pub(super) fn sink_caught_up(&self, now: Time) {
        if let Some(change) = self.pauses.set_sink_behind(false) {
            self.log_pause(false, "the sink has caught up");
            self.pause(change, now);
        }
    }

    fn pause(&self, change: Option<Change>, now: Time) {
        match change {
            Some(Change::Begun) => self.sched.borrow_mut().handle(Event::Paused, now),
            Some(Change::Over) => self.sched.borrow_mut().handle(Event::Resumed, now),
            None => {}
        }
    }
}
