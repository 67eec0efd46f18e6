//! What the engine keeps of a host beside what scheduler and pool keep.
//!
//! Most hosts of a long run are idle, so that each byte here counts as often as there are hosts: crates/haul-cli/tests/footprint.rs.

use std::cell::Cell;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::engine::rules::RuleId;
use crate::engine::top_hosts::HostCounts;
use crate::model::{Failure, GiveUpReason, Phase, Time};
use crate::pool::Habits;

/// All that a look-up keeps of a name.
const MOST_FAILED_ADDRESSES: usize = 32;

#[derive(Debug)]
pub(super) struct Host {
    /// Scheme, host and port: the one copy of this text.
    pub(super) origin: Box<str>,
    /// The origin's number in the pool: never used for another origin.
    pub(super) generation: u64,
    /// How many microseconds the name's look-up took, until a connection has reported it.
    lookup: Option<NonZeroU32>,
    /// What most hosts have nothing of.
    rare: Option<Box<Rare>>,
    /// What became of its attempts.
    pub(super) tally: HostCounts,
    /// Whether that is all that is known of its connections: kept ones can be relied on.
    keeps: bool,
    /// Whether some of its jobs need no address here: what is wrong with its name is nothing to them.
    pub(super) remote_dns: bool,
    /// Jobs taken in, by arrival or by redirect, and not yet handed on: the host's part of the conservation law.
    open: Cell<u32>,
    /// The rule that holds for it.
    pub(super) rule: Option<RuleId>,
}

/// What few hosts have.
#[derive(Debug, Default)]
struct Rare {
    /// The last failure of the host itself: what jobs that were never tried are told.
    trouble: Option<Failure>,
    /// The resolver's generation when that was noted.
    trouble_names: u64,
    /// What is known of its connections, where they are not like most.
    habits: Option<Habits>,
    /// Its addresses over which it failed while nothing of it came back well, by when that was last.
    failed_addresses: Vec<IpAddr>,
}

impl Host {
    /// A host of which nothing is known yet.
    pub(super) fn new(origin: &str, generation: u64, rule: Option<RuleId>) -> Self {
        Self {
            origin: origin.into(),
            generation,
            lookup: None,
            rare: None,
            tally: HostCounts::default(),
            keeps: false,
            remote_dns: false,
            open: Cell::new(0),
            rule,
        }
    }

    /// It takes a job in.
    pub(super) fn enter(&self) {
        self.open.set(self.open.get().checked_add(1).expect("fewer than 2^32 jobs are in memory"));
    }

    /// It hands a job on: to its outcome, to another host, or unfetched.
    pub(super) fn leave(&self) {
        let left = self.open.get().checked_sub(1);
        self.open.set(left.expect("haul doubled a job: more have left a host than came to it"));
    }

    /// Jobs that have entered and not left.
    pub(super) const fn open(&self) -> u32 {
        self.open.get()
    }

    /// An attempt on it ended. `reused`: on a connection that had been kept.
    pub(super) fn count_attempt(&mut self, took: Duration, failed: bool, reused: bool, now: Time) {
        self.tally.attempt(took, failed, now);
        if reused && !failed && !self.keeps {
            self.learn(Habits::kept);
        }
    }

    /// What is known of its connections.
    pub(super) fn habits(&self) -> Habits {
        let usual = if self.keeps { Habits::KEPT } else { Habits::default() };
        self.rare.as_ref().and_then(|rare| rare.habits).unwrap_or(usual)
    }

    /// Changes what is known of its connections.
    pub(super) fn learn<R>(&mut self, change: impl FnOnce(&mut Habits) -> R) -> R {
        let mut habits = self.habits();
        let result = change(&mut habits);
        self.keeps = habits == Habits::KEPT;
        let is_like_most = self.keeps || habits == Habits::default();
        if !is_like_most || self.rare.is_some() {
            self.rare.get_or_insert_default().habits = (!is_like_most).then_some(habits);
        }
        result
    }

    /// Its addresses that are to be tried after all others, by when they failed.
    pub(super) fn failed_addresses(&self) -> &[IpAddr] {
        self.rare.as_ref().map_or(&[], |rare| &rare.failed_addresses)
    }

    /// It failed over this address, and nothing of it comes back well.
    pub(super) fn note_failed_address(&mut self, address: IpAddr) {
        let failed = &mut self.rare.get_or_insert_default().failed_addresses;
        failed.retain(|other| *other != address);
        if failed.len() == MOST_FAILED_ADDRESSES {
            failed.remove(0);
        }
        failed.push(address);
    }

    /// The last failure of the host itself.
    pub(super) fn trouble(&self) -> Option<&Failure> {
        self.rare.as_ref()?.trouble.as_ref()
    }

    /// This was wrong with it last. `names`: the resolver's generation.
    pub(super) fn note_trouble(&mut self, failure: Failure, names: u64) {
        let rare = self.rare.get_or_insert_default();
        (rare.trouble, rare.trouble_names) = (Some(failure), names);
    }

    /// The resolver's generation when it was given up for its name alone, if it was.
    pub(super) fn nameless_since(&self, reason: GiveUpReason) -> Option<u64> {
        let rare = self.rare.as_ref()?;
        let trouble = rare.trouble.as_ref().filter(|trouble| trouble.phase == Phase::Dns)?;
        (reason == GiveUpReason::HostDead(trouble.kind)).then_some(rare.trouble_names)
    }

    /// Its name was found, which took so long.
    pub(super) fn note_lookup(&mut self, took: Duration) {
        self.lookup = u32::try_from(took.as_micros()).ok().and_then(|micros| NonZeroU32::new(micros.max(1)));
        if let Some(rare) = &mut self.rare {
            rare.trouble = None;
        }
    }

    /// How long its look-up took, told once: to the first connection after it.
    pub(super) fn take_lookup(&mut self) -> Option<Duration> {
        self.lookup.take().map(|micros| Duration::from_micros(micros.get().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    fn host() -> Host {
        Host::new("http://a.example", 1, None)
    }

    #[test]
    fn what_most_hosts_are_like_takes_no_room_of_its_own() {
        let mut host = host();
        host.learn(Habits::kept);
        assert!(host.rare.is_none() && host.keeps && host.habits() == Habits::KEPT);
        host.learn(|habits| habits.ended_after(3));
        assert!(host.rare.is_some() && !host.keeps && host.habits() != Habits::KEPT);
    }

    #[test]
    fn a_host_is_nameless_while_the_last_that_was_wrong_is_its_name_and_that_is_why_it_was_given_up() {
        let reason = GiveUpReason::HostDead(FailureKind::NameNotFound);
        let mut host = host();
        assert_eq!(host.nameless_since(reason), None);
        host.note_trouble(Failure::new(Phase::Dns, FailureKind::NameNotFound, "no such name"), 7);
        assert_eq!(host.nameless_since(reason), Some(7));
        assert_eq!(host.nameless_since(GiveUpReason::Stopped), None);
        host.note_lookup(Duration::from_millis(3));
        assert_eq!((host.nameless_since(reason), host.trouble().is_some()), (None, false));
        assert_eq!((host.take_lookup(), host.take_lookup()), (Some(Duration::from_millis(3)), None));
    }

    #[test]
    #[should_panic(expected = "haul doubled a job")]
    fn more_than_came_can_not_leave() {
        let host = host();
        host.enter();
        host.leave();
        host.leave();
    }
}
