//! The source of a closed loop: the same URLs over and over, as many as the run takes.

use std::io;
use std::sync::Arc;

use haul::model::{Job, More, Rejected, Source, Time};

use crate::shared::experiment::Target;

/// Asks for its targets in turn until there have been enough requests, or the run is stopped.
#[derive(Debug)]
pub(super) struct ClosedLoopSource {
    targets: Vec<Target>,
    /// Requests to make; `None`: until the run is stopped.
    requests: Option<u64>,
    made: u64,
}

impl ClosedLoopSource {
    /// `targets`: at least one.
    pub(super) const fn new(targets: Vec<Target>, requests: Option<u64>) -> Self {
        Self { targets, requests, made: 0 }
    }

    fn left(&self) -> u64 {
        self.requests.map_or(u64::MAX, |requests| requests - self.made)
    }
}

/// The job at this position when the targets are asked in turn.
pub(super) fn job(targets: &[Target], seq: u64, at: Time) -> Job {
    let place = seq % targets.len() as u64;
    let Target { url, overrides } = &targets[usize::try_from(place).expect("less than their number")];
    let mut job = Job::new(seq, url.clone(), at);
    if let Some(overrides) = overrides {
        job.extra_mut().overrides = Some(Arc::clone(overrides));
    }
    job
}

impl Source for ClosedLoopSource {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let count = self.left().min(max as u64);
        into.extend((self.made..self.made + count).map(|seq| Ok(job(&self.targets, seq, now))));
        self.made += count;
        Ok(if self.left() == 0 { More::No } else { More::Yes })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use haul::model::WebUrl;

    use super::*;

    pub(in crate::commands::bench) fn targets() -> Vec<Target> {
        let target = |url| Target { url: WebUrl::parse(url).expect("a URL").0, overrides: None };
        ["http://a.test/1", "http://a.test/2"].map(target).into()
    }

    #[test]
    fn the_urls_come_in_turn_until_there_are_enough() {
        let mut load = ClosedLoopSource::new(targets(), Some(5));
        let mut jobs = Vec::new();
        assert_eq!(load.read(3, Time::ZERO, &mut jobs).expect("can't fail"), More::Yes);
        assert_eq!(load.read(3, Time::ZERO, &mut jobs).expect("can't fail"), More::No);
        let asked = jobs.iter().map(|job| job.as_ref().map(|job| (job.seq, job.given())).expect("a job"));
        let one = |seq| (seq, if seq % 2 == 0 { "http://a.test/1" } else { "http://a.test/2" });
        assert!(asked.eq((0..5).map(one)));
    }

    #[test]
    fn without_a_number_there_is_always_more() {
        let mut load = ClosedLoopSource::new(targets(), None);
        let mut jobs = Vec::new();
        assert_eq!(load.read(7, Time::ZERO, &mut jobs).expect("can't fail"), More::Yes);
        assert_eq!(jobs.len(), 7);
    }
}
