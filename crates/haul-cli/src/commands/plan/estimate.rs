//! The bound of a run over what was counted, and everything that is told of it. Pure.

use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use haul::config::{HostRule, Limits, Rate};
use haul::engine::{PatternError, Rules};
use haul::model::WebUrl;
use haul::sched::bound::{Bound, HostLoad, LimitingFactor, SharedLimits};

use super::change::{self, Changes};
use super::input_stats::{InputHost, InputStats};
use super::service::{Basis, ServiceTimes};

/// What is known of a run before it begins.
pub(super) struct Estimate<'a> {
    pub(super) tally: &'a InputStats,
    pub(super) limits: Limits,
    pub(super) basis: Basis,
    /// How many hosts were measured by how many records.
    pub(super) measured: (u64, u64),
    pub(super) bound: Bound,
    /// The host that [`Bound::host`] names.
    pub(super) longest: Option<Row>,
    /// The first host that needs less, by more than 1 %.
    pub(super) next: Option<Row>,
    /// The hosts that need longest, longest first.
    pub(super) top: Vec<Row>,
    /// The longest time of those that are not among them.
    pub(super) rest: Option<Duration>,
    /// How many hosts need as long as the longest, within 1 %.
    pub(super) alike: u64,
    pub(super) changes: Changes,
}

/// A host and what bounds it.
pub(super) struct Row {
    pub(super) origin: Rc<str>,
    pub(super) load: HostLoad,
    /// The pattern of its own rule, if that sets the limit under which the host needs its time.
    pub(super) rule: Option<Box<str>>,
}

/// The input under one set of limits.
struct Loads<'a> {
    tally: &'a InputStats,
    /// Service times, by host.
    services: Vec<Duration>,
    /// Each host's own rule.
    rules: Vec<Option<&'a HostRule>>,
}

impl<'a> Loads<'a> {
    fn load(&self, limits: &Limits, at: usize) -> HostLoad {
        let host = &self.tally.hosts[at];
        let (concurrency, spacing) = allowed(limits, self.rules[at]);
        let group = limits.per_site.and_then(|_| u32::try_from(host.site).ok());
        HostLoad { jobs: host.urls, service: self.services[at], concurrency, spacing, group }
    }

    fn bound(&self, limits: &Limits) -> Bound {
        let shared = SharedLimits {
            concurrency: limits.concurrency,
            interval: limits.rate.map(Rate::interval),
            groups: limits.per_site.map(|limit| vec![limit; self.tally.sites.len()]).unwrap_or_default(),
        };
        Bound::of((0..self.tally.hosts.len()).map(|at| self.load(limits, at)), &shared)
    }

    fn row(&self, limits: &Limits, at: usize) -> Row {
        let load = self.load(limits, at);
        let sets_it = |rule: &&HostRule| match load.in_rounds() >= load.in_paces() {
            true => rule.concurrency.is_some(),
            false => rule.delay.is_some() || rule.rate.is_some(),
        };
        let rule = self.rules[at].filter(sets_it).map(|rule| rule.pattern.as_str().into());
        Row { origin: Rc::clone(&self.tally.hosts[at].origin), load, rule }
    }

    /// The places of the hosts, those that need longest first.
    fn by_need(&self, limits: &Limits) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.tally.hosts.len()).collect();
        places.sort_by_cached_key(|at| Reverse((self.load(limits, *at).least(), self.tally.hosts[*at].urls)));
        places
    }
}

/// What a host may have in flight, and how far apart its starts are: by its rule where that says so.
fn allowed(limits: &Limits, rule: Option<&HostRule>) -> (NonZeroU32, Duration) {
    let concurrency = rule.and_then(|rule| rule.concurrency).unwrap_or(limits.per_host);
    let delay = rule.and_then(|rule| rule.delay).unwrap_or(limits.delay);
    let rate = rule.and_then(|rule| rule.rate).or(limits.host_rate);
    (concurrency, delay.max(rate.map_or(Duration::ZERO, Rate::interval)))
}

impl<'a> Estimate<'a> {
    /// # Errors
    /// A rule's pattern can't be used.
    pub(super) fn new(
        tally: &'a InputStats,
        times: &ServiceTimes,
        basis: Basis,
        limits: Limits,
        top: usize,
    ) -> Result<Self, PatternError> {
        let measured: Vec<Option<Duration>> = tally.hosts.iter().map(|host| times.of(&host.origin)).collect();
        let hosts_measured = measured.iter().flatten().count() as u64;
        let services = measured.into_iter().map(|time| time.unwrap_or_else(|| basis.time())).collect();
        let matcher = Rules::new(limits.rules.clone())?;
        let rule_of = |host: &InputHost| matcher.of(&WebUrl::parse(&host.origin).ok()?.0);
        let loads = Loads { tally, services, rules: tally.hosts.iter().map(rule_of).collect() };
        let bound = loads.bound(&limits);
        let places = loads.by_need(&limits);
        let least = |at: &usize| loads.load(&limits, *at).least();
        let longest = bound.host.map_or(Duration::ZERO, |(_, time)| time);
        let alike = places.iter().take_while(|at| least(at) >= longest - longest / 100).count();
        let row = |at: &usize| loads.row(&limits, *at);
        Ok(Self {
            longest: bound.host.map(|(at, _)| row(&at)),
            measured: (hosts_measured, times.records()),
            top: places.iter().take(top).map(row).collect(),
            rest: places.get(top).map(least),
            next: places.get(alike).map(row),
            alike: alike as u64,
            changes: change::search(&limits, |limits| loads.bound(limits).time()),
            tally,
            basis,
            bound,
            limits,
        })
    }

    /// What share of the URLs `urls` are.
    pub(super) fn share(&self, urls: u64) -> f64 {
        urls as f64 / self.tally.urls.max(1) as f64
    }

    /// URLs of the hosts that are not at the top.
    pub(super) fn rest_urls(&self) -> u64 {
        self.tally.urls - self.top.iter().map(|row| row.load.jobs).sum::<u64>()
    }

    /// What sets the bound, in one word for programs.
    pub(super) fn cause(&self) -> &'static str {
        match self.bound.longest() {
            None => "nothing",
            Some((LimitingFactor::Host(_), _)) => "host",
            Some((LimitingFactor::Group(_), _)) => "site",
            Some((LimitingFactor::Concurrency, _)) => "concurrency",
            Some((LimitingFactor::Rate, _)) => "rate",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::input_stats::tests::tally_of;
    use super::super::service::tests::times_of;
    use super::*;

    /// 1,000 URLs on one host, two on each of a hundred others that are two a site, and 4 bad lines.
    pub(in crate::commands::plan) fn skewed() -> InputStats {
        let shop = (0..1000).map(|n| format!("https://shop.example/{n}"));
        let others = (0..200).map(|n| format!("https://h{}.s{}.example/{n}", n % 100 + 1, n % 50 + 1));
        tally_of(shop.chain(others).chain((0..4).map(|n| format!("bad/{n}"))))
    }

    pub(in crate::commands::plan) fn estimate_of(tally: &InputStats, limits: Limits) -> Estimate<'_> {
        let times = ServiceTimes::default();
        Estimate::new(tally, &times, times.basis(None, Duration::from_millis(200)), limits, 3).expect("good patterns")
    }

    #[test]
    fn hosts_stand_in_the_order_of_their_need_and_the_others_are_summed() {
        let tally = skewed();
        let estimate = estimate_of(&tally, Limits::default());
        let top: Vec<_> = estimate.top.iter().map(|row| (&*row.origin, row.load.jobs)).collect();
        assert_eq!(top, [("https://shop.example", 1000), ("https://h1.s1.example", 2), ("https://h2.s2.example", 2)]);
        assert_eq!((estimate.rest_urls(), estimate.rest), (196, Some(Duration::from_millis(200))));
        assert_eq!((estimate.alike, estimate.cause()), (1, "host"));
        assert_eq!(estimate.next.map(|row| row.origin.to_string()).as_deref(), Some("https://h1.s1.example"));
        assert_eq!(estimate.bound.time(), Duration::from_secs(25));
    }

    #[test]
    fn measured_hosts_have_their_own_time_and_the_others_the_mean() {
        let tally = tally_of(["http://a.example/", "http://b.example/"].map(str::to_owned));
        let times = times_of(&[("http://b.example/x", 100_000), ("http://gone.example/", 300_000)]);
        let basis = times.basis(None, Duration::ZERO);
        let estimate = Estimate::new(&tally, &times, basis, Limits::default(), 9).expect("no rules");
        let services: Vec<_> = estimate.top.iter().map(|row| (&*row.origin, row.load.service.as_millis())).collect();
        assert_eq!(services, [("http://a.example", 200), ("http://b.example", 100)]);
        assert_eq!(estimate.measured, (1, 2));
    }

    #[test]
    fn a_hosts_own_rule_comes_before_the_general_limits() {
        let tally = skewed();
        let slow = HostRule { pattern: "shop.*".into(), delay: Some(Duration::from_secs(1)), ..HostRule::default() };
        let limits = Limits { delay: Duration::from_millis(1), rules: vec![slow], ..Limits::default() };
        let estimate = estimate_of(&tally, limits);
        let delays: Vec<_> =
            estimate.top.iter().map(|row| (row.load.spacing.as_millis(), row.rule.as_deref())).collect();
        assert_eq!(delays, [(1000, Some("shop.*")), (1, None), (1, None)]);
        assert!(estimate.changes.helpful.is_empty(), "the general delay is not what holds it");
    }

    #[test]
    fn the_longer_of_delay_and_rate_keeps_starts_apart() {
        let tally = skewed();
        let limits = Limits { delay: Duration::from_secs(1), host_rate: Rate::new(0.5), ..Limits::default() };
        assert_eq!(estimate_of(&tally, limits).top[0].load.spacing, Duration::from_secs(2));
    }
}
