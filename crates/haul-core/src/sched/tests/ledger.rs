//! The simulator's own books, kept from events and actions alone, and the invariants checked against them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::Rate;
use crate::model::{DeferReason, GiveUpReason, Time};
use crate::policy::Budget;
use crate::sched::host::{ANSWERS_A_PLACE, Place};
use crate::sched::ready::LATEST_TURN;
use crate::sched::{Gate, Gates, HostId, HostLimits, HostRules, Scheduler};

use super::model::History;
use super::ops::Plan;
use super::oracle::{How, Oracle};
use super::sim::Ticket;
use super::world::{Name, Script};

/// The slack that rates may take.
const SLACK: Duration = Duration::from_millis(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    /// Waits for its time, or has come back: with `charged` it has to be paid for before that.
    Retrying {
        charged: bool,
    },
    Flying,
    /// Reported; must be handed back for this reason before anything else happens.
    Condemned(GiveUpReason),
    Ended,
}

#[derive(Debug)]
pub(super) struct JobBook {
    pub(super) state: State,
    /// On its first host, never sent so far: such jobs keep their order.
    fresh: bool,
    /// Where and when it came, and what settles what it meets.
    host: usize,
    at: Time,
    pub(super) key: u64,
    pub(super) starts: u32,
    end: Option<How>,
}

/// Jobs that came to a host and left it, over the whole run: what is not in balance is there.
#[derive(Debug, Default)]
struct Flow {
    accepted: usize,
    continued_in: usize,
    ended: usize,
    continued_out: usize,
}

impl Flow {
    /// Jobs that must be there now.
    const fn there(&self) -> usize {
        self.accepted + self.continued_in - self.ended - self.continued_out
    }
}

#[derive(Debug, Default)]
pub(super) struct HostBook {
    pub(super) id: Option<HostId>,
    pub(super) in_flight: u32,
    pub(super) queued: usize,
    pub(super) retrying: u32,
    /// Retries that have been paid for, perhaps, and not been started: those that wait, and those given up while they did.
    pub(super) may_be_paid: u32,
    /// The gate that is being opened.
    pub(super) asked: Option<Gate>,
    /// The gates that are not open.
    pub(super) shut: Gates,
    pub(super) capacity: u32,
    /// Answers since its last time-out.
    pub(super) answered: u32,
    /// Places held when it answered last.
    proven: u32,
    address: Option<u8>,
    pub(super) lookups: u32,
    pub(super) history: History,
    /// When the last of its work ended.
    busy_until: Time,
    /// Its limits were changed, or its address while it was idle: it may count as idle from later on than its work ended.
    stirred: bool,
    starts: Vec<Time>,
    last_fresh: Option<u32>,
    /// Dispatches of others since it became ready, and how many may come first.
    waited: u32,
    may_wait: Option<u32>,
}

impl HostBook {
    /// Places earned by answers.
    const fn earned(&self) -> u32 {
        if self.answered < 255 { self.answered / ANSWERS_A_PLACE } else { u32::MAX }
    }

    /// Requests in flight beyond them.
    fn unearned(&self) -> u32 {
        self.in_flight.saturating_sub(self.earned().max(1))
    }

    /// Whether one more request would be beyond what it has earned and beyond what it held when it answered last.
    const fn wants_more(&self) -> bool {
        self.in_flight > 0 && self.in_flight >= self.earned() && self.in_flight >= self.proven
    }

    /// It has answered, its request having ended, or has been silent for too long.
    fn note_answer(&mut self, answers: bool) {
        self.answered = if answers { self.answered + 1 } else { 0 };
        self.proven = if answers { (self.in_flight + 1).min(255) } else { 0 };
    }

    /// Takes note if nothing is left to do.
    pub(super) fn look(&mut self, now: Time) {
        if !self.has_work() {
            self.history.idle(now);
        }
    }

    const fn has_work(&self) -> bool {
        self.queued > 0 || self.in_flight > 0 || self.retrying > 0 || self.asked.is_some()
    }

    /// A request of this host has come to its end.
    pub(super) fn landed(&mut self, now: Time) {
        self.in_flight -= 1;
        self.busy_until = now;
    }

    /// What kept a gate shut was looked into.
    pub(super) fn answered(&mut self, now: Time) {
        self.asked = None;
        self.busy_until = now;
    }
}

/// What was seen over all seeds, so that nothing interesting stays unreached.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) deferrals: BTreeSet<&'static str>,
    pub(super) give_ups: BTreeSet<&'static str>,
    pub(super) wakes: BTreeSet<String>,
    /// What hosts were forgotten for.
    pub(super) forgotten: BTreeSet<&'static str>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) plan: Plan,
    pub(super) hosts: Vec<HostBook>,
    pub(super) jobs: Vec<JobBook>,
    flows: Vec<Flow>,
    ended: usize,
    pub(super) limit: u32,
    interval: Option<Duration>,
    pub(super) not_before: Time,
    /// Starts that have been granted, while they have to be.
    pub(super) grants: Option<u32>,
    pub(super) paused: bool,
    pub(super) stopped: bool,
    pub(super) seen: Seen,
    starts: Vec<Time>,
    /// The limit in force on each address that has one: the lowest brought since it was last without hosts.
    addresses: BTreeMap<u8, u32>,
    /// Places that answers have lent.
    lent: u32,
    most_retries: usize,
}

impl Ledger {
    pub(super) fn new(plan: Plan) -> Self {
        let host = |script: &Script| HostBook {
            shut: script.rules.gates,
            capacity: script.rules.capacity.most(),
            ..HostBook::default()
        };
        Self {
            hosts: plan.hosts.iter().map(host).collect(),
            jobs: Vec::new(),
            flows: plan.hosts.iter().map(|_| Flow::default()).collect(),
            ended: 0,
            limit: plan.settings.concurrency.get(),
            interval: plan.settings.interval,
            not_before: Time::ZERO,
            grants: None,
            paused: false,
            stopped: false,
            seen: Seen::default(),
            starts: Vec::new(),
            addresses: BTreeMap::new(),
            lent: 0,
            most_retries: 0,
            plan,
        }
    }

    pub(super) fn all_ended(&self) -> bool {
        self.ended == self.jobs.len()
    }

    /// Jobs accepted and not ended.
    pub(super) fn open_jobs(&self) -> usize {
        self.jobs.len() - self.ended
    }

    pub(super) fn accept(&mut self, host: usize, key: u64, at: Time) -> u32 {
        self.jobs.push(JobBook { state: State::Queued, fresh: true, host, at, key, starts: 0, end: None });
        self.hosts[host].queued += 1;
        self.flows[host].accepted += 1;
        self.jobs.len() as u32 - 1
    }

    /// A job that was at `host` is over.
    pub(super) fn ended(&mut self, host: usize, job: u32, how: How) {
        let job = &mut self.jobs[job as usize];
        assert_eq!(job.end.replace(how), None, "ended twice");
        job.state = State::Ended;
        self.ended += 1;
        self.flows[host].ended += 1;
    }

    /// A job in flight goes on at another host.
    pub(super) fn continued(&mut self, from: usize, to: usize, job: u32) {
        self.jobs[job as usize].state = State::Queued;
        self.hosts[to].queued += 1;
        self.flows[from].continued_out += 1;
        self.flows[to].continued_in += 1;
    }

    /// Each job ended as the plan alone says, where it says so; how many ends were the only ones possible.
    pub(super) fn check_ends(&self, plan: &Plan) -> usize {
        let (oracle, mut predicted) = (Oracle::new(plan), 0);
        for (job, number) in self.jobs.iter().zip(0..) {
            let Some(how) = job.end else { continue };
            let end = super::oracle::End { how, starts: job.starts };
            let Some(ends) = oracle.ends(job.host, job.key, job.at) else { continue };
            assert!(ends.contains(&end), "job {number} ended unlike all that the plan allows: {end:?}, not {ends:?}");
            predicted += usize::from(ends.iter().all(|other| *other == end));
        }
        predicted
    }

    /// A start: every limit must have had room for it, and every clock must have allowed it.
    pub(super) fn started(&mut self, host: usize, ticket: &Ticket, now: Time) {
        if self.jobs[ticket.job as usize].state == (State::Retrying { charged: true }) {
            let book = &mut self.hosts[host];
            book.may_be_paid -= 1;
            book.history.pay(&self.plan.settings.retries);
        }
        self.leave_queue(host, ticket.job);
        let job = &mut self.jobs[ticket.job as usize];
        job.state = State::Flying;
        job.starts += 1;
        // Those of a host that is or was in trouble come from all over its queue.
        let scattered = self.hosts[host].history.standing(&self.plan.settings.retries).scattered;
        if std::mem::take(&mut job.fresh) && !scattered {
            let last = self.hosts[host].last_fresh.replace(ticket.job);
            assert!(last < Some(ticket.job), "host {host} starts {ticket:?} after {last:?}");
        }
        assert!(!self.paused && !self.stopped, "a start while paused or stopped");
        assert!(self.in_flight() < self.limit, "global limit");
        self.check_places(host);
        assert_eq!(self.own_limit(host), None, "host {host}'s own limit");
        assert!(!self.group_full(host) && !self.address_full(host), "shared limit of host {host}");
        assert!(self.hosts[host].shut.is_empty(), "host {host} waits at {:?}", self.hosts[host].shut);
        assert!(!self.host_pace(host, now), "host {host} paces");
        assert!(!breaks_rate(&self.starts, self.interval, now), "the run paces");
        assert!(now >= self.not_before, "a start before it was allowed");
        assert_ne!(self.grants, Some(0), "a start that was not granted");
        self.grants = self.grants.map(|grants| grants - 1);
        let standing = self.hosts[host].history.standing(&self.plan.settings.retries);
        assert!(now >= standing.asked_until, "host {host} asked for a pause");
        let book = &mut self.hosts[host];
        assert!(standing.death.is_none_or(|death| now >= death.until), "host {host} is dead");
        assert!(standing.death.is_none() || book.in_flight == 0, "host {host}: two probes");
        book.in_flight += 1;
        book.starts.push(now);
        self.starts.push(now);
    }

    /// `host` has answered, or has been silent for too long.
    pub(super) fn note_answer(&mut self, host: usize, answers: bool) {
        self.note_lent(answers);
        self.hosts[host].note_answer(answers);
    }

    pub(super) fn note_lent(&mut self, answers: bool) {
        let places = self.plan.settings.places.get();
        let most = ((places - 1) / 2).saturating_sub((places / 4).max(8));
        self.lent = if answers { (self.lent + 1).min(most) } else { self.lent / 2 };
    }

    /// Hosts that have not answered, or a little, leave the others their part.
    fn check_places(&self, host: usize) {
        let (book, places) = (&self.hosts[host], self.plan.settings.places.get());
        if self.hosts.iter().filter(|book| book.has_work()).count() == 1 {
            return;
        }
        let unearned: u32 = self.hosts.iter().map(HostBook::unearned).sum();
        let lent = if book.answered > 0 { self.lent } else { 0 };
        let most = ((places / 4).max(8) + lent).min((places - 1) / 2);
        assert!(!book.wants_more() || unearned < most, "host {host} has not earned one more");
        let of_silent: u32 = self.hosts.iter().filter(|book| book.answered == 0).map(|book| book.in_flight).sum();
        let works = |book: &HostBook| book.queued + book.retrying as usize > 0 || book.in_flight > 0;
        let others = self.hosts.iter().any(|book| book.answered > 0 && works(book));
        let most = (places - (places / 8).max(1)).max(1);
        assert!(
            book.answered > 0 || !others || of_silent < most,
            "hosts that have not answered take the part of others"
        );
    }

    /// A job handed back.
    pub(super) fn given_up(&mut self, host: usize, ticket: &Ticket, reason: GiveUpReason, now: Time) {
        self.seen.give_ups.insert(reason.name());
        match self.jobs[ticket.job as usize].state {
            State::Condemned(expected) => assert_eq!(reason, expected, "{ticket:?}"),
            State::Retrying { charged: true } if reason == GiveUpReason::BudgetEmpty => {
                let book = &mut self.hosts[host];
                book.may_be_paid -= 1;
                let left = book.history.account(&self.plan.settings.retries) - f64::from(book.may_be_paid);
                let kept = Budget::kept(ticket.attempt - 1, &self.plan.settings.retries);
                assert!(left < f64::from(kept) + 1.0 - 1e-9, "{ticket:?} could have been paid for");
                self.leave_queue(host, ticket.job);
            }
            State::Queued | State::Retrying { .. } => {
                let cause = self.hosts[host].history.dead(&self.plan.settings.retries, now);
                let expected =
                    if self.stopped { Some(GiveUpReason::Stopped) } else { cause.map(GiveUpReason::HostDead) };
                assert_eq!(Some(reason), expected, "{ticket:?}");
                self.leave_queue(host, ticket.job);
            }
            other => panic!("{ticket:?} was {other:?}"),
        }
        self.hosts[host].busy_until = now;
        self.ended(host, ticket.job, How::GivenUp(reason));
    }

    fn leave_queue(&mut self, host: usize, job: u32) {
        match self.jobs[job as usize].state {
            State::Queued => self.hosts[host].queued -= 1,
            State::Retrying { .. } => self.hosts[host].retrying -= 1,
            other => panic!("job {job} was {other:?}"),
        }
    }

    /// Other limits hold for the host from now on; a rate counts from the last start.
    pub(super) fn limited(&mut self, host: usize, limits: HostLimits) {
        let HostLimits { concurrency, delay, rate } = limits;
        self.hosts[host].stirred = true;
        let rules = &mut self.plan.hosts[host].rules;
        if rules.rate != rate {
            let starts = &mut self.hosts[host].starts;
            starts.drain(..starts.len().saturating_sub(1));
        }
        *rules = HostRules { concurrency, delay, rate, ..rules.clone() };
        (0..self.hosts.len()).for_each(|host| self.reset_turn(host));
    }

    /// The host's requests go to this address from now on.
    pub(super) fn moved(&mut self, host: usize, to: Option<u8>) {
        self.hosts[host].stirred |= !self.hosts[host].has_work();
        if let (Some(limit), Some(to)) = (self.plan.hosts[host].rules.per_address, to) {
            let limit = limit.get();
            self.addresses.entry(to).and_modify(|lowest| *lowest = limit.min(*lowest)).or_insert(limit);
        }
        let from = std::mem::replace(&mut self.hosts[host].address, to);
        self.drop_unused(from);
        (0..self.hosts.len()).for_each(|host| self.reset_turn(host));
    }

    fn drop_unused(&mut self, address: Option<u8>) {
        let Some(address) = address else { return };
        if self.limited_on(address).next().is_none() {
            self.addresses.remove(&address);
        }
    }

    /// The hosts whose requests count on this address.
    fn limited_on(&self, address: u8) -> impl Iterator<Item = &HostBook> {
        let books = self.hosts.iter().zip(&self.plan.hosts);
        let limited =
            books.filter(move |(book, script)| book.address == Some(address) && script.rules.per_address.is_some());
        limited.map(|(book, _)| book)
    }

    /// A host dropped: it had nothing to do, no clock runs, and either it was idle for long enough or too many are.
    pub(super) fn forgotten(&mut self, host: usize, now: Time) {
        let (paced, retries) = (self.host_pace(host, now), &self.plan.settings.retries);
        let book = &self.hosts[host];
        assert!(!book.has_work(), "{book:?}");
        let standing = book.history.standing(retries);
        assert!(!paced && now >= standing.asked_until, "host {host} forgotten while a clock runs");
        let crowded = self.idle().count() > retries.max_idle_hosts;
        assert!(crowded || standing.death.is_none_or(|death| now >= death.until), "host {host} forgotten while dead");
        if now >= book.busy_until + retries.host_memory {
            self.seen.forgotten.insert("idle for long");
        } else {
            let idle = self.idle().count();
            assert!(idle > retries.max_idle_hosts, "host {host} forgotten too soon, with {idle} idle");
            let older =
                self.idle().find(|other| self.is_plain(*other) && self.hosts[*other].busy_until < book.busy_until);
            assert_eq!(older, None, "host {host} forgotten out of turn");
            self.seen.forgotten.insert("a crowd");
        }
        self.drop_host(host);
    }

    fn drop_host(&mut self, host: usize) {
        let script = &self.plan.hosts[host];
        let book = &mut self.hosts[host];
        let address = book.address;
        *book = HostBook {
            shut: script.rules.gates,
            capacity: script.rules.capacity.most(),
            lookups: book.lookups,
            ..HostBook::default()
        };
        self.drop_unused(address);
    }

    /// Hosts that are known and have nothing to do.
    fn idle(&self) -> impl Iterator<Item = usize> {
        let books = self.hosts.iter().enumerate();
        books.filter(|(_, book)| book.id.is_some() && !book.has_work()).map(|(host, _)| host)
    }

    /// No clock of this host runs or has ever run.
    fn is_plain(&self, host: usize) -> bool {
        let (book, rules) = (&self.hosts[host], &self.plan.hosts[host].rules);
        book.history.is_clean() && !book.stirred && rules.delay.is_zero() && rules.rate.is_none()
    }

    /// Idle hosts are remembered for as long as was asked and no longer, and no more of them than were asked for. What
    /// the clocks of others say is left to chance, so only hosts without clocks can be judged.
    fn check_memory(&self, now: Time) {
        let retries = &self.plan.settings.retries;
        let kept = |host: &usize| now >= self.hosts[*host].busy_until + retries.host_memory;
        let late = self.idle().filter(|host| self.is_plain(*host)).find(kept);
        assert_eq!(late, None, "a host is remembered for too long");
        let (idle, plain) = (self.idle().count(), self.idle().all(|host| self.is_plain(host)));
        assert!(!plain || idle <= retries.max_idle_hosts, "{idle} idle hosts are remembered");
    }

    /// Everything that must hold when all actions have been taken.
    pub(super) fn check(&mut self, scheduler: &mut Scheduler<Ticket>, now: Time) {
        self.check_counts(scheduler);
        self.check_work_is_conserved(scheduler, now);
        self.check_outlook(scheduler, now);
        self.check_memory(now);
        for (host, book) in self.hosts.iter().enumerate() {
            let over = self.stopped || book.history.dead(&self.plan.settings.retries, now).is_some();
            assert!(!over || book.queued + book.retrying as usize == 0, "host {host} is dead and keeps jobs");
        }
        let condemned = self.jobs.iter().position(|job| matches!(job.state, State::Condemned(_)));
        assert_eq!(condemned, None, "a job was neither kept nor handed back");
        if let Some((at, wake)) = scheduler.next_deadline() {
            assert!(at > now, "{wake:?} at {at} is not in the future of {now}: the caller would spin");
        }
    }

    fn check_counts(&mut self, scheduler: &Scheduler<Ticket>) {
        let retrying: u32 = self.hosts.iter().map(|host| host.retrying).sum();
        let queued: usize = self.hosts.iter().map(|host| host.queued).sum();
        // A retry whose time has come is in a queue; the books don't know which.
        assert_eq!(scheduler.queued() + scheduler.waiting_retries(), queued + retrying as usize);
        assert!(scheduler.waiting_retries() <= retrying as usize);
        assert_eq!(scheduler.in_flight(), self.in_flight());
        assert!(scheduler.given_up.is_empty());
        self.most_retries = self.most_retries.max(scheduler.waiting_retries());
        assert!(scheduler.retries.entries() <= 2 * self.most_retries + 64 + 1, "dead retries pile up");
        assert!(scheduler.timers.entries() <= 2 * scheduler.hosts.len() + 64 + 1, "dead timers pile up");
        for (host, book) in self.hosts.iter().enumerate() {
            let there = book.queued + (book.retrying + book.in_flight) as usize;
            let flow = &self.flows[host];
            assert_eq!(flow.there(), there, "host {host}: what came and has not left is not there: {flow:?}");
            let Some(id) = book.id else {
                assert_eq!(there, 0, "host {host} is not known and has jobs");
                continue;
            };
            assert_eq!(scheduler.host_in_flight(id), book.in_flight);
            let waiting = scheduler.host_queued(id) + scheduler.host_retries(id) as usize;
            assert_eq!(waiting, book.queued + book.retrying as usize);
        }
    }

    /// Every job left is counted once, and something is said to end last while anything is left.
    fn check_outlook(&self, scheduler: &Scheduler<Ticket>, now: Time) {
        let remaining_work = scheduler.remaining_work(now);
        assert_eq!((remaining_work.held.iter().sum::<u64>(), remaining_work.ready), (scheduler.queued() as u64, 0));
        assert_eq!(remaining_work.retrying, scheduler.waiting_retries() as u64);
        let left = |book: &&HostBook| book.queued > 0 || book.retrying > 0 || book.in_flight > 0;
        assert_eq!(remaining_work.hosts_left, self.hosts.iter().filter(left).count() as u64);
        assert!(
            remaining_work.alike <= remaining_work.hosts_left
                && (remaining_work.alike > 0) == (remaining_work.hosts_left > 0),
            "{remaining_work:?}"
        );
        let hosts: Vec<_> = self.hosts.iter().filter(left).map(|book| book.id).collect();
        assert_eq!(remaining_work.longest.is_some(), !hosts.is_empty());
        assert!(remaining_work.longest.is_none_or(|longest| hosts.contains(&Some(longest.host))), "{remaining_work:?}");
    }

    /// No host that could start something is left waiting, and the reason given is true by our own books.
    fn check_work_is_conserved(&mut self, scheduler: &Scheduler<Ticket>, now: Time) {
        for host in 0..self.hosts.len() {
            let Some(id) = self.hosts[host].id.filter(|id| scheduler.host_queued(*id) > 0) else { continue };
            let Some(reason) = scheduler.why_deferred(id, now) else {
                panic!("host {host} could start a job and does not: {:?}", scheduler.hosts[id.0 as usize]);
            };
            self.seen.deferrals.insert(reason.name());
            assert!(self.is_true(host, reason, now), "host {host} is said to wait for {reason} at {now}");
        }
    }

    fn is_true(&self, host: usize, reason: DeferReason, now: Time) -> bool {
        let book = &self.hosts[host];
        match reason {
            DeferReason::Address => book.asked == Some(Gate::Address),
            DeferReason::Robots => book.asked == Some(Gate::Robots),
            DeferReason::Protocol => book.in_flight >= book.capacity,
            DeferReason::Pace => self.host_pace(host, now),
            DeferReason::BackOff | DeferReason::Throttle => !book.history.is_clean(),
            DeferReason::Probe => {
                book.in_flight > 0 && book.history.standing(&self.plan.settings.retries).death.is_some()
            }
            DeferReason::HostLimit => book.in_flight >= self.plan.hosts[host].rules.concurrency.get(),
            DeferReason::Adaptive => (self.plan.settings.adaptive || !book.history.is_clean()) && book.in_flight > 0,
            DeferReason::Unanswered => book.answered == 0 || book.wants_more(),
            DeferReason::GroupLimit => self.group_full(host) || self.is_kept(host, |_, script| script.group),
            DeferReason::AddressLimit => {
                self.address_full(host) || self.is_kept(host, |book, _| book.address.map(usize::from))
            }
            DeferReason::GlobalLimit => self.in_flight() >= self.limit,
            DeferReason::GlobalPace => {
                now < self.not_before || self.grants == Some(0) || breaks_rate(&self.starts, self.interval, now)
            }
            DeferReason::Paused => self.paused,
        }
    }

    /// No host stays ready for longer than its turn.
    pub(super) fn check_turns(&mut self, scheduler: &Scheduler<Ticket>, served: usize) {
        for (host, book) in self.hosts.iter_mut().enumerate() {
            let place = book.id.map(|id| scheduler.hosts[id.0 as usize].place);
            if host == served || !matches!(place, Some(Place::Ready(_))) {
                book.may_wait = None;
                continue;
            }
            let Some(bound) = book.may_wait else {
                book.may_wait = Some(LATEST_TURN * (scheduler.ready() + 1));
                book.waited = 0;
                continue;
            };
            book.waited += 1;
            assert!(book.waited <= bound, "host {host} was ready during {} dispatches", book.waited);
        }
    }

    /// Its turn starts over: it was taken out and put back for another reason.
    pub(super) fn reset_turn(&mut self, host: usize) {
        self.hosts[host].may_wait = None;
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.hosts.iter().map(|host| host.in_flight).sum()
    }

    fn own_limit(&self, host: usize) -> Option<&'static str> {
        let book = &self.hosts[host];
        if book.in_flight >= self.plan.hosts[host].rules.concurrency.get() {
            Some("concurrency")
        } else if book.in_flight >= book.capacity {
            Some("capacity")
        } else {
            None
        }
    }

    fn group_full(&self, host: usize) -> bool {
        let Some(group) = self.plan.hosts[host].group else { return false };
        let flying: u32 = self.of_group(group).map(|book| book.in_flight).sum();
        flying >= self.plan.groups[group].get()
    }

    pub(super) fn of_group(&self, group: usize) -> impl Iterator<Item = &HostBook> {
        let books = self.hosts.iter().zip(&self.plan.hosts);
        books.filter(move |(_, script)| script.group == Some(group)).map(|(book, _)| book)
    }

    /// A host under the same limit has not answered and is ready: it keeps a permit until silent requests leave it a place.
    fn is_kept(&self, host: usize, limit: impl Fn(&HostBook, &Script) -> Option<usize>) -> bool {
        let own = limit(&self.hosts[host], &self.plan.hosts[host]);
        let books = self.hosts.iter().zip(&self.plan.hosts);
        let mut same = books.filter(|(book, script)| limit(book, script) == own);
        same.any(|(book, _)| (book.answered == 0 || book.wants_more()) && book.queued + book.retrying as usize > 0)
    }

    fn address_full(&self, host: usize) -> bool {
        let Some(address) = self.hosts[host].address.filter(|_| self.plan.hosts[host].rules.per_address.is_some())
        else {
            return false;
        };
        let flying: u32 = self.limited_on(address).map(|book| book.in_flight).sum();
        self.addresses.get(&address).is_some_and(|limit| flying >= *limit)
    }

    fn host_pace(&self, host: usize, now: Time) -> bool {
        let rules = &self.plan.hosts[host].rules;
        let starts = &self.hosts[host].starts;
        let too_soon = !rules.delay.is_zero() && starts.last().is_some_and(|last| now < *last + rules.delay);
        too_soon || breaks_rate(starts, rules.rate.map(Rate::interval), now)
    }

    /// Whether look-up number `n` of this host fails, and how.
    pub(super) fn lookup_fails(&self, host: usize) -> Option<crate::model::FailureKind> {
        match self.plan.hosts[host].name {
            Name::Known => None,
            Name::FailsFirst(count, kind) => (self.hosts[host].lookups <= count).then_some(kind),
            Name::FailsAlways(kind) => Some(kind),
        }
    }
}

/// Whether one more start now would be too many for some span that ends now: `k` starts since the `k`th last need at
/// least `k` intervals, less the slack.
fn breaks_rate(starts: &[Time], interval: Option<Duration>, now: Time) -> bool {
    let Some(interval) = interval else { return false };
    let needed = |k: u32| interval.saturating_mul(k).saturating_sub(SLACK);
    starts.iter().rev().zip(1..).any(|(start, k)| now.since(*start) < needed(k))
}
