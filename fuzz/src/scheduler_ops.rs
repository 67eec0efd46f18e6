//! The bytes are settings (the first) and a sequence of events (the others), told to a scheduler whose promises are
//! checked from outside, by books kept from events and actions alone.
//!
//! Promise: no start breaks a limit, a host's pace, a pause or the stop, also while limits change; no job waits without a
//! reason, and the reason is true; no deadline lies in the past; and once the events end and the world answers, every job
//! ends exactly once and every host is forgotten.

use std::num::NonZeroU32;
use std::time::Duration;

use haul::config::{Limits, Rate, RetrySettings};
use haul::model::{DeferReason, FailureKind, Time};
use haul::sched::{
    Action, Capacity, Event, Fault, Gate, Gates, GroupId, HostId, HostLimits, HostRules, Report, RetryFacts, Scheduler,
    SchedulerSettings, Verdict,
};

const HOSTS: usize = 4;
const GLOBAL: u32 = 5;
const PER_HOST: u32 = 2;
/// The first two hosts are one group, and the last two have one address to begin with.
const PER_GROUP: u32 = 3;
const PER_ADDRESS: u32 = 3;
const DELAY: Duration = Duration::from_millis(70);
/// Starts per second, where a host is told to keep to a rate, and the slack that rates may take.
const RATE: f64 = 20.0;
const SLACK: Duration = Duration::from_millis(4);
/// Actions and deadlines after which there is no end in sight: a job costs a handful.
const TOO_MANY: usize = 100_000;

/// Plays one sequence to its end.
pub fn run(bytes: &[u8]) {
    let Some((flags, events)) = bytes.split_first() else { return };
    let mut play = Play::new(*flags);
    for byte in events {
        play.tell(byte & 15, usize::from(byte >> 4));
        play.drain();
    }
    play.finish();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Flying,
    Ended,
}

/// A host as the caller knows it.
#[derive(Default)]
struct Book {
    id: Option<HostId>,
    in_flight: u32,
    /// The gate that is being opened.
    asked: Option<Gate>,
    /// The gates that have been opened.
    open: Gates,
    address: Option<u8>,
    /// As far as it was told others than the rules.
    limits: Option<HostLimits>,
    capacity: Option<u32>,
    /// Since its rate changed, and the last before that.
    starts: Vec<Time>,
}

struct Flight {
    host: usize,
    job: usize,
    started: Time,
}

struct Play {
    scheduler: Scheduler<usize>,
    rules: HostRules,
    group: GroupId,
    per_address: Option<NonZeroU32>,
    now: Time,
    hosts: [Book; HOSTS],
    flights: Vec<Flight>,
    /// Each job's state, and its failed attempts.
    jobs: Vec<(State, u32)>,
    limit: u32,
    not_before: Time,
    paused: bool,
    stopped: bool,
    steps: usize,
}

impl Play {
    fn new(flags: u8) -> Self {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        let limits = Limits {
            concurrency: number(GLOBAL),
            per_host: number(PER_HOST),
            per_address: (flags & 1 != 0).then(|| number(PER_ADDRESS)),
            adaptive: flags & 2 != 0,
            delay: if flags & 4 != 0 { DELAY } else { Duration::ZERO },
            ..Limits::default()
        };
        let settings = SchedulerSettings::new(&limits, &RetrySettings { dead_after: 2, ..RetrySettings::default() });
        let with = |gates: Gates, gate, flag| if flags & flag == 0 { gates } else { gates.with(gate) };
        let gates = with(with(Gates::NONE, Gate::Address, 8), Gate::Robots, 16);
        let rules = HostRules { gates, ..settings.host.clone() };
        let mut scheduler = Scheduler::new(settings, u64::from(flags >> 4));
        Self {
            group: scheduler.add_group(number(PER_GROUP)),
            scheduler,
            rules,
            per_address: limits.per_address,
            now: Time::ZERO,
            hosts: Default::default(),
            flights: Vec::new(),
            jobs: Vec::new(),
            limit: GLOBAL,
            not_before: Time::ZERO,
            paused: false,
            stopped: false,
            steps: 0,
        }
    }

    /// One event, if it may happen now.
    fn tell(&mut self, event: u8, pick: usize) {
        match event {
            0 | 1 => self.arrive(pick % HOSTS),
            2 => self.change(pick % HOSTS, pick / HOSTS),
            3 | 4 => self.end(pick, Self::done),
            5 => self.end(pick, |play, flight| play.failed(flight, Verdict::PushedBack(None), false)),
            6 => self.end(pick, |play, flight| play.failed(flight, Verdict::Failed(FailureKind::Refused), false)),
            7 => self.end(pick, |play, flight| play.failed(flight, Verdict::Failed(FailureKind::Closed), true)),
            8 => self.end(pick, Self::returned),
            9 => self.end(pick, Self::redirected),
            10 => self.answer(pick % HOSTS, pick / HOSTS),
            11 => self.capacity(pick % HOSTS, pick / HOSTS),
            12 => self.set_limit(pick as u32),
            13 => self.not_before(self.now + Duration::from_millis(pick as u64)),
            14 => self.disturb(pick),
            _ => self.wait(pick),
        }
    }

    fn handle(&mut self, event: Event<usize>) {
        self.scheduler.handle(event, self.now);
    }

    fn arrive(&mut self, host: usize) {
        self.jobs.push((State::Waiting, 0));
        let (host, job) = (self.id(host), self.jobs.len() - 1);
        self.handle(Event::Arrived { host, job });
    }

    /// The scheduler's number for a host, which is introduced if need be.
    fn id(&mut self, host: usize) -> HostId {
        if let Some(id) = self.hosts[host].id {
            return id;
        }
        let rules = HostRules { group: (host < 2).then_some(self.group), ..self.rules.clone() };
        let id = self.scheduler.add_host(&rules, self.now);
        self.hosts[host] = Book { id: Some(id), ..Book::default() };
        id
    }

    fn host(&self, id: HostId) -> usize {
        self.hosts.iter().position(|book| book.id == Some(id)).expect("a host that was introduced")
    }

    /// One of the attempts in flight ends like this.
    fn end(&mut self, pick: usize, how: impl FnOnce(&mut Self, Flight)) {
        if self.flights.is_empty() {
            return;
        }
        let flight = self.flights.swap_remove(pick % self.flights.len());
        self.hosts[flight.host].in_flight -= 1;
        how(self, flight);
    }

    fn done(&mut self, flight: Flight) {
        self.jobs[flight.job].0 = State::Ended;
        self.fine(&flight);
    }

    fn fine(&mut self, flight: &Flight) {
        let report = Report { started: flight.started, verdict: Verdict::Fine, attempt: 1, failing_since: None };
        let host = self.id(flight.host);
        self.handle(Event::Done { host, report });
    }

    fn failed(&mut self, flight: Flight, verdict: Verdict, free: bool) {
        let (state, failures) = &mut self.jobs[flight.job];
        *state = State::Waiting;
        *failures += 1;
        // One job in four is a POST.
        let facts = RetryFacts {
            attempt: *failures,
            replayable: !flight.job.is_multiple_of(4),
            fault: free.then_some(Fault::Stale),
        };
        let report = Report { started: flight.started, verdict, attempt: *failures, failing_since: None };
        let host = self.id(flight.host);
        self.handle(Event::Failed { host, job: flight.job, report, facts });
    }

    fn returned(&mut self, flight: Flight) {
        self.jobs[flight.job].0 = State::Waiting;
        let host = self.id(flight.host);
        self.handle(Event::Returned { host, job: flight.job });
    }

    /// The job goes on at the next host.
    fn redirected(&mut self, flight: Flight) {
        self.jobs[flight.job] = (State::Waiting, 0);
        self.fine(&flight);
        let host = self.id((flight.host + 1) % HOSTS);
        self.handle(Event::Continued { host, job: flight.job });
    }

    /// What a gate waits for comes, if one is asked for. A known address may also change.
    fn answer(&mut self, host: usize, how: usize) {
        let book = &mut self.hosts[host];
        let (Some(id), true) = (book.id, book.asked.is_some() || book.address.is_some()) else { return };
        match (std::mem::take(&mut book.asked), how) {
            (Some(Gate::Address), 2) => self.handle(Event::Unresolved { host: id, kind: FailureKind::ServerFailure }),
            (Some(Gate::Address), 3) => self.handle(Event::Unresolved { host: id, kind: FailureKind::NameNotFound }),
            (Some(gate @ Gate::Robots), _) => {
                book.open = book.open.with(gate);
                self.handle(Event::Opened { host: id, gate });
            }
            _ => {
                let address = if how == 0 { host.min(2) as u8 } else { 2 };
                book.address = Some(address);
                book.open = book.open.with(Gate::Address);
                self.handle(Event::Resolved { host: id, address: Some([10, 0, 0, address].into()) });
            }
        }
    }

    fn capacity(&mut self, host: usize, slots: usize) {
        let (book, slots) = (&mut self.hosts[host], slots as u32 + 1);
        if let Some(host) = book.id {
            book.capacity = Some(slots);
            let capacity = NonZeroU32::new(slots).map_or(Capacity::OneEach, Capacity::Streams);
            self.handle(Event::Capacity { host, capacity });
            self.handle(Event::Answers { host });
        }
    }

    /// Other limits for a host, whatever is in flight.
    fn change(&mut self, host: usize, how: usize) {
        let Some(id) = self.hosts[host].id else { return };
        let (concurrency, delay, rate) = match how {
            0 => (PER_HOST, self.rules.delay, None),
            1 => (1, Duration::ZERO, None),
            2 => (PER_HOST + 1, 2 * DELAY, None),
            _ => (PER_HOST + 2, Duration::ZERO, Rate::new(RATE)),
        };
        let limits = HostLimits { concurrency: NonZeroU32::new(concurrency).expect("not zero"), delay, rate };
        if self.limits(host).rate != rate {
            let starts = &mut self.hosts[host].starts;
            starts.drain(..starts.len().saturating_sub(1));
        }
        self.hosts[host].limits = Some(limits);
        self.handle(Event::Limits { host: id, limits });
    }

    /// What holds for a host.
    fn limits(&self, host: usize) -> HostLimits {
        let HostRules { concurrency, delay, rate, .. } = self.rules;
        self.hosts[host].limits.unwrap_or(HostLimits { concurrency, delay, rate })
    }

    fn not_before(&mut self, at: Time) {
        self.not_before = at;
        self.handle(Event::NotBefore(at));
    }

    fn set_limit(&mut self, limit: u32) {
        self.limit = limit % (GLOBAL + 1);
        self.handle(Event::Concurrency(self.limit));
    }

    fn disturb(&mut self, pick: usize) {
        match pick {
            15 => {
                self.stopped = true;
                self.handle(Event::Stopped);
            }
            _ if pick.is_multiple_of(2) => {
                self.paused = true;
                self.handle(Event::Paused);
            }
            _ => self.resume(),
        }
    }

    fn resume(&mut self) {
        self.paused = false;
        self.handle(Event::Resumed);
    }

    /// Until the next deadline, or for a while.
    fn wait(&mut self, pick: usize) {
        let deadline = self.scheduler.next_deadline().filter(|_| pick == 0);
        let later = self.now + Duration::from_millis(1 << pick);
        self.now = deadline.map_or(later, |(at, _)| at);
        self.handle(Event::Tick);
    }

    fn drain(&mut self) {
        while let Some(action) = self.scheduler.next_action(self.now) {
            self.step();
            match action {
                Action::Open { host, gate } => {
                    let host = self.host(host);
                    let earlier = self.hosts[host].asked.replace(gate);
                    assert_eq!(earlier, None, "host {host} is asked for twice");
                }
                Action::Start { host, job } => self.start(self.host(host), job),
                Action::GiveUp { job, .. } => self.leave(job, State::Ended),
                Action::Forget { host } => self.forget(self.host(host)),
            }
        }
        assert_eq!(self.scheduler.in_flight() as usize, self.flights.len());
        let waiting = self.jobs.iter().filter(|(state, _)| *state == State::Waiting).count();
        assert_eq!(self.scheduler.queued() + self.scheduler.waiting_retries(), waiting);
        self.check_reasons();
        let deadline = self.scheduler.next_deadline();
        assert!(deadline.is_none_or(|(at, _)| at > self.now), "{deadline:?} at {}", self.now);
    }

    /// Nothing that could start waits, and who waits does so for a reason that these books know.
    fn check_reasons(&self) {
        for (host, book) in self.hosts.iter().enumerate() {
            let Some(id) = book.id.filter(|id| self.scheduler.host_queued(*id) > 0) else { continue };
            let reason = self.scheduler.why_deferred(id, self.now);
            let reason = reason.unwrap_or_else(|| panic!("host {host} could start a job and does not"));
            assert!(self.is_true(host, reason), "host {host} is said to wait for {reason} at {}", self.now);
        }
    }

    fn is_true(&self, host: usize, reason: DeferReason) -> bool {
        let book = &self.hosts[host];
        match reason {
            DeferReason::Address => book.asked == Some(Gate::Address),
            DeferReason::Robots => book.asked == Some(Gate::Robots),
            DeferReason::Protocol => book.capacity.is_some_and(|slots| book.in_flight >= slots),
            DeferReason::Pace => self.breaks_pace(host),
            DeferReason::HostLimit => book.in_flight >= self.limits(host).concurrency.get(),
            DeferReason::Adaptive | DeferReason::Probe => book.in_flight > 0,
            DeferReason::GroupLimit => self.group_is_full(host) || self.is_kept(host, |at| at < 2),
            DeferReason::AddressLimit => {
                let address = self.hosts[host].address;
                self.address_is_full(host) || self.is_kept(host, |at| self.hosts[at].address == address)
            }
            DeferReason::GlobalLimit => self.flights.len() as u32 >= self.limit,
            DeferReason::GlobalPace => self.now < self.not_before,
            DeferReason::Paused => self.paused,
            // What failures lead to is not kept in these books; the crate's own simulator does that.
            DeferReason::BackOff | DeferReason::Throttle | DeferReason::Unanswered => true,
        }
    }

    /// Whether a start now would come too soon after those before.
    fn breaks_pace(&self, host: usize) -> bool {
        let (HostLimits { delay, rate, .. }, starts) = (self.limits(host), &self.hosts[host].starts);
        let too_soon = !delay.is_zero() && starts.last().is_some_and(|last| self.now < *last + delay);
        let interval = rate.map_or(Duration::ZERO, Rate::interval);
        let needed = |k: u32| interval.saturating_mul(k).saturating_sub(SLACK);
        too_soon || starts.iter().rev().zip(1..).any(|(start, k)| self.now.since(*start) < needed(k))
    }

    fn group_is_full(&self, host: usize) -> bool {
        host < 2 && self.flying(|at| at < 2) >= PER_GROUP
    }

    /// A permit that the host shares is kept for another, which has not answered yet.
    fn is_kept(&self, host: usize, shares: impl Fn(usize) -> bool) -> bool {
        let waits = |id| self.scheduler.why_deferred(id, self.now) == Some(DeferReason::Unanswered);
        (0..HOSTS).any(|at| at != host && shares(at) && self.hosts[at].id.is_some_and(waits))
    }

    fn address_is_full(&self, host: usize) -> bool {
        let (Some(limit), address @ Some(_)) = (self.per_address, self.hosts[host].address) else { return false };
        self.flying(|at| self.hosts[at].address == address) >= limit.get()
    }

    fn step(&mut self) {
        self.steps += 1;
        assert!(self.steps < TOO_MANY, "no end in sight");
    }

    /// A waiting job is handed out: never twice.
    fn leave(&mut self, job: usize, to: State) {
        assert_eq!(self.jobs[job].0, State::Waiting, "job {job}");
        self.jobs[job].0 = to;
    }

    fn start(&mut self, host: usize, job: usize) {
        assert!(!self.paused && !self.stopped, "started while paused or stopped");
        assert!((self.flights.len() as u32) < self.limit, "over the global limit {}", self.limit);
        let book = &self.hosts[host];
        assert!(book.in_flight < self.limits(host).concurrency.get(), "over the host's limit");
        assert!(book.capacity.is_none_or(|slots| book.in_flight < slots), "over the connections' capacity");
        assert!(!self.group_is_full(host), "over the group's limit");
        let is_shut = |gate: &Gate| self.rules.gates.has(*gate) && !book.open.has(*gate);
        assert_eq!(Gate::ALL.iter().find(|gate| is_shut(gate)), None, "started before this gate was open");
        assert!(!self.address_is_full(host), "over the address's limit");
        assert!(!self.breaks_pace(host), "sooner than the host's pace allows");
        assert!(self.now >= self.not_before, "sooner than the run's pace allows");
        self.leave(job, State::Flying);
        self.hosts[host].in_flight += 1;
        self.hosts[host].starts.push(self.now);
        self.flights.push(Flight { host, job, started: self.now });
    }

    fn flying(&self, counts: impl Fn(usize) -> bool) -> u32 {
        (0..HOSTS).filter(|host| counts(*host)).map(|host| self.hosts[host].in_flight).sum()
    }

    fn forget(&mut self, host: usize) {
        let book = &mut self.hosts[host];
        assert!(book.in_flight == 0 && book.asked.is_none(), "host {host} is forgotten and not idle");
        (book.id, book.open) = (None, Gates::NONE);
    }

    /// The world answers everything until nothing is left.
    fn finish(&mut self) {
        self.resume();
        self.set_limit(GLOBAL);
        self.drain();
        loop {
            self.step();
            let asked = self.hosts.iter().position(|book| book.asked.is_some());
            if let Some(host) = asked {
                self.answer(host, 0);
            } else if !self.flights.is_empty() {
                self.end(0, Self::done);
            } else if let Some((deadline, _)) = self.scheduler.next_deadline() {
                self.now = deadline;
            } else {
                break;
            }
            self.drain();
        }
        assert!(self.jobs.iter().all(|(state, _)| *state == State::Ended), "jobs wait, and nothing will ever happen");
        assert_eq!(self.scheduler.hosts(), 0, "hosts without a deadline to be forgotten");
    }
}
