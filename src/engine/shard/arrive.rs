//! Jobs come to their hosts, and hosts come and go.

use std::net::SocketAddr;

use super::Shard;
use super::start::egress_of;
use crate::dial::{Route, Target};
use crate::model::{Attempt, Failure, FailureKind, Job, Outcome, Phase, Time, site_of};
use crate::policy::Verdict;
use crate::sched::{Capacity, Event, Gate, Gates, HostId, HostLimits, HostRules};
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
        let remote_dns = self.connections.dialer().has_remote_dns(egress_of(job));
        if let Some(id) = self.hosts.find(job.url.origin()) {
            if remote_dns {
                self.needs_no_address(id, now);
            }
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
        let route = self.connections.dialer().route(&target, remote_dns);
        let rules = HostRules {
            concurrency,
            delay,
            rate,
            per_address: own.and_then(|rule| rule.per_address).or(limits.per_address),
            gates: if matches!(route, Route::Name { .. }) { Gate::Address.into() } else { Gates::NONE },
            capacity,
            group,
        };
        let id = self.sched.borrow_mut().add_host(&rules, now);
        if let Route::Addresses { addresses, .. } = &route {
            let address = addresses.first().copied();
            self.sched.borrow_mut().handle(Event::Resolved { host: id, address }, now);
        }
        self.hosts.add(id, job.url.origin(), rule);
        if remote_dns {
            self.needs_no_address(id, now);
        }
        self.count_hosts();
        id
    }

    /// Not all of the host's jobs need its address here, and those don't wait for it. Others look it up when they are started.
    fn needs_no_address(&self, host: HostId, now: Time) {
        self.hosts.change(host, |host| host.remote_dns = true);
        let mut sched = self.sched.borrow_mut();
        if sched.host_gate(host) == Some(Gate::Address) {
            // Whatever has been held against it was held against its name.
            sched.handle(Event::Renamed { host }, now);
            sched.handle(Event::Opened { host, gate: Gate::Address }, now);
        }
    }

    /// What an attempt says of its host. Where the name was not found here, and is looked up elsewhere for others, that is nothing: it is
    /// held against nobody, and is final, because the look-up has asked all there is to ask.
    pub(super) fn verdict_of_host<T>(&self, host: HostId, verdict: Verdict, result: &Result<T, Failure>) -> Verdict {
        let is_of_its_way = result.as_ref().is_err_and(|failure| failure.phase == Phase::Dns)
            && self.hosts.with(host, |host| host.remote_dns) == Some(true);
        if is_of_its_way { Verdict::Failed(FailureKind::AddressRefused) } else { verdict }
    }

    /// The host failed over a connection to `remote`. Where nothing of it comes back well, others of its addresses may be better.
    pub(super) fn note_failed_address(&self, host: HostId, remote: Option<SocketAddr>) {
        if let Some(remote) = remote.filter(|_| self.sched.borrow().is_in_trouble(host)) {
            self.hosts.change(host, |host| host.note_failed_address(remote.ip()));
        }
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
        let Some(remote) = remote.filter(|_| self.shared.config.limits.has_per_address()) else { return };
        self.sched.borrow_mut().handle(Event::Resolved { host: id, address: Some(remote.ip()) }, now);
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
