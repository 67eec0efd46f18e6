//! What is left to do, what holds it, and which host ends last. One pass over all hosts, made only when asked for.
//!
//! Times are estimates by the rule that orders hosts: the jobs left times the service time over the concurrency, or times
//! the spacing of starts, whichever is longer, after the back-off; and one service time for the last of them.

use std::time::Duration;

use crate::model::{DeferReason, Time};

use super::gate::Gate;
use super::host::Host;
use super::list::NONE;
use super::ready::Ready;
use super::{HostId, Scheduler};

/// What is left to do and what holds it, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemainingWork {
    /// Hosts with a job queued, waiting for its retry, or in flight.
    pub hosts_left: u64,
    /// Those of them with jobs queued that wait for the host's address.
    pub unresolved: u64,
    /// Queued jobs by what keeps their host from starting one, in the order of [`DeferReason::ALL`].
    pub held: [u64; DeferReason::ALL.len()],
    /// Queued jobs of hosts that could start one now: none, once all actions have been taken.
    pub ready: u64,
    /// Jobs waiting for their retry's time.
    pub retrying: u64,
    /// How long the jobs left would take one after the other.
    pub work: Duration,
    /// The host (or the shared limit, named by one of its hosts) that needs the longest time.
    pub longest: Option<Longest>,
    /// How many hosts have the same cause and need about as long: half of it or a little less.
    pub alike: u64,
}

/// What needs the longest time, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Longest {
    /// The host.
    pub host: HostId,
    /// About how long it needs until its last job has ended.
    pub left: Duration,
    /// What keeps it from being quicker.
    pub cause: HostBottleneck,
    /// Requests at once that the cause allows, for the causes that are limits; the host's own limit for the others.
    pub at_once: u32,
}

/// What keeps a host from being quicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostBottleneck {
    /// Its name has not been found yet.
    Name,
    /// Its robots.txt has not been read yet.
    Robots,
    /// It pushed back or failed, and is left alone for a while.
    BackOff,
    /// The least time between two starts.
    Delay,
    /// Its start rate.
    Rate,
    /// The fixed limit on its requests in flight.
    Concurrency,
    /// What its connections can carry.
    Connections,
    /// The rate that it was seen to take.
    Throttle,
    /// The number of requests at once that it was seen to take.
    Adaptive,
    /// It is half-open: one probe at a time.
    Probe,
    /// The limit of its group.
    Group,
    /// The limit of its address.
    Address,
    /// Nothing: all it has left can be in flight at once.
    Service,
}

/// The causes, as far as the table of equals counts them.
const CAUSES: usize = HostBottleneck::Service as usize + 1;

/// The work under one shared limit.
#[derive(Clone, Copy, Default)]
struct SharedWork {
    nanos: u64,
    jobs: u64,
    hosts: u64,
    /// The host with the most of it.
    host: u32,
    most: u64,
    is_group: bool,
}

impl<J> Scheduler<J> {
    /// What is left to do and what holds it. Looks at every host once: about 16 ns each.
    #[must_use]
    pub fn remaining_work(&self, now: Time) -> RemainingWork {
        let mut remaining_work = RemainingWork::default();
        let mut shared = vec![SharedWork::default(); self.limits.len()];
        let mut alike = [[0_u32; 64]; CAUSES];
        for (host, id) in self.hosts.iter().zip(0..) {
            if !host.is_live() || (host.queue.is_empty() && host.retries.len() == 0 && host.in_flight == 0) {
                continue;
            }
            remaining_work.count(host, self.reason(host, now));
            let longest = self.estimate(HostId(id), now);
            alike[longest.cause as usize][bucket(longest.left)] += 1;
            remaining_work.take_longer(longest);
            let jobs = host.jobs_left();
            let nanos = jobs.saturating_mul(host.service_nanos(self.usual_service));
            remaining_work.work = remaining_work.work.saturating_add(Duration::from_nanos(nanos));
            for (limit, is_group) in [(host.group, true), (host.address, false)] {
                if limit != NONE {
                    shared[limit as usize].add(id, jobs, nanos, is_group);
                }
            }
        }
        if let Some(longest) = remaining_work.longest {
            let counts = &alike[longest.cause as usize][bucket(longest.left).saturating_sub(1)..];
            remaining_work.alike = counts.iter().map(|count| u64::from(*count)).sum();
        }
        for (shared, id) in shared.iter().zip(0..).filter(|(shared, _)| shared.jobs > 0) {
            self.judge_shared(shared, self.limits.limit(id), &mut remaining_work);
        }
        remaining_work
    }

    /// A shared limit is named instead of a host where it needs longer than any host alone.
    fn judge_shared(&self, shared: &SharedWork, limit: u32, remaining_work: &mut RemainingWork) {
        let service = shared.nanos / shared.jobs;
        let left = Duration::from_nanos((shared.nanos / u64::from(limit.max(1))).saturating_add(service));
        let cause = if shared.is_group { HostBottleneck::Group } else { HostBottleneck::Address };
        if shared.jobs > u64::from(limit)
            && remaining_work.take_longer(Longest { host: HostId(shared.host), left, cause, at_once: limit })
        {
            remaining_work.alike = shared.hosts;
        }
    }

    /// How long one host needs, and why.
    fn estimate(&self, id: HostId, now: Time) -> Longest {
        let host = &self.hosts[id.0 as usize];
        let (jobs, service) = (host.jobs_left(), host.service_nanos(self.usual_service));
        let allowed = host.allowed(self.settings.adaptive, now);
        let by_service = jobs.saturating_mul(service) / u64::from(allowed);
        let by_pace = jobs.saturating_mul(host.spacing());
        let rest = if jobs > 0 { nanos(host.held_until().since(now)) } else { 0 };
        let work = by_service.max(by_pace);
        let cause = if jobs == 0 {
            HostBottleneck::Service
        } else if let Some(gate) = host.shut.first() {
            match gate {
                Gate::Address => HostBottleneck::Name,
                Gate::Robots => HostBottleneck::Robots,
            }
        } else if rest > work || host.queue.is_empty() {
            HostBottleneck::BackOff
        } else if by_pace > by_service {
            host.slowest_pace()
        } else if jobs + u64::from(host.in_flight) <= u64::from(allowed) {
            HostBottleneck::Service
        } else {
            host.narrowest(self.settings.adaptive, now)
        };
        let left = rest.saturating_add(work).saturating_add(service);
        Longest { host: id, left: Duration::from_nanos(left), cause, at_once: allowed }
    }
}

impl RemainingWork {
    /// The queued jobs held for `reason`.
    #[must_use]
    pub const fn held_for(&self, reason: DeferReason) -> u64 {
        self.held[reason as usize]
    }

    fn count<J>(&mut self, host: &Host<J>, reason: Option<DeferReason>) {
        self.hosts_left += 1;
        self.retrying += u64::from(host.retries.len());
        let jobs = host.queue.len() as u64;
        match reason {
            Some(reason) => self.held[reason as usize] += jobs,
            None => self.ready += jobs,
        }
        self.unresolved += u64::from(reason == Some(DeferReason::Address));
    }

    /// Names `other`, if that needs longer; says whether it does.
    fn take_longer(&mut self, other: Longest) -> bool {
        let longer = self.longest.is_none_or(|longest| other.left > longest.left);
        if longer {
            self.longest = Some(other);
        }
        longer
    }
}

impl SharedWork {
    fn add(&mut self, host: u32, jobs: u64, nanos: u64, is_group: bool) {
        self.is_group = is_group;
        self.jobs += jobs;
        self.hosts += 1;
        self.nanos = self.nanos.saturating_add(nanos);
        if nanos >= self.most {
            (self.host, self.most) = (host, nanos);
        }
    }
}

impl<J> Host<J> {
    /// Jobs that have not been started, or have to be again.
    fn jobs_left(&self) -> u64 {
        self.queue.len() as u64 + u64::from(self.retries.len())
    }

    /// What spaces its starts.
    fn slowest_pace(&self) -> HostBottleneck {
        if self.spacing() > self.pace.spacing() {
            HostBottleneck::Throttle
        } else if self.pace.is_delay() {
            HostBottleneck::Delay
        } else {
            HostBottleneck::Rate
        }
    }

    /// Which limit of the host's own is the lowest.
    fn narrowest(&self, adaptive: bool, now: Time) -> HostBottleneck {
        let allowed = self.allowed(adaptive, now);
        if self.health.half_open(now) {
            HostBottleneck::Probe
        } else if allowed == self.concurrency() {
            HostBottleneck::Concurrency
        } else if allowed == self.learnt(adaptive) {
            HostBottleneck::Adaptive
        } else {
            HostBottleneck::Connections
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Times by their power of two.
fn bucket(left: Duration) -> usize {
    usize::from(Ready::bucket(nanos(left)))
}
