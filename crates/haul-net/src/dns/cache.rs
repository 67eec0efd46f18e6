//! The cache of names: addresses by TTL, failures for a while. Pure; `now` is an argument.
//!
//! Invariants: never more than `max_entries` names; `by_end` holds exactly the entries' ends; an answer past its
//! time asks for one refresh, and for the next only after the first has failed.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::families::{AddressSet, LookupError};
use haul_core::config::DnsSettings;
use haul_core::model::{FailureKind, Time};

/// The addresses of a name and family that are used: an answer may have thousands, and no connection tries so many.
const MOST_ADDRESSES: usize = 16;

/// Keeps the first addresses of each family.
fn shorten(addresses: &mut Vec<IpAddr>) {
    let mut left = [MOST_ADDRESSES; 2];
    addresses.retain(|ip| {
        let left = &mut left[usize::from(ip.is_ipv4())];
        let stays = *left > 0;
        *left -= usize::from(stays);
        stays
    });
}

/// Addresses and until when they are fresh, or why there are none.
pub(super) type CachedAnswer = Result<(Arc<[IpAddr]>, Time), LookupError>;

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CacheLookup {
    /// Nothing.
    Missing,
    /// This.
    Fresh(CachedAnswer),
    /// This, past its time but still usable.
    Stale {
        /// The addresses.
        addresses: Arc<[IpAddr]>,
        /// Whether to look the name up again now. Said once per refresh.
        refresh: bool,
    },
}

#[derive(Debug)]
struct CacheEntry {
    value: Result<Arc<[IpAddr]>, LookupError>,
    fresh_until: Time,
    /// When a refresh is wanted; `NEVER` while one is under way.
    refresh_at: Time,
    /// When it is dropped, and what tells entries with the same end apart: its key in `by_end`.
    end: (Time, u64),
}

/// The memory.
#[derive(Debug)]
pub(super) struct DnsCache {
    entries: HashMap<Rc<str>, CacheEntry>,
    by_end: BTreeMap<(Time, u64), Rc<str>>,
    made: u64,
    max_entries: usize,
    min_ttl: Duration,
    max_ttl: Duration,
    negative_ttl: Duration,
    failure_ttl: Duration,
    stale_for: Duration,
}

impl DnsCache {
    pub(super) fn new(settings: &DnsSettings) -> Self {
        Self {
            entries: HashMap::new(),
            by_end: BTreeMap::new(),
            made: 0,
            max_entries: settings.max_entries.max(1),
            min_ttl: settings.min_ttl,
            max_ttl: settings.max_ttl,
            negative_ttl: settings.negative_ttl,
            failure_ttl: settings.failure_ttl,
            stale_for: settings.stale_for,
        }
    }

    /// What is known of `name` now.
    pub(super) fn get(&mut self, name: &str, now: Time) -> CacheLookup {
        let Some(entry) = self.entries.get_mut(name) else { return CacheLookup::Missing };
        if now < entry.fresh_until {
            let until = entry.fresh_until;
            return CacheLookup::Fresh(entry.value.clone().map(|addresses| (addresses, until)));
        }
        match &entry.value {
            Ok(addresses) if now < entry.end.0 => {
                let refresh = now >= entry.refresh_at;
                if refresh {
                    entry.refresh_at = Time::NEVER;
                }
                CacheLookup::Stale { addresses: Arc::clone(addresses), refresh }
            }
            _ => CacheLookup::Missing,
        }
    }

    /// Remembers a look-up's result as far as it is worth it, and gives it back as an answer.
    ///
    /// A look-up that failed (rather than being told "no") does not replace addresses that are still usable: it only
    /// puts off the next refresh.
    pub(super) fn put(&mut self, name: Rc<str>, result: Result<AddressSet, LookupError>, now: Time) -> CachedAnswer {
        match result {
            Ok(mut found) => {
                shorten(&mut found.addresses);
                let fresh_until = now + found.ttl.max(self.min_ttl).min(self.max_ttl);
                let addresses: Arc<[IpAddr]> = found.addresses.into();
                self.insert(name, Ok(Arc::clone(&addresses)), fresh_until, fresh_until + self.stale_for, now);
                Ok((addresses, fresh_until))
            }
            Err(error) => {
                self.put_fault(name, &error, now);
                Err(error)
            }
        }
    }

    fn put_fault(&mut self, name: Rc<str>, error: &LookupError, now: Time) {
        if error.is_negative() {
            let end = now + self.negative_ttl;
            return self.insert(name, Err(error.clone()), end, end, now);
        }
        let again = now + self.failure_ttl;
        match self.entries.get_mut(&name) {
            Some(entry) if entry.value.is_ok() && now < entry.end.0 => entry.refresh_at = again,
            // Failures of our own (no descriptor left) say nothing about the name.
            _ if matches!(error.kind, FailureKind::ServerFailure | FailureKind::Timeout) => {
                self.insert(name, Err(error.clone()), again, again, now);
            }
            _ => {}
        }
    }

    /// Forgets everything: whom to ask, or what stands in files, has changed.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.by_end.clear();
    }

    fn insert(
        &mut self,
        name: Rc<str>,
        value: Result<Arc<[IpAddr]>, LookupError>,
        fresh_until: Time,
        end: Time,
        now: Time,
    ) {
        self.made += 1;
        let entry = CacheEntry { value, fresh_until, refresh_at: fresh_until, end: (end, self.made) };
        self.by_end.insert(entry.end, Rc::clone(&name));
        if let Some(old) = self.entries.insert(name, entry) {
            self.by_end.remove(&old.end);
        }
        self.make_room(now);
    }

    /// Drops what is over the limit, soonest-ending first, and up to two ended entries more, so that memory follows
    /// the names in use without ever being swept.
    fn make_room(&mut self, now: Time) {
        for _ in 0..2 {
            let Some(first) = self.by_end.first_entry() else { return };
            if first.key().0 > now && self.entries.len() <= self.max_entries {
                return;
            }
            let name = first.remove();
            self.entries.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Time {
        Time::from_millis(secs * 1000)
    }

    fn settings() -> DnsSettings {
        DnsSettings {
            min_ttl: Duration::from_secs(10),
            max_ttl: Duration::from_secs(100),
            negative_ttl: Duration::from_secs(60),
            failure_ttl: Duration::from_secs(5),
            stale_for: Duration::from_secs(20),
            max_entries: 3,
            ..DnsSettings::default()
        }
    }

    fn found(ttl: u64) -> Result<AddressSet, LookupError> {
        Ok(AddressSet { addresses: vec!["10.0.0.1".parse().unwrap()], ttl: Duration::from_secs(ttl) })
    }

    fn error(kind: FailureKind) -> Result<AddressSet, LookupError> {
        Err(LookupError::new(kind, String::new()))
    }

    /// One word for what the cache says.
    fn says(cache: &mut DnsCache, name: &str, secs: u64) -> &'static str {
        match cache.get(name, at(secs)) {
            CacheLookup::Missing => "missing",
            CacheLookup::Fresh(Ok(_)) => "fresh",
            CacheLookup::Fresh(Err(_)) => "failed",
            CacheLookup::Stale { refresh: true, .. } => "refresh",
            CacheLookup::Stale { refresh: false, .. } => "stale",
        }
    }

    #[test]
    fn an_answer_lives_by_its_ttl_between_floor_and_ceiling() {
        for (ttl, lives) in [(1, 10), (50, 50), (1000, 100)] {
            let mut cache = DnsCache::new(&settings());
            cache.put("a".into(), found(ttl), at(0)).unwrap();
            assert_eq!(says(&mut cache, "a", lives - 1), "fresh", "ttl {ttl}");
            assert_eq!(says(&mut cache, "a", lives), "refresh", "ttl {ttl}");
        }
    }

    #[test]
    fn an_answer_of_thousands_keeps_a_few_of_each_family() {
        let v6 = (0..2000_u128).map(|n| IpAddr::from(n.to_be_bytes()));
        let v4 = (0..2000_u32).map(|n| IpAddr::from(n.to_be_bytes()));
        let all = AddressSet { addresses: v6.chain(v4).collect(), ttl: Duration::from_secs(50) };
        let (kept, _) = DnsCache::new(&settings()).put("a".into(), Ok(all), at(0)).expect("found");
        let of_v4 = kept.iter().filter(|ip| ip.is_ipv4()).count();
        assert_eq!((kept.len(), of_v4), (2 * MOST_ADDRESSES, MOST_ADDRESSES));
        assert_eq!(kept[0], IpAddr::from([0_u8; 16]), "the first ones");
    }

    #[test]
    fn a_floor_above_the_ceiling_is_no_panic() {
        let mut cache = DnsCache::new(&DnsSettings { min_ttl: Duration::from_secs(500), ..settings() });
        cache.put("a".into(), found(1), at(0)).unwrap();
        assert_eq!(says(&mut cache, "a", 99), "fresh");
    }

    #[test]
    fn a_stale_answer_asks_for_one_refresh_and_ends() {
        let mut cache = DnsCache::new(&settings());
        cache.put("a".into(), found(10), at(0)).unwrap();
        assert_eq!(says(&mut cache, "a", 10), "refresh");
        assert_eq!(says(&mut cache, "a", 11), "stale");
        assert_eq!(says(&mut cache, "a", 29), "stale");
        assert_eq!(says(&mut cache, "a", 30), "missing");
    }

    #[test]
    fn a_failed_refresh_keeps_the_stale_answer_and_is_tried_again_later() {
        let mut cache = DnsCache::new(&settings());
        cache.put("a".into(), found(10), at(0)).unwrap();
        assert_eq!(says(&mut cache, "a", 10), "refresh");
        cache.put("a".into(), error(FailureKind::Timeout), at(12)).unwrap_err();
        assert_eq!(says(&mut cache, "a", 16), "stale");
        assert_eq!(says(&mut cache, "a", 17), "refresh");
        cache.put("a".into(), found(10), at(18)).unwrap();
        assert_eq!(says(&mut cache, "a", 19), "fresh");
    }

    #[test]
    fn a_refresh_that_is_told_no_replaces_the_stale_answer() {
        let mut cache = DnsCache::new(&settings());
        cache.put("a".into(), found(10), at(0)).unwrap();
        cache.put("a".into(), error(FailureKind::NameNotFound), at(12)).unwrap_err();
        assert_eq!(says(&mut cache, "a", 13), "failed");
    }

    #[test]
    fn each_kind_of_failure_has_its_time() {
        for (kind, lives) in [
            (FailureKind::NameNotFound, 60),
            (FailureKind::NoAddress, 60),
            (FailureKind::ServerFailure, 5),
            (FailureKind::Timeout, 5),
        ] {
            let mut cache = DnsCache::new(&settings());
            cache.put("a".into(), error(kind), at(0)).unwrap_err();
            assert_eq!(says(&mut cache, "a", lives - 1), "failed", "{kind}");
            assert_eq!(says(&mut cache, "a", lives), "missing", "{kind}");
        }
        let mut cache = DnsCache::new(&settings());
        cache.put("a".into(), error(FailureKind::Io), at(0)).unwrap_err();
        assert_eq!(says(&mut cache, "a", 0), "missing");
    }

    #[test]
    fn over_the_limit_the_soonest_ending_goes() {
        let mut cache = DnsCache::new(&settings());
        for (name, ttl) in [("a", 50), ("b", 20), ("c", 90), ("d", 60)] {
            cache.put(name.into(), found(ttl), at(0)).unwrap();
        }
        assert_eq!(["a", "b", "c", "d"].map(|name| says(&mut cache, name, 1)), ["fresh", "missing", "fresh", "fresh"]);
        cache.put("a".into(), found(60), at(1)).unwrap();
        assert_eq!((cache.entries.len(), cache.by_end.len()), (3, 3));
    }

    #[test]
    fn ended_entries_make_room_without_a_sweep() {
        let mut cache = DnsCache::new(&settings());
        cache.put("a".into(), found(10), at(0)).unwrap();
        cache.put("b".into(), found(10), at(0)).unwrap();
        cache.put("c".into(), found(10), at(31)).unwrap();
        assert_eq!((cache.entries.len(), cache.by_end.len()), (1, 1));
    }
}
