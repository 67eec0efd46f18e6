//! One host: its queue, its counts, its two clocks, and where it stands.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use crate::config::Rate;
use crate::model::{DeferReason, Time};
use crate::policy::{Budget, Pace};

use super::Capacity;
use super::event::Wake;
use super::gate::Shut;
use super::health::Health;
use super::list::NONE;
use super::places::HeldPlaces;
use super::ready::STAY;
use super::retries::OfHost;
use super::settings::{HostLimits, HostRules, SchedulerSettings};

/// Jobs that a queue has room for at first.
const FIRST_ROOM: usize = 4;

/// Answers that earn a host one more place: few enough that a host soon has all of its own, and so many that hosts which answer a
/// little and hang then hold a place or two each.
pub(super) const ANSWERS_A_PLACE: u32 = 5;

/// Where a host is kept. At any time in exactly one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: the number is free.
    Vacant,
    /// Nothing to do: in the list of idle hosts, by time.
    Idle,
    /// Nothing to do, and a clock that runs for longer than the memory, or when too many are idle: among the timers.
    Resting,
    /// Waiting for a report, a gate or a job: in no list.
    Busy,
    /// In the list of hosts of which a gate is to be opened.
    Asking,
    /// Waiting for a point in time: among the timers.
    Waiting(Wake),
    /// In the waiting list of its group.
    InGroup,
    /// In the waiting list of its address.
    OnAddress,
    /// In the waiting list of those that want more places than their answers have earned.
    Unanswered,
    /// In the ready lists, under this bucket, with a permit of its group and its address reserved.
    Ready(u8),
    /// In the list of hosts whose jobs are given up.
    Dying,
}

/// How a host's next request stands among those that want places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its host answers, and may have one more place.
    Earned,
    /// It is beyond what its host, which answers, may have.
    More,
    /// Its host has not answered: its only one.
    SilentFirst,
    /// Not its only one.
    SilentMore,
}

impl Standing {
    /// Whether its host has not answered.
    pub(super) const fn is_silent(self) -> bool {
        matches!(self, Self::SilentFirst | Self::SilentMore)
    }

    /// Whether it is beyond what its host may have in any case.
    pub(super) const fn wants_more(self) -> bool {
        matches!(self, Self::More | Self::SilentMore)
    }
}

/// Whether a host counts among those that have work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Idle,
    Silent,
    /// And among those of them that answer.
    Answering,
}

#[derive(Debug)]
pub(super) struct Host<J> {
    pub(super) queue: VecDeque<J>,
    pub(super) in_flight: u32,
    concurrency: u32,
    pub(super) capacity: Capacity,
    pub(super) per_address: Option<NonZeroU32>,
    pub(super) retries: OfHost,
    pub(super) budget: Budget,
    /// Mean time from start to report in microseconds, weighing the newest with 1/8; 0: nothing known.
    service: u32,
    pub(super) group: u32,
    pub(super) address: u32,
    /// What has to be known before anything is started.
    pub(super) shut: Shut,
    /// Jobs it may still send before its turn is over.
    pub(super) stay: u8,
    /// Good answers so far, as far as that can be counted.
    pub(super) served: u8,
    /// Answers since its last time-out, as far as they can be counted.
    answered: u8,
    /// Places that it held when it answered last, as far as they can be counted: it may hold as many again.
    proven: u8,
    /// How its next request stood when it came into the ready lists, or among those that wait for more places, while it is there.
    pub(super) listed: Standing,
    /// What it counts among.
    pub(super) work: Work,
    pub(super) place: Place,
    pub(super) pace: Pace,
    pub(super) health: Health,
    pub(super) idle_since: Time,
}

impl<J> Host<J> {
    pub(super) fn new(rules: &HostRules, settings: &SchedulerSettings) -> Self {
        let concurrency = rules.concurrency.get();
        Self {
            queue: VecDeque::new(),
            in_flight: 0,
            concurrency,
            capacity: rules.capacity,
            per_address: rules.per_address,
            retries: OfHost::NONE,
            budget: Budget::new(&settings.retries),
            service: 0,
            group: rules.group.map_or(NONE, |group| group.0),
            address: NONE,
            shut: Shut::new(rules.gates),
            stay: 0,
            served: 0,
            answered: 0,
            proven: 0,
            listed: Standing::SilentFirst,
            work: Work::Idle,
            place: Place::Busy,
            pace: Pace::new(rules.delay, rules.rate.map(Rate::interval)),
            health: Health::new(concurrency),
            idle_since: Time::ZERO,
        }
    }

    /// Whether it answers: anything, since its last time-out.
    pub(super) const fn answers(&self) -> bool {
        self.answered > 0
    }

    /// It has answered while it held so many places, or has been silent for too long.
    pub(super) fn note_answer(&mut self, answers: bool, held: u32) {
        self.answered = if answers { self.answered.saturating_add(1) } else { 0 };
        self.proven = if answers { u8::try_from(held).unwrap_or(u8::MAX) } else { 0 };
    }

    /// The places that it has earned: all when its answers can't be counted any more.
    const fn earned(&self) -> u32 {
        if self.answered == u8::MAX { u32::MAX } else { self.answered as u32 / ANSWERS_A_PLACE }
    }

    /// What its requests in flight hold.
    pub(super) const fn holds(&self) -> HeldPlaces {
        HeldPlaces {
            silent: if self.answers() { 0 } else { self.in_flight },
            unearned: self.in_flight.saturating_sub(if self.earned() > 1 { self.earned() } else { 1 }),
        }
    }

    /// How its next request stands.
    pub(super) const fn next(&self) -> Standing {
        let has_all = self.in_flight >= self.earned() && self.in_flight >= self.proven as u32;
        match (self.answers(), self.in_flight > 0 && has_all) {
            (true, false) => Standing::Earned,
            (true, true) => Standing::More,
            (false, false) => Standing::SilentFirst,
            (false, true) => Standing::SilentMore,
        }
    }

    /// The next job: the first, unless the host is or was in trouble. Then those that come next may be the trouble, as in a list that
    /// is sorted, and what is asked comes from all over the queue; now and then from the end, where jobs are that have failed once.
    pub(super) fn take(&mut self, rng: &mut fastrand::Rng) -> Option<J> {
        match self.health.draw(self.queue.len(), rng) {
            None => self.queue.pop_front(),
            Some(at) if at + 1 == self.queue.len() => self.queue.pop_back(),
            Some(at) => self.queue.swap_remove_front(at),
        }
    }

    /// Whether no job is left that has not been tried.
    pub(super) fn has_tried_all(&self) -> bool {
        self.health.has_tried_all(self.queue.len())
    }

    /// Whether a good answer may still come, which pays for a retry.
    pub(super) fn may_earn(&self) -> bool {
        !self.queue.is_empty() || self.in_flight > 0
    }

    /// Whether anything is left to do.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.in_flight > 0 || self.retries.len() > 0
    }

    pub(super) const fn is_live(&self) -> bool {
        !matches!(self.place, Place::Vacant)
    }

    /// The fixed limit.
    pub(super) const fn concurrency(&self) -> u32 {
        self.concurrency
    }

    /// Takes on other limits.
    pub(super) fn set_limits(&mut self, limits: &HostLimits) {
        self.concurrency = limits.concurrency.get();
        self.pace.change(limits.delay, limits.rate.map(Rate::interval));
        self.health.adaptive.cap(self.concurrency);
    }

    /// Which limit of the host's own, if any, keeps it from starting one more request.
    pub(super) fn full(&self, adaptive: bool, now: Time) -> Option<DeferReason> {
        let flying = self.in_flight;
        if flying == 0 {
            None
        } else if self.health.half_open(now) {
            Some(DeferReason::Probe)
        } else if flying >= self.concurrency {
            Some(DeferReason::HostLimit)
        } else if flying >= self.capacity.most() {
            Some(DeferReason::Protocol)
        } else if flying >= self.learnt(adaptive) {
            Some(DeferReason::Adaptive)
        } else {
            None
        }
    }

    /// Room for one more job. A full queue gets a quarter more, where one that doubles has room for two fifths
    /// more than wait in it on average.
    pub(super) fn make_room(&mut self) {
        let jobs = self.queue.len();
        if jobs == self.queue.capacity() {
            self.queue.reserve_exact((jobs / 4).max(FIRST_ROOM));
        }
    }

    /// Requests at once, by the host's own limits.
    pub(super) fn allowed(&self, adaptive: bool, now: Time) -> u32 {
        if self.health.half_open(now) {
            return 1;
        }
        self.concurrency.min(self.capacity.most()).min(self.learnt(adaptive))
    }

    /// Requests at once by what the host's answers showed.
    pub(super) fn learnt(&self, adaptive: bool) -> u32 {
        let allowed = self.health.allowed();
        if adaptive { allowed.min(self.health.adaptive.limit()) } else { allowed }
    }

    /// Nothing is started before this time, because of how attempts ended.
    pub(super) fn held_until(&self) -> Time {
        self.health.until(self.pace.last())
    }

    /// The mean nanoseconds between starts, as set or as learnt.
    pub(super) fn spacing(&self) -> u64 {
        self.pace.spacing().max(u64::try_from(self.health.spacing().as_nanos()).unwrap_or(u64::MAX))
    }

    /// How many jobs a turn lets it send: to its end, if that is near. One, while nothing is known of it and much is to
    /// come, so that slow hosts are found out early.
    pub(super) fn turn(&self) -> u8 {
        match u8::try_from(self.queue.len() + 1) {
            Ok(jobs) if jobs <= STAY => jobs,
            _ if self.service == 0 => 1,
            _ => STAY,
        }
    }

    /// Nanoseconds of queued work left: each job costs its share of the service time, or the spacing of starts. Nothing, where
    /// the host has been tried and does not answer: those come first that have not been tried.
    pub(super) fn remaining(&self, adaptive: bool, usual: u32, now: Time) -> u64 {
        if !self.answers() && self.service > 0 {
            return 0;
        }
        let share = self.service_nanos(usual) / u64::from(self.allowed(adaptive, now));
        let each = share.max(self.spacing());
        (self.queue.len() as u64).saturating_mul(each)
    }

    /// How long a request takes, in nanoseconds; `usual` microseconds until one has been measured.
    pub(super) fn service_nanos(&self, usual: u32) -> u64 {
        u64::from(if self.service == 0 { usual } else { self.service }) * 1000
    }

    /// Takes note of how long a request took.
    pub(super) fn served(&mut self, micros: u32) {
        self.service = blend(self.service, micros);
    }

    /// When both clocks have passed, and it is no longer dead.
    pub(super) fn clear_at(&self) -> Time {
        self.pace.next().max(self.health.clear_at())
    }

    /// When both clocks have passed: who is forgotten before is asked too soon.
    pub(super) fn rested_at(&self) -> Time {
        self.pace.next().max(self.held_until())
    }
}

/// The mean after one more measurement, which weighs 1/8. Never 0, which means "none yet".
pub(super) fn blend(mean: u32, micros: u32) -> u32 {
    if mean == 0 {
        return micros.max(1);
    }
    let blended = (u64::from(mean) * 7 + u64::from(micros)) / 8;
    u32::try_from(blended).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Limits, RetrySettings};
    use std::time::Duration;

    fn host(rules: impl FnOnce(&mut HostRules)) -> Host<[u64; 5]> {
        let settings = SchedulerSettings::new(&Limits::default(), &RetrySettings::default());
        let mut own = settings.host.clone();
        rules(&mut own);
        Host::new(&own, &settings)
    }

    #[test]
    fn a_host_fits_its_memory_budget() {
        let size = size_of::<Host<[u64; 5]>>();
        // Beside it: two list nodes of 8 bytes, an armed time of 8, and at most two timer entries of 16.
        let with_links = size + 2 * 8 + 8 + 2 * 16;
        println!("a host takes {size} bytes, {with_links} with its list links and timer entries");
        assert!(with_links <= 200, "{with_links}");
    }

    #[test]
    fn a_queue_has_room_for_a_quarter_more_at_the_most() {
        let mut host = host(|_| {});
        for jobs in 1..=10_000 {
            host.make_room();
            host.queue.push_back([0; 5]);
            assert!(host.queue.capacity() <= jobs + (jobs / 4).max(FIRST_ROOM), "{jobs}");
        }
    }

    #[test]
    fn remaining_time_counts_concurrency_or_spacing_whichever_is_slower() {
        let mut host = host(|rules| rules.concurrency = 4.try_into().expect("not zero"));
        host.queue.extend([[0; 5]; 10]);
        assert_eq!(host.remaining(false, 100_000, Time::ZERO), 10 * 25_000_000);
        host.served(40_000);
        assert_eq!(host.remaining(false, 100_000, Time::ZERO), 0, "others have not been tried");
        host.note_answer(true, 1);
        assert_eq!(host.remaining(false, 100_000, Time::ZERO), 10 * 10_000_000);
        host.pace = Pace::new(Duration::from_millis(30), None);
        assert_eq!(host.remaining(false, 100_000, Time::ZERO), 10 * 30_000_000);
    }

    #[test]
    fn the_tightest_of_the_hosts_own_limits_is_named() {
        let mut host = host(|_| {});
        host.in_flight = 8;
        assert_eq!(host.full(false, Time::ZERO), Some(DeferReason::HostLimit));
        host.in_flight = 2;
        assert_eq!((host.full(false, Time::ZERO), host.allowed(false, Time::ZERO)), (None, 8));
        assert_eq!((host.full(true, Time::ZERO), host.allowed(true, Time::ZERO)), (Some(DeferReason::Adaptive), 2));
        host.capacity = Capacity::Unknown;
        assert_eq!((host.full(true, Time::ZERO), host.allowed(true, Time::ZERO)), (Some(DeferReason::Protocol), 1));
    }

    #[test]
    fn the_mean_follows_and_never_becomes_unknown() {
        assert_eq!(blend(0, 800), 800);
        assert_eq!(blend(800, 1600), 900);
        assert_eq!(blend(1, 0), 1);
        assert_eq!(blend(u32::MAX, u32::MAX), u32::MAX);
    }
}
