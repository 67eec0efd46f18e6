//! What one way of fetching came to over the rounds. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::sample::{EngineSample, RequestSample, Sample};
use super::stats::estimate;

/// The longest time that is told apart: longer ones count as that.
const LONGEST: Duration = Duration::from_secs(3600);

/// The rounds of one way of fetching.
#[derive(Clone, Debug)]
pub(super) struct RoundStats {
    /// Seconds of each round.
    pub(super) rounds_s: Vec<f64>,
    /// Microseconds of processor time for a request, of each round.
    processor_us: Vec<f64>,
    requests: u64,
    /// Nanoseconds, of the requests answered; within 0.1 %.
    pub(super) latency: Histogram<u64>,
    pub(super) failures: BTreeMap<String, u64>,
    inside: Option<EngineStats>,
}

/// What only haul can tell.
#[derive(Clone, Debug, Default)]
struct EngineStats {
    connections: Vec<f64>,
    handshakes: Vec<f64>,
    /// Seconds, over all requests.
    spent: PhaseTimes,
}

/// Where time went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PhaseTimes {
    pub(super) waiting: f64,
    pub(super) dns: f64,
    pub(super) connect: f64,
    pub(super) tls: f64,
    pub(super) first_byte: f64,
    pub(super) body: f64,
    pub(super) other: f64,
}

impl RoundStats {
    pub(super) fn new() -> Self {
        Self {
            rounds_s: Vec::new(),
            processor_us: Vec::new(),
            requests: 0,
            latency: Histogram::new_with_bounds(1, nanoseconds(LONGEST), 3).expect("bounds that make sense"),
            failures: BTreeMap::new(),
            inside: None,
        }
    }

    /// Adds a round.
    pub(super) fn add(&mut self, sample: &Sample) {
        let requests = sample.requests();
        self.rounds_s.push(sample.elapsed.as_secs_f64());
        self.processor_us.push(sample.processor.as_secs_f64() * 1e6 / requests.max(1) as f64);
        self.requests += requests;
        for latency in &sample.latencies {
            self.latency.saturating_record(nanoseconds(*latency));
        }
        for (why, count) in &sample.failures {
            *self.failures.entry(why.clone()).or_default() += count;
        }
        if let Some(inside) = &sample.inside {
            self.inside.get_or_insert_default().add(inside);
        }
    }

    /// Microseconds of processor time for a request.
    pub(super) fn processor_us(&self) -> f64 {
        median(&self.processor_us)
    }

    /// Requests without a response.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Connections opened and TLS handshakes made in a round.
    pub(super) fn opened(&self) -> Option<(f64, f64)> {
        self.inside.as_ref().map(|seen| (median(&seen.connections), median(&seen.handshakes)))
    }

    /// Microseconds a request spent on average.
    pub(super) fn spent_us(&self) -> Option<PhaseTimes> {
        self.inside.as_ref().map(|seen| seen.spent.each(|seconds| seconds * 1e6 / self.requests.max(1) as f64))
    }
}

impl EngineStats {
    fn add(&mut self, inside: &EngineSample) {
        self.connections.push(inside.connections as f64);
        self.handshakes.push(inside.handshakes() as f64);
        inside.fetched.iter().for_each(|fetched| self.spent.add(fetched));
    }
}

impl PhaseTimes {
    fn add(&mut self, fetched: &RequestSample) {
        let RequestSample { waited, took, parts, .. } = fetched;
        let tls = parts.tls.unwrap_or_default();
        let told = parts.dns + parts.connect + tls + parts.first_byte + parts.body;
        self.waiting += waited.as_secs_f64();
        self.dns += parts.dns.as_secs_f64();
        self.connect += parts.connect.as_secs_f64();
        self.tls += tls.as_secs_f64();
        self.first_byte += parts.first_byte.as_secs_f64();
        self.body += parts.body.as_secs_f64();
        self.other += took.saturating_sub(told).as_secs_f64();
    }

    fn each(self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            waiting: change(self.waiting),
            dns: change(self.dns),
            connect: change(self.connect),
            tls: change(self.tls),
            first_byte: change(self.first_byte),
            body: change(self.body),
            other: change(self.other),
        }
    }
}

fn median(values: &[f64]) -> f64 {
    estimate(values.iter().copied()).map_or(0.0, |estimate| estimate.median)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use haul::model::{FailureKind, Phase};
    use http::Version;

    use super::*;
    use crate::commands::compare::sample::RequestTimings;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A round of ten requests of 20 ms each, of which the last ones failed.
    pub(in crate::commands::compare) fn sample(elapsed: Duration, failed: usize) -> Sample {
        let fetched = |place: usize| RequestSample {
            place,
            waited: ms(100),
            took: ms(20),
            parts: RequestTimings {
                connect: ms(1),
                tls: (place < 5).then_some(ms(2)),
                first_byte: ms(15),
                ..RequestTimings::default()
            },
            answer: if place < 10 - failed { Ok(Version::HTTP_11) } else { Err((Phase::Head, FailureKind::Timeout)) },
        };
        let inside = EngineSample { connections: 7, fetched: (0..10).map(fetched).collect() };
        Sample::of(inside, elapsed, elapsed / 10)
    }

    #[test]
    fn rounds_add_up() {
        let mut tally = RoundStats::new();
        for (elapsed, failed) in [(200, 0), (400, 1), (300, 0)] {
            tally.add(&sample(ms(elapsed), failed));
        }
        assert_eq!((tally.rounds_s.clone(), tally.failed()), (vec![0.2, 0.4, 0.3], 1));
        assert_eq!((tally.processor_us(), tally.latency.len()), (3000.0, 29));
        assert_eq!(tally.opened(), Some((7.0, 5.0)), "connections and handshakes of a round");
        let spent = tally.spent_us().expect("told by haul").each(f64::round);
        let expected =
            PhaseTimes { waiting: 1e5, connect: 1e3, tls: 1e3, first_byte: 15e3, other: 3e3, ..PhaseTimes::default() };
        assert_eq!(spent, expected, "means over all requests");
        assert_eq!(tally.failures["head timeout"], 1);
    }

    #[test]
    fn others_tell_less() {
        let mut tally = RoundStats::new();
        tally.add(&Sample { latencies: vec![ms(5)], ..Sample::default() });
        assert!(tally.opened().is_none() && tally.spent_us().is_none());
    }
}
