//! Which thread had the least time to spare, from looks at their clocks. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use haul::model::Time;

/// Threads whose want of time holds a load back: those that fetch, that hand requests out, and that count.
const NAMES: [&str; 3] = ["haul-shard-", "haul-intake", "haul-outlet"];

/// A thread at some moment.
#[derive(Clone, Debug)]
pub(super) struct ThreadSample {
    /// Its number in the system.
    pub(super) id: i32,
    pub(super) name: String,
    /// Processor time so far.
    pub(super) used: Duration,
}

/// The thread that was busiest, and which part of its time it ran.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BusiestThread {
    pub(super) name: String,
    pub(super) share: f64,
}

/// What was seen of a load's threads: the first and the last look at each.
#[derive(Debug)]
pub(super) struct ThreadSamples {
    /// Looks between these count.
    from: Time,
    until: Time,
    seen: BTreeMap<i32, SampleSpan>,
}

#[derive(Debug)]
struct SampleSpan {
    name: String,
    first: (Time, Duration),
    last: (Time, Duration),
}

impl ThreadSamples {
    /// Of a load whose requests count between these.
    pub(super) const fn new(from: Time, until: Time) -> Self {
        Self { from, until, seen: BTreeMap::new() }
    }

    /// These threads are there at `now`.
    pub(super) fn note(&mut self, now: Time, threads: Vec<ThreadSample>) {
        if now < self.from || now > self.until {
            return;
        }
        for ThreadSample { id, name, used } in threads {
            if NAMES.iter().any(|known| name.starts_with(known)) {
                let look = (now, used);
                self.seen.entry(id).or_insert(SampleSpan { name, first: look, last: look }).last = look;
            }
        }
    }

    /// `None` where no thread was seen twice.
    pub(super) fn busiest(self) -> Option<BusiestThread> {
        let shares = self.seen.into_values().filter_map(|SampleSpan { name, first, last }| {
            let (used, passed) = (last.1.saturating_sub(first.1), last.0.since(first.0));
            (passed > Duration::ZERO).then(|| BusiestThread { name, share: used.as_secs_f64() / passed.as_secs_f64() })
        });
        shares.max_by(|a, b| a.share.total_cmp(&b.share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads with so many milliseconds each.
    fn threads(used: &[(&str, u64)]) -> Vec<ThreadSample> {
        let thread = |(id, (name, used)): (i32, &(&str, u64))| ThreadSample {
            id,
            name: (*name).to_owned(),
            used: Duration::from_millis(*used),
        };
        (1..).zip(used).map(thread).collect()
    }

    #[test]
    fn one_full_thread_among_idle_ones_is_found_in_the_time_that_counts() {
        let mut looks = ThreadSamples::new(Time::from_millis(500), Time::from_millis(2500));
        let at = |second: u64, full: u64| {
            threads(&[("haul-shard-0", 10), ("haul-shard-1", full), ("haul-view", second * 999)])
        };
        // Idle in the warm-up and after the end.
        for (second, full) in [(0, 0), (1, 100), (2, 1050), (3, 1051)] {
            looks.note(Time::from_millis(second * 1000), at(second, full));
        }
        assert_eq!(looks.busiest(), Some(BusiestThread { name: "haul-shard-1".into(), share: 0.95 }));
    }

    #[test]
    fn what_was_seen_once_tells_nothing() {
        let mut looks = ThreadSamples::new(Time::ZERO, Time::NEVER);
        looks.note(Time::from_millis(100), threads(&[("haul-shard-0", 100)]));
        assert_eq!(looks.busiest(), None);
        assert_eq!(ThreadSamples::new(Time::ZERO, Time::NEVER).busiest(), None);
    }
}
