//! What the scheduler is told once, and what it is told of each host.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::{Config, Limits, Rate, RetrySettings};
use crate::policy::{Backoff, Jitter};

use super::event::GroupId;
use super::{Capacity, Gate, Gates};

/// What holds for all hosts.
#[derive(Clone, Debug)]
pub struct SchedulerSettings {
    /// Requests in flight over all hosts, to begin with: [`super::Event::Concurrency`] changes it.
    pub concurrency: NonZeroU32,
    /// Of the run's places, the part that hosts of this scheduler have by right: what hosts may hold that have not earned it is
    /// measured by it, while [`Self::concurrency`] may be lent and borrowed.
    pub places: NonZeroU32,
    /// The mean time between two starts over all hosts; `None`: no limit, or one that the caller keeps
    /// ([`super::Event::Paced`]).
    pub interval: Option<Duration>,
    /// Whether each host's concurrency follows what the host stands.
    pub adaptive: bool,
    /// Retries, back-off, breaker, memory.
    pub retries: RetrySettings,
    /// What a host gets unless more is known of it.
    pub host: HostRules,
}

impl SchedulerSettings {
    /// The scheduler's part of the settings. Limits of the whole run are those of one scheduler: with several shards
    /// the caller divides them.
    #[must_use]
    pub fn new(limits: &Limits, retries: &RetrySettings) -> Self {
        Self {
            concurrency: limits.concurrency,
            // Who has turned back-off off wants what is asked for, whatever the host is like.
            places: if retries.backoff_max.is_zero() { NonZeroU32::MAX } else { limits.concurrency },
            interval: limits.rate.map(Rate::interval),
            adaptive: limits.adaptive,
            retries: retries.clone(),
            host: HostRules {
                concurrency: limits.per_host,
                delay: limits.delay,
                rate: limits.host_rate,
                per_address: limits.per_address,
                gates: Gates::from(Gate::Address),
                capacity: Capacity::OneEach,
                group: None,
            },
        }
    }

    /// How long a host rests after its n-th failure in a row.
    pub(super) const fn host_backoff(&self) -> Backoff {
        Backoff { base: self.retries.backoff_base, max: self.retries.backoff_max, jitter: Jitter::Equal }
    }

    /// How long a job waits after its n-th failed attempt.
    pub(super) const fn job_backoff(&self) -> Backoff {
        Backoff { base: self.retries.backoff_base, max: self.retries.backoff_max, jitter: Jitter::Full }
    }
}

impl From<&Config> for SchedulerSettings {
    fn from(config: &Config) -> Self {
        Self::new(&config.limits, &config.retries)
    }
}

/// Those of a host's rules that can be changed ([`super::Event::Limits`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostLimits {
    /// Requests in flight. It may be fewer than are in flight now: then nothing is started until enough have ended.
    pub concurrency: NonZeroU32,
    /// The least time between two starts, counted from the last.
    pub delay: Duration,
    /// Starts per second. A change counts from the last start.
    pub rate: Option<Rate>,
}

/// What holds for one host.
#[derive(Clone, Debug)]
pub struct HostRules {
    /// Requests in flight.
    pub concurrency: NonZeroU32,
    /// The least time between two starts.
    pub delay: Duration,
    /// Starts per second.
    pub rate: Option<Rate>,
    /// Requests in flight on its address, over all hosts there that have such a limit. Where they differ, the lowest
    /// that any of them brought holds until the last of them has left.
    pub per_address: Option<NonZeroU32>,
    /// What has to be known of the host before anything of it is started; asked for with [`super::Action::Open`].
    pub gates: Gates,
    /// Requests that its connections can carry at once. [`super::Event::Capacity`] changes it.
    pub capacity: Capacity,
    /// The group whose limit it shares.
    pub group: Option<GroupId>,
}
