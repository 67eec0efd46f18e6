//! Plain questions about the scheduler. None changes anything.

use std::time::Duration;

use crate::model::{DeferReason, FailureKind, Time};
use crate::policy::Verdict;

use super::Capacity;
use super::gate::Gate;
use super::host::{Host, Place};
use super::{HostId, Scheduler};

/// What is held against a host: for whoever logs how that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldAgainst {
    /// Nothing is started before this time.
    pub rests_until: Time,
    /// It is dead, for this cause.
    pub dead: Option<FailureKind>,
    /// Until when, if so.
    pub dead_until: Time,
    /// It is dead, or was and has not answered since.
    pub is_tripped: bool,
    /// The least time between two starts that was learnt.
    pub spacing: Duration,
    /// How many requests at once it is given.
    pub at_once: u32,
}
impl HeldAgainst {
    /// Whether it is asked as fast as the run's own limits allow.
    pub const fn is_free(&self) -> bool {
        self.spacing.is_zero() && self.at_once == u32::MAX
    }
}

impl<J> Scheduler<J> {
    /// Jobs in the hosts' queues.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.queued
    }

    /// Jobs waiting for their retry's time.
    #[must_use]
    pub const fn waiting_retries(&self) -> usize {
        self.retries.len()
    }

    /// Requests in flight.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The global limit on requests in flight, as last set.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Hosts known.
    #[must_use]
    pub const fn hosts(&self) -> usize {
        self.hosts.len() - self.vacant.len()
    }

    /// Hosts that could start a job but for the limits of the whole run.
    #[must_use]
    pub const fn ready(&self) -> u32 {
        self.ready.len()
    }

    /// Whether it is the global limit that holds work back: a larger share of it would be used at once.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.has_startable() && self.in_flight >= self.limit && !self.paused
    }

    /// Whether a job would start as soon as the global pace, [`super::Event::NotBefore`] and a grant allow.
    #[must_use]
    pub fn could_start(&self) -> bool {
        self.has_startable() && self.in_flight < self.limit && !self.paused
    }

    /// Whether a host could start a job but for the limits of the whole run.
    fn has_startable(&self) -> bool {
        self.ready.has_any(self.places_held.allows_silent())
    }

    /// Jobs in the host's queue, not counting retries whose time has not come.
    #[must_use]
    pub fn host_queued(&self, host: HostId) -> usize {
        self.view(host).queue.len()
    }

    /// The host's jobs waiting for their retry's time.
    #[must_use]
    pub fn host_retries(&self, host: HostId) -> u32 {
        self.view(host).retries.len()
    }

    /// The host's requests in flight.
    #[must_use]
    pub fn host_in_flight(&self, host: HostId) -> u32 {
        self.view(host).in_flight
    }

    /// Whether it has answered anything since its last time-out.
    #[must_use]
    pub fn host_answers(&self, host: HostId) -> bool {
        self.view(host).answers()
    }

    /// How much of the time from `since` to `now` the host's last rest took: its back-off, or a pause that it asked for.
    #[must_use]
    pub fn host_rested(&self, host: HostId, since: Time, now: Time) -> Duration {
        self.view(host).health.rested(since, now)
    }

    /// The gate that the host waits at, or would if it had a job; `None`: all are open.
    #[must_use]
    pub fn host_gate(&self, host: HostId) -> Option<Gate> {
        self.view(host).shut.first()
    }

    /// What is known of how many requests its connections can carry at once.
    #[must_use]
    pub fn host_capacity(&self, host: HostId) -> Capacity {
        self.view(host).capacity
    }

    /// How many requests at once the host's own limits allow now: the fixed one, its connections' capacity, the adaptive
    /// one, one probe.
    #[must_use]
    pub fn host_limit(&self, host: HostId, now: Time) -> u32 {
        self.view(host).allowed(self.settings.adaptive, now)
    }

    /// Why the host, which has jobs queued, can't start one; `None` when it has none or can. The first reason on the
    /// way outwards: the host itself, its group, its address, the run.
    #[must_use]
    pub fn why_deferred(&self, host: HostId, now: Time) -> Option<DeferReason> {
        self.reason(self.view(host), now)
    }

    /// When the job of the last failed attempt comes again; `None` when it was given up.
    #[doc(hidden)]
    pub const fn comes_again_at(&self) -> Option<Time> {
        self.comes_again_at
    }

    /// Whether nothing has come back well since the host was found to be in trouble.
    #[must_use]
    pub fn is_in_trouble(&self, host: HostId) -> bool {
        self.view(host).health.is_in_trouble()
    }

    /// Whether a refusal for asking too much (429, or 503 with `Retry-After`) speaks of the host and not of the job that got it
    /// (`policy::is_wait`).
    ///
    /// It does where it says when to come again, unless that seems to be the answer that some of the host's URLs have, or all: hosts that
    /// have answered well before are believed, and others where several ask for it at once. Else a host that has answered well before must
    /// have said so already, and nothing has come back well since.
    #[must_use]
    pub fn speaks_of_host(&self, host: HostId, verdict: Verdict, now: Time) -> bool {
        let (id, host) = (host.0, self.view(host));
        match verdict.pause().filter(|pause| !pause.is_zero()) {
            Some(_) if self.askers.has_several_beside(id, now) => host.health.may_mean_all(),
            Some(_) => host.served > 0 && (host.health.means_all() || host.health.is_to_wait()),
            None => host.served > 0 && host.health.is_to_wait(),
        }
    }

    /// So many failures in a row of this host are no chance, by what is known of it.
    #[must_use]
    pub fn telling_run(&self, host: HostId) -> u8 {
        self.view(host).health.telling_run()
    }

    /// What is held against a host now.
    #[doc(hidden)]
    pub fn held_against(&self, host: HostId, now: Time) -> HeldAgainst {
        let health = &self.view(host).health;
        let dead = health.dead(now);
        HeldAgainst {
            rests_until: health.until(None),
            dead,
            dead_until: health.clear_at(),
            is_tripped: dead.is_some() || health.half_open(now),
            spacing: health.spacing(),
            at_once: health.allowed(),
        }
    }

    pub(super) fn reason(&self, host: &Host<J>, now: Time) -> Option<DeferReason> {
        if host.queue.is_empty() {
            return None;
        }
        self.held_by_itself(host, now)
            .or_else(|| self.held_by_others(host))
            .or_else(|| self.held_by_the_run(now))
            .or_else(|| kept_for_another(host.place))
    }

    fn held_by_itself(&self, host: &Host<J>, now: Time) -> Option<DeferReason> {
        if host.held_until() > now {
            Some(if host.health.rests(now) { DeferReason::BackOff } else { DeferReason::Throttle })
        } else if let Some(gate) = host.shut.first() {
            Some(gate.reason())
        } else {
            host.full(self.settings.adaptive, now).or_else(|| (host.pace.next() > now).then_some(DeferReason::Pace))
        }
    }

    fn held_by_others(&self, host: &Host<J>) -> Option<DeferReason> {
        let next = host.next();
        let is_kept_out = (next.wants_more() && !self.places_held.allows_more(next))
            || (next.is_silent() && !self.places_held.allows_silent());
        if host.place == Place::Unanswered || is_kept_out {
            Some(DeferReason::Unanswered)
        } else if self.limits.is_full(host.group) {
            Some(DeferReason::GroupLimit)
        } else if self.limits.is_full(host.address) {
            Some(DeferReason::AddressLimit)
        } else {
            None
        }
    }

    fn view(&self, host: HostId) -> &Host<J> {
        &self.hosts[host.0 as usize]
    }
}

/// The last permit of the host's group or address is kept for another host, which is ready and has not answered, and can't start
/// before silent requests leave it a place.
const fn kept_for_another(place: Place) -> Option<DeferReason> {
    match place {
        Place::InGroup => Some(DeferReason::GroupLimit),
        Place::OnAddress => Some(DeferReason::AddressLimit),
        _ => None,
    }
}
