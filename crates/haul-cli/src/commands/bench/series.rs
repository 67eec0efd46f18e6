//! A load second by second, counted from the first request that counts. Pure.
//!
//! One histogram serves all seconds: it is added to that of the whole run and emptied when the first request of a later second
//! ends. Shards tell of ends in batches, so a request may be told of just after the turn of its second: all counts are those of
//! its own second even so, and only the percentiles take it for the next.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::figures::{at, histogram, record};

/// A second of a load.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(super) struct Second {
    /// From the first request that counts to this second's beginning.
    pub(super) second: u64,
    pub(super) started: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    /// Of the requests that ended in it.
    pub(super) received_bytes: u64,
    /// At its end.
    pub(super) in_flight: u64,
    /// Of those answered in it; `None` when there were none.
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) max_us: Option<f64>,
}

/// A request that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    /// Since the beginning, as is `at`.
    pub(super) started: Duration,
    pub(super) at: Duration,
    pub(super) bytes: u64,
    /// How long it took, if it was answered.
    pub(super) took: Option<Duration>,
}

/// The seconds so far.
#[derive(Debug)]
pub(super) struct Series {
    seconds: Vec<Second>,
    /// The times of the second that is counted now, the last of `seconds`.
    current: Histogram<u64>,
    /// Those of the seconds before.
    all: Histogram<u64>,
}

impl Series {
    pub(super) fn new() -> Self {
        Self { seconds: vec![Second::default()], current: histogram(), all: histogram() }
    }

    pub(super) fn count(&mut self, ended: Completion) {
        let second = index(ended.at);
        if second >= self.seconds.len() {
            self.reach(second);
        }
        self.seconds[index(ended.started).min(second)].started += 1;
        let row = &mut self.seconds[second];
        row.received_bytes += ended.bytes;
        match ended.took {
            Some(took) => {
                row.answered += 1;
                record(took, &mut self.current);
            }
            None => row.failed += 1,
        }
    }

    /// The seconds and the times of the whole run.
    pub(super) fn finish(mut self) -> (Vec<Second>, Histogram<u64>) {
        self.close();
        let mut in_flight = 0;
        for (second, row) in (0..).zip(&mut self.seconds) {
            in_flight += row.started;
            in_flight -= row.answered + row.failed;
            (row.second, row.in_flight) = (second, in_flight);
        }
        (self.seconds, self.all)
    }

    fn reach(&mut self, second: usize) {
        self.close();
        self.seconds.resize(second + 1, Second::default());
    }

    /// Ends the current second.
    fn close(&mut self) {
        let row = self.seconds.last_mut().expect("never empty");
        row.p50_us = at(0.5, &self.current);
        row.p99_us = at(0.99, &self.current);
        row.max_us = at(1.0, &self.current);
        self.all.add(&self.current).expect("both have the same bounds");
        self.current.reset();
    }
}

/// Which second a time is in. A run does not last long enough for the number to matter.
fn index(time: Duration) -> usize {
    usize::try_from(time.as_secs()).unwrap_or(usize::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn ended(started: u64, at: u64, answered: bool) -> Completion {
        let took = answered.then_some(ms(at - started));
        Completion { started: ms(started), at: ms(at), bytes: 10, took }
    }

    #[test]
    fn requests_are_counted_where_they_start_and_where_they_end() {
        let mut series = Series::new();
        for request in [(0, 100, true), (900, 1100, true), (200, 3500, false), (3400, 3600, true)] {
            series.count(ended(request.0, request.1, request.2));
        }
        let (seconds, all) = series.finish();
        let counts: Vec<_> = seconds.iter().map(|row| (row.started, row.answered, row.failed, row.in_flight)).collect();
        assert_eq!(counts, [(3, 1, 0, 2), (0, 1, 0, 1), (0, 0, 0, 1), (1, 1, 1, 0)]);
        let micros = |time: Option<f64>| time.map(f64::round);
        assert_eq!((seconds[2].p50_us, seconds[3].received_bytes, all.len()), (None, 20, 3));
        assert!((micros(seconds[0].p99_us).expect("one") - 100_000.0).abs() < 100.0, "{seconds:?}");
        assert_eq!(seconds.iter().map(|row| row.second).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn an_end_told_late_is_counted_in_its_own_second() {
        let mut series = Series::new();
        series.count(ended(0, 1001, true));
        series.count(ended(0, 999, true));
        let (seconds, all) = series.finish();
        assert_eq!((seconds[0].answered, seconds[1].answered, all.len()), (1, 1, 2));
    }
}
