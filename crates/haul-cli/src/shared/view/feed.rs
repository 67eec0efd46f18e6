//! What the view learns from the input and the records on their way, between two looks. Pure.
//!
//! The histogram and the backlog are filled by the threads of source and sink, a batch at a time. Bounded: the backlog holds
//! hosts with unfinished URLs only, so no more than the window; failures are pairs from two short lists.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use haul::model::{FailureKind, Job, Phase, Record, Rejected};
use hdrhistogram::Histogram;

use crate::shared::since::Since;

/// The longest time told apart, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// What has been seen and not yet been taken.
#[derive(Debug)]
pub(super) struct Feed {
    since: Since,
    /// Microseconds of attempts with a response, since the last [`Self::take`]; within 1 %.
    latency: Histogram<u64>,
    /// Microseconds from when requests of a plan were due to their start, of those that ended since the last [`Self::take`].
    late: Histogram<u64>,
    /// Since the beginning.
    failures: BTreeMap<(Phase, FailureKind), u64>,
    /// URLs read and not finished by the origin they were given for; `None` where hosts are not of interest.
    backlog: Option<HashMap<Box<str>, u64>>,
    /// The longest of them, as of so many looks ago.
    longest: Vec<(Box<str>, u64)>,
    age: usize,
}

/// Hosts looked at for each [`Feed::take`], on average: with a million of them, all are looked at every 20th time, so that
/// neither the view nor those who wait for it spend more than some milliseconds a second on it.
const HOSTS_A_LOOK: usize = 50_000;

/// What a look takes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FeedSnapshot {
    pub(super) latency: Option<Percentiles>,
    /// How late requests of a plan were started.
    pub(super) late: Option<Percentiles>,
    /// Most first.
    pub(super) failures: Vec<((Phase, FailureKind), u64)>,
    /// The hosts with the most URLs left, most first.
    pub(super) backlog: Vec<(Box<str>, u64)>,
}

/// Of a short time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Percentiles {
    pub(super) p50: Duration,
    pub(super) p90: Duration,
    pub(super) p99: Duration,
}

impl Percentiles {
    /// Of microseconds, which are gone then.
    fn taken(times: &mut Histogram<u64>) -> Option<Self> {
        let at = |quantile| Duration::from_micros(times.value_at_quantile(quantile));
        let taken = (!times.is_empty()).then(|| Self { p50: at(0.5), p90: at(0.9), p99: at(0.99) });
        times.reset();
        taken
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Feed {
    pub(super) fn new(with_hosts: bool, since: Since) -> Self {
        let histogram = || Histogram::new_with_bounds(1, LONGEST, 2).expect("bounds that make sense");
        Self {
            since,
            latency: histogram(),
            late: histogram(),
            failures: BTreeMap::new(),
            backlog: with_hosts.then(HashMap::new),
            longest: Vec::new(),
            age: usize::MAX,
        }
    }

    /// These came from the source.
    pub(super) fn came(&mut self, batch: &[Result<Job, Rejected>]) {
        let Some(backlog) = &mut self.backlog else { return };
        for job in batch.iter().flatten() {
            let host = job.url.origin();
            match backlog.get_mut(host) {
                Some(left) => *left += 1,
                None => _ = backlog.insert(host.into(), 1),
            }
        }
    }

    /// These go to the sink.
    pub(super) fn went(&mut self, batch: &[Record]) {
        for record in batch {
            let failure = match record {
                Record::Fetched(outcome) => {
                    self.finished(&outcome.job);
                    if self.since == Since::Due {
                        self.late.saturating_record(micros(outcome.last.timings.queued));
                    }
                    match &outcome.last.result {
                        Ok(_) => {
                            self.latency.saturating_record(micros(self.since.time(outcome)));
                            continue;
                        }
                        Err(failure) => failure,
                    }
                }
                Record::Rejected(line) => &line.failure,
            };
            // Who stopped the run knows; the engine doesn't count it as a failure either.
            if failure.kind != FailureKind::Cancelled {
                *self.failures.entry((failure.phase, failure.kind)).or_default() += 1;
            }
        }
    }

    fn finished(&mut self, job: &Job) {
        let Some(backlog) = &mut self.backlog else { return };
        let first_hop = job.hops().first();
        let host = first_hop.map_or(&job.url, |hop| &hop.url).origin();
        if let Some(left) = backlog.get_mut(host) {
            *left -= 1;
            if *left == 0 {
                backlog.remove(host);
            }
        }
    }

    /// What there is to show, with at most `most` hosts.
    pub(super) fn take(&mut self, most: usize) -> FeedSnapshot {
        let (latency, late) = (Percentiles::taken(&mut self.latency), Percentiles::taken(&mut self.late));
        let mut failures: Vec<_> = self.failures.iter().map(|(what, count)| (*what, *count)).collect();
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        self.look_at_hosts(most);
        FeedSnapshot { latency, late, failures, backlog: self.longest.clone() }
    }

    fn look_at_hosts(&mut self, most: usize) {
        let Some(backlog) = &self.backlog else { return };
        self.age = self.age.saturating_add(1);
        if self.age > backlog.len() / HOSTS_A_LOOK {
            self.longest = longest(backlog, most);
            self.age = 0;
        }
    }
}

/// The `most` longest, longest first, and by name where they are equal.
fn longest(backlog: &HashMap<Box<str>, u64>, most: usize) -> Vec<(Box<str>, u64)> {
    let mut all: Vec<(u64, &str)> = backlog.iter().map(|(host, left)| (*left, &**host)).collect();
    let order = |a: &(u64, &str), b: &(u64, &str)| b.0.cmp(&a.0).then(a.1.cmp(b.1));
    if all.len() > most && most > 0 {
        all.select_nth_unstable_by(most - 1, order);
    }
    all.truncate(most);
    all.sort_by(order);
    all.into_iter().map(|(left, host)| (host.into(), left)).collect()
}

#[cfg(test)]
mod tests {
    use haul::model::{Attempt, Failure, Hop, Outcome, Time, WebUrl};
    use http::Method;

    use super::*;

    fn job(url: &str) -> Job {
        Job::new(0, WebUrl::parse(url).expect("a URL").0, Time::ZERO)
    }

    fn ended(job: Job) -> Record {
        let last = Attempt::unsent(Failure::new(Phase::Connect, FailureKind::Refused, "no"));
        Record::Fetched(Outcome { job, attempts: 1, last })
    }

    #[test]
    fn hosts_are_in_the_backlog_until_their_last_url_is_finished() {
        let mut feed = Feed::new(true, Since::Sent);
        let urls = ["http://a.test/1", "http://b.test/1", "http://a.test/2", "https://c.test/1"];
        feed.came(&urls.map(|url| Ok(job(url))));
        let hosts = |feed: &mut Feed, most| -> Vec<String> {
            feed.take(most).backlog.iter().map(|(host, left)| format!("{host} {left}")).collect()
        };
        assert_eq!(hosts(&mut feed, 9), ["http://a.test 2", "http://b.test 1", "https://c.test 1"]);
        assert_eq!(hosts(&mut feed, 2), ["http://a.test 2", "http://b.test 1"]);
        assert_eq!(hosts(&mut feed, 0), [""; 0]);
        let mut redirected = job("http://elsewhere.test/");
        let url = WebUrl::parse("http://a.test/1").expect("a URL").0;
        haul_core::work::of_mut(&mut redirected).hops = vec![Hop { url, method: Method::GET, status: 301 }];
        feed.went(&[ended(job("http://b.test/1")), ended(redirected)]);
        assert_eq!(hosts(&mut feed, 9), ["http://a.test 1", "https://c.test 1"]);
    }

    #[test]
    fn very_many_hosts_are_looked_at_less_often() {
        let mut feed = Feed::new(true, Since::Sent);
        feed.backlog = Some((0..2 * HOSTS_A_LOOK).map(|n| (format!("http://h{n}.test").into(), 1)).collect());
        let mut fresh = || {
            feed.longest.clear();
            feed.take(3).backlog.len()
        };
        assert_eq!([fresh(), fresh(), fresh(), fresh(), fresh()], [3, 0, 0, 3, 0]);
    }

    #[test]
    fn failures_add_up_and_times_are_of_the_time_since_the_last_look() {
        let mut feed = Feed::new(false, Since::Sent);
        feed.went(&[ended(job("http://a.test/")), ended(job("http://a.test/"))]);
        (1..=100).for_each(|millis| feed.latency.saturating_record(millis * 1000));
        let taken = feed.take(3);
        assert_eq!(taken.failures, [((Phase::Connect, FailureKind::Refused), 2)]);
        let Percentiles { p50, p90, p99 } = taken.latency.expect("some");
        let near = |time: Duration, millis: u128| time.as_millis().abs_diff(millis) <= 1;
        assert!(near(p50, 50) && near(p90, 90) && near(p99, 99), "{p50:?} {p90:?} {p99:?}");
        assert_eq!((taken.late, feed.take(3).latency, feed.take(3).failures.len()), (None, None, 1));
    }

    #[test]
    fn of_a_plan_it_is_known_how_late_it_is() {
        let mut feed = Feed::new(true, Since::Due);
        let Record::Fetched(mut outcome) = ended(job("http://a.test/")) else { panic!("an outcome") };
        outcome.last.timings.queued = Duration::from_millis(40);
        feed.went(&[Record::Fetched(outcome)]);
        let late = feed.take(3).late.expect("one");
        assert!(late.p99.as_millis().abs_diff(40) <= 1, "{late:?}");
        assert_eq!(feed.take(3).late, None);
    }
}
