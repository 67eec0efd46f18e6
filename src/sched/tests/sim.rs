//! Moves the virtual clock: from one happening or deadline to the next, with events in and actions out.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::model::{FailureKind, GiveUpReason, Time};
use crate::sched::{Action, Event, HostId, HostRules, Report, RetryFacts, Scheduler, Verdict};

use super::ledger::{Ledger, State};
use super::ops::{Disturbance, Plan};
use super::world::{Answer, Protocol};

/// Steps after which a plan is taken to be stuck: the longest of the seeds takes about a twentieth.
const TOO_MANY: usize = 100_000;
/// Redirects a job follows before its host answers.
const MOST_HOPS: u8 = 4;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) job: u32,
    attempt: u32,
    hops: u8,
}

#[derive(Debug)]
enum Happening {
    Disturbance(Disturbance),
    Ended { host: usize, ticket: Ticket, started: Time, answer: Answer },
    LookedUp { host: usize, result: Result<IpAddr, FailureKind> },
}

pub(super) struct Sim {
    pub(super) ledger: Ledger,
    scheduler: Scheduler<Ticket>,
    rng: fastrand::Rng,
    now: Time,
    to_come: BTreeMap<(Time, usize), Happening>,
    happenings: usize,
    pub(super) steps: usize,
    trace: u64,
}

/// What a run of a plan leaves.
pub(super) struct Run {
    pub(super) ledger: Ledger,
    pub(super) steps: usize,
    pub(super) ended: Time,
    /// A hash over all actions and their times.
    pub(super) trace: u64,
}

impl Sim {
    pub(super) fn new(plan: Plan, seed: u64) -> Self {
        let mut scheduler = Scheduler::new(plan.settings.clone(), seed);
        for limit in &plan.groups {
            scheduler.add_group((*limit).try_into().expect("at least 1"));
        }
        let mut sim = Self {
            ledger: Ledger::new(plan),
            scheduler,
            rng: fastrand::Rng::with_seed(!seed),
            now: Time::ZERO,
            to_come: BTreeMap::new(),
            happenings: 0,
            steps: 0,
            trace: 0,
        };
        for (at, what) in sim.ledger.plan.disturbances.clone() {
            sim.later(at, Happening::Disturbance(what));
        }
        sim
    }

    /// To the end: no job and no deadline left.
    pub(super) fn run(mut self) -> Run {
        while self.step() {
            assert!(self.steps < TOO_MANY, "no end in sight");
        }
        assert!(self.ledger.all_ended(), "nothing will ever happen, and jobs wait: a lost wake-up");
        assert_eq!(self.scheduler.hosts(), 0, "hosts without a deadline to be forgotten");
        Run { ledger: self.ledger, steps: self.steps, ended: self.now, trace: self.trace }
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
        self.steps += 1;
        if next == Some(self.now) {
            self.happen();
        } else {
            self.scheduler.handle(Event::Tick, self.now);
        }
        self.drain();
        self.ledger.check(&mut self.scheduler, self.now);
        true
    }

    /// One happening, or all of this instant.
    fn happen(&mut self) {
        while let Some(entry) = self.to_come.first_entry().filter(|entry| entry.key().0 == self.now) {
            match entry.remove() {
                Happening::Disturbance(what) => self.disturb(what),
                Happening::Ended { host, ticket, started, answer } => self.ended(host, ticket, started, answer),
                Happening::LookedUp { host, result } => self.looked_up(host, result),
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
            Disturbance::Arrive(host) => {
                let ticket = Ticket { job: self.ledger.accept(host), attempt: 1, hops: 0 };
                let id = self.id(host);
                self.tell(Event::Arrived { host: id, job: ticket });
            }
            Disturbance::Capacity(host, slots) => self.set_capacity(host, slots),
            Disturbance::Address(host, address) => self.set_address(host, address),
            Disturbance::Limits(host, limits) => {
                self.ledger.limited(host, limits);
                if let Some(host) = self.ledger.hosts[host].id {
                    self.tell(Event::Limits { host, limits });
                }
            }
            Disturbance::Concurrency(limit) => {
                self.ledger.limit = limit;
                self.tell(Event::Concurrency(limit));
            }
            Disturbance::NotBefore(at) => {
                self.ledger.not_before = at;
                self.tell(Event::NotBefore(at));
            }
            Disturbance::Pause => {
                self.ledger.paused = true;
                self.tell(Event::Paused);
            }
            Disturbance::Resume => {
                self.ledger.paused = false;
                self.tell(Event::Resumed);
            }
            Disturbance::Stop => {
                self.ledger.stopped = true;
                self.tell(Event::Stopped);
            }
        }
    }

    /// The scheduler's number for a host, which is introduced if need be.
    fn id(&mut self, host: usize) -> HostId {
        let book = &mut self.ledger.hosts[host];
        if let Some(id) = book.id {
            return id;
        }
        let group = self.ledger.plan.group_of[host].map(|group| crate::sched::GroupId(group as u32));
        let rules = HostRules { group, ..self.ledger.plan.hosts[host].rules.clone() };
        let id = self.scheduler.add_host(&rules, self.now);
        book.id = Some(id);
        id
    }

    fn set_capacity(&mut self, host: usize, slots: u32) {
        if let Some(id) = self.ledger.hosts[host].id {
            self.ledger.hosts[host].capacity = slots;
            self.tell(Event::Capacity { host: id, slots });
        }
    }

    fn set_address(&mut self, host: usize, address: u8) {
        let book = &mut self.ledger.hosts[host];
        if let Some(id) = book.id.filter(|_| book.resolved) {
            self.ledger.moved(host, address);
            let address = Some([10, 0, 0, address].into());
            self.tell(Event::Resolved { host: id, address });
            (0..self.ledger.hosts.len()).for_each(|host| self.ledger.reset_turn(host));
        }
    }

    fn looked_up(&mut self, host: usize, result: Result<IpAddr, FailureKind>) {
        let address = self.ledger.plan.hosts[host].address;
        let book = &mut self.ledger.hosts[host];
        let id = book.id.expect("not forgotten while asked for");
        book.asked = false;
        match result {
            Ok(_) => {
                book.resolved = true;
                self.ledger.moved(host, address);
                self.tell(Event::Resolved { host: id, address: result.ok() });
            }
            Err(kind) => {
                book.history.unresolved(self.now, kind);
                self.tell(Event::Unresolved { host: id, kind });
            }
        }
    }

    fn ended(&mut self, host: usize, ticket: Ticket, started: Time, answer: Answer) {
        self.ledger.hosts[host].in_flight -= 1;
        match answer {
            Answer::Unsent => return self.returned(host, ticket),
            Answer::Stale => self.failed(host, ticket, started, Verdict::Failed(FailureKind::Closed), true),
            Answer::Verdict(Verdict::Fine) => self.fine(host, Some(ticket.job), started),
            Answer::Verdict(verdict) => self.failed(host, ticket, started, verdict, false),
            Answer::Redirect(to) => {
                self.fine(host, None, started);
                self.redirected(to, ticket);
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

    fn fine(&mut self, host: usize, job: Option<u32>, started: Time) {
        if let Some(job) = job {
            self.ledger.jobs[job as usize].state = State::Ended;
        }
        let history = &mut self.ledger.hosts[host].history;
        history.report(started, self.now, Verdict::Fine);
        history.earn();
        let id = self.id(host);
        self.tell(Event::Done { host: id, report: Report { started, verdict: Verdict::Fine } });
    }

    fn redirected(&mut self, to: usize, ticket: Ticket) {
        self.ledger.jobs[ticket.job as usize].state = State::Queued;
        self.ledger.hosts[to].queued += 1;
        let id = self.id(to);
        let job = Ticket { attempt: 1, hops: ticket.hops + 1, ..ticket };
        self.tell(Event::Continued { host: id, job });
    }

    fn failed(&mut self, host: usize, ticket: Ticket, started: Time, verdict: Verdict, free: bool) {
        // One job in five is a POST.
        let facts = RetryFacts { attempt: ticket.attempt, replayable: !ticket.job.is_multiple_of(5), free };
        let settings = &self.ledger.plan.settings.retries;
        let book = &mut self.ledger.hosts[host];
        if !facts.is_free() {
            book.history.report(started, self.now, verdict);
            if let Verdict::PushedBack(Some(pause)) = verdict {
                book.pushed_until = book.pushed_until.max(self.now + pause.min(settings.retry_after_max));
            }
        }
        let fate = book.history.fate(verdict, facts, settings, self.ledger.stopped, self.now);
        let state = match fate {
            Ok(()) => {
                book.retrying += 1;
                State::Retrying
            }
            Err(reason) => State::Condemned(reason),
        };
        self.ledger.jobs[ticket.job as usize].state = state;
        let id = self.id(host);
        let job = Ticket { attempt: ticket.attempt + 1, ..ticket };
        self.tell(Event::Failed { host: id, job, report: Report { started, verdict }, facts });
    }

    fn drain(&mut self) {
        while let Some(action) = self.scheduler.next_action(self.now) {
            self.steps += 1;
            self.record(&action);
            match action {
                Action::Resolve { host } => self.resolve(host),
                Action::Start { host, job } => self.start(host, job),
                Action::GiveUp { host, job, reason } => {
                    let host = self.host(host);
                    self.ledger.given_up(host, &job, reason, self.now);
                }
                Action::Forget { host } => {
                    let host = self.host(host);
                    self.ledger.forgotten(host, self.now);
                }
            }
        }
    }

    fn record(&mut self, action: &Action<Ticket>) {
        let mut hasher = FixedState::default().build_hasher();
        (self.trace, self.now).hash(&mut hasher);
        match action {
            Action::Resolve { host } => (0, host, 0, GiveUpReason::Final).hash(&mut hasher),
            Action::Start { host, job } => (1, host, job.job, GiveUpReason::Final).hash(&mut hasher),
            Action::GiveUp { host, job, reason } => (2, host, job.job, reason).hash(&mut hasher),
            Action::Forget { host } => (3, host, 0, GiveUpReason::Final).hash(&mut hasher),
        }
        self.trace = hasher.finish();
    }

    fn host(&self, id: HostId) -> usize {
        self.ledger.hosts.iter().position(|book| book.id == Some(id)).expect("a host that was introduced")
    }

    fn resolve(&mut self, id: HostId) {
        let host = self.host(id);
        let script = &self.ledger.plan.hosts[host];
        let took = Duration::from_millis(self.rng.u64(0..200));
        let address = IpAddr::from([10, 0, 0, script.address]);
        let book = &mut self.ledger.hosts[host];
        assert!(!book.asked && !book.resolved, "asked once until answered");
        book.asked = true;
        book.lookups += 1;
        let result = self.ledger.lookup_fails(host).map_or(Ok(address), Err);
        self.later(self.now + took, Happening::LookedUp { host, result });
    }

    fn start(&mut self, id: HostId, ticket: Ticket) {
        let host = self.host(id);
        self.ledger.started(host, &ticket, self.now);
        self.ledger.check_turns(&self.scheduler, host);
        let script = &self.ledger.plan.hosts[host];
        let answer = script.answer(self.ledger.hosts[host].in_flight, self.now, &mut self.rng);
        let answer = match answer {
            Answer::Redirect(_) if ticket.hops >= MOST_HOPS => Answer::Verdict(Verdict::Fine),
            other => other,
        };
        let took = if answer == Answer::Unsent { Duration::ZERO } else { script.latency.draw(&mut self.rng) };
        self.later(self.now + took, Happening::Ended { host, ticket, started: self.now, answer });
    }
}
