//! What is measured of a load: a sink that counts. Pure but for the sink's lock.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::model::{FailureKind, Outcome, Phase, Record, Sink, Time};
use hdrhistogram::Histogram;

/// The longest time that is told apart: longer ones count as that.
const LONGEST: Duration = Duration::from_secs(3600);

/// What became of the requests, those of the warm-up left out.
#[derive(Debug)]
pub(super) struct Tally {
    warm_up: Duration,
    /// When the first request was started, the warm-up's included.
    begin: Option<Time>,
    /// When the first one that counts was started, and the last one ended.
    pub(super) first: Option<Time>,
    pub(super) last: Time,
    /// Nanoseconds from the start of an attempt to its end, of those with a response; within 0.1 %.
    pub(super) latency: Histogram<u64>,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) failures: BTreeMap<(Phase, FailureKind), u64>,
    /// Requests that opened a connection of their own.
    pub(super) on_new_connections: u64,
    pub(super) wire_bytes: u64,
    /// Requests of the warm-up.
    pub(super) left_out: u64,
}

impl Tally {
    pub(super) fn new(warm_up: Duration) -> Self {
        Self {
            warm_up,
            begin: None,
            first: None,
            last: Time::ZERO,
            latency: Histogram::new_with_bounds(1, nanoseconds(LONGEST), 3).expect("bounds that make sense"),
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            on_new_connections: 0,
            wire_bytes: 0,
            left_out: 0,
        }
    }

    /// Responses.
    pub(super) fn answered(&self) -> u64 {
        self.latency.len()
    }

    /// Requests without a response.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// From the start of the first request that counts to the end of the last.
    pub(super) fn elapsed(&self) -> Duration {
        self.first.map_or(Duration::ZERO, |first| self.last.since(first))
    }

    fn count(&mut self, outcome: &Outcome) {
        let last = &outcome.last;
        let started = outcome.job.accepted + last.timings.queued;
        let begin = self.begin.map_or(started, |begin| begin.min(started));
        self.begin = Some(begin);
        if started < begin + self.warm_up {
            self.left_out += 1;
            return;
        }
        self.first = Some(self.first.map_or(started, |first| first.min(started)));
        self.last = self.last.max(started + last.timings.total);
        self.wire_bytes += last.wire_bytes;
        self.on_new_connections += u64::from(!last.reused);
        match &last.result {
            Ok(response) => {
                *self.statuses.entry(response.status).or_default() += 1;
                self.latency.saturating_record(nanoseconds(last.timings.total));
            }
            Err(failure) => *self.failures.entry((failure.phase, failure.kind)).or_default() += 1,
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Counts outcomes and drops them.
#[derive(Clone, Debug)]
pub(super) struct Counting(pub(super) Arc<Mutex<Tally>>);

impl Sink for Counting {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        let mut tally = self.0.lock().expect("no holder of this lock panics");
        for record in batch.drain(..) {
            safe.push(record.seq());
            if let Record::Fetched(outcome) = record {
                tally.count(&outcome);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use haul::model::{Attempt, Failure, Job, WebUrl};

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A request that was read at `accepted`, started after `queued`, and failed after `total`, all in milliseconds.
    fn failed(accepted: u64, queued: u64, total: u64) -> Outcome {
        let url = WebUrl::parse("http://a.test/").expect("a URL").0;
        let job = Job::new(0, url, Time::ZERO + ms(accepted));
        let mut last = Attempt::unsent(Failure::new(Phase::Connect, FailureKind::Refused, "refused"));
        last.timings.queued = ms(queued);
        last.timings.total = ms(total);
        Outcome { job, attempts: 1, last }
    }

    #[test]
    fn the_time_is_from_the_first_start_to_the_last_end() {
        let mut tally = Tally::new(Duration::ZERO);
        tally.count(&failed(0, 20, 5));
        tally.count(&failed(0, 10, 100));
        assert_eq!((tally.elapsed(), tally.failed(), tally.answered()), (ms(100), 2, 0));
    }

    #[test]
    fn the_warm_up_is_left_out() {
        let mut tally = Tally::new(ms(1000));
        tally.count(&failed(5, 0, 1));
        tally.count(&failed(1004, 0, 500));
        assert_eq!((tally.elapsed(), tally.left_out), (Duration::ZERO, 2));
        tally.count(&failed(1000, 5, 500));
        assert_eq!((tally.elapsed(), tally.left_out, tally.failed()), (ms(500), 2, 1));
    }
}
