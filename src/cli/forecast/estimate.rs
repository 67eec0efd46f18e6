//! The bound of a run over what was counted, and everything that is told of it. Pure.

use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use haul::config::{Limits, Rate};
use haul::sched::bound::{Bound, Cause, Load, Shared};

use super::change::{self, Changes};
use super::service::{Basis, ServiceTimes};
use super::tally::{Host, Tally};

/// What is known of a run before it begins.
pub(super) struct Estimate<'a> {
    pub(super) tally: &'a Tally,
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
    pub(super) load: Load,
}

/// The input under one set of limits.
struct Loads<'a> {
    tally: &'a Tally,
    /// Service times, by host.
    services: Vec<Duration>,
}

impl Loads<'_> {
    fn load(&self, limits: &Limits, at: usize) -> Load {
        let host = &self.tally.hosts[at];
        let (concurrency, spacing) = rules(limits, host);
        let group = limits.per_site.and_then(|_| u32::try_from(host.site).ok());
        Load { jobs: host.urls, service: self.services[at], concurrency, spacing, group }
    }

    fn bound(&self, limits: &Limits) -> Bound {
        let shared = Shared {
            concurrency: limits.concurrency,
            interval: limits.rate.map(Rate::interval),
            groups: limits.per_site.map(|limit| vec![limit; self.tally.sites.len()]).unwrap_or_default(),
        };
        Bound::of((0..self.tally.hosts.len()).map(|at| self.load(limits, at)), &shared)
    }

    /// The places of the hosts, those that need longest first.
    fn by_need(&self, limits: &Limits) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.tally.hosts.len()).collect();
        places.sort_by_cached_key(|at| Reverse((self.load(limits, *at).least(), self.tally.hosts[*at].urls)));
        places
    }
}

/// What `host` may have in flight, and how far apart its starts are. The one place where limits per host are asked for.
fn rules(limits: &Limits, _host: &Host) -> (NonZeroU32, Duration) {
    (limits.per_host, limits.delay.max(limits.host_rate.map_or(Duration::ZERO, Rate::interval)))
}

impl<'a> Estimate<'a> {
    pub(super) fn new(tally: &'a Tally, times: &ServiceTimes, basis: Basis, limits: Limits, top: usize) -> Self {
        let measured: Vec<Option<Duration>> = tally.hosts.iter().map(|host| times.of(&host.origin)).collect();
        let hosts_measured = measured.iter().flatten().count() as u64;
        let services = measured.into_iter().map(|time| time.unwrap_or_else(|| basis.time())).collect();
        let loads = Loads { tally, services };
        let bound = loads.bound(&limits);
        let places = loads.by_need(&limits);
        let least = |at: &usize| loads.load(&limits, *at).least();
        let longest = bound.host.map_or(Duration::ZERO, |(_, time)| time);
        let alike = places.iter().take_while(|at| least(at) >= longest - longest / 100).count();
        let row = |at: &usize| Row { origin: Rc::clone(&tally.hosts[*at].origin), load: loads.load(&limits, *at) };
        Self {
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
        }
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
            Some((Cause::Host(_), _)) => "host",
            Some((Cause::Group(_), _)) => "site",
            Some((Cause::Concurrency, _)) => "concurrency",
            Some((Cause::Rate, _)) => "rate",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::service::tests::times_of;
    use super::super::tally::tests::tally_of;
    use super::*;

    /// 1,000 URLs on one host, two on each of a hundred others that are two a site, and 4 bad lines.
    pub(in crate::cli::forecast) fn skewed() -> Tally {
        let shop = (0..1000).map(|n| format!("https://shop.example/{n}"));
        let others = (0..200).map(|n| format!("https://h{}.s{}.example/{n}", n % 100 + 1, n % 50 + 1));
        tally_of(shop.chain(others).chain((0..4).map(|n| format!("bad/{n}"))))
    }

    pub(in crate::cli::forecast) fn estimate_of(tally: &Tally, limits: Limits) -> Estimate<'_> {
        let times = ServiceTimes::default();
        Estimate::new(tally, &times, times.basis(None, Duration::from_millis(200)), limits, 3)
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
        let estimate = Estimate::new(&tally, &times, basis, Limits::default(), 9);
        let services: Vec<_> = estimate.top.iter().map(|row| (&*row.origin, row.load.service.as_millis())).collect();
        assert_eq!(services, [("http://a.example", 200), ("http://b.example", 100)]);
        assert_eq!(estimate.measured, (1, 2));
    }

    #[test]
    fn the_longer_of_delay_and_rate_keeps_starts_apart() {
        let tally = skewed();
        let limits = Limits { delay: Duration::from_secs(1), host_rate: Rate::new(0.5), ..Limits::default() };
        assert_eq!(estimate_of(&tally, limits).top[0].load.spacing, Duration::from_secs(2));
    }
}
