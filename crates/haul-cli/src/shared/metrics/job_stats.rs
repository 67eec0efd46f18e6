//! What the engine's counters don't tell while a run goes on: failures by where and why, and how long responses took. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use haul::model::{FailureKind, Phase, Record};

use crate::shared::since::Since;

/// The upper bounds of the histogram's buckets, in microseconds: 0.5 ms to 1 minute. Longer times are beyond the last.
pub(super) const BOUNDS: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// What became of the jobs whose records have come so far.
#[derive(Clone, Debug, Default)]
pub(super) struct JobStats {
    /// Few: a pair of a phase and a kind, both from short lists.
    pub(super) failures: BTreeMap<(Phase, FailureKind), u64>,
    /// Responses by how long they took: up to each bound but not to the one before, and beyond the last.
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    /// All these times together.
    pub(super) sum: Duration,
}

impl JobStats {
    /// Counts what has come; `since`: from when times count.
    pub(super) fn count(&mut self, batch: &[Record], since: Since) {
        for record in batch {
            let failure = match record {
                Record::Fetched(outcome) => match &outcome.last.result {
                    Ok(_) => {
                        self.took(since.time(outcome));
                        continue;
                    }
                    Err(failure) => failure,
                },
                Record::Rejected(line) => &line.failure,
            };
            // Who stopped the run knows; the engine doesn't count it as a failure either.
            if failure.kind != FailureKind::Cancelled {
                *self.failures.entry((failure.phase, failure.kind)).or_default() += 1;
            }
        }
    }

    fn took(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        self.buckets[BOUNDS.partition_point(|bound| *bound < micros)] += 1;
        self.sum = self.sum.saturating_add(time);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use haul::model::{Attempt, Failure, Job, Outcome, Rejected, Time, WebUrl};

    use super::*;
    use crate::shared::exactly::recorded;

    pub(crate) fn failed(phase: Phase, kind: FailureKind) -> Record {
        let url = WebUrl::parse("http://a.test/").expect("a URL").0;
        let job = Job::new(0, url, Time::ZERO);
        Record::Fetched(Outcome { job, attempts: 1, last: Attempt::unsent(Failure::new(phase, kind, "no")) })
    }

    #[test]
    fn a_time_belongs_to_the_first_bound_that_it_does_not_exceed() {
        let mut tally = JobStats::default();
        for micros in [0, 500, 501, 60_000_000, 60_000_001] {
            tally.took(Duration::from_micros(micros));
        }
        tally.took(Duration::from_nanos(500_001));
        let mut buckets = [0; BOUNDS.len() + 1];
        (buckets[0], buckets[1], buckets[15], buckets[16]) = (2, 2, 1, 1);
        assert_eq!(tally.buckets, buckets);
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn buckets_of_recorded_times_are_exact() {
        let (times, mut tally) = (recorded(), JobStats::default());
        times.iter().for_each(|time| tally.took(Duration::from_nanos(*time)));
        let mut so_far = 0;
        for (bound, bucket) in BOUNDS.iter().zip(tally.buckets) {
            so_far += bucket;
            let exactly = times.iter().filter(|time| **time <= bound * 1000).count();
            assert_eq!(so_far, exactly as u64, "of at most {bound} us");
        }
        assert_eq!(tally.sum, Duration::from_nanos(times.iter().sum()));
    }

    #[test]
    fn failures_are_counted_by_where_and_why_but_not_what_was_cancelled() {
        let mut tally = JobStats::default();
        let failure = Failure::new(Phase::Input, FailureKind::BadUrl, "no");
        let rejected = Record::Rejected(Rejected { seq: 0, line: 1, given: "x".into(), id: None, failure });
        let refused = || failed(Phase::Connect, FailureKind::Refused);
        tally.count(&[refused(), rejected, refused(), failed(Phase::Head, FailureKind::Cancelled)], Since::Sent);
        let expected = [((Phase::Input, FailureKind::BadUrl), 1), ((Phase::Connect, FailureKind::Refused), 2)].into();
        assert_eq!((tally.failures, tally.buckets), (expected, [0; BOUNDS.len() + 1]));
    }
}
