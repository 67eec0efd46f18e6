//! The scheduler by hand: one event at a time, every deadline stepped past.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::{Limits, Rate, RetrySettings};
use crate::model::{DeferReason, FailureKind, GiveUpReason, Time};
use crate::sched::{
    Action, Capacity, Event, Fault, Gate, Gates, HostId, HostLimits, HostRules, Report, RetryFacts, Scheduler,
    SchedulerSettings, Verdict, Wake,
};

pub(super) const fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

pub(super) fn some(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

pub(super) const ONCE: RetryFacts = RetryFacts { attempt: 1, replayable: true, fault: None };

/// A scheduler at a point in time, for jobs that are numbers.
pub(super) struct Story {
    pub(super) scheduler: Scheduler<u32>,
    pub(super) now: Time,
    rules: HostRules,
}

impl Story {
    pub(super) fn new(limits: Limits, retries: RetrySettings) -> Self {
        // Places enough for hosts that have not answered, except where a story is about them.
        let settings = SchedulerSettings { places: NonZeroU32::MAX, ..SchedulerSettings::new(&limits, &retries) };
        Self::with(settings)
    }

    fn with(settings: SchedulerSettings) -> Self {
        let rules = HostRules { gates: Gates::NONE, ..settings.host.clone() };
        Self { scheduler: Scheduler::new(settings, 1), now: Time::ZERO, rules }
    }

    fn plain() -> Self {
        Self::new(Limits::default(), RetrySettings::default())
    }

    pub(super) fn host(&mut self, change: impl FnOnce(&mut HostRules)) -> HostId {
        let mut rules = self.rules.clone();
        change(&mut rules);
        self.scheduler.add_host(&rules, self.now)
    }

    pub(super) fn tell(&mut self, event: Event<u32>) -> Vec<Action<u32>> {
        self.scheduler.handle(event, self.now);
        self.drain()
    }

    pub(super) fn arrive(&mut self, host: HostId, jobs: impl IntoIterator<Item = u32>) -> Vec<Action<u32>> {
        jobs.into_iter().for_each(|job| self.scheduler.handle(Event::Arrived { host, job }, self.now));
        self.drain()
    }

    pub(super) fn at(&mut self, now: Time) -> Vec<Action<u32>> {
        self.now = now;
        self.tell(Event::Tick)
    }

    fn drain(&mut self) -> Vec<Action<u32>> {
        let now = self.now;
        std::iter::from_fn(|| self.scheduler.next_action(now)).collect()
    }

    pub(super) fn report(&self, verdict: Verdict) -> Report {
        Report { started: self.now, verdict, attempt: 1, failing_since: None }
    }

    fn done(&mut self, host: HostId) -> Vec<Action<u32>> {
        let report = self.report(Verdict::Fine);
        self.tell(Event::Done { host, report })
    }

    pub(super) fn fail(&mut self, host: HostId, job: u32, kind: FailureKind, facts: RetryFacts) -> Vec<Action<u32>> {
        let report = self.report(Verdict::Failed(kind));
        self.tell(Event::Failed { host, job, report, facts })
    }
}

fn starts(actions: &[Action<u32>]) -> Vec<u32> {
    let job = |action: &Action<u32>| match action {
        Action::Start { job, .. } => Some(*job),
        _ => None,
    };
    actions.iter().filter_map(job).collect()
}

#[test]
fn permits_are_taken_at_dispatch_and_given_back_by_reports() {
    let mut story =
        Story::new(Limits { concurrency: some(3), per_host: some(2), ..Limits::default() }, RetrySettings::default());
    let (a, b) = (story.host(|_| {}), story.host(|_| {}));
    assert_eq!(starts(&story.arrive(a, 0..5)), [0, 1]);
    assert_eq!(story.scheduler.why_deferred(a, story.now), Some(DeferReason::HostLimit));
    assert_eq!(starts(&story.arrive(b, 10..15)), [10]);
    assert_eq!(story.scheduler.why_deferred(b, story.now), Some(DeferReason::GlobalLimit));
    assert!(story.scheduler.wants_more());
    assert_eq!((story.scheduler.in_flight(), story.scheduler.queued()), (3, 7));
    assert_eq!(starts(&story.done(a)).len(), 1);
    story.tell(Event::Concurrency(1));
    assert!(story.done(b).is_empty());
    assert_eq!(starts(&story.tell(Event::Concurrency(9))).len(), 2);
}

#[test]
fn a_slow_host_holds_no_permit_of_others() {
    let mut story =
        Story::new(Limits { concurrency: some(2), per_host: some(1), ..Limits::default() }, RetrySettings::default());
    let (slow, quick) = (story.host(|_| {}), story.host(|_| {}));
    assert_eq!(starts(&story.arrive(slow, 0..100)), [0]);
    assert_eq!(starts(&story.arrive(quick, 100..110)), [100]);
    for job in 101..110 {
        assert_eq!(starts(&story.done(quick)), [job]);
    }
}

#[test]
fn the_delay_is_kept_and_its_deadline_named() {
    let mut story = Story::plain();
    let host = story.host(|rules| rules.delay = Duration::from_millis(50));
    assert_eq!(starts(&story.arrive(host, 0..3)), [0]);
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::Pace));
    assert_eq!(story.scheduler.next_deadline(), Some((ms(50), Wake::HostPace)));
    assert!(story.at(ms(49)).is_empty());
    assert_eq!(starts(&story.at(ms(50))), [1]);
    assert_eq!(starts(&story.at(ms(170))), [2]);
    assert_eq!(story.scheduler.next_deadline(), None);
}

#[test]
fn rates_hold_per_host_and_for_the_run() {
    let ten = Rate::new(10.0);
    let mut story = Story::new(Limits { rate: ten, ..Limits::default() }, RetrySettings::default());
    let (a, b) = (story.host(|_| {}), story.host(|_| {}));
    assert_eq!(starts(&story.arrive(a, 0..1)), [0]);
    assert!(story.arrive(b, 1..2).is_empty());
    assert_eq!(story.scheduler.why_deferred(b, story.now), Some(DeferReason::GlobalPace));
    assert_eq!(story.scheduler.next_deadline(), Some((ms(96), Wake::GlobalPace)));
    assert_eq!(starts(&story.at(ms(96))), [1]);
    let mut story = Story::new(Limits { host_rate: ten, ..Limits::default() }, RetrySettings::default());
    let (a, b) = (story.host(|_| {}), story.host(|_| {}));
    assert_eq!(starts(&story.arrive(a, 0..2)), [0]);
    assert_eq!(starts(&story.arrive(b, 2..3)), [2]);
    assert_eq!(story.scheduler.next_deadline(), Some((ms(96), Wake::HostPace)));
}

#[test]
fn nothing_starts_before_the_caller_allows_it() {
    let mut story = Story::plain();
    let host = story.host(|_| {});
    story.tell(Event::NotBefore(ms(10)));
    assert!(story.arrive(host, 0..2).is_empty());
    assert!(story.scheduler.could_start());
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::GlobalPace));
    assert_eq!(story.scheduler.next_deadline(), Some((ms(10), Wake::GlobalPace)));
    assert_eq!(starts(&story.at(ms(10))), [0, 1]);
    assert!(!story.scheduler.could_start());
}

#[test]
fn what_has_to_be_granted_starts_once_for_each_grant() {
    let mut story = Story::plain();
    let host = story.host(|_| {});
    story.tell(Event::Granted);
    story.tell(Event::Paced(true));
    assert!(story.arrive(host, 0..4).is_empty(), "what was granted before counts for nothing");
    assert!(story.scheduler.could_start());
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::GlobalPace));
    assert_eq!(starts(&story.tell(Event::Granted)), [0]);
    story.tell(Event::NotBefore(ms(10)));
    assert!(story.tell(Event::Granted).is_empty());
    assert_eq!(starts(&story.at(ms(10))), [1]);
    assert_eq!(starts(&story.tell(Event::Paced(false))), [2, 3]);
}

#[test]
fn an_address_is_asked_for_once_and_nothing_starts_before_it_is_known() {
    let mut story = Story::plain();
    let host = story.host(|rules| rules.gates = Gate::Address.into());
    assert_eq!(story.arrive(host, 0..2), [Action::Open { host, gate: Gate::Address }]);
    assert!(story.arrive(host, 2..3).is_empty());
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::Address));
    assert_eq!(starts(&story.tell(Event::Resolved { host, address: None })), [0, 1, 2]);
}

#[test]
fn a_host_waits_at_one_gate_after_the_other() {
    let mut story = Story::plain();
    let host = story.host(|rules| rules.gates = Gates::from(Gate::Robots).with(Gate::Address));
    let other = story.host(|_| {});
    assert_eq!(story.arrive(host, 0..2), [Action::Open { host, gate: Gate::Address }]);
    let resolved = Event::Resolved { host, address: None };
    assert_eq!(story.tell(resolved), [Action::Open { host, gate: Gate::Robots }]);
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::Robots));
    assert_eq!(starts(&story.arrive(other, 2..3)), [2], "it holds up nobody else");
    assert_eq!(starts(&story.tell(Event::Opened { host, gate: Gate::Robots })), [0, 1]);
    assert_eq!(story.scheduler.host_gate(host), None);
}

#[test]
fn a_gate_that_has_come_to_be_of_no_account_is_not_waited_for() {
    let mut story = Story::plain();
    let host = story.host(|rules| rules.gates = Gate::Address.into());
    story.arrive(host, 0..1);
    let reason = GiveUpReason::HostDead(FailureKind::NameNotFound);
    let unresolved = Event::Unresolved { host, kind: FailureKind::NameNotFound };
    assert_eq!(story.tell(unresolved), [Action::GiveUp { host, job: 0, reason }]);
    assert!(story.tell(Event::Renamed { host }).is_empty());
    assert!(story.tell(Event::Opened { host, gate: Gate::Address }).is_empty());
    assert_eq!(starts(&story.arrive(host, 1..3)), [1, 2]);
}

#[test]
fn a_name_that_does_not_exist_ends_its_jobs_and_is_asked_for_again_later() {
    let mut story = Story::plain();
    let host = story.host(|rules| rules.gates = Gate::Address.into());
    story.arrive(host, 0..2);
    let reason = GiveUpReason::HostDead(FailureKind::NameNotFound);
    let unresolved = Event::Unresolved { host, kind: FailureKind::NameNotFound };
    let gone = |job| Action::GiveUp { host, job, reason };
    assert_eq!(story.tell(unresolved), [gone(0), gone(1)]);
    assert_eq!(story.arrive(host, 2..3), [gone(2)]);
    story.at(ms(299_999));
    assert_eq!(story.arrive(host, 3..4), [gone(3)]);
    story.at(ms(300_000));
    assert_eq!(story.arrive(host, 4..6), [Action::Open { host, gate: Gate::Address }]);
    assert_eq!(starts(&story.tell(Event::Resolved { host, address: None })), [4]);
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::Probe));
    assert_eq!(starts(&story.done(host)), [5]);
}

#[test]
fn a_name_that_may_be_another_now_is_asked_for_again_at_once() {
    let mut story = Story::plain();
    let host = story.host(|rules| rules.gates = Gate::Address.into());
    let reason = GiveUpReason::HostDead(FailureKind::NameNotFound);
    for job in 0..3 {
        assert_eq!(story.arrive(host, job..job + 1), [Action::Open { host, gate: Gate::Address }]);
        let unresolved = Event::Unresolved { host, kind: FailureKind::NameNotFound };
        assert_eq!(story.tell(unresolved), [Action::GiveUp { host, job, reason }]);
        assert!(story.tell(Event::Renamed { host }).is_empty());
    }
    assert_eq!(story.arrive(host, 3..5), [Action::Open { host, gate: Gate::Address }]);
    // No probe: nothing is held against it.
    assert_eq!(starts(&story.tell(Event::Resolved { host, address: None })), [3, 4]);
}

#[test]
fn a_look_up_that_timed_out_is_repeated_once_and_not_at_all_without_retries() {
    for (retries, lookups) in [(2, 2), (0, 1)] {
        let settings = RetrySettings { retries, ..RetrySettings::default() };
        let mut story = Story::with(SchedulerSettings::new(&Limits::default(), &settings));
        let host = story.host(|rules| rules.gates = Gate::Address.into());
        assert_eq!(story.arrive(host, 0..1), [Action::Open { host, gate: Gate::Address }]);
        let timed_out = || Event::Unresolved { host, kind: FailureKind::Timeout };
        for _ in 1..lookups {
            assert!(story.tell(timed_out()).is_empty());
            let again = story.at(story.now + Duration::from_secs(1));
            assert_eq!(again, [Action::Open { host, gate: Gate::Address }]);
        }
        let reason = GiveUpReason::HostDead(FailureKind::Timeout);
        assert_eq!(story.tell(timed_out()), [Action::GiveUp { host, job: 0, reason }]);
    }
}

#[test]
fn a_failing_name_server_backs_the_host_off_while_its_jobs_wait() {
    let mut story = Story::new(Limits::default(), RetrySettings { dead_after: 3, ..RetrySettings::default() });
    let host = story.host(|rules| rules.gates = Gate::Address.into());
    story.arrive(host, 0..1);
    for _ in 0..2 {
        assert!(story.tell(Event::Unresolved { host, kind: FailureKind::ServerFailure }).is_empty());
        assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::BackOff));
        let (at, wake) = story.scheduler.next_deadline().expect("asks again");
        assert_eq!(wake, Wake::BackOff);
        assert_eq!(story.at(at), [Action::Open { host, gate: Gate::Address }]);
    }
    let reason = GiveUpReason::HostDead(FailureKind::ServerFailure);
    let last = story.tell(Event::Unresolved { host, kind: FailureKind::ServerFailure });
    assert_eq!(last, [Action::GiveUp { host, job: 0, reason }]);
}

#[test]
fn a_failed_job_waits_apart_and_comes_back_behind_those_not_yet_tried() {
    let mut story = Story::new(Limits { per_host: some(1), ..Limits::default() }, RetrySettings::default());
    let host = story.host(|_| {});
    assert_eq!(starts(&story.arrive(host, 0..9)), [0]);
    let mut order = starts(&story.fail(host, 0, FailureKind::Closed, ONCE));
    assert_eq!((story.scheduler.waiting_retries(), story.scheduler.host_retries(host)), (1, 1));
    while let Some((at, wake)) = story.scheduler.next_deadline().filter(|(_, wake)| *wake != Wake::Expiry) {
        assert!(matches!(wake, Wake::BackOff | Wake::Retry));
        order.extend(starts(&story.at(at)));
    }
    while story.scheduler.in_flight() > 0 {
        order.extend(starts(&story.done(host)));
    }
    assert_eq!(order, [1, 2, 3, 4, 5, 6, 7, 8, 0]);
}

#[test]
fn a_host_that_serves_others_is_not_held_back_by_urls_that_fail() {
    let mut story = Story::plain();
    let host = story.host(|_| {});
    let mut started = starts(&story.arrive(host, 0..400));
    let mut served = 0;
    while served < 300 {
        let Some(job) = started.pop() else {
            let (at, _) = story.scheduler.next_deadline().expect("jobs are left");
            started = starts(&story.at(at));
            continue;
        };
        story.now = story.now + Duration::from_millis(1);
        assert_ne!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::BackOff), "{served} served");
        started.extend(if job % 4 == 0 {
            let report = Report { verdict: Verdict::Troubled(None), ..story.report(Verdict::Fine) };
            starts(&story.tell(Event::Failed { host, job, report, facts: RetryFacts { attempt: 3, ..ONCE } }))
        } else {
            served += 1;
            starts(&story.done(host))
        });
    }
    assert!(story.now < ms(2000), "{} for what takes 400 ms, and a trial whether less helps", story.now);
}

#[test]
fn retry_after_of_one_url_holds_that_url_alone_and_of_429_the_host() {
    let pause = Some(Duration::from_secs(7));
    for (verdict, rests) in [(Verdict::Troubled(pause), false), (Verdict::PushedBack(pause), true)] {
        let mut story = Story::new(Limits { per_host: some(1), ..Limits::default() }, RetrySettings::default());
        let host = story.host(|_| {});
        story.arrive(host, 0..9);
        story.done(host);
        let report = story.report(verdict);
        let next = starts(&story.tell(Event::Failed { host, job: 1, report, facts: ONCE }));
        assert_eq!(next.is_empty(), rests, "{verdict:?}");
        let wake = if rests { Wake::BackOff } else { Wake::Retry };
        assert_eq!(story.scheduler.next_deadline(), Some((ms(7000), wake)));
    }
}

#[test]
fn a_wait_that_is_too_long_ends_the_job_and_a_host_that_asks_for_nothing_else() {
    let mut story = Story::new(Limits { per_host: some(2), ..Limits::default() }, RetrySettings::default());
    let host = story.host(|_| {});
    assert_eq!(starts(&story.arrive(host, 0..9)), [0, 1]);
    let day = Verdict::PushedBack(Some(Duration::from_secs(86_400)));
    let refuse = |story: &mut Story, job| {
        let report = story.report(day);
        story.tell(Event::Failed { host, job, report, facts: ONCE })
    };
    let given_up = |job, reason| Action::GiveUp { host, job, reason };
    assert_eq!(refuse(&mut story, 0), [given_up(0, GiveUpReason::RetryAfter)]);
    assert_eq!(refuse(&mut story, 1), [given_up(1, GiveUpReason::RetryAfter)]);
    let (at, _) = story.scheduler.next_deadline().expect("it is asked once more");
    assert!(at <= ms(500), "{at}");
    let next = starts(&story.at(at));
    let dead = GiveUpReason::HostDead(FailureKind::Status);
    let ended = refuse(&mut story, next[0]);
    assert!(ended.iter().all(|action| matches!(action, Action::GiveUp { reason, .. } if *reason == dead)), "{ended:?}");
    assert!(ended.len() >= 6, "{ended:?}");
}

#[test]
fn a_free_retry_is_immediate_and_blames_nobody() {
    let mut story = Story::new(
        Limits { per_host: some(1), ..Limits::default() },
        RetrySettings { retries: 0, ..RetrySettings::default() },
    );
    let host = story.host(|_| {});
    story.arrive(host, 0..2);
    let free = RetryFacts { fault: Some(Fault::Stale), ..ONCE };
    assert_eq!(starts(&story.fail(host, 0, FailureKind::Closed, free)), [0]);
    let gone = story.fail(host, 0, FailureKind::Refused, ONCE);
    assert_eq!(gone, [Action::GiveUp { host, job: 0, reason: GiveUpReason::RetriesUsed }]);
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::BackOff));
}

#[test]
fn the_connections_fault_blames_nobody_where_it_can_not_be_repeated_either() {
    let mut story = Story::new(Limits { per_host: some(1), ..Limits::default() }, RetrySettings::default());
    let host = story.host(|_| {});
    story.arrive(host, 0..2);
    let lost = RetryFacts { fault: Some(Fault::Stale), replayable: false, ..ONCE };
    let gone = story.fail(host, 0, FailureKind::Closed, lost);
    assert_eq!(gone[0], Action::GiveUp { host, job: 0, reason: GiveUpReason::Unsafe });
    assert_eq!(starts(&gone), [1], "the host is not left alone");
}

#[test]
fn retries_stop_when_the_hosts_account_is_empty() {
    let retries = RetrySettings { budget_floor: 1, budget_ratio: 0.5, dead_after: 0, ..RetrySettings::default() };
    let mut story = Story::new(Limits::default(), retries);
    let host = story.host(|_| {});
    story.arrive(host, 0..8);
    for job in 0..3 {
        assert!(story.fail(host, job, FailureKind::Reset, ONCE).is_empty());
    }
    // A host that asks for less is not charged for it: its back-off clock paces these retries.
    let report = Report { started: story.now, verdict: Verdict::PushedBack(None), attempt: 1, failing_since: None };
    assert!(story.tell(Event::Failed { host, job: 3, report, facts: ONCE }).is_empty());
    // What has come by the time they are due pays for them.
    story.done(host);
    story.done(host);
    let due = story.at(story.now + Duration::from_secs(60));
    let started = starts(&due);
    assert_eq!((started.len(), due.len()), (3, 3), "the fourth waits for what these may earn");
    for job in started {
        story.fail(host, job, FailureKind::Reset, RetryFacts { attempt: 9, ..ONCE });
    }
    (0..2).for_each(|_| drop(story.fail(host, 9, FailureKind::Reset, RetryFacts { attempt: 9, ..ONCE })));
    let last = story.at(story.now + Duration::from_secs(60));
    assert!(matches!(last[..], [Action::GiveUp { reason: GiveUpReason::BudgetEmpty, .. }]), "{last:?}");
}

#[test]
fn a_dead_host_gives_up_its_queue_and_its_retries_then_probes_once() {
    let mut story = Story::new(
        Limits { per_host: some(2), ..Limits::default() },
        RetrySettings { dead_after: 2, ..RetrySettings::default() },
    );
    let host = story.host(|_| {});
    assert_eq!(starts(&story.arrive(host, 0..6)), [0, 1]);
    story.now = ms(10);
    let wait = Verdict::Troubled(Some(ms(1).since(Time::ZERO)));
    story.tell(Event::Failed { host, job: 0, report: story.report(wait), facts: ONCE });
    // Begun before the first event: belongs to it.
    let report = Report { started: Time::ZERO, verdict: wait, attempt: 1, failing_since: None };
    assert!(story.tell(Event::Failed { host, job: 1, report, facts: ONCE }).is_empty());
    let started = starts(&story.at(ms(3_000)));
    assert_eq!(started.len(), 1, "it has asked to wait, and is asked for one thing then");
    let actions = story.fail(host, started[0], FailureKind::Timeout, RetryFacts { attempt: 2, ..ONCE });
    let mut given_up: Vec<_> = actions
        .iter()
        .map(|action| match action {
            Action::GiveUp { job, reason, .. } => {
                assert_eq!(*reason, GiveUpReason::HostDead(FailureKind::Timeout));
                *job
            }
            other => panic!("{other:?}"),
        })
        .collect();
    given_up.sort_unstable();
    assert_eq!(given_up, [0, 1, 2, 3, 4, 5]);
    let dead = GiveUpReason::HostDead(FailureKind::Timeout);
    assert_eq!(story.arrive(host, 7..8), [Action::GiveUp { host, job: 7, reason: dead }]);
    story.now = story.now + Duration::from_secs(301);
    assert_eq!(starts(&story.arrive(host, 8..10)), [8], "the probe, alone");
    assert_eq!(starts(&story.done(host)), [9]);
}

#[test]
fn hosts_that_never_answer_leave_places_to_those_that_do() {
    let limits = Limits { concurrency: some(64), ..Limits::default() };
    let mut story = Story::with(SchedulerSettings::new(&limits, &RetrySettings::default()));
    let good = story.host(|_| {});
    assert_eq!(starts(&story.arrive(good, 0..1000)).len(), 8);
    let silent: Vec<_> = (0..200).map(|_| story.host(|_| {})).collect();
    let started: Vec<_> = silent.iter().map(|host| starts(&story.arrive(*host, 0..100)).len()).collect();
    assert_eq!(started[..4], [8, 3, 1, 1], "a quarter of the places for anybody; beyond that one each");
    assert_eq!(started.iter().sum::<usize>(), 56, "nobody who answers wants the rest");
    // With each answer it may hold as many places again, for as long as it has work; not one of the silent gets one of them.
    for _ in 0..992 {
        assert_eq!(starts(&story.done(good)).len(), 1);
    }
    assert_eq!(story.scheduler.why_deferred(silent[199], story.now), Some(DeferReason::Unanswered));
    let late = story.host(|_| {});
    story.arrive(late, 0..8);
    for _ in 0..7 {
        assert_eq!(starts(&story.done(good)).len(), 0, "the part of hosts that answer");
    }
    assert_eq!(starts(&story.done(good)).len(), 8, "and now none of them has work");
}

#[test]
fn a_host_answers_with_the_head_of_its_first_response() {
    for answers in [true, false] {
        let limits = Limits { concurrency: some(16), ..Limits::default() };
        let mut story = Story::with(SchedulerSettings::new(&limits, &RetrySettings::default()));
        let host = story.host(|_| {});
        assert_eq!(starts(&story.arrive(host, 0..1)).len(), 1);
        if answers {
            assert!(story.tell(Event::Answers { host }).is_empty());
        }
        assert_eq!(story.scheduler.host_answers(host), answers);
        let others: Vec<_> = (0..20).map(|_| story.host(|_| {})).collect();
        let started: usize = others.iter().map(|other| starts(&story.arrive(*other, 0..1)).len()).sum();
        assert_eq!(started, if answers { 14 } else { 15 }, "the last is for those who answer");
    }
}

#[test]
fn a_run_that_gets_more_places_has_more_for_anybody() {
    let mut story = Story::with(SchedulerSettings::new(
        &Limits { concurrency: some(16), ..Limits::default() },
        &RetrySettings::default(),
    ));
    let hosts: Vec<_> = (0..12).map(|_| story.host(|_| {})).collect();
    let started: usize = hosts.iter().map(|host| starts(&story.arrive(*host, 0..8)).len()).sum();
    assert_eq!(started, 16);
    assert_eq!(starts(&story.tell(Event::Concurrency(64))).len(), 12 + 7 - 16, "one each, and what is for anybody");
    assert_eq!(starts(&story.tell(Event::Places(some(64)))).len(), 16 - 7);
    assert!(story.tell(Event::Places(some(8))).is_empty(), "what is held stays");
}

#[test]
fn a_host_that_answers_is_lent_places_that_silent_hosts_do_not_get() {
    let mut story = Story::with(SchedulerSettings::new(&Limits::default(), &RetrySettings::default()));
    let silent: Vec<_> = (0..16).map(|_| story.host(|_| {})).collect();
    let started: usize = silent.iter().map(|host| starts(&story.arrive(*host, 0..8)).len()).sum();
    assert_eq!(started, 64 + 16, "a quarter of the places for anybody, and one each");
    let host = story.host(|_| {});
    assert_eq!(starts(&story.arrive(host, 0..100)).len(), 1);
    let more: Vec<_> = (0..64).map(|_| starts(&story.done(host)).len()).collect();
    assert_eq!(more[..8], [2, 2, 2, 2, 2, 2, 2, 1], "each answer lends it one more, up to its own limit");
    assert_eq!(more.iter().sum::<usize>(), more.len() + 7);
}

#[test]
fn shared_limits_hand_their_permits_round() {
    let mut story = Story::plain();
    let group = story.scheduler.add_group(some(2));
    let hosts: Vec<_> = (0..4).map(|_| story.host(|rules| rules.group = Some(group))).collect();
    let mut started = Vec::new();
    for (host, first) in hosts.iter().zip([0, 10, 20, 30]) {
        started.extend(starts(&story.arrive(*host, first..first + 3)));
    }
    assert_eq!(started, [0, 1]);
    assert_eq!(story.scheduler.why_deferred(hosts[3], story.now), Some(DeferReason::GroupLimit));
    let mut owner = vec![0, 0];
    for _ in 0..10 {
        let next = starts(&story.done(hosts[owner.remove(0)]));
        assert_eq!(next.len(), 1);
        owner.push((next[0] / 10) as usize);
        started.extend(next);
    }
    assert_eq!(started, [0, 1, 2, 10, 20, 30, 11, 21, 31, 12, 22, 32]);
    assert!(!story.scheduler.remove_group(group));
}

#[test]
fn hosts_on_one_address_share_its_limit_and_a_move_frees_it() {
    let mut story = Story::new(Limits { per_address: Some(some(1)), ..Limits::default() }, RetrySettings::default());
    let (a, b) = (story.host(|_| {}), story.host(|_| {}));
    let [here, there] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|octets| Some(octets.into()));
    story.tell(Event::Resolved { host: a, address: here });
    story.tell(Event::Resolved { host: b, address: here });
    assert_eq!(starts(&story.arrive(a, 0..2)), [0]);
    assert!(story.arrive(b, 10..12).is_empty());
    assert_eq!(story.scheduler.why_deferred(b, story.now), Some(DeferReason::AddressLimit));
    assert_eq!(starts(&story.tell(Event::Resolved { host: a, address: there })), [10]);
    assert_eq!(starts(&story.done(a)), [1]);
    assert!(story.tell(Event::Resolved { host: b, address: there }).is_empty());
    // Two are on the new address now, one more than allowed: the next start waits for both.
    assert!(story.done(a).is_empty());
    assert_eq!(starts(&story.done(b)), [11]);
}

#[test]
fn capacity_gates_the_fan_out_until_the_protocol_is_known() {
    let mut story = Story::plain();
    let host = story.host(|rules| rules.capacity = Capacity::Unknown);
    assert_eq!(starts(&story.arrive(host, 0..5)), [0]);
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::Protocol));
    assert_eq!(starts(&story.tell(Event::Capacity { host, capacity: Capacity::Streams(some(3)) })), [1, 2]);
    assert_eq!(starts(&story.tell(Event::Capacity { host, capacity: Capacity::OneEach })), [3, 4]);
}

#[test]
fn a_redirect_and_a_returned_job_go_to_the_head() {
    let mut story = Story::new(Limits { per_host: some(1), ..Limits::default() }, RetrySettings::default());
    let host = story.host(|_| {});
    story.arrive(host, 0..3);
    story.tell(Event::Continued { host, job: 9 });
    assert_eq!(starts(&story.done(host)), [9]);
    assert_eq!(starts(&story.tell(Event::Returned { host, job: 9 })), [9]);
}

#[test]
fn an_idle_host_is_forgotten_after_its_memory_and_its_clocks() {
    let memory = RetrySettings { host_memory: Duration::from_secs(10), ..RetrySettings::default() };
    let mut story = Story::new(Limits::default(), memory);
    let (plain, paced) = (story.host(|_| {}), story.host(|rules| rules.delay = Duration::from_secs(60)));
    assert_eq!(story.scheduler.next_deadline(), Some((ms(10_000), Wake::Expiry)));
    story.arrive(plain, 0..1);
    story.arrive(paced, 1..2);
    story.now = ms(5_000);
    story.done(plain);
    story.done(paced);
    assert!(story.at(ms(14_999)).is_empty());
    assert_eq!(story.at(ms(15_000)), [Action::Forget { host: plain }]);
    assert_eq!(story.scheduler.next_deadline(), Some((ms(60_000), Wake::Expiry)));
    assert!(story.at(ms(60_000)).is_empty());
    assert_eq!(story.scheduler.next_deadline(), Some((ms(70_000), Wake::Expiry)));
    assert_eq!(story.at(ms(70_000)), [Action::Forget { host: paced }]);
    assert_eq!((story.scheduler.hosts(), story.scheduler.next_deadline()), (0, None));
    assert_eq!(story.host(|_| {}), paced);
}

#[test]
fn of_too_many_idle_hosts_the_oldest_is_forgotten_but_not_before_its_clocks() {
    let crowd = RetrySettings { max_idle_hosts: 1, ..RetrySettings::default() };
    let mut story = Story::new(Limits::default(), crowd);
    let hosts = [0, 1, 2].map(|job| {
        story.now = ms(u64::from(job) * 1000);
        let host = story.host(|rules| rules.delay = Duration::from_secs(60));
        story.arrive(host, job..job + 1);
        assert!(story.done(host).is_empty());
        host
    });
    assert_eq!(story.scheduler.next_deadline(), Some((ms(60_000), Wake::Expiry)));
    assert_eq!(story.at(ms(60_000)), [Action::Forget { host: hosts[0] }]);
    assert_eq!(story.at(ms(61_000)), [Action::Forget { host: hosts[1] }]);
    assert!(story.at(ms(62_000)).is_empty());
    assert_eq!(story.scheduler.next_deadline(), Some((ms(62_000 + 300_000), Wake::Expiry)), "the last has its time");
}

#[test]
fn neither_a_dead_host_nor_one_with_a_delay_keeps_the_others_in_memory() {
    let crowd = RetrySettings { max_idle_hosts: 2, ..RetrySettings::default() };
    let mut story = Story::new(Limits::default(), crowd);
    let slow = story.host(|rules| rules.delay = Duration::from_secs(60));
    story.arrive(slow, 0..1);
    assert!(story.done(slow).is_empty());
    let dead = story.host(|_| {});
    story.arrive(dead, 1..2);
    story.fail(dead, 1, FailureKind::NameNotFound, ONCE);
    let plain = [2, 3].map(|job| {
        let host = story.host(|_| {});
        story.arrive(host, job..job + 1);
        (host, story.done(host))
    });
    assert_eq!(plain[0].1, [Action::Forget { host: dead }], "the first without a clock, dead or not");
    assert_eq!(plain[1].1, [Action::Forget { host: plain[0].0 }]);
}

#[test]
fn stopping_hands_everything_back_and_pausing_keeps_it() {
    let mut story = Story::new(Limits { per_host: some(1), ..Limits::default() }, RetrySettings::default());
    let host = story.host(|_| {});
    story.tell(Event::Paused);
    assert!(story.arrive(host, 0..4).is_empty());
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::Paused));
    assert_eq!(story.scheduler.next_deadline(), None);
    assert_eq!(starts(&story.tell(Event::Resumed)), [0]);
    story.fail(host, 0, FailureKind::Refused, ONCE);
    let (at, _) = story.scheduler.next_deadline().expect("a retry or the back-off");
    let started = starts(&story.at(at + Duration::from_secs(1)));
    let stopped = |job| Action::GiveUp { host, job, reason: GiveUpReason::Stopped };
    let back = story.tell(Event::Stopped);
    assert_eq!(back.len(), 3);
    assert!(back.iter().all(|action| matches!(action, Action::GiveUp { reason: GiveUpReason::Stopped, .. })));
    let failed = story.fail(host, started[0], FailureKind::Reset, ONCE);
    assert_eq!(failed, [stopped(started[0])]);
    assert_eq!(story.arrive(host, 7..8), [stopped(7)]);
}

#[test]
fn adaptive_concurrency_starts_low_and_grows() {
    let mut story =
        Story::new(Limits { adaptive: true, per_host: some(4), ..Limits::default() }, RetrySettings::default());
    let host = story.host(|_| {});
    assert_eq!(starts(&story.arrive(host, 0..20)), [0, 1]);
    assert_eq!(story.scheduler.why_deferred(host, story.now), Some(DeferReason::Adaptive));
    story.done(host);
    assert_eq!(starts(&story.done(host)).len(), 2);
    assert_eq!(story.scheduler.host_limit(host, story.now), 3);
    while story.scheduler.host_in_flight(host) > 0 {
        story.done(host);
    }
    assert_eq!(story.scheduler.in_flight(), 0);
}

#[test]
fn a_permit_reserved_on_an_address_is_lost_to_requests_that_move_there() {
    let mut story = Story::new(
        Limits { per_address: Some(some(1)), concurrency: some(1), ..Limits::default() },
        RetrySettings::default(),
    );
    let (a, b) = (story.host(|_| {}), story.host(|_| {}));
    let [here, there] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|octets| Some(octets.into()));
    story.tell(Event::Resolved { host: a, address: here });
    story.tell(Event::Resolved { host: b, address: there });
    assert_eq!(starts(&story.arrive(a, 0..1)), [0]);
    // Ready, and held by the global limit only.
    assert!(story.arrive(b, 10..11).is_empty());
    story.tell(Event::Resolved { host: a, address: there });
    assert!(story.tell(Event::Concurrency(2)).is_empty());
    assert_eq!(story.scheduler.why_deferred(b, story.now), Some(DeferReason::AddressLimit));
    assert_eq!(starts(&story.done(a)), [10]);
}

#[test]
fn a_permit_stays_with_its_host_while_that_is_as_good_as_any() {
    let mut story = Story::new(Limits { concurrency: some(1), ..Limits::default() }, RetrySettings::default());
    let hosts: Vec<_> = (0..3).map(|_| story.host(|_| {})).collect();
    let mut started = Vec::new();
    for (host, first) in hosts.iter().zip([0, 100, 200]) {
        started.extend(starts(&story.arrive(*host, first..first + 40)));
    }
    for _ in 0..119 {
        let last = *started.last().expect("one is in flight");
        started.extend(starts(&story.done(hosts[(last / 100) as usize])));
    }
    let changes = started.windows(2).filter(|pair| pair[0] / 100 != pair[1] / 100).count();
    assert_eq!(started.len(), 120);
    assert!(changes <= 30, "{changes} changes of host: {started:?}");
}

#[test]
fn hosts_without_a_limit_per_address_are_not_held_by_that_of_others() {
    let mut story = Story::plain();
    let limited = story.host(|rules| rules.per_address = Some(some(1)));
    let lower = story.host(|rules| rules.per_address = Some(some(3)));
    let free = story.host(|_| {});
    let address = Some([10, 0, 0, 1].into());
    for host in [lower, limited, free] {
        story.tell(Event::Resolved { host, address });
    }
    assert_eq!(starts(&story.arrive(lower, 0..5)), [0], "the lower holds for both");
    assert_eq!(story.scheduler.why_deferred(lower, story.now), Some(DeferReason::AddressLimit));
    assert!(story.arrive(limited, 5..6).is_empty());
    assert_eq!(starts(&story.arrive(free, 6..8)), [6, 7]);
    assert_eq!(starts(&story.done(lower)), [1], "first come");
    assert_eq!(starts(&story.done(lower)), [5], "first served");
}

#[test]
fn other_limits_hold_at_once_and_end_nothing_that_is_in_flight() {
    let limits = |concurrency, delay| HostLimits {
        concurrency: some(concurrency),
        delay: Duration::from_millis(delay),
        rate: None,
    };
    let mut story = Story::plain();
    let host = story.host(|rules| rules.concurrency = some(3));
    assert_eq!(starts(&story.arrive(host, 0..20)), [0, 1, 2]);
    assert!(story.tell(Event::Limits { host, limits: limits(1, 0) }).is_empty());
    assert!(story.done(host).is_empty() && story.done(host).is_empty(), "one is in flight, one is allowed");
    assert_eq!(starts(&story.done(host)), [3]);
    assert_eq!(starts(&story.tell(Event::Limits { host, limits: limits(4, 0) })), [4, 5, 6]);
    story.now = ms(10);
    assert!(story.tell(Event::Limits { host, limits: limits(8, 100) }).is_empty());
    assert_eq!(story.scheduler.next_deadline(), Some((ms(100), Wake::HostPace)), "from the last start");
    assert!(story.tell(Event::Limits { host, limits: limits(8, 200) }).is_empty());
    assert!(story.at(ms(100)).is_empty());
    assert_eq!(story.scheduler.next_deadline(), Some((ms(200), Wake::HostPace)));
    assert_eq!(starts(&story.tell(Event::Limits { host, limits: limits(8, 50) })), [7]);
    assert_eq!(story.scheduler.next_deadline(), Some((ms(150), Wake::HostPace)));
}

#[test]
fn an_idle_host_with_a_longer_delay_is_not_forgotten_before_it_has_passed() {
    let memory = RetrySettings { host_memory: Duration::from_secs(1), ..RetrySettings::default() };
    let mut story = Story::new(Limits::default(), memory);
    let host = story.host(|_| {});
    story.arrive(host, 0..1);
    story.done(host);
    let limits = HostLimits { concurrency: some(1), delay: Duration::from_secs(5), rate: None };
    story.tell(Event::Limits { host, limits });
    assert!(story.at(ms(2000)).is_empty());
    assert!(story.arrive(host, 1..2).is_empty());
    assert_eq!(starts(&story.at(ms(5000))), [1]);
}

#[test]
fn a_memory_without_end_asks_for_no_deadline() {
    let memory = RetrySettings { host_memory: Duration::MAX, ..RetrySettings::default() };
    let mut story = Story::new(Limits::default(), memory);
    story.host(|_| {});
    assert_eq!(story.scheduler.next_deadline(), None);
}

#[test]
fn an_idle_host_keeps_neither_room_for_jobs_nor_trouble_that_is_over() {
    let mut story = Story::plain();
    let host = story.host(|_| {});
    assert_eq!(starts(&story.arrive(host, 0..20)).len(), 8);
    story.fail(host, 0, FailureKind::Reset, ONCE);
    assert!(!story.scheduler.hosts[host.0 as usize].health.is_clear());
    while story.scheduler.host_in_flight(host) > 0 {
        story.done(host);
    }
    while story.scheduler.queued() + story.scheduler.waiting_retries() > 0 {
        let begun = story.at(story.now + Duration::from_secs(10));
        assert!(!begun.is_empty());
        begun.iter().for_each(|_| drop(story.done(host)));
        while story.scheduler.host_in_flight(host) > 0 {
            story.done(host);
        }
    }
    let host = &story.scheduler.hosts[host.0 as usize];
    assert!(host.queue.capacity() == 0 && host.health.is_clear(), "{host:?}");
}
