//! Moves the virtual clock: from one happening or deadline to the next, with events in and actions out.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::model::{FailureKind, GiveUpReason, Time};
use crate::sched::{
    Action, Capacity, Event, Fault, Gate, GroupId, HostId, HostRules, Report, RetryFacts, Scheduler, Verdict,
};

use super::ledger::{Ledger, State};
use super::ops::{Disturbance, END_OF_TIME, Plan};
use super::oracle::{How, replayable};
use super::world::{Answer, Protocol, dice};

/// Steps after which a plan is taken to be stuck: the longest of the seeds takes about a twentieth.
const TOO_MANY: usize = 100_000;

/// How far granted starts are apart.
const GRANT_EVERY: Duration = Duration::from_millis(7);
/// Redirects a job follows before its host answers.
pub(super) const MOST_HOPS: u8 = 4;
/// Free retries a job may have: the engine's number.
pub(super) const MOST_FREE: u8 = 3;
/// Whose dice settle look-ups: no job's.
const LOOK_UPS: u64 = 1 << 40;
/// And how long other gates take.
const OTHER_GATES: u64 = 1 << 41;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) job: u32,
    pub(super) attempt: u32,
    hops: u8,
    free: u8,
    failing_since: Option<Time>,
}

#[derive(Debug)]
enum Happening {
    Disturbance(Disturbance),
    /// One that lasts is over.
    Over(Disturbance),
    Ended {
        host: usize,
        ticket: Ticket,
        started: Time,
        answer: Answer,
    },
    LookedUp {
        host: usize,
        result: Result<(), FailureKind>,
    },
    Opened {
        host: usize,
        gate: Gate,
    },
}

pub(super) struct Sim<'a> {
    plan: &'a Plan,
    ledger: Ledger,
    scheduler: Scheduler<Ticket>,
    groups: Vec<Option<GroupId>>,
    /// Jobs that a full window keeps outside.
    outside: VecDeque<(usize, u64)>,
    now: Time,
    to_come: BTreeMap<(Time, usize), Happening>,
    happenings: usize,
    steps: usize,
    trace: u64,
    /// When a start is granted again, where they have to be.
    next_grant: Time,
}

/// What a run of a plan leaves.
pub(super) struct Run {
    pub(super) ledger: Ledger,
    pub(super) steps: usize,
    pub(super) ended: Time,
    /// A hash over all actions and their times.
    pub(super) trace: u64,
    /// Jobs whose end followed from the plan alone.
    pub(super) predicted: usize,
}

impl<'a> Sim<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let mut sim = Self {
            plan,
            ledger: Ledger::new(plan.clone()),
            scheduler: Scheduler::new(plan.settings.clone(), plan.seed),
            groups: vec![None; plan.groups.len()],
            outside: VecDeque::new(),
            now: Time::ZERO,
            to_come: BTreeMap::new(),
            happenings: 0,
            steps: 0,
            trace: 0,
            next_grant: Time::ZERO,
        };
        for (at, what) in &plan.disturbances {
            sim.later(*at, Happening::Disturbance(*what));
        }
        sim
    }

    /// To the end: no job and no deadline left, or, where clocks may run for longer than time itself, the end of time.
    pub(super) fn run(mut self) -> Run {
        while self.step() {
            assert!(self.steps < TOO_MANY, "no end in sight");
        }
        let ended = self.ledger.all_ended() && self.outside.is_empty();
        assert!(ended || self.plan.is_endless(), "nothing will ever happen, and jobs wait: a lost wake-up");
        let forgotten = self.scheduler.hosts() == 0;
        assert!(forgotten || self.plan.is_endless(), "hosts without a deadline to be forgotten");
        let predicted = self.ledger.check_ends(self.plan);
        Run { ledger: self.ledger, steps: self.steps, ended: self.now, trace: self.trace, predicted }
    }

    fn later(&mut self, at: Time, what: Happening) {
        self.happenings += 1;
        self.to_come.insert((at, self.happenings), what);
    }

    fn step(&mut self) -> bool {
        let deadline = self.scheduler.next_deadline();
        let next = self.to_come.first_key_value().map(|((at, _), _)| *at);
        self.now = match (next, deadline) {
            (Some(at), Some((deadline, _))) if at <= deadline => at,
            (_, Some((deadline, wake))) => {
                self.ledger.seen.wakes.insert(format!("{wake:?}"));
                deadline
            }
            (Some(at), None) => at,
            (None, None) => return false,
        };
        if self.now > END_OF_TIME {
            return false;
        }
        self.steps += 1;
        if next == Some(self.now) {
            self.happen();
        } else {
            self.scheduler.handle(Event::Tick, self.now);
        }
        self.drain();
        while self.let_one_in() {
            self.drain();
        }
        self.ledger.check(&mut self.scheduler, self.now);
        true
    }

    /// One happening, or all of this instant.
    fn happen(&mut self) {
        while let Some(entry) = self.to_come.first_entry().filter(|entry| entry.key().0 == self.now) {
            match entry.remove() {
                Happening::Disturbance(what) => self.disturb(what),
                Happening::Over(what) => self.over(what),
                Happening::Ended { host, ticket, started, answer } => self.ended(host, ticket, started, answer),
                Happening::LookedUp { host, result } => self.looked_up(host, result),
                Happening::Opened { host, gate } => self.opened(host, gate),
            }
            if !self.ledger.plan.batched {
                break;
            }
        }
    }

    fn tell(&mut self, event: Event<Ticket>) {
        self.scheduler.handle(event, self.now);
    }

    fn disturb(&mut self, what: Disturbance) {
        match what {
            Disturbance::Arrive(host, key) => {
                self.outside.push_back((host, key));
                self.let_one_in();
            }
            Disturbance::Capacity(host, slots) => self.set_capacity(host, slots),
            Disturbance::Address(host, address) => self.set_address(host, address),
            Disturbance::Limits(host, limits) => {
                self.ledger.limited(host, limits);
                if let Some(host) = self.ledger.hosts[host].id {
                    self.tell(Event::Limits { host, limits });
                }
            }
            Disturbance::Concurrency(limit) => self.set_limit(limit),
            Disturbance::Drought(span) => {
                self.set_limit(0);
                self.later(self.now + span, Happening::Over(what));
            }
            Disturbance::NotBefore(span) => self.not_before(self.now + span),
            Disturbance::Shut(span) => {
                self.ledger.grants = Some(0);
                self.tell(Event::Paced(true));
                self.later(self.now + span, Happening::Over(what));
            }
            Disturbance::Pause(span) => {
                self.ledger.paused = true;
                self.tell(Event::Paused);
                self.later(self.now + span, Happening::Over(what));
            }
            Disturbance::Stop => {
                self.ledger.stopped = true;
                self.tell(Event::Stopped);
            }
        }
    }

    fn over(&mut self, what: Disturbance) {
        match what {
            Disturbance::Drought(_) => self.set_limit(self.plan.settings.concurrency.get()),
            Disturbance::Shut(_) => {
                self.ledger.grants = None;
                self.tell(Event::Paced(false));
            }
            _ => {
                self.ledger.paused = false;
                self.tell(Event::Resumed);
            }
        }
    }

    fn set_limit(&mut self, limit: u32) {
        self.ledger.limit = limit;
        self.tell(Event::Concurrency(limit));
    }

    fn not_before(&mut self, at: Time) {
        self.ledger.not_before = at;
        self.tell(Event::NotBefore(at));
    }

    /// The first job outside comes in if the window has room; says whether it did.
    fn let_one_in(&mut self) -> bool {
        let full = self.plan.window.is_some_and(|window| self.ledger.open_jobs() >= window.get() as usize);
        let Some((host, key)) = (if full { None } else { self.outside.pop_front() }) else { return false };
        let ticket =
            Ticket { job: self.ledger.accept(host, key, self.now), attempt: 1, hops: 0, free: 0, failing_since: None };
        let id = self.id(host);
        self.tell(Event::Arrived { host: id, job: ticket });
        true
    }

    /// The scheduler's number for a host, which is introduced if need be.
    fn id(&mut self, host: usize) -> HostId {
        let book = &mut self.ledger.hosts[host];
        if let Some(id) = book.id {
            return id;
        }
        let script = &self.ledger.plan.hosts[host];
        let group = script.group.map(|group| {
            let limit = self.plan.groups[group];
            *self.groups[group].get_or_insert_with(|| self.scheduler.add_group(limit))
        });
        let id = self.scheduler.add_host(&HostRules { group, ..script.rules.clone() }, self.now);
        book.id = Some(id);
        if !book.shut.has(Gate::Address) {
            self.set_address(host, script.address);
        }
        id
    }

    /// The host is dropped, and its group with the last of its hosts.
    fn forget(&mut self, id: HostId) {
        let host = self.host(id);
        self.ledger.forgotten(host, self.now);
        let Some(group) = self.plan.hosts[host].group else { return };
        let empty = self.ledger.of_group(group).all(|book| book.id.is_none());
        let known = self.groups[group].expect("of a host that was introduced");
        assert_eq!(self.scheduler.remove_group(known), empty, "group {group} is dropped with its last host");
        self.groups[group] = Some(known).filter(|_| !empty);
    }

    fn set_capacity(&mut self, host: usize, slots: u32) {
        if let Some(id) = self.ledger.hosts[host].id {
            self.ledger.hosts[host].capacity = slots;
            let capacity = NonZeroU32::new(slots).map_or(Capacity::Unknown, Capacity::Streams);
            self.tell(Event::Capacity { host: id, capacity });
        }
    }

    fn set_address(&mut self, host: usize, address: Option<u8>) {
        let book = &mut self.ledger.hosts[host];
        if let Some(id) = book.id.filter(|_| !book.shut.has(Gate::Address)) {
            self.ledger.moved(host, address);
            let address = address.map(|last| [10, 0, 0, last].into());
            self.tell(Event::Resolved { host: id, address });
        }
    }

    fn looked_up(&mut self, host: usize, result: Result<(), FailureKind>) {
        let address = self.ledger.plan.hosts[host].address;
        let book = &mut self.ledger.hosts[host];
        let id = book.id.expect("not forgotten while asked for");
        book.answered(self.now);
        match result {
            Ok(()) => {
                book.shut = book.shut.without(Gate::Address);
                self.set_address(host, address);
            }
            Err(kind) => {
                book.history.unresolved(self.now, kind);
                self.tell(Event::Unresolved { host: id, kind });
            }
        }
    }

    fn ended(&mut self, host: usize, ticket: Ticket, started: Time, answer: Answer) {
        self.ledger.hosts[host].landed(self.now);
        match answer {
            Answer::Unsent => return self.returned(host, ticket),
            Answer::Stale => {
                let key = self.ledger.jobs[ticket.job as usize].key;
                let free = ticket.attempt == 1 && ticket.free < MOST_FREE && replayable(key);
                self.failed(host, ticket, started, Verdict::Failed(FailureKind::Closed), free);
            }
            Answer::Verdict(Verdict::Fine) => {
                self.ledger.ended(host, ticket.job, How::Fine);
                self.done(host, &ticket, started, Verdict::Fine);
            }
            Answer::Verdict(verdict) => self.failed(host, ticket, started, verdict, false),
            Answer::Shown(verdict) => {
                self.ledger.ended(host, ticket.job, How::Shown);
                self.done(host, &ticket, started, verdict);
            }
            Answer::Redirect(to) => {
                self.ledger.continued(host, to, ticket.job);
                self.done(host, &ticket, started, Verdict::Fine);
                let id = self.id(to);
                let job = Ticket { attempt: 1, hops: ticket.hops + 1, failing_since: None, ..ticket };
                self.tell(Event::Continued { host: id, job });
            }
        }
        if let Protocol::Http2(streams) = self.ledger.plan.hosts[host].protocol {
            self.set_capacity(host, streams);
        }
    }

    fn returned(&mut self, host: usize, job: Ticket) {
        self.ledger.jobs[job.job as usize].state = State::Queued;
        self.ledger.hosts[host].queued += 1;
        let id = self.id(host);
        self.tell(Event::Returned { host: id, job });
    }

    fn done(&mut self, host: usize, ticket: &Ticket, started: Time, verdict: Verdict) {
        let report = Report { started, verdict, attempt: ticket.attempt, failing_since: ticket.failing_since };
        self.note(host, report);
        if verdict == Verdict::Fine {
            self.ledger.hosts[host].history.earn(ticket.attempt);
        }
        let id = self.id(host);
        self.tell(Event::Done { host: id, report });
        self.ledger.hosts[host].look(self.now);
    }

    fn note(&mut self, host: usize, report: Report) {
        let id = self.id(host);
        let max = self.ledger.plan.hosts[host].rules.concurrency.get();
        let book = &mut self.ledger.hosts[host];
        let all_tried = self.scheduler.host(id).has_tried_all();
        book.history.report(report, self.now, (max, all_tried));
        if let Some(answers) = report.verdict.answers() {
            self.ledger.note_answer(host, answers);
        }
    }

    fn failed(&mut self, host: usize, ticket: Ticket, started: Time, verdict: Verdict, free: bool) {
        let key = self.ledger.jobs[ticket.job as usize].key;
        let facts =
            RetryFacts { attempt: ticket.attempt, replayable: replayable(key), fault: free.then_some(Fault::Stale) };
        let report = Report { started, verdict, attempt: ticket.attempt, failing_since: ticket.failing_since };
        if facts.is_free() {
            let max = self.ledger.plan.hosts[host].rules.concurrency.get();
            self.ledger.hosts[host].history.cut_off(started, self.now, max);
        } else {
            self.note(host, report);
        }
        let settings = &self.plan.settings.retries;
        let book = &mut self.ledger.hosts[host];
        let fate = book.history.fate(verdict, facts, settings, self.ledger.stopped, self.now);
        let state = match fate {
            Ok(charged) => {
                book.retrying += 1;
                book.may_be_paid += u32::from(charged);
                State::Retrying { charged }
            }
            Err(reason) => State::Condemned(reason),
        };
        self.ledger.jobs[ticket.job as usize].state = state;
        let id = self.id(host);
        let used = u32::from(!facts.is_free());
        let job = Ticket {
            attempt: ticket.attempt + used,
            free: ticket.free + u8::from(facts.is_free()),
            failing_since: ticket.failing_since.or_else(|| (!facts.is_free()).then_some(started)),
            ..ticket
        };
        let handed_over = |may_come_again| {
            assert_eq!(may_come_again, fate.is_ok(), "{job:?}: {verdict:?}");
            job
        };
        self.scheduler.failed(id, report, facts, handed_over, self.now);
    }

    fn drain(&mut self) {
        self.drain_granted();
        while self.grants_one() {
            self.drain_granted();
        }
        self.scheduler.check_waiting();
    }

    /// Grants a start, if one needs that and it is time; or says when it will be.
    fn grants_one(&mut self) -> bool {
        if self.ledger.grants != Some(0) || !self.scheduler.could_start() || self.now < self.ledger.not_before {
            return false;
        }
        if self.now < self.next_grant {
            self.not_before(self.next_grant);
            return false;
        }
        self.next_grant = self.now + GRANT_EVERY;
        self.ledger.grants = Some(1);
        self.tell(Event::Granted);
        true
    }

    fn drain_granted(&mut self) {
        while let Some(action) = self.scheduler.next_action(self.now) {
            self.steps += 1;
            self.record(&action);
            match action {
                Action::Open { host, gate } => self.open(host, gate),
                Action::Start { host, job } => self.start(host, job),
                Action::GiveUp { host, job, reason } => {
                    let host = self.host(host);
                    self.ledger.given_up(host, &job, reason, self.now);
                    self.ledger.hosts[host].look(self.now);
                }
                Action::Forget { host } => self.forget(host),
            }
        }
    }

    fn record(&mut self, action: &Action<Ticket>) {
        let mut hasher = FixedState::default().build_hasher();
        (self.trace, self.now).hash(&mut hasher);
        match action {
            Action::Open { host, gate } => (0, host, *gate as u32, GiveUpReason::Final).hash(&mut hasher),
            Action::Start { host, job } => (1, host, job.job, GiveUpReason::Final).hash(&mut hasher),
            Action::GiveUp { host, job, reason } => (2, host, job.job, reason).hash(&mut hasher),
            Action::Forget { host } => (3, host, 0, GiveUpReason::Final).hash(&mut hasher),
        }
        self.trace = hasher.finish();
    }

    fn host(&self, id: HostId) -> usize {
        self.ledger.hosts.iter().position(|book| book.id == Some(id)).expect("a host that was introduced")
    }

    fn open(&mut self, id: HostId, gate: Gate) {
        let host = self.host(id);
        let book = &mut self.ledger.hosts[host];
        assert_eq!((book.asked, book.shut.first()), (None, Some(gate)), "one by one, and once until answered");
        book.asked = Some(gate);
        let (mut dice, what) = match gate {
            Gate::Address => {
                book.lookups += 1;
                let nth = book.lookups.into();
                let result = self.ledger.lookup_fails(host).map_or(Ok(()), Err);
                (dice(self.plan.seed, LOOK_UPS + host as u64, nth), Happening::LookedUp { host, result })
            }
            Gate::Robots => {
                let nth = self.now.as_nanos();
                (dice(self.plan.seed, OTHER_GATES + host as u64, nth), Happening::Opened { host, gate })
            }
        };
        self.later(self.now + Duration::from_millis(dice.u64(0..200)), what);
    }

    fn opened(&mut self, host: usize, gate: Gate) {
        let book = &mut self.ledger.hosts[host];
        let id = book.id.expect("not forgotten while asked for");
        book.answered(self.now);
        book.shut = book.shut.without(gate);
        self.tell(Event::Opened { host: id, gate });
    }

    fn start(&mut self, id: HostId, ticket: Ticket) {
        let host = self.host(id);
        self.ledger.started(host, &ticket, self.now);
        self.ledger.check_turns(&self.scheduler, host);
        let (script, job) = (&self.plan.hosts[host], &self.ledger.jobs[ticket.job as usize]);
        let mut dice = dice(self.plan.seed, job.key, u64::from(job.starts) - 1);
        let answer = script.answer(self.ledger.hosts[host].in_flight, self.now, &mut dice);
        let answer = match answer {
            Answer::Redirect(_) if ticket.hops >= MOST_HOPS => Answer::Verdict(Verdict::Fine),
            other => other,
        };
        let took = if answer == Answer::Unsent { Duration::ZERO } else { script.latency.draw(&mut dice) };
        self.later(self.now + took, Happening::Ended { host, ticket, started: self.now, answer });
    }
}
