//! Some requests of a run, to be looked at one by one: the first, those of one host, the slowest, those in trouble, and any.
//! Pure.
//!
//! A query is left out, because it may hold a key: a report is passed on more easily than records are.

use haul::model::{Outcome, Time, Timings};

/// How many are kept of each.
const FIRST: usize = 80;
const ONE_HOST: usize = 80;
const SLOWEST: usize = 32;
const TROUBLED: usize = 48;
const ANY: usize = 64;
/// Bytes of a URL that are kept.
const URL: usize = 200;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct SampledRequest {
    /// Its position in the input.
    pub(super) seq: u64,
    pub(super) url: String,
    pub(super) accepted: Time,
    pub(super) timings: Timings,
    pub(super) attempts: u32,
    pub(super) reused: bool,
    pub(super) wire_bytes: u64,
    /// The status, or `phase kind` of the failure.
    pub(super) ended: Result<u16, String>,
}

impl SampledRequest {
    fn of(outcome: &Outcome) -> Self {
        let last = &outcome.last;
        Self {
            seq: outcome.job.seq,
            url: shown(outcome.job.url.as_str()),
            accepted: outcome.job.accepted,
            timings: last.timings,
            attempts: outcome.attempts,
            reused: last.reused,
            wire_bytes: last.wire_bytes,
            ended: match &last.result {
                Ok(response) => Ok(response.status),
                Err(failure) => Err(format!("{} {}", failure.phase, failure.kind)),
            },
        }
    }
}

/// `url` without its query's content, cut to a length that can be shown.
pub(crate) fn shown(url: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, ""), |(path, _)| (path, "?…"));
    if path.len() <= URL { format!("{path}{query}") } else { cut(path, URL) }
}

/// `text`, or its beginning of at most `bytes` and a sign that there is more.
pub(super) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let fits = |&(at, character): &(usize, char)| at + character.len_utf8() <= bytes;
    text.char_indices().take_while(fits).map(|(_, character)| character).chain(['…']).collect()
}

/// The samples of a run.
#[derive(Debug)]
pub(super) struct Samples {
    /// The first to end.
    pub(super) first: Vec<SampledRequest>,
    /// The first to end of the host of the very first, which is named.
    pub(super) one_host: Vec<SampledRequest>,
    pub(super) host: String,
    /// In no order.
    pub(super) slowest: Vec<SampledRequest>,
    /// Any of those that failed or took several attempts.
    pub(super) troubled: Reservoir,
    pub(super) any: Reservoir,
    rng: fastrand::Rng,
}

impl Samples {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            first: Vec::new(),
            one_host: Vec::new(),
            host: String::new(),
            slowest: Vec::new(),
            troubled: Reservoir::new(TROUBLED),
            any: Reservoir::new(ANY),
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        if self.first.len() < FIRST {
            self.first.push(SampledRequest::of(outcome));
        }
        if self.host.is_empty() {
            outcome.job.url.origin().clone_into(&mut self.host);
        }
        if self.one_host.len() < ONE_HOST && outcome.job.url.origin() == self.host {
            self.one_host.push(SampledRequest::of(outcome));
        }
        if outcome.attempts > 1 || outcome.last.result.is_err() {
            self.troubled.add(outcome, &mut self.rng);
        }
        self.any.add(outcome, &mut self.rng);
        self.add_to_slowest(outcome);
    }

    fn add_to_slowest(&mut self, outcome: &Outcome) {
        if self.slowest.len() < SLOWEST {
            self.slowest.push(SampledRequest::of(outcome));
            // The fastest of them last: the one to give way.
            self.slowest.sort_unstable_by_key(|picked| std::cmp::Reverse(picked.timings.total));
        } else if self.slowest.last().is_some_and(|fastest| fastest.timings.total < outcome.last.timings.total) {
            self.slowest.pop();
            let before = |picked: &SampledRequest| picked.timings.total >= outcome.last.timings.total;
            self.slowest.insert(self.slowest.partition_point(before), SampledRequest::of(outcome));
        }
    }
}

/// A sample in which each that was seen is with the same probability.
#[derive(Debug)]
pub(super) struct Reservoir {
    size: usize,
    pub(super) seen: u64,
    pub(super) kept: Vec<SampledRequest>,
}

impl Reservoir {
    const fn new(size: usize) -> Self {
        Self { size, seen: 0, kept: Vec::new() }
    }

    fn add(&mut self, outcome: &Outcome, rng: &mut fastrand::Rng) {
        self.seen += 1;
        if self.kept.len() < self.size {
            self.kept.push(SampledRequest::of(outcome));
        } else if let Some(place) =
            usize::try_from(rng.u64(..self.seen)).ok().and_then(|place| self.kept.get_mut(place))
        {
            *place = SampledRequest::of(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul::model::{Attempt, Failure, FailureKind, Job, Phase, WebUrl};

    use super::*;

    fn failed(seq: u64, milliseconds: u64) -> Outcome {
        let url = format!("http://{}.test/", seq % 3);
        let job = Job::new(seq, WebUrl::parse(&url).expect("a URL").0, Time::ZERO);
        let mut last = Attempt::unsent(Failure::new(Phase::Connect, FailureKind::Refused, "refused"));
        last.timings.total = Duration::from_millis(milliseconds);
        Outcome { job, attempts: 1, last }
    }

    #[test]
    fn each_sample_keeps_what_it_is_for_and_no_more() {
        let mut samples = Samples::new(7);
        for seq in 0..10_000 {
            samples.add(&failed(seq, seq % 5000));
        }
        let seqs = |picked: &[SampledRequest]| picked.iter().map(|picked| picked.seq).collect::<Vec<_>>();
        assert_eq!(seqs(&samples.first), (0..80).collect::<Vec<_>>());
        assert_eq!(seqs(&samples.one_host), (0..80).map(|n| 3 * n).collect::<Vec<_>>());
        assert_eq!(samples.host, "http://0.test");
        let times: Vec<_> = samples.slowest.iter().map(|picked| picked.timings.total.as_millis()).collect();
        let exactly: Vec<_> = (4984..5000).rev().flat_map(|time| [time, time]).collect();
        assert_eq!(times, exactly);
        assert_eq!((samples.troubled.kept.len(), samples.any.kept.len(), samples.any.seen), (48, 64, 10_000));
        let late = samples.any.kept.iter().filter(|picked| picked.seq >= 5000).count();
        assert!((16..48).contains(&late), "half of them are from the run's second half: {late}");
    }

    #[test]
    fn equal_seeds_pick_the_same() {
        let picked = |seed| {
            let mut samples = Samples::new(seed);
            (0..1000).for_each(|seq| samples.add(&failed(seq, 1)));
            samples.any.kept.iter().map(|picked| picked.seq).collect::<Vec<_>>()
        };
        assert_eq!(picked(1), picked(1));
        assert_ne!(picked(1), picked(2));
    }

    #[test]
    fn a_url_is_shown_without_its_query_and_not_too_long() {
        assert_eq!(shown("http://a.test/p?key=secret"), "http://a.test/p?…");
        let long = format!("http://a.test/{}?key=secret", "é".repeat(300));
        let text = shown(&long);
        assert!(text.len() < 210 && text.ends_with("é…"), "{text}");
    }
}
