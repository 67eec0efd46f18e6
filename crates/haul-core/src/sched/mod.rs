//! The scheduler: which job of which host starts next, and when to look again.
//!
//! Pure, single-threaded and deterministic. It owns the queues, the limits, the clocks of the hosts and the jobs that
//! wait for a retry. It knows no socket, no thread and no real time; a job is an opaque value to it.
//!
//! How it is built: every host is in exactly one place (idle, waiting for a time, waiting for a shared limit, ready …).
//! After each event `place` works out where the host belongs now and moves it there. `turn` takes from these places
//! what is due. Nothing ever looks at all hosts, but for the one pass when the run is stopped, and the remaining work, which is
//! made only when asked for.

mod askers;
pub mod bound;
mod capacity;
mod event;
mod gate;
mod health;
mod host;
mod limit;
mod list;
mod place;
mod places;
mod ready;
mod remaining_work;
mod report;
mod rest;
mod retries;
mod settings;
mod turn;
mod view;
mod wait;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::{GiveUpReason, Time};
use crate::policy::Pace;
pub use crate::policy::{Fault, RetryFacts, Verdict};

pub use capacity::Capacity;
pub use event::{Action, Event, GroupId, HostId, Report, Wake};
pub use gate::{Gate, Gates};
pub use remaining_work::{HostBottleneck, Longest, RemainingWork};
pub use settings::{HostLimits, HostRules, SchedulerSettings};
#[doc(hidden)]
pub use view::HeldAgainst;

use askers::Askers;
use host::Host;
use limit::Limits;
use list::{Links, List};
use places::Places;
use ready::Ready;
use retries::Retries;
use wait::Timers;

/// What a host's service time is taken for until something has been measured, in microseconds.
const UNMEASURED: u32 = 100_000;

/// The scheduler of one shard.
///
/// # Contract
///
/// Three kinds of methods, after the manner of a protocol core:
///
/// - `add_*`, [`Self::handle`] and [`Self::failed`] say what happened. They never start anything.
/// - [`Self::next_action`] says what to do. After each batch of the former, call it until it returns `None`. An action
///   returned has been taken note of: a [`Action::Start`]'s permits are taken from that moment on.
/// - [`Self::next_deadline`] says when to call next, if nothing happens before: with [`Event::Tick`] or without, what
///   counts is that `next_action` is drained with a `now` at or past the deadline. Ask after draining.
///
/// `now` must not go backwards from call to call. Equal settings, seeds, events and times give equal actions.
///
/// Every accepted job ([`Event::Arrived`], [`Event::Continued`]) ends in exactly one of these ways: it is started and its
/// attempt is reported [`Event::Done`], or it is handed back by [`Action::GiveUp`]. Every [`Action::Start`] is answered by
/// exactly one of `Done`, `Failed` and `Returned`, every [`Action::Open`] by `Opened`; that of an address by `Resolved` or `Unresolved`,
/// too.
///
/// # Cost
///
/// `handle` and `next_action` are O(1), independent of the number of hosts, and allocate nothing once queues have
/// grown to their size; a host with a delay costs one heap operation per start, O(log hosts). Two exceptions: `Stopped`
/// looks at every host once, and hosts that wait for a group as well as for an address are moved from the one waiting
/// list to the other when a permit is freed and the other limit is full, each at most once per permit.
///
/// # Bounds
///
/// Jobs kept = jobs accepted and not ended: the caller bounds them. Heap entries: at most twice the hosts (jobs waiting
/// for a retry) plus 64. Answers not yet drained: at most one per handled event.
///
/// # Panics
///
/// All methods that take a [`HostId`] panic when it was never given out or has been forgotten, and `handle` panics on
/// reports of attempts that were not started: those are faults of the caller, not of its input.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::config::Config;
/// use haul::model::Time;
/// use haul::sched::{Action, Event, Gates, HostRules, Scheduler, SchedulerSettings};
///
/// let settings = SchedulerSettings::from(&Config::default());
/// let rules = HostRules { gates: Gates::NONE, ..settings.host.clone() };
/// let mut scheduler = Scheduler::new(settings, 0);
/// let host = scheduler.add_host(&rules, Time::ZERO);
/// scheduler.handle(Event::Arrived { host, job: "a" }, Time::ZERO);
/// assert_eq!(scheduler.next_action(Time::ZERO), Some(Action::Start { host, job: "a" }));
/// assert_eq!(scheduler.next_action(Time::ZERO), None);
/// ```
#[derive(Debug)]
pub struct Scheduler<J> {
    settings: SchedulerSettings,
    rng: fastrand::Rng,
    hosts: Vec<Host<J>>,
    vacant: Vec<u32>,
    /// Links of the lists below, of the ready buckets and of the limits' waiters: a host is in at most one of these.
    places: Links,
    asking: List,
    dying: List,
    idle: List,
    /// How many are in that list.
    idling: usize,
    ready: Ready,
    limits: Limits,
    places_held: Places,
    askers: Askers,
    timers: Timers,
    retries: Retries<J>,
    /// Jobs given up while an event was handled.
    given_up: VecDeque<(HostId, J, GiveUpReason)>,
    pace: Pace,
    /// When the caller allows the next start.
    not_before: Time,
    /// Starts that have been granted, where they have to be.
    grants: Option<u32>,
    limit: u32,
    in_flight: u32,
    queued: usize,
    /// The host that gave the last permit back, until the next start.
    freed: Option<u32>,
    /// When the job of the last failed attempt comes again; `None` when it was given up.
    comes_again_at: Option<Time>,
    /// Mean service time over all hosts in microseconds.
    usual_service: u32,
    paused: bool,
    stopped: bool,
}

impl<J> Scheduler<J> {
    /// A scheduler without hosts. `seed` determines all jitter.
    #[must_use]
    pub fn new(settings: SchedulerSettings, seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            hosts: Vec::new(),
            vacant: Vec::new(),
            places: Links::default(),
            asking: List::EMPTY,
            dying: List::EMPTY,
            idle: List::EMPTY,
            idling: 0,
            ready: Ready::new(),
            limits: Limits::default(),
            places_held: Places::new(settings.places.get()),
            askers: Askers::default(),
            timers: Timers::default(),
            retries: Retries::new(),
            given_up: VecDeque::new(),
            pace: Pace::new(Duration::ZERO, settings.interval),
            not_before: Time::ZERO,
            grants: None,
            limit: settings.concurrency.get(),
            in_flight: 0,
            queued: 0,
            freed: None,
            comes_again_at: None,
            usual_service: UNMEASURED,
            paused: false,
            stopped: false,
            settings,
        }
    }

    /// A group whose hosts together have at most `limit` requests in flight. It lives until [`Self::remove_group`].
    pub fn add_group(&mut self, limit: NonZeroU32) -> GroupId {
        GroupId(self.limits.add(limit.get(), None))
    }

    /// Drops a group, unless a host is in it; says whether it did. Its id may be given out again.
    pub fn remove_group(&mut self, group: GroupId) -> bool {
        self.limits.drop_empty(group.0)
    }

    /// A host. It is forgotten ([`Action::Forget`]) once it has been idle for long enough.
    pub fn add_host(&mut self, rules: &HostRules, now: Time) -> HostId {
        let host = Host::new(rules, &self.settings);
        self.limits.join(host.group, 0);
        let id = match self.vacant.pop() {
            Some(id) => {
                self.hosts[id as usize] = host;
                id
            }
            None => self.grow(host),
        };
        self.settle(id, now);
        HostId(id)
    }

    fn grow(&mut self, host: Host<J>) -> u32 {
        let id = u32::try_from(self.hosts.len()).ok().filter(|id| *id != list::NONE);
        self.hosts.push(host);
        self.places.grow();
        self.ready.grow();
        self.timers.grow();
        id.expect("2^32 hosts need more memory than there is")
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event<J>, now: Time) {
        match event {
            Event::Arrived { host, job } => {
                self.host(host);
                self.enqueue(host.0, job, now);
            }
            Event::Continued { host, job } => self.enqueue_first(host, job, now),
            Event::Done { host, report } => self.done(host, report, now),
            Event::Failed { host, job, report, facts } => self.failed(host, report, facts, |_| job, now),
            Event::Returned { host, job } => {
                self.release(host, now);
                self.enqueue_first(host, job, now);
            }
            Event::Opened { host, gate } => {
                self.host(host).shut.open(gate);
                self.settle(host.0, now);
            }
            Event::Resolved { host, address } => self.resolved(host, address, now),
            Event::Unresolved { host, kind } => self.unresolved(host, kind, now),
            Event::Renamed { host } => {
                self.host(host).health.renamed(now);
                self.settle(host.0, now);
            }
            Event::Answers { host } => {
                if !self.host(host).answers() {
                    self.note_lent(true, now);
                    self.change_held(host.0, now, |host| host.note_answer(true, host.in_flight));
                    self.settle(host.0, now);
                }
            }
            Event::Capacity { host, capacity } => {
                self.host(host).capacity = capacity;
                self.settle(host.0, now);
            }
            Event::Limits { host, limits } => {
                self.host(host).set_limits(&limits);
                self.settle(host.0, now);
            }
            Event::Concurrency(limit) => self.limit = limit,
            Event::Places(places) => {
                self.places_held.set_all(places.get());
                self.rouse_unanswered(now);
            }
            Event::NotBefore(at) => self.not_before = at,
            Event::Paced(is_paced) => self.grants = is_paced.then_some(0),
            Event::Granted => self.grants = self.grants.map(|grants| grants + 1),
            Event::Paused => self.paused = true,
            Event::Resumed => self.paused = false,
            Event::Stopped => self.stop(now),
            Event::Tick => {}
        }
    }

    /// What to do next; `None`: nothing until something happens or [`Self::next_deadline`] comes.
    pub fn next_action(&mut self, now: Time) -> Option<Action<J>> {
        loop {
            let more = self.take_due(now);
            if let Some(action) = self.take_action(now) {
                return Some(action);
            }
            if !more {
                return None;
            }
        }
    }

    /// When to call [`Self::next_action`] again if nothing happens before, and who asks for it. `None`: only an event can
    /// bring anything. Ask after draining the actions.
    pub fn next_deadline(&mut self) -> Option<(Time, Wake)> {
        let wait = self.first_wait();
        let retry = self.retries.first().map(|(due, _)| (due, Wake::Retry));
        let pace = self.could_start().then(|| (self.next_start(), Wake::GlobalPace));
        let expiry = self.first_expiry().map(|(at, _)| (at, Wake::Expiry));
        let first = [wait, retry, pace, expiry].into_iter().flatten().min_by_key(|(at, _)| *at);
        first.filter(|(at, _)| *at < Time::NEVER)
    }

    /// A host that was given out and not forgotten.
    fn host(&mut self, id: HostId) -> &mut Host<J> {
        let host = &mut self.hosts[id.0 as usize];
        assert!(host.is_live(), "{id:?} has been forgotten");
        host
    }

    fn enqueue(&mut self, id: u32, job: J, now: Time) {
        let host = &mut self.hosts[id as usize];
        host.make_room();
        host.queue.push_back(job);
        self.queued += 1;
        self.settle(id, now);
    }

    fn enqueue_first(&mut self, id: HostId, job: J, now: Time) {
        let host = self.host(id);
        host.make_room();
        host.queue.push_front(job);
        host.health.comes_first();
        self.queued += 1;
        self.settle(id.0, now);
    }

    fn stop(&mut self, now: Time) {
        self.stopped = true;
        for id in 0..self.hosts.len() {
            if self.hosts[id].is_live() {
                self.settle(id as u32, now);
            }
        }
    }
}
