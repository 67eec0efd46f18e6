//! A look at what is left, for whoever watches the run.

use std::cell::Cell;

use super::Shard;
use crate::engine::estimate::{LongestHost, ShardEstimate, next_look};
use crate::model::{Clock, Time};
use crate::sched::Longest;

/// When the next look may be taken.
pub(super) struct Look(Cell<Time>);

impl Default for Look {
    fn default() -> Self {
        Self(Cell::new(Time::ZERO))
    }
}

impl Shard {
    /// Leaves a new estimate where the handle finds it, unless the last one is fresh enough.
    pub(super) fn look_ahead(&self, now: Time) {
        if now < self.look.0.get() {
            return;
        }
        let begun = self.clock.now();
        let of_hosts = self.sched.borrow().remaining_work(now);
        let longest = of_hosts.longest.and_then(|longest| self.describe(longest));
        self.look.0.set(next_look(now, self.clock.now().since(begun)));
        *self.shared.estimate(self.index) = Some(ShardEstimate { at: now, of_hosts, longest });
    }

    fn describe(&self, longest: Longest) -> Option<LongestHost> {
        let Longest { host, left, cause, at_once } = longest;
        self.hosts.with(host, |host| {
            let rule = host.rule.and_then(|rule| self.shared.rules.get(rule));
            let rule = rule.map(|rule| (*rule.pattern).into());
            LongestHost { origin: host.origin.clone(), left, cause, at_once, rule }
        })
    }
}
