//! What the origin remembers of each virtual host, shared by its threads.
//!
//! Memory is bounded: whatever is forgotten when a bound is reached starts anew, which harms nobody's limits for longer
//! than one refill.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foldhash::quality::FixedState;

use super::bucket::{Bucket, RateLimit};
use super::manner::Manner;
use haul_core::model::Time;

/// Hosts remembered; those beyond are served without memory.
const MOST_SITES: usize = 65_536;
/// Limits in use on one host.
const MOST_LIMITS: usize = 64;
/// Flaky URLs remembered of one host.
const MOST_FLAKY: usize = 65_536;

/// How many there are now, and how many there were at the most.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    now: AtomicU64,
    most: AtomicU64,
}

impl Gauge {
    pub(super) fn rise(&self) {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        // Nearly always it is no new height, and a look is cheaper than a try to raise it.
        if now > self.most.load(Relaxed) {
            self.most.fetch_max(now, Relaxed);
        }
    }

    pub(super) fn fall(&self) {
        self.now.fetch_sub(1, Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    pub(super) fn most(&self) -> u64 {
        self.most.load(Relaxed)
    }
}

/// One virtual host.
#[derive(Debug)]
pub(super) struct VirtualHost {
    /// In lower case, without a port.
    pub(super) name: Box<str>,
    pub(super) manner: Manner,
    pub(super) requests: AtomicU64,
    pub(super) in_flight: Gauge,
    buckets: Mutex<HashMap<(u64, u64), Bucket>>,
    /// How often each flaky URL was asked for, by its hash.
    flaky: Mutex<HashMap<u64, u64>>,
}

impl VirtualHost {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            manner: Manner::of(name),
            requests: AtomicU64::new(0),
            in_flight: Gauge::default(),
            buckets: Mutex::default(),
            flaky: Mutex::default(),
        }
    }

    /// Takes one of `limit`, or says how long until there is one.
    pub(super) fn take(&self, limit: RateLimit, now: Time) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().expect("no holder of this lock panics");
        if buckets.len() >= MOST_LIMITS && !buckets.contains_key(&limit.key()) {
            buckets.clear();
        }
        buckets.entry(limit.key()).or_insert_with(|| Bucket::full(limit, now)).take(limit, now)
    }

    /// Whether this request for `target` is one of the first `times`.
    pub(super) fn is_among_the_first(&self, times: u64, target: &str) -> bool {
        let key = FixedState::default().hash_one(target);
        let mut flaky = self.flaky.lock().expect("no holder of this lock panics");
        if flaky.len() >= MOST_FLAKY && !flaky.contains_key(&key) {
            flaky.clear();
        }
        let asked = flaky.entry(key).or_default();
        *asked = asked.saturating_add(1);
        *asked <= times
    }
}

/// All virtual hosts that were asked for.
#[derive(Debug, Default)]
pub(super) struct VirtualHosts(Mutex<HashMap<Box<str>, Arc<VirtualHost>>>);

impl VirtualHosts {
    /// The host of this name, made when it is new.
    pub(super) fn of(&self, name: &str) -> Arc<VirtualHost> {
        let name = name.to_ascii_lowercase();
        let mut sites = self.0.lock().expect("no holder of this lock panics");
        if let Some(site) = sites.get(&*name) {
            return Arc::clone(site);
        }
        let site = Arc::new(VirtualHost::new(&name));
        if sites.len() < MOST_SITES {
            sites.insert(name.into(), Arc::clone(&site));
        }
        site
    }

    pub(super) fn all(&self) -> Vec<Arc<VirtualHost>> {
        self.0.lock().expect("no holder of this lock panics").values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_keeps_its_height() {
        let gauge = Gauge::default();
        gauge.rise();
        gauge.rise();
        gauge.fall();
        assert_eq!((gauge.now(), gauge.most()), (1, 2));
    }

    #[test]
    fn hosts_are_told_apart_by_name_without_regard_to_case() {
        let sites = VirtualHosts::default();
        assert!(Arc::ptr_eq(&sites.of("A.test"), &sites.of("a.TEST")));
        assert!(!Arc::ptr_eq(&sites.of("a.test"), &sites.of("b.test")));
        assert_eq!(sites.of("slow.test").manner, Manner::Slow);
        assert_eq!(sites.all().len(), 3);
    }

    #[test]
    fn limits_and_flaky_urls_are_each_host_s_own_and_bounded() {
        let sites = VirtualHosts::default();
        let limit = RateLimit::new(1.0, 1);
        assert!(sites.of("a").take(limit, Time::ZERO).is_ok());
        assert!(sites.of("a").take(limit, Time::ZERO).is_err());
        assert!(sites.of("a").take(RateLimit::new(1.0, 2), Time::ZERO).is_ok(), "another limit");
        assert!(sites.of("b").take(limit, Time::ZERO).is_ok());
        let site = sites.of("a");
        let first = |target| site.is_among_the_first(2, target);
        assert_eq!([first("/x"), first("/x"), first("/x"), first("/y")], [true, true, false, true]);
        for burst in 1..1000 {
            let _ = site.take(RateLimit::new(1.0, burst), Time::ZERO);
        }
        assert!(site.buckets.lock().expect("lock").len() <= MOST_LIMITS);
    }
}
