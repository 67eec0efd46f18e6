//! What fetching the list once came to. Plain data.

use std::collections::BTreeMap;
use std::time::Duration;

use haul::model::{FailureKind, Phase};
use http::Version;

/// What fetching the list once came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// Until the last result was there.
    pub(super) elapsed: Duration,
    /// Processor time of the fetching process.
    pub(super) processor: Duration,
    /// How long each request that was answered took, from its turn to the end of its body.
    pub(super) latencies: Vec<Duration>,
    /// Requests that were not answered, by why.
    pub(super) failures: BTreeMap<String, u64>,
    /// What only haul can tell.
    pub(super) inside: Option<EngineSample>,
}

/// What is known of each request.
#[derive(Clone, Debug, Default)]
pub(super) struct EngineSample {
    /// Connections opened.
    pub(super) connections: u64,
    /// The requests in the order in which their results were given.
    pub(super) fetched: Vec<RequestSample>,
}

/// One request, as it ended.
#[derive(Clone, Debug)]
pub(super) struct RequestSample {
    /// The URL's place in the list.
    pub(super) place: usize,
    /// From the round's start until the request had its turn.
    pub(super) waited: Duration,
    /// From then to the end of its body, or its failure.
    pub(super) took: Duration,
    /// Where that time went.
    pub(super) parts: RequestTimings,
    /// The protocol of its response, or what went wrong.
    pub(super) answer: Result<Version, (Phase, FailureKind)>,
}

/// The parts of a request's time that are told apart. Zero: there was none, as on an open connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestTimings {
    pub(super) dns: Duration,
    pub(super) connect: Duration,
    /// `None`: no handshake.
    pub(super) tls: Option<Duration>,
    pub(super) first_byte: Duration,
    pub(super) body: Duration,
}

impl Sample {
    /// Of a round of haul's own.
    pub(super) fn of(inside: EngineSample, elapsed: Duration, processor: Duration) -> Self {
        let mut sample = Self { elapsed, processor, ..Self::default() };
        for fetched in &inside.fetched {
            match fetched.answer {
                Ok(_) => sample.latencies.push(fetched.took),
                Err((phase, kind)) => *sample.failures.entry(format!("{phase} {kind}")).or_default() += 1,
            }
        }
        sample.inside = Some(inside);
        sample
    }

    /// Requests, however they ended.
    pub(super) fn requests(&self) -> u64 {
        self.latencies.len() as u64 + self.failures.values().sum::<u64>()
    }
}

impl EngineSample {
    /// TLS handshakes that requests waited for.
    pub(super) fn handshakes(&self) -> u64 {
        self.fetched.iter().filter(|fetched| fetched.parts.tls.is_some()).count() as u64
    }
}
