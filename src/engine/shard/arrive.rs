//! Jobs come to their hosts, and hosts come and go.

use std::net::SocketAddr;

use super::Shard;
use crate::dial::{Route, Target};
use crate::model::{Attempt, Job, Outcome, Time, site_of};
use crate::sched::{Capacity, Event, HostId, HostLimits, HostRules};
use crate::work;

impl Shard {
    /// A job has come from the source.
    pub(super) fn arrived(&self, job: Job, now: Time) {
        let host = self.host_of(&job, now);
        self.hosts.enters(host);
        self.sched.borrow_mut().handle(Event::Arrived { host, job }, now);
    }

    /// A redirect has sent a job here.
    pub(super) fn continued(&self, mut job: Job, now: Time) {
        if let Err(failure) = self.stowage.put(&mut job) {
            let attempts = work::attempts(&job);
            return self.deliver(Outcome { job, attempts, last: Attempt::unsent(failure) });
        }
        let host = self.host_of(&job, now);
        self.hosts.enters(host);
        self.sched.borrow_mut().handle(Event::Continued { host, job }, now);
    }

    /// The host of `job`'s URL, made known to the scheduler on first sight.
    fn host_of(&self, job: &Job, now: Time) -> HostId {
        if let Some(id) = self.hosts.find(job.url.origin()) {
            return id;
        }
        let network = &self.shared.config.network;
        let limits = &self.shared.config.limits;
        let rule = self.shared.rules.find(&job.url);
        let own = rule.and_then(|rule| self.shared.rules.get(rule));
        let HostLimits { concurrency, delay, rate } = self.permits.limits().of_host(own);
        // The first connection to a host that may speak HTTP/2 is a probe; the rest wait for what it finds.
        let capacity = if network.may_be_h2(job.url.scheme()) { Capacity::Unknown } else { Capacity::OneEach };
        let group = limits
            .per_site
            .map(|limit| self.hosts.group(site_of(job.url.host()), || self.sched.borrow_mut().add_group(limit)));
        let target = Target::of(&job.url);
        let route = self.connections.dialer().route(&target);
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
        self.hosts.add(id, job.url.origin(), rule);
        self.count_hosts();
        id
    }

    /// Forgets a host, and its site's group if that was the last host in it.
    pub(super) fn forget(&self, id: HostId) {
        self.hosts.remove(id, |group| self.sched.borrow_mut().remove_group(group));
        self.count_hosts();
    }

    fn count_hosts(&self) {
        self.shared.counters[self.index].hosts.set(self.hosts.len() as u64);
    }

    /// Tells the scheduler what holds for each host by the limits as they are now.
    pub(super) fn limit_hosts(&self, now: Time) {
        let (live, mut sched) = (self.permits.limits(), self.sched.borrow_mut());
        self.hosts.each(|host, known| {
            let limits = live.of_host(known.rule.and_then(|rule| self.shared.rules.get(rule)));
            sched.handle(Event::Limits { host, limits }, now);
        });
    }

    /// A connection went to `remote`: from now on the host's requests count on that address.
    pub(super) fn note_address(&self, id: HostId, remote: Option<SocketAddr>, now: Time) {
        if !self.shared.config.limits.has_per_address() {
            return;
        }
        let address = remote.map(|remote| remote.ip());
        self.sched.borrow_mut().handle(Event::Resolved { host: id, address }, now);
    }

    /// The conservation law at the end of the shard, host by host: what came and has not left is in flight, and that is
    /// nothing unless the run was stopped at once.
    pub(super) fn check_books(&self) {
        let sched = self.sched.borrow();
        self.hosts.each(|id, host| {
            assert_eq!(host.open(), sched.host_in_flight(id), "haul lost or doubled a job of {}", host.origin);
        });
    }
}
