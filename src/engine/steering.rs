//! What can be changed while a run goes on, as last said. Shards are told to look here ([`super::message::Message::Steered`]).

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::config::{HostRule, Limits, Rate};
use crate::sched::HostLimits;

/// The limits that can be changed while a run goes on.
///
/// ```
/// use haul::config::Rate;
///
/// let client = haul::Client::new()?;
/// let mut limits = client.handle().limits();
/// limits.rate = Rate::new(100.0);
/// client.handle().set_limits(limits);
/// # Ok::<(), haul::engine::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveLimits {
    /// Requests in flight over all hosts. Cut to the socket budget. The number of threads that fetch stays as it was at
    /// the run's start.
    pub concurrency: NonZeroU32,
    /// Requests in flight per host.
    pub per_host: NonZeroU32,
    /// Starts per second over all hosts.
    pub rate: Option<Rate>,
    /// Starts per second per host.
    pub host_rate: Option<Rate>,
    /// The least time between two starts on a host.
    pub delay: Duration,
}

impl From<&Limits> for LiveLimits {
    fn from(limits: &Limits) -> Self {
        let Limits { concurrency, per_host, rate, host_rate, delay, .. } = *limits;
        Self { concurrency, per_host, rate, host_rate, delay }
    }
}

impl LiveLimits {
    /// What holds for one host: its rule's values, and these where the rule says nothing.
    pub(super) fn of_host(&self, rule: Option<&HostRule>) -> HostLimits {
        HostLimits {
            concurrency: rule.and_then(|rule| rule.concurrency).unwrap_or(self.per_host),
            delay: rule.and_then(|rule| rule.delay).unwrap_or(self.delay),
            rate: rule.and_then(|rule| rule.rate).or(self.host_rate),
        }
    }
}

/// What was said last.
#[derive(Debug)]
pub(super) struct Steering {
    limits: Mutex<LiveLimits>,
    paused: AtomicBool,
}

impl Steering {
    pub(super) fn new(limits: LiveLimits) -> Self {
        Self { limits: Mutex::new(limits), paused: AtomicBool::new(false) }
    }

    /// The limits, held while they are being changed.
    pub(super) fn limits(&self) -> MutexGuard<'_, LiveLimits> {
        self.limits.lock().expect("no holder of this lock panics")
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Says whether that was news.
    pub(super) fn set_paused(&self, paused: bool) -> bool {
        self.paused.swap(paused, Ordering::AcqRel) != paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_wins_where_it_says_something() {
        let limits = Limits { host_rate: Rate::new(5.0), delay: Duration::from_secs(1), ..Limits::default() };
        let live = LiveLimits::from(&limits);
        let rule = HostRule { concurrency: NonZeroU32::new(2), rate: Rate::new(3.0), ..HostRule::default() };
        let own = live.of_host(Some(&rule));
        assert_eq!((own.concurrency.get(), own.rate, own.delay), (2, Rate::new(3.0), Duration::from_secs(1)));
        let general = live.of_host(None);
        assert_eq!((general.concurrency.get(), general.rate), (8, Rate::new(5.0)));
    }
}
