//! The few hosts of a run that are worth naming: those that answered slowest and those that ended last.
//!
//! Bounded whatever the number of hosts: a host is folded in when it is forgotten or the run ends, and only a few are kept.

use std::cmp::Reverse;
use std::time::Duration;

use crate::model::Time;

/// How many of each kind are kept.
const KEPT: usize = 5;

/// A mean over fewer attempts says little.
const FEW: u32 = 3;

/// What is counted of a host: 24 bytes each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HostCounts {
    attempts: u32,
    failed: u32,
    micros: u64,
    ended: Time,
}

impl HostCounts {
    /// An attempt took `took` and ended `now`.
    pub(super) fn attempt(&mut self, took: Duration, failed: bool, now: Time) {
        self.attempts = self.attempts.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(failed));
        self.micros = self.micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.ended = now;
    }

    /// Attempts that were answered.
    pub(super) const fn answered(&self) -> u32 {
        self.attempts - self.failed
    }

    fn mean(&self) -> u64 {
        self.micros / u64::from(self.attempts.max(1))
    }

    fn add(&mut self, other: Self) {
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.failed = self.failed.saturating_add(other.failed);
        self.micros = self.micros.saturating_add(other.micros);
        self.ended = self.ended.max(other.ended);
    }
}

/// What a run came to on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSummary {
    /// Its origin, such as `https://example.com`.
    pub origin: Box<str>,
    /// Attempts made. A host that had been forgotten for want of work counts anew when it comes back, unless it was
    /// top_hosts before.
    pub attempts: u32,
    /// Those without a response.
    pub failed: u32,
    /// How long an attempt took on average.
    pub mean: Duration,
    /// When the last one ended, from the run's start.
    pub ended: Duration,
}

/// The top_hosts hosts seen so far.
#[derive(Debug, Default)]
pub(super) struct TopHosts {
    slowest: Vec<(Box<str>, HostCounts)>,
    latest: Vec<(Box<str>, HostCounts)>,
}

impl TopHosts {
    /// Takes a host into account.
    pub(super) fn fold(&mut self, origin: &str, tally: HostCounts) {
        if tally.attempts >= FEW {
            keep(&mut self.slowest, origin, tally, HostCounts::mean);
        }
        if tally.attempts > 0 {
            keep(&mut self.latest, origin, tally, |tally| tally.ended.as_nanos());
        }
    }

    /// Takes another's hosts into account.
    pub(super) fn merge(&mut self, other: Self) {
        for (origin, tally) in other.slowest {
            keep(&mut self.slowest, &origin, tally, HostCounts::mean);
        }
        for (origin, tally) in other.latest {
            keep(&mut self.latest, &origin, tally, |tally| tally.ended.as_nanos());
        }
    }

    /// The slowest and the latest, most top_hosts first.
    pub(super) fn summaries(self) -> (Vec<HostSummary>, Vec<HostSummary>) {
        let summary = |(origin, tally): (Box<str>, HostCounts)| HostSummary {
            origin,
            attempts: tally.attempts,
            failed: tally.failed,
            mean: Duration::from_micros(tally.mean()),
            ended: tally.ended.since(Time::ZERO),
        };
        let all = |hosts: Vec<(Box<str>, HostCounts)>| hosts.into_iter().map(summary).collect();
        (all(self.slowest), all(self.latest))
    }
}

/// Keeps the host if its rank is among the highest. Most are not, and cost one comparison.
fn keep(hosts: &mut Vec<(Box<str>, HostCounts)>, origin: &str, tally: HostCounts, rank: fn(&HostCounts) -> u64) {
    if let Some((_, known)) = hosts.iter_mut().find(|(known, _)| **known == *origin) {
        known.add(tally);
    } else if hosts.len() < KEPT || hosts.last().is_some_and(|(_, last)| rank(&tally) > rank(last)) {
        hosts.truncate(KEPT - 1);
        hosts.push((origin.into(), tally));
    }
    hosts.sort_by_key(|(_, tally)| Reverse(rank(tally)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(attempts: u32, millis: u64, ended: u64) -> HostCounts {
        let mut tally = HostCounts::default();
        (0..attempts).for_each(|n| tally.attempt(Duration::from_millis(millis), n == 0, Time::from_millis(ended)));
        tally
    }

    fn names(hosts: &[HostSummary]) -> Vec<&str> {
        hosts.iter().map(|host| &*host.origin).collect()
    }

    #[test]
    fn the_slowest_and_the_latest_are_kept_in_order() {
        let mut top_hosts = TopHosts::default();
        for host in 0..100 {
            // Scattered: 37 and 100 have no common divisor.
            let rank = host * 37 % 100;
            top_hosts.fold(&format!("h{rank}"), tally(3, rank, 1000 - rank));
        }
        top_hosts.fold("rare", tally(2, 5000, 1));
        top_hosts.fold("never", HostCounts::default());
        let (slowest, latest) = top_hosts.summaries();
        assert_eq!(names(&slowest), ["h99", "h98", "h97", "h96", "h95"]);
        assert_eq!(names(&latest), ["h0", "h1", "h2", "h3", "h4"]);
        let h99 = &slowest[0];
        assert_eq!((h99.attempts, h99.failed, h99.mean.as_millis(), h99.ended.as_millis()), (3, 1, 99, 901));
    }

    #[test]
    fn a_host_that_comes_back_is_one_host_and_shards_are_joined() {
        let (mut one, mut other) = (TopHosts::default(), TopHosts::default());
        one.fold("a", tally(3, 100, 10));
        one.fold("a", tally(3, 300, 20));
        other.fold("b", tally(4, 250, 15));
        one.merge(other);
        let (slowest, latest) = one.summaries();
        assert_eq!((names(&slowest), names(&latest)), (vec!["b", "a"], vec!["a", "b"]));
        assert_eq!((slowest[1].attempts, slowest[1].mean.as_millis()), (6, 200));
    }
}
