//! The shortest time a run can take. No schedule stays under it, and this scheduler stays near it (docs/design/SCHEDULER.md).
//!
//! `LB = max( max_h T_h, max_g T_g, W/K, (N−1)/R )` with `T_h = max( ⌈n/c⌉·s, (n−1)·d + s )`: n requests of s seconds to
//! host h, at most c of them at once, their starts d apart; T_g the same for a group's limit; W all the requests' time
//! together, N their number, K how many may be in flight, R how many may start per second.
//!
//! Exact in whole nanoseconds, but for two things it does not know: a rate lets starts run up to 4 ms ahead, and what
//! retries, redirects and name look-ups add. Pure arithmetic; knows no scheduler.

use std::num::NonZeroU32;
use std::time::Duration;

const SECOND: u128 = 1_000_000_000;

/// What a run asks of one host, and how.
#[derive(Clone, Copy, Debug)]
pub struct HostLoad {
    /// Requests.
    pub jobs: u64,
    /// How long each takes, from its start to its end.
    pub service: Duration,
    /// Requests in flight.
    pub concurrency: NonZeroU32,
    /// The least mean time between two starts: the delay, or the rate's interval if that is longer.
    pub spacing: Duration,
    /// The group whose limit it shares, as an index of [`SharedLimits::groups`].
    pub group: Option<u32>,
}

impl HostLoad {
    /// The least time this host takes for its requests at `concurrency` at once: `⌈n/c⌉·s`.
    #[must_use]
    pub fn in_rounds(&self) -> Duration {
        let rounds = self.jobs.div_ceil(self.concurrency.get().into());
        duration(times(rounds, self.service))
    }

    /// The least time it takes with its starts `spacing` apart: `(n−1)·d + s`.
    #[must_use]
    pub fn in_paces(&self) -> Duration {
        match self.jobs.checked_sub(1) {
            Some(gaps) => duration(times(gaps, self.spacing)).saturating_add(self.service),
            None => Duration::ZERO,
        }
    }

    /// The least time this host takes: `T_h`.
    #[must_use]
    pub fn least(&self) -> Duration {
        self.in_rounds().max(self.in_paces())
    }

    /// The time of all its requests together.
    fn work(&self) -> u128 {
        times(self.jobs, self.service)
    }
}

/// The limits that hosts share.
#[derive(Clone, Debug)]
pub struct SharedLimits {
    /// Requests in flight over all hosts.
    pub concurrency: NonZeroU32,
    /// The mean time between two starts over all hosts; `None`: no limit.
    pub interval: Option<Duration>,
    /// Requests in flight per group.
    pub groups: Vec<NonZeroU32>,
}

/// What sets a run's least time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitingFactor {
    /// One host, by its place among the loads.
    Host(usize),
    /// One group, by its place in [`SharedLimits::groups`].
    Group(usize),
    /// Requests in flight over all hosts.
    Concurrency,
    /// Starts over all hosts.
    Rate,
}

/// The parts of the bound: the run takes at least as long as the longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// The host that takes longest by itself, by its place among the loads, and its time.
    pub host: Option<(usize, Duration)>,
    /// The group that takes longest, by its place in [`SharedLimits::groups`], and its time.
    pub group: Option<(usize, Duration)>,
    /// All requests at the concurrency of the whole run.
    pub concurrency: Duration,
    /// All starts at the rate of the whole run.
    pub rate: Duration,
}

impl Bound {
    /// The bound of a run with these loads under these limits. Looks at each load once and keeps none.
    ///
    /// ```
    /// # extern crate haul_core as haul;
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    ///
    /// use haul::sched::bound::{Bound, LimitingFactor, HostLoad, SharedLimits};
    ///
    /// let at_once = |count| NonZeroU32::new(count).expect("not zero");
    /// let shop = HostLoad {
    ///     jobs: 1000,
    ///     service: Duration::from_millis(200),
    ///     concurrency: at_once(8),
    ///     spacing: Duration::ZERO,
    ///     group: None,
    /// };
    /// let shared = SharedLimits { concurrency: at_once(256), interval: None, groups: vec![] };
    /// let bound = Bound::of([shop], &shared);
    /// assert_eq!(bound.longest(), Some((LimitingFactor::Host(0), Duration::from_secs(25))));
    /// ```
    #[must_use]
    pub fn of(loads: impl IntoIterator<Item = HostLoad>, shared: &SharedLimits) -> Self {
        let (mut jobs, mut work) = (0_u64, 0_u128);
        let mut grouped = vec![0_u128; shared.groups.len()];
        let mut host: Option<(usize, Duration)> = None;
        for (at, load) in loads.into_iter().enumerate() {
            jobs = jobs.saturating_add(load.jobs);
            work = work.saturating_add(load.work());
            if let Some(group) = load.group.and_then(|group| grouped.get_mut(group as usize)) {
                *group = group.saturating_add(load.work());
            }
            let least = load.least();
            if host.is_none_or(|(_, longest)| least > longest) {
                host = Some((at, least));
            }
        }
        let groups = grouped.iter().zip(&shared.groups).map(|(work, limit)| at_once(*work, *limit));
        Self {
            host,
            // The first of those that take equally long, as with hosts.
            group: groups.enumerate().rev().max_by_key(|(_, time)| *time),
            concurrency: at_once(work, shared.concurrency),
            rate: duration(times(jobs.saturating_sub(1), shared.interval.unwrap_or_default())),
        }
    }

    /// What sets the least time, and that time. `None`: there is nothing to do. Of causes that set it equally, the one
    /// that concerns the fewest hosts.
    #[must_use]
    pub fn longest(&self) -> Option<(LimitingFactor, Duration)> {
        let host = self.host.map(|(at, time)| (LimitingFactor::Host(at), time));
        let group = self.group.map(|(at, time)| (LimitingFactor::Group(at), time));
        let all = [(LimitingFactor::Rate, self.rate), (LimitingFactor::Concurrency, self.concurrency)];
        // The last of equal ones wins.
        all.into_iter().chain(group).chain(host).filter(|(_, time)| !time.is_zero()).max_by_key(|(_, time)| *time)
    }

    /// The least time the run takes.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.longest().map_or(Duration::ZERO, |(_, time)| time)
    }
}

/// The time that `work` takes, `limit` requests at once.
fn at_once(work: u128, limit: NonZeroU32) -> Duration {
    duration(work / u128::from(limit.get()))
}

/// `time`, so many times, in nanoseconds.
const fn times(count: u64, time: Duration) -> u128 {
    (count as u128).saturating_mul(time.as_nanos())
}

/// So many nanoseconds; longer than 584 billion years stays that.
fn duration(nanos: u128) -> Duration {
    let seconds = u64::try_from(nanos / SECOND).unwrap_or(u64::MAX);
    Duration::new(seconds, u32::try_from(nanos % SECOND).expect("less than a second"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn count(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).expect("not zero")
    }

    fn load(jobs: u64, concurrency: u32, spacing: u64, group: Option<u32>) -> HostLoad {
        HostLoad { jobs, service: ms(100), concurrency: count(concurrency), spacing: ms(spacing), group }
    }

    fn shared(concurrency: u32, interval: Option<u64>, groups: &[u32]) -> SharedLimits {
        SharedLimits {
            concurrency: count(concurrency),
            interval: interval.map(ms),
            groups: groups.iter().map(|limit| count(*limit)).collect(),
        }
    }

    #[test]
    fn a_host_takes_its_rounds_or_its_paces() {
        assert_eq!(load(17, 8, 0, None).least(), ms(300));
        assert_eq!(load(17, 8, 50, None).least(), ms(16 * 50 + 100));
        assert_eq!(load(1, 8, 50_000, None).least(), ms(100), "one request waits for no other");
        assert_eq!(load(0, 8, 50, None).least(), Duration::ZERO);
    }

    #[test]
    fn each_cause_is_found() {
        let loads = [load(10, 2, 0, Some(1)), load(40, 8, 0, Some(1)), load(5, 8, 0, None)];
        let longest = |shared: &SharedLimits| Bound::of(loads, shared).longest();
        assert_eq!(
            longest(&shared(100, None, &[9, 50])),
            Some((LimitingFactor::Host(0), ms(500))),
            "the first of two equal"
        );
        assert_eq!(longest(&shared(100, None, &[9, 4])), Some((LimitingFactor::Group(1), ms(1250))));
        let alike = [load(9, 8, 0, Some(0)), load(9, 8, 0, Some(1))];
        assert_eq!(Bound::of(alike, &shared(9, None, &[3, 3])).group, Some((0, ms(300))), "the first of two equal");
        assert_eq!(longest(&shared(5, None, &[9, 50])), Some((LimitingFactor::Concurrency, ms(1100))));
        assert_eq!(longest(&shared(100, Some(20), &[9, 50])), Some((LimitingFactor::Rate, ms(54 * 20))));
        assert_eq!(longest(&shared(11, None, &[9, 50])), Some((LimitingFactor::Host(0), ms(500))), "hosts before all");
    }

    #[test]
    fn nothing_takes_no_time_and_the_most_does_not_overflow() {
        assert_eq!(Bound::of([], &shared(1, Some(1), &[1])).longest(), None);
        let most = HostLoad { service: Duration::MAX, spacing: Duration::MAX, ..load(u64::MAX, 1, 0, None) };
        assert_eq!(Bound::of([most], &shared(1, None, &[])).time().as_secs(), u64::MAX);
    }
}
