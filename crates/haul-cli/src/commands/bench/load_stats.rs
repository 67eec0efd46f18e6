//! What is measured of a load: a sink that counts. Pure but for the sink's lock.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::model::{FailureKind, Outcome, Phase, Record, Sink, Time};
use hdrhistogram::Histogram;

use super::busy::ThreadSamples;
use super::figures::{histogram, record};
use super::schedule::BEGIN;
use super::series::{Completion, Second, Series};

/// A request that starts this long after its time is late: the system's timers alone bring less.
pub(super) const LATE: Duration = Duration::from_millis(1);

/// What became of the requests, those of the warm-up left out.
#[derive(Debug)]
pub(super) struct LoadStats {
    warm_up: Duration,
    /// When the time of the load is up, if it has one.
    until: Option<Time>,
    /// When the first request was started, the warm-up's included; when the plan began, where there is one.
    begin: Option<Time>,
    /// When the first one that counts was started or due, and the last one ended.
    pub(super) first: Option<Time>,
    pub(super) last: Time,
    /// From the start of an attempt to its end, of those with a response; from when it was due, where there is a plan.
    series: Series,
    pub(super) open: Option<OpenLoopStats>,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) failures: BTreeMap<(Phase, FailureKind), u64>,
    /// Requests that opened a connection of their own.
    pub(super) on_new_connections: u64,
    pub(super) wire_bytes: u64,
    /// Of the requests, those that ended after the load's time.
    pub(super) drained: DrainCounts,
    /// Requests of the warm-up.
    pub(super) left_out: u64,
}

/// Requests that ended when no more were made: they count, but not in a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DrainCounts {
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) wire_bytes: u64,
}

/// What is measured of an open loop besides.
#[derive(Debug)]
pub(super) struct OpenLoopStats {
    /// From start to end, of those with a response.
    pub(super) service: Histogram<u64>,
    /// From when it was due to its start, of all that were started.
    pub(super) late: Histogram<u64>,
    /// Those of more than [`LATE`].
    pub(super) sent_late: u64,
    pub(super) steps: Vec<StepStats>,
    /// How long each step lasts.
    pub(super) step: Duration,
    bound: Duration,
}

/// The requests that were due in one step.
#[derive(Debug)]
pub(super) struct StepStats {
    /// From when a request was due to its end, of those with a response.
    pub(super) response: Histogram<u64>,
    pub(super) late: Histogram<u64>,
    pub(super) failed: u64,
    /// Responses that came within the bound.
    pub(super) within: u64,
    /// Responses that came while the step lasted, of whichever step.
    pub(super) came: u64,
}

impl LoadStats {
    /// Of a closed loop.
    pub(super) fn new(warm_up: Duration) -> Self {
        Self {
            warm_up,
            until: None,
            begin: None,
            first: None,
            last: Time::ZERO,
            series: Series::new(),
            open: None,
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            on_new_connections: 0,
            wire_bytes: 0,
            drained: DrainCounts::default(),
            left_out: 0,
        }
    }

    /// Of an open loop, whose plan begins at [`BEGIN`], of so many steps, at least one, that last as long each.
    pub(super) fn open(warm_up: Duration, steps: usize, step: Duration, bound: Duration) -> Self {
        let steps = (0..steps.max(1)).map(|_| StepStats::new()).collect();
        let open = OpenLoopStats { service: histogram(), late: histogram(), sent_late: 0, steps, step, bound };
        Self { begin: Some(BEGIN), open: Some(open), ..Self::new(warm_up) }
    }

    /// The same load, whose time is up at `until` by the run's clock.
    pub(super) fn until(self, until: Option<Time>) -> Self {
        Self { until, ..self }
    }

    /// Responses.
    pub(super) fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Requests without a response.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// From the start of the first request that counts to the end of the last.
    pub(super) fn elapsed(&self) -> Duration {
        self.first.map_or(Duration::ZERO, |first| self.last.since(first))
    }

    /// Looks at threads, while requests count.
    pub(super) fn looks(&self) -> ThreadSamples {
        ThreadSamples::new(self.begin.unwrap_or(Time::ZERO) + self.warm_up, self.until.unwrap_or(Time::NEVER))
    }

    /// Whether the time of the load is up at `now`.
    pub(super) fn is_up(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// The load is over. As long it was made, the warm-up left out: until its time was up, where `is_full`, else until the last
    /// request ended, and then none of them is left out of its rate.
    pub(super) fn lasted(&mut self, is_full: bool) -> Duration {
        let Some((begin, until)) = self.begin.zip(self.until).filter(|_| is_full) else {
            self.drained = DrainCounts::default();
            return self.elapsed();
        };
        until.since(begin + self.warm_up)
    }

    /// Ends the count: the seconds, and the times over all of them.
    pub(super) fn finish(&mut self) -> (Vec<Second>, Histogram<u64>) {
        std::mem::replace(&mut self.series, Series::new()).finish()
    }

    fn count(&mut self, outcome: &Outcome) {
        let last = &outcome.last;
        let started = outcome.job.accepted + last.timings.queued;
        let came = if self.open.is_some() { outcome.job.accepted } else { started };
        let begin = self.begin.map_or(came, |begin| begin.min(came));
        self.begin = Some(begin);
        let origin = begin + self.warm_up;
        if came < origin {
            self.left_out += 1;
            return;
        }
        let ended = started + last.timings.total;
        self.first = Some(self.first.map_or(came, |first| first.min(came)));
        self.last = self.last.max(ended);
        self.wire_bytes += last.wire_bytes;
        self.on_new_connections += u64::from(!last.reused);
        let answered = match &last.result {
            Ok(response) => {
                *self.statuses.entry(response.status).or_default() += 1;
                true
            }
            Err(failure) => {
                *self.failures.entry((failure.phase, failure.kind)).or_default() += 1;
                false
            }
        };
        if let Some(open) = &mut self.open {
            open.count(origin, outcome, ended, answered);
        }
        if self.until.is_some_and(|until| ended > until) {
            self.drained.requests += 1;
            self.drained.failed += u64::from(!answered);
            self.drained.wire_bytes += last.wire_bytes;
        }
        let (started, at) = (started.since(origin), ended.since(origin));
        let took = answered.then(|| ended.since(came));
        self.series.count(Completion { started, at, bytes: last.wire_bytes, took });
    }
}

impl OpenLoopStats {
    fn count(&mut self, origin: Time, outcome: &Outcome, ended: Time, answered: bool) {
        let (due, late) = (outcome.job.accepted, outcome.last.timings.queued);
        record(late, &mut self.late);
        self.sent_late += u64::from(late > LATE);
        if answered {
            record(outcome.last.timings.total, &mut self.service);
        }
        let last = self.steps.len() - 1;
        let place = self.place(origin, due).min(last);
        let step = &mut self.steps[place];
        record(late, &mut step.late);
        if answered {
            let took = ended.since(due);
            record(took, &mut step.response);
            step.within += u64::from(took <= self.bound);
        } else {
            step.failed += 1;
        }
        let place = self.place(origin, ended);
        if let Some(step) = self.steps.get_mut(place).filter(|_| answered) {
            step.came += 1;
        }
    }

    /// The step of this time; beyond the last one, when it is after all of them.
    fn place(&self, origin: Time, at: Time) -> usize {
        let place = at.since(origin).as_nanos() / self.step.as_nanos().max(1);
        usize::try_from(place).unwrap_or(usize::MAX)
    }
}

impl StepStats {
    fn new() -> Self {
        Self { response: histogram(), late: histogram(), failed: 0, within: 0, came: 0 }
    }
}

/// Counts outcomes and drops them.
#[derive(Clone, Debug)]
pub(super) struct StatsSink(pub(super) Arc<Mutex<LoadStats>>);

impl Sink for StatsSink {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        let mut tally = self.0.lock().expect("no holder of this lock panics");
        for record in batch.iter() {
            safe.push(record.seq());
            if let Record::Fetched(outcome) = record {
                tally.count(outcome);
            }
        }
        batch.clear();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use haul::model::{Attempt, CompleteResponse, Failure, Job, WebUrl};

    use super::*;
    use crate::commands::bench::figures::Times;
    use crate::shared::exactly::{hold, recorded};

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
        let mut tally = LoadStats::new(Duration::ZERO);
        tally.count(&failed(0, 20, 5));
        tally.count(&failed(0, 10, 100));
        assert_eq!((tally.elapsed(), tally.failed(), tally.answered()), (ms(100), 2, 0));
    }

    #[test]
    fn what_ends_after_the_time_is_up_counts_and_is_told_apart() {
        let mut tally = LoadStats::new(ms(1000)).until(Some(Time::ZERO + ms(3000)));
        for outcome in [failed(10, 0, 5), failed(1010, 0, 1990), failed(2900, 0, 101), answered(2000, 0, 5000)] {
            tally.count(&outcome);
        }
        assert_eq!((tally.answered(), tally.failed(), tally.left_out), (1, 2, 1));
        assert_eq!(tally.drained, DrainCounts { requests: 2, failed: 1, wire_bytes: 0 });
        assert_eq!((tally.lasted(true), tally.lasted(false)), (ms(1990), ms(5990)));
    }

    #[test]
    fn the_warm_up_is_left_out() {
        let mut tally = LoadStats::new(ms(1000));
        tally.count(&failed(5, 0, 1));
        tally.count(&failed(1004, 0, 500));
        assert_eq!((tally.elapsed(), tally.left_out), (Duration::ZERO, 2));
        tally.count(&failed(1000, 5, 500));
        assert_eq!((tally.elapsed(), tally.left_out, tally.failed()), (ms(500), 2, 1));
    }

    /// A request that was due at `due`, started `late` after it, and was answered after `total`, all in milliseconds.
    fn answered(due: u64, late: u64, total: u64) -> Outcome {
        let mut outcome = failed(due, late, total);
        outcome.last.result = Ok(CompleteResponse {
            status: 200,
            version: http::Version::HTTP_11,
            headers: None,
            body: None,
            body_bytes: 0,
            sha256: None,
            saved: None,
            close_delimited: false,
        });
        outcome
    }

    /// Of a load of these requests in nanoseconds, one each millisecond.
    fn percentiles(mut tally: LoadStats, times: &[u64]) -> [(usize, f64); 6] {
        for (at, time) in (0..).zip(times) {
            let mut outcome = answered(at, 0, 0);
            outcome.last.timings.total = Duration::from_nanos(*time);
            tally.count(&outcome);
        }
        let (_, all) = tally.finish();
        let of = Times::of(&all);
        [(500, of.p50), (750, of.p75), (900, of.p90), (990, of.p99), (999, of.p99_9), (1000, of.max)]
    }

    #[test]
    fn percentiles_of_recorded_times_are_those_that_were_recorded() {
        let times = recorded();
        hold(&times, percentiles(LoadStats::new(Duration::ZERO), &times));
        hold(&times, percentiles(LoadStats::open(Duration::ZERO, 1, Duration::MAX, Duration::MAX), &times));
    }

    #[test]
    fn an_open_loop_counts_from_when_requests_were_due() {
        let mut tally = LoadStats::open(ms(1000), 2, ms(500), ms(300));
        let at = |time| u64::try_from(BEGIN.since(Time::ZERO).as_millis()).expect("short") + time;
        // Due in the warm-up, however late it started; then in the first step, answered in the second; in the second, beyond.
        for outcome in [answered(at(999), 700, 1), answered(at(1400), 200, 100), answered(at(1600), 0, 900)] {
            tally.count(&outcome);
        }
        tally.count(&failed(at(1700), 0, 10));
        let (seconds, response) = tally.finish();
        let open = tally.open.as_ref().expect("open");
        let longest = |times: &Histogram<u64>| (times.max() as f64 / 1e6).round();
        assert_eq!((longest(&response), longest(&open.service), longest(&open.late)), (900.0, 900.0, 200.0));
        let steps: Vec<_> = open.steps.iter().map(|step| (step.within, step.failed, step.came)).collect();
        assert_eq!((tally.left_out, steps), (1, vec![(1, 0, 0), (0, 1, 1)]));
        assert_eq!((longest(&open.steps[0].response), longest(&open.steps[1].late)), (300.0, 0.0));
        assert_eq!((open.sent_late, seconds.len(), tally.elapsed()), (1, 2, ms(1100)));
    }
}
