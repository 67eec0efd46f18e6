//! One of those that are compared: a mode of haul's, or a Python package.

use haul::model::Phase;

use super::drive::{self, Task};
use super::mode::Mode;
use super::python::Runner;
use super::report::{Way, WayFigures, WayReport};
use super::round_stats::RoundStats;
use super::sample::Sample;
use super::stop::Stop;
use crate::shared::page::Run;

/// Who fetches.
pub(super) enum Fetcher {
    Haul(Mode),
    Python(Box<Runner>),
    /// Nobody, and why.
    Missing(String),
}

/// A way of fetching, and what has come of it so far.
pub(super) struct Contender {
    way: Way,
    fetcher: Fetcher,
    tally: RoundStats,
}

impl Contender {
    pub(super) fn new(way: Way, fetcher: Fetcher) -> Self {
        Self { way, fetcher, tally: RoundStats::new() }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.way.name
    }

    /// Whether it takes part.
    pub(super) const fn is_there(&self) -> bool {
        !matches!(self.fetcher, Fetcher::Missing(_))
    }

    /// Fetches the list once. Whoever can't is missing from then on, unless it is the end that was asked for.
    pub(super) fn once(&mut self, task: &Task, stop: &Stop) -> Option<Sample> {
        let sample = match &mut self.fetcher {
            Fetcher::Haul(mode) => drive::once(*mode, task, stop),
            Fetcher::Python(runner) => runner.once(stop),
            Fetcher::Missing(_) => return None,
        };
        match sample {
            Ok(sample) => return Some(sample),
            Err(_) if stop.is_asked() => {}
            Err(why) => self.fetcher = Fetcher::Missing(why),
        }
        None
    }

    /// Fetches the list once more, for a page. `None` where nothing can be told: it is not haul's, it is not there, or the end
    /// was asked for.
    pub(super) fn watched(&self, task: &Task, stop: &Stop) -> Option<Run> {
        match self.fetcher {
            Fetcher::Haul(mode) if !stop.is_asked() => drive::watched(mode, task, stop).ok(),
            _ => None,
        }
    }

    /// Looks at its warm-up: a mode that is not what it is called does not take part.
    pub(super) fn judge(&mut self, warm_up: &Sample) {
        if let (Fetcher::Haul(Mode::H2), Some(why)) = (&self.fetcher, not_http2(warm_up)) {
            self.fetcher = Fetcher::Missing(why);
        }
    }

    /// Adds a round that counts.
    pub(super) fn add(&mut self, sample: &Sample) {
        self.tally.add(sample);
    }

    /// What came of it; `urls`: of the list.
    pub(super) fn figures(&self, urls: usize) -> WayReport {
        let (missing, measured) = match &self.fetcher {
            Fetcher::Missing(why) => (Some(why.clone()), None),
            _ => (None, WayFigures::of(&self.tally, urls)),
        };
        WayReport { way: self.way.clone(), missing, measured }
    }
}

/// Why this was not HTTP/2, if it was not.
fn not_http2(sample: &Sample) -> Option<String> {
    let fetched = &sample.inside.as_ref()?.fetched;
    let over = |version| fetched.iter().any(|fetched| fetched.answer == Ok(version));
    if over(http::Version::HTTP_11) {
        return Some("not every server speaks HTTP/2".to_owned());
    }
    // Before there is a connection nothing says which protocol it would have been.
    let is_connected = |phase: &Phase| !matches!(phase, Phase::Queue | Phase::Dns | Phase::Connect);
    let mut failures = fetched.iter().filter_map(|fetched| fetched.answer.err());
    let (phase, kind) = failures.find(|(phase, _)| is_connected(phase)).filter(|_| !over(http::Version::HTTP_2))?;
    Some(format!("no server of the list speaks HTTP/2 as asked ({phase} {kind})"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul::model::FailureKind;
    use http::Version;

    use super::*;
    use crate::commands::compare::round_stats::tests::sample;

    #[test]
    fn what_is_not_http2_is_not_called_so() {
        let mut round = sample(Duration::from_millis(200), 2);
        assert_eq!(not_http2(&round).as_deref(), Some("not every server speaks HTTP/2"));
        let inside = round.inside.as_mut().expect("told");
        inside.fetched.iter_mut().for_each(|fetched| fetched.answer = fetched.answer.map(|_| Version::HTTP_2));
        assert_eq!(not_http2(&round), None, "some failed, but those that came were HTTP/2");
        round = sample(Duration::from_millis(200), 10);
        assert_eq!(not_http2(&round).as_deref(), Some("no server of the list speaks HTTP/2 as asked (head timeout)"));
        let inside = round.inside.as_mut().expect("told");
        inside.fetched.iter_mut().for_each(|fetched| fetched.answer = Err((Phase::Connect, FailureKind::Refused)));
        assert_eq!(not_http2(&round), None, "a failure like any other");
    }
}
