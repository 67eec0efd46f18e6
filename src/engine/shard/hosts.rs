//! The hosts of a shard: origin text to number and back.
//!
//! Most hosts of a long run are idle, so that each byte here counts as often as there are hosts: tests/footprint.rs.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Shard;
use crate::dial::{Route, Target};
use crate::engine::notable::Tally;
use crate::engine::rules::RuleId;
use crate::model::{Failure, GiveUpReason, Job, Phase, Time, WebUrl, site_of};
use crate::pool::Habits;
use crate::sched::{Event, GroupId, HostId, HostLimits, HostRules};

/// What the engine keeps of a host beside what scheduler and pool keep.
#[derive(Debug)]
pub(super) struct Host {
    /// Scheme, host and port: the one copy of this text.
    pub(super) origin: Box<str>,
    /// The origin's number in the pool: never used for another origin.
    pub(super) serial: u64,
    /// How many microseconds the name's look-up took, until a connection has reported it.
    lookup: Option<NonZeroU32>,
    /// What most hosts have nothing of.
    rare: Option<Box<Rare>>,
    /// What became of its attempts.
    tally: Tally,
    /// Whether that is all that is known of its connections: kept ones can be relied on.
    keeps: bool,
    /// Jobs taken in, by arrival or by redirect, and not yet handed on: the host's part of the conservation law.
    open: Cell<u32>,
    /// The rule that holds for it.
    pub(super) rule: Option<RuleId>,
}

/// What few hosts have.
#[derive(Debug, Default)]
struct Rare {
    /// The last failure of the host itself: what jobs that were never tried are told.
    trouble: Option<Failure>,
    /// The resolver's generation when that was noted.
    trouble_names: u64,
    /// What is known of its connections, where they are not like most.
    habits: Option<Habits>,
}

impl Host {
    /// What is known of its connections.
    pub(super) fn habits(&self) -> Habits {
        let usual = if self.keeps { Habits::KEPT } else { Habits::default() };
        self.rare.as_ref().and_then(|rare| rare.habits).unwrap_or(usual)
    }

    /// Changes what is known of its connections.
    pub(super) fn learn<R>(&mut self, change: impl FnOnce(&mut Habits) -> R) -> R {
        let mut habits = self.habits();
        let result = change(&mut habits);
        self.keeps = habits == Habits::KEPT;
        let is_like_most = self.keeps || habits == Habits::default();
        if !is_like_most || self.rare.is_some() {
            self.rare.get_or_insert_default().habits = (!is_like_most).then_some(habits);
        }
        result
    }

    /// The last failure of the host itself.
    pub(super) fn trouble(&self) -> Option<&Failure> {
        self.rare.as_ref()?.trouble.as_ref()
    }
}

/// The host table.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Numbers by origin, whose text the host itself holds.
    by_origin: HashTable<HostId>,
    hasher: RandomState,
    /// By registrable domain; a group goes with its last host.
    groups: HashMap<Box<str>, GroupId, RandomState>,
    hosts: Vec<Option<Host>>,
    serials: u64,
}

impl Hosts {
    pub(super) fn get(&self, id: HostId) -> Option<&Host> {
        self.hosts.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: HostId) -> Option<&mut Host> {
        self.hosts.get_mut(id.0 as usize)?.as_mut()
    }

    /// Each host's origin and what became of its attempts.
    pub(super) fn tallies(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.hosts.iter().flatten().map(|host| (&*host.origin, host.tally))
    }

    pub(super) fn len(&self) -> usize {
        self.by_origin.len()
    }

    /// The number of an origin's host.
    fn find(&self, origin: &str) -> Option<HostId> {
        self.by_origin.find(self.hasher.hash_one(origin), |id| origin_of(&self.hosts, *id) == origin).copied()
    }

    fn insert(&mut self, id: HostId, host: Host) {
        let Self { by_origin, hasher, hosts, .. } = self;
        let index = id.0 as usize;
        if hosts.len() <= index {
            hosts.resize_with(index + 1, || None);
        }
        let host = hosts[index].insert(host);
        let hash = hasher.hash_one(&*host.origin);
        by_origin.insert_unique(hash, id, |id| hasher.hash_one(origin_of(hosts, *id)));
    }

    /// Takes a host out; its number may be given to another.
    fn remove(&mut self, id: HostId) -> Option<Host> {
        let host = self.hosts.get_mut(id.0 as usize).and_then(Option::take)?;
        let hash = self.hasher.hash_one(&*host.origin);
        if let Ok(entry) = self.by_origin.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        Some(host)
    }
}

fn origin_of(hosts: &[Option<Host>], id: HostId) -> &str {
    let host = hosts[id.0 as usize].as_ref();
    &host.expect("a host leaves both tables at once").origin
}

impl Shard {
    /// The host of `job`'s URL, made known to the scheduler on first sight.
    pub(super) fn host_of(self: &Rc<Self>, job: &Job, now: Time) -> HostId {
        if let Some(id) = self.hosts.borrow().find(job.url.origin()) {
            return id;
        }
        let network = &self.shared.config.network;
        let limits = &self.shared.config.limits;
        let rule = self.shared.rules.find(&job.url);
        let own = rule.and_then(|rule| self.shared.rules.get(rule));
        let HostLimits { concurrency, delay, rate } = self.live.get().of_host(own);
        // The first connection to a host that may speak HTTP/2 is a probe; the rest wait for what it finds.
        let capacity = if network.may_be_h2(job.url.scheme()) { 1 } else { u32::MAX };
        let group = limits.per_site.map(|limit| self.group(site_of(job.url.host()), limit));
        let target = Target::of(&job.url);
        let route = self.dialer.route(&target);
        let rules = HostRules {
            concurrency,
            delay,
            rate,
            per_address: own.and_then(|rule| rule.per_address).or(limits.per_address),
            needs_address: matches!(route, Route::Name { .. }),
            capacity,
            group,
        };
        let id = self.sched.borrow_mut().add_host(&rules, now);
        if let Route::Addresses { addresses, .. } = &route {
            let address = addresses.first().copied();
            self.sched.borrow_mut().handle(Event::Resolved { host: id, address }, now);
        }
        let mut hosts = self.hosts.borrow_mut();
        hosts.serials += 1;
        let host = Host {
            origin: job.url.origin().into(),
            serial: hosts.serials,
            lookup: None,
            rare: None,
            tally: Tally::default(),
            keeps: false,
            open: Cell::new(0),
            rule,
        };
        hosts.insert(id, host);
        self.shared.counters[self.index].hosts.set(hosts.len() as u64);
        id
    }

    /// Forgets a host, and its site's group if that was the last host in it.
    pub(super) fn forget(&self, id: HostId) {
        let mut hosts = self.hosts.borrow_mut();
        if let Some(host) = hosts.remove(id) {
            assert_eq!(
                host.open.get(),
                0,
                "haul lost or doubled a job of {}: it was forgotten with jobs open",
                host.origin
            );
            self.outbox.note_host(&host.origin, host.tally);
            let url = WebUrl::root_of(&host.origin);
            let site = site_of(url.host());
            if let Some(group) = hosts.groups.get(site).copied()
                && self.sched.borrow_mut().remove_group(group)
            {
                hosts.groups.remove(site);
            }
        }
        self.shared.counters[self.index].hosts.set(hosts.len() as u64);
    }

    /// Tells the scheduler what holds for each host by the limits as they are now.
    pub(super) fn limit_hosts(&self, now: Time) {
        let (live, hosts, mut sched) = (self.live.get(), self.hosts.borrow(), self.sched.borrow_mut());
        for (host, id) in hosts.hosts.iter().zip(0..) {
            if let Some(host) = host {
                let limits = live.of_host(host.rule.and_then(|rule| self.shared.rules.get(rule)));
                sched.handle(Event::Limits { host: HostId(id), limits }, now);
            }
        }
    }

    /// The host takes a job in.
    pub(super) fn enters(&self, id: HostId) {
        let hosts = self.hosts.borrow();
        let open = &hosts.get(id).expect("a host that has just been looked up").open;
        open.set(open.get().checked_add(1).expect("fewer than 2^32 jobs are in memory"));
    }

    /// The host hands a job on: to its outcome, to another host, or unfetched.
    pub(super) fn leaves(&self, id: HostId) {
        let hosts = self.hosts.borrow();
        let open = &hosts.get(id).expect("a host with a job is not forgotten").open;
        open.set(open.get().checked_sub(1).expect("haul doubled a job: more have left a host than came to it"));
    }

    /// The conservation law at the end of the shard, host by host: what came and has not left is in flight, and that is
    /// nothing unless the run was stopped at once.
    pub(super) fn check_books(&self) {
        let sched = self.sched.borrow();
        for (host, id) in self.hosts.borrow().hosts.iter().zip(0..) {
            if let Some(host) = host {
                let (open, in_flight) = (host.open.get(), sched.host_in_flight(HostId(id)));
                assert_eq!(open, in_flight, "haul lost or doubled a job of {}", host.origin);
            }
        }
    }

    /// An attempt on the host ended. `reused`: on a connection that had been kept.
    pub(super) fn count_attempt(&self, id: HostId, took: Duration, failed: bool, reused: bool, now: Time) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id) {
            host.tally.attempt(took, failed, now);
            if reused && !failed && !host.keeps {
                host.learn(Habits::kept);
            }
        }
    }

    /// How many requests the host has answered.
    pub(super) fn answered(&self, id: HostId) -> u32 {
        self.hosts.borrow().get(id).map_or(0, |host| host.tally.answered())
    }

    /// Remembers what was wrong with a host last, for its jobs that are given up without being tried.
    pub(super) fn note_trouble(&self, id: HostId, failure: Failure) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id) {
            let rare = host.rare.get_or_insert_default();
            rare.trouble = Some(failure);
            rare.trouble_names = self.resolver.generation();
        }
    }

    /// Whether the host is given up for its name alone, and the machine has changed what it says of names since.
    pub(super) fn may_be_named_now(&self, id: HostId, reason: GiveUpReason) -> bool {
        let hosts = self.hosts.borrow();
        let Some(rare) = hosts.get(id).and_then(|host| host.rare.as_ref()) else { return false };
        let Some(trouble) = &rare.trouble else { return false };
        if trouble.phase != Phase::Dns || reason != GiveUpReason::HostDead(trouble.kind) {
            return false;
        }
        self.resolver.look();
        rare.trouble_names != self.resolver.generation()
    }

    /// The host's name was found, which took so long.
    pub(super) fn note_lookup(&self, id: HostId, took: Duration) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id) {
            host.lookup = u32::try_from(took.as_micros()).ok().and_then(|micros| NonZeroU32::new(micros.max(1)));
            if let Some(rare) = &mut host.rare {
                rare.trouble = None;
            }
        }
    }

    /// How long the host's look-up took, told once: to the first connection after it.
    pub(super) fn lookup_time(&self, id: HostId) -> Option<Duration> {
        let lookup = self.hosts.borrow_mut().get_mut(id).and_then(|host| host.lookup.take());
        lookup.map(|micros| Duration::from_micros(micros.get().into()))
    }

    /// A connection went to `remote`: from now on the host's requests count on that address.
    pub(super) fn note_address(&self, id: HostId, remote: Option<SocketAddr>, now: Time) {
        if !self.shared.config.limits.has_per_address() {
            return;
        }
        let address = remote.map(|remote| remote.ip());
        self.sched.borrow_mut().handle(Event::Resolved { host: id, address }, now);
    }

    fn group(&self, site: &str, limit: NonZeroU32) -> GroupId {
        let mut hosts = self.hosts.borrow_mut();
        if let Some(group) = hosts.groups.get(site) {
            return *group;
        }
        let group = self.sched.borrow_mut().add_group(limit);
        hosts.groups.insert(site.into(), group);
        group
    }
}
