//! What the scheduler holds for and against a host: back-off, breaker, throttle, adaptive limit.
//!
//! Back-off is evidence about the *host*, never about a URL. A host rests when nothing of what it was asked lately came
//! back well: one that has never answered well after its first failure, another after a run of failures. Any good answer
//! ends the rest, so a host that serves one URL and fails another goes on. What a job's further attempts bring is the
//! job's affair, unless such attempts mostly succeed on this host ([`Attempts`]): then it was the host. Whether less load
//! would help against the failures is the throttle's question ([`Throttle`]).
//!
//! *Events* are counted, not responses: attempts begun before the last event belong to it. This is the host's second
//! clock; pacing is the first, and neither touches the other.

use std::time::Duration;

use crate::config::RetrySettings;
use crate::model::{FailureKind, Time};
use crate::policy::share::{LONGEST_RUN, SHORTEST_RUN};
use crate::policy::{Adaptive, Allowance, Attempts, Blame, Breaker, Share, Throttle, Verdict};

use super::event::Report;
use super::rest::Rest;
use super::settings::SchedulerSettings;

/// While a host that has answered well before fails, it is asked again after this part of the time that it has failed for:
/// so the end of an outage is noticed when it has lasted for a quarter longer.
const PATIENCE: u32 = 4;

/// And at first, for so many failures in a row, after the shortest rest: it may be that hardly any of its URLs is served.
const LONG_RUN: u8 = 32;

/// A host that is there and has never answered well is waited for during this part of the time that one is which has.
const SO_FAR_NEVER_WELL: u32 = 3;

/// After so many good answers so many failures in a row are a bad beginning still: a burst was allowed.
const EARLY: u8 = 32;
const EARLY_RUN: u8 = 12;

#[derive(Debug)]
pub(super) struct Health {
    pub(super) adaptive: Adaptive,
    /// Apart from the host, because most hosts are never in any.
    trouble: Option<Box<Trouble>>,
}

/// What is held against a host. One that is well has none.
#[derive(Debug)]
struct Trouble {
    /// Nothing is started before it is over.
    rest: Rest,
    /// When the attempt was begun that asked for the pause: only the answer to a later one ends it early.
    asked_at: Option<Time>,
    /// When a pause was asked for, last, that holds the host whatever else it answers.
    held_at: Time,
    breaker: Breaker,
    /// When the last failure event was reported.
    last_event: Option<Time>,
    /// When the first event was reported that no good answer has followed.
    since: Time,
    /// Events that no good answer has followed.
    level: u8,
    /// When the last good answer came, or the first failure.
    well_at: Time,
    /// When the last of the requests was begun that were answered well, as far as any has failed before.
    served_from: Time,
    /// Failures that no good answer has followed.
    run: u8,
    /// Of these, the ones that began before a request that was answered well: the host was there, they only took longer.
    slower: u8,
    /// Failures of further attempts since the last good answer that say nothing by themselves.
    uncounted: u8,
    /// Requests at once after an event: one more with each good answer. 0: no such limit.
    ramp: u16,
    /// It was connected to and then silent, and has never answered well.
    is_silent: bool,
    /// Further attempts to which it was so, as far as they count.
    silent_again: u8,
    /// It has been in trouble: its jobs are drawn from all over its queue.
    scatters: bool,
    /// Jobs drawn while it was in trouble, over and over.
    drawn: u8,
    /// Jobs at the end of its queue that have been tried before, as far as no others have come since.
    again: u16,
    /// Jobs at its front for which the others wait: free repeats, redirects.
    ahead: u16,
    share: Share,
    attempts: Attempts,
    throttle: Throttle,
}

/// One of so many jobs that are to show whether a host has recovered is one that has failed before: it may be that only these
/// succeed, but in an outage each is one of the few attempts that it has.
const ONE_LAST_OF: u8 = 8;

/// And of the first few where it is silent, because it is asked a few times in all: where each page is made when it is first asked for,
/// and takes too long, only those that have failed end well.
const ONE_LAST_OF_FIRST: u8 = 2;

/// Until so many have failed again.
const ENOUGH_AGAIN: u8 = 2;

/// What judging needs from outside.
pub(super) struct JudgeContext<'a> {
    pub(super) settings: &'a SchedulerSettings,
    pub(super) rng: &'a mut fastrand::Rng,
    pub(super) now: Time,
}

impl JudgeContext<'_> {
    /// Whether hosts are held back at all.
    const fn holds_back(&self) -> bool {
        !self.settings.retries.backoff_max.is_zero()
    }
}

/// What the host itself knows.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// Its fixed limit on requests at once.
    pub(super) max: u32,
    /// Good answers before, as far as that can be counted.
    pub(super) served: u8,
    /// All jobs in its queue have been tried before.
    pub(super) all_tried: bool,
}

/// A failure that its host is to blame for.
#[derive(Clone, Copy)]
struct Blow {
    started: Time,
    /// The cause, should the host be called dead.
    cause: FailureKind,
    /// What it counts for towards that. 0: nothing.
    weight: u32,
    /// The pause that was asked for, if that can be waited for.
    pause: Option<Duration>,
}

impl Health {
    pub(super) fn new(max: u32) -> Self {
        Self { adaptive: Adaptive::new(max), trouble: None }
    }

    /// Takes note of how an attempt ended.
    pub(super) fn note(&mut self, report: Report, host: Known, context: JudgeContext<'_>) {
        match report.verdict.blame() {
            Blame::Nobody => {}
            Blame::Alive => self.answered(report, host.max, &context),
            Blame::Overloaded | Blame::Unreachable(_) => self.failed(report, host, context),
            Blame::Gone(kind) => self.gone(kind, report.started, context),
        }
    }

    /// A connection ended under a request, which is repeated for nothing.
    pub(super) fn cut_off(&mut self, report: Report, max: u32, now: Time) {
        if let Some(trouble) = &mut self.trouble {
            trouble.throttle.cut_off(report.started, now, max);
        }
    }

    /// Takes note of a name that was not resolved. Each look-up is an event of its own, and one that timed out counts as a request
    /// that did.
    ///
    /// Where the breaker is off, or nothing is to be retried, the look-up ends after as many tries as a request has: a host without an
    /// address would keep its jobs for ever.
    pub(super) fn unresolved(&mut self, kind: FailureKind, context: JudgeContext<'_>) {
        let retries = &context.settings.retries;
        let after = match (retries.dead_after, retries.retries) {
            (0, retries) => retries.saturating_add(1),
            (_, 0) => 1,
            (dead_after, _) => dead_after,
        };
        let weight = if kind == FailureKind::Timeout { after.div_ceil(2) } else { 1 };
        if let Blame::Gone(kind) = Verdict::Failed(kind).blame() {
            return self.gone(kind, context.now, context);
        }
        let trouble = self.trouble(context.now, 0);
        if trouble.breaker.is_news(context.now) {
            let blow = Blow { started: context.now, cause: kind, weight, pause: None };
            trouble.event(blow, after, Duration::MAX, context);
        }
    }

    /// The failures of its name are of no account any more.
    pub(super) fn renamed(&mut self, now: Time) {
        if let Some(trouble) = &mut self.trouble {
            trouble.breaker.answered();
            trouble.rest.end(now);
        }
    }

    /// Nothing is started before this time. `last`: when the host's last request was started, if one was.
    pub(super) fn until(&self, last: Option<Time>) -> Time {
        let Some(trouble) = &self.trouble else { return Time::ZERO };
        let spacing = trouble.throttle.spacing();
        let paced = last.filter(|_| !spacing.is_zero()).map_or(Time::ZERO, |last| last + spacing);
        trouble.rest.until().max(paced)
    }

    /// Whether the host is left alone at `now`, and not only paced.
    pub(super) fn rests(&self, now: Time) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| !trouble.rest.is_over(now))
    }

    /// How much of the time from `since` to `now` its last rest took.
    pub(super) fn rested(&self, since: Time, now: Time) -> Duration {
        self.trouble.as_ref().map_or(Duration::ZERO, |trouble| trouble.rest.within(since, now))
    }

    /// The least time between two starts that was learnt from the host.
    pub(super) fn spacing(&self) -> Duration {
        self.trouble.as_ref().map_or(Duration::ZERO, |trouble| trouble.throttle.spacing())
    }

    /// How many requests at once it is given after what its answers showed.
    pub(super) fn allowed(&self) -> u32 {
        self.trouble.as_ref().map_or(u32::MAX, |trouble| trouble.allowed())
    }

    /// Whether nothing has come back well since it was found to be in trouble.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.level > 0)
    }

    /// Whether it has asked for a pause, or is in trouble, and nothing has come back well since.
    pub(super) fn is_to_wait(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| {
            let is_in_trouble = trouble.level > 0 && !trouble.is_known_to_fail();
            is_in_trouble || (trouble.asked_at.is_some() && !trouble.attempts.url_fails())
        })
    }

    /// Whether asking for less seems to be an answer of the host's, and not one of some of its URLs.
    pub(super) fn means_all(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| !trouble.attempts.url_fails() && !trouble.attempts.further_fail())
    }

    /// Whether it may be one: it is not sure that it is the URLs'.
    pub(super) fn may_mean_all(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| !trouble.attempts.url_fails_for_sure())
    }

    /// So many failures in a row are no chance, by what is known of the host.
    pub(super) fn telling_run(&self) -> u8 {
        self.trouble.as_ref().map_or(SHORTEST_RUN, |trouble| trouble.share.telling_run())
    }

    /// Whether all of `queued` jobs have been tried before.
    pub(super) fn has_tried_all(&self, queued: usize) -> bool {
        queued <= self.trouble.as_ref().map_or(0, |trouble| usize::from(trouble.again))
    }

    /// A job has come back to the end of the queue that has been tried before.
    pub(super) fn comes_again(&mut self) {
        if let Some(trouble) = &mut self.trouble {
            trouble.again = trouble.again.saturating_add(1);
        }
    }

    /// Whether a retry that the host can't afford may wait once more: a good answer came so short a time ago.
    pub(super) fn may_wait_unpaid(&self, patience: Duration, now: Time) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| now.since(trouble.well_at) < patience)
    }

    /// A job has come to the front of the queue, for which the others wait.
    pub(super) fn comes_first(&mut self) {
        if let Some(trouble) = &mut self.trouble {
            trouble.ahead = trouble.ahead.saturating_add(1);
        }
    }

    /// Which of `queued` jobs is the next, if that is not the first.
    pub(super) fn draw(&mut self, queued: usize, rng: &mut fastrand::Rng) -> Option<usize> {
        let trouble = self.trouble.as_mut()?;
        let last = queued.checked_sub(1)?;
        if !trouble.scatters || trouble.ahead > 0 {
            trouble.ahead = trouble.ahead.saturating_sub(1);
            trouble.again = trouble.again.min(u16::try_from(last).unwrap_or(u16::MAX));
            return None;
        }
        let fresh = queued.saturating_sub(usize::from(trouble.again));
        let at = if trouble.draws_last(rng) { last } else { rng.usize(..fresh.max(1)) };
        trouble.again = trouble.again.saturating_sub(u16::from(at >= fresh));
        Some(at)
    }

    /// Whether nothing is held against the host.
    pub(super) const fn is_clear(&self) -> bool {
        self.trouble.is_none()
    }

    /// The cause, while the host is dead.
    pub(super) fn dead(&self, now: Time) -> Option<FailureKind> {
        self.trouble.as_ref().and_then(|trouble| trouble.breaker.dead(now))
    }

    /// Whether only a probe may pass.
    pub(super) fn half_open(&self, now: Time) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.breaker.half_open(now))
    }

    /// When nothing is remembered against the host any longer.
    pub(super) fn clear_at(&self) -> Time {
        self.trouble.as_ref().map_or(Time::ZERO, |trouble| trouble.rest.until().max(trouble.breaker.until()))
    }

    /// Drops trouble that is over. To be called while nothing is in flight: what is begun later is news in any case.
    pub(super) fn forgive(&mut self, now: Time) {
        self.trouble.take_if(|trouble| trouble.is_over(now));
    }

    fn trouble(&mut self, now: Time, served: u8) -> &mut Trouble {
        self.trouble.get_or_insert_with(|| Box::new(Trouble::new(now, served)))
    }

    fn answered(&mut self, report: Report, max: u32, context: &JudgeContext<'_>) {
        let is_good = report.verdict == Verdict::Fine;
        if let Some(trouble) = &mut self.trouble {
            trouble.breaker.answered();
            if is_good {
                trouble.served(report, max, context);
            }
        }
        if is_good {
            self.adaptive.succeeded(max);
        }
    }

    // Cold, this and what follows: most attempts end well, and noting that should cost little.
    #[cold]
    fn failed(&mut self, report: Report, host: Known, context: JudgeContext<'_>) {
        let (now, retries) = (context.now, &context.settings.retries);
        let (blow, asks_too_much) = Blow::of(report, retries);
        let trouble = self.trouble(now, host.served);
        trouble.is_silent = host.served == 0 && matches!(report.verdict, Verdict::Stalled(_));
        trouble.silent_again = trouble.silent_again.saturating_add(u8::from(trouble.is_silent && report.is_again()));
        if blow.weight == 0 {
            trouble.breaker.answered();
        }
        let Evidence { counts, is_trouble, holds } = trouble.weigh(report, &blow, asks_too_much, host, &context);
        if let Some(pause) = blow.pause.filter(|_| holds || is_trouble) {
            trouble.pause(pause, report.started, holds, host.max, &context);
        }
        if !is_trouble || !counts || !trouble.is_news(report, now) || !trouble.breaker.is_news(report.started) {
            return;
        }
        let has_served = host.served > 0;
        let is_connected = is_there(blow.cause) || matches!(report.verdict, Verdict::Stalled(_));
        let patience = match (has_served, is_connected) {
            _ if is_certificate(blow.cause) => Duration::ZERO,
            (true, _) => retries.outage,
            (false, true) => retries.outage / SO_FAR_NEVER_WELL,
            (false, false) => Duration::ZERO,
        };
        let may_recover = !patience.is_zero() && trouble.lasted(now) < patience;
        let after = if may_recover { 0 } else { retries.dead_after };
        let mut blow = blow;
        if asks_too_much && trouble.level > 0 && retries.dead_after > 0 {
            trouble.breaker.open(blow.cause, retries, now);
            blow.weight = 0;
        }
        let longest = match has_served {
            // It answers at once, and no rest makes another certificate of it.
            _ if is_certificate(blow.cause) => Duration::ZERO,
            true if trouble.run < LONG_RUN => retries.backoff_base,
            true => retries.backoff_base.max(trouble.lasted(now) / PATIENCE),
            false => Duration::MAX,
        };
        if context.holds_back() {
            trouble.throttle.rests(now, host.max, None);
            // One that is there, though it has never answered well so far, may serve hardly any of its URLs: more are tried.
            trouble.ramp = match has_served {
                true => u16::try_from(trouble.share.telling_probes(trouble.run)).unwrap_or(u16::MAX),
                // It has said when to ask again.
                false if matches!(report.verdict, Verdict::PushedBack(Some(_))) => 1,
                false => u16::from(!is_there(blow.cause)),
            };
        }
        trouble.scatters = true;
        trouble.event(blow, after, longest, context);
        self.adaptive.overloaded();
    }

    #[cold]
    fn gone(&mut self, kind: FailureKind, started: Time, context: JudgeContext<'_>) {
        let breaker = &mut self.trouble(context.now, 0).breaker;
        if breaker.is_news(started) {
            breaker.open(kind, &context.settings.retries, context.now);
        }
    }
}

/// Whether it is the certificate that fails.
const fn is_certificate(kind: FailureKind) -> bool {
    use FailureKind as K;
    matches!(kind, K::CertificateExpired | K::CertificateName | K::CertificateUntrusted)
}

/// Whether who fails like this has been reached.
const fn is_there(kind: FailureKind) -> bool {
    use FailureKind as K;
    matches!(kind, K::Status | K::Reset | K::Closed | K::Io | K::Truncated | K::TooSlow)
}

/// What a failed attempt says of the host.
struct Evidence {
    /// Anything, and not only of its job.
    counts: bool,
    /// It is in trouble.
    is_trouble: bool,
    /// It asks for fewer requests, and is believed.
    holds: bool,
}

impl Blow {
    /// What a failed attempt says, and whether it asks for a longer pause than is waited for.
    fn of(report: Report, retries: &RetrySettings) -> (Self, bool) {
        let (cause, weight) = match report.verdict {
            // It has said nothing for as long as we would wait.
            Verdict::Stalled(kind) | Verdict::Failed(kind @ (FailureKind::Timeout | FailureKind::TotalTimeout)) => {
                (kind, retries.dead_after.div_ceil(2).max(1))
            }
            // The head of the response came.
            Verdict::Failed(kind @ (FailureKind::Truncated | FailureKind::TooSlow)) => (kind, 0),
            Verdict::Failed(kind) => (kind, 1),
            Verdict::Fine | Verdict::Troubled(_) | Verdict::PushedBack(_) => (FailureKind::Status, 1),
        };
        let asked = report.verdict.pause().filter(|pause| !pause.is_zero());
        let pause = asked.filter(|pause| *pause <= retries.retry_after_max);
        (Self { started: report.started, cause, weight, pause }, asked != pause)
    }
}

impl Trouble {
    fn new(now: Time, served: u8) -> Self {
        Self {
            rest: Rest::NONE,
            asked_at: None,
            held_at: Time::ZERO,
            breaker: Breaker::new(),
            last_event: None,
            since: now,
            well_at: now,
            served_from: Time::ZERO,
            level: 0,
            run: 0,
            slower: 0,
            uncounted: 0,
            ramp: 0,
            is_silent: false,
            silent_again: 0,
            scatters: false,
            drawn: 0,
            again: 0,
            ahead: 0,
            share: Share::new(served),
            attempts: Attempts::NONE,
            throttle: Throttle::new(now),
        }
    }

    /// Whether less is asked for, though it may be the URLs that fail: those that have failed, asked again, will say.
    fn doubts(&self) -> bool {
        self.throttle.is_suspicious() && self.attempts.has_good_first() && !self.attempts.has_good_further()
    }

    /// Whether the next job is one that has failed before: where that decides whether the host fails or its URLs, where these end
    /// better than others, and now and then.
    fn draws_last(&mut self, rng: &mut fastrand::Rng) -> bool {
        if self.first_attempts_fail() || self.attempts.further_help() && self.share.is_usual() {
            return true;
        }
        if self.doubts() {
            return rng.bool();
        }
        // How far they have to come is to be seen soon: those not yet tried would only wait behind them.
        if self.attempts.further_are_better() {
            return rng.u8(..ONE_LAST_OF) > 0;
        }
        if self.level > 0 {
            let one_of =
                if self.is_silent && self.silent_again < ENOUGH_AGAIN { ONE_LAST_OF_FIRST } else { ONE_LAST_OF };
            self.drawn = (self.drawn + 1) % one_of;
        }
        self.level > 0 && self.drawn == 0
    }

    /// Whether the end of an attempt tells something that the last event did not. Silence does, too, when most of it came after.
    fn is_news(&self, report: Report, now: Time) -> bool {
        let silent = |last: Time| report.verdict.is_timeout() && now.since(last) > now.since(report.started) / 2;
        self.last_event.is_none_or(|last| report.started > last || silent(last))
    }

    /// Whether it is the first attempt at a job that fails, and less does not help against that.
    const fn first_attempts_fail(&self) -> bool {
        self.throttle.is_free() && self.attempts.first_fail()
    }

    /// Whether nothing of it is left that matters.
    fn is_over(&self, now: Time) -> bool {
        self.run == 0
            && self.level == 0
            && self.rest.is_over(now)
            && self.breaker.is_at_rest()
            && self.throttle.is_free()
            && !self.throttle.expects_failures()
            && !self.share.is_usual()
    }

    /// Whether the end of an attempt says something of the host, and not only of its job.
    const fn counts(&self, again: bool) -> bool {
        !again || self.attempts.further_help()
    }

    /// Counts how an attempt ended, and draws the conclusion if it is the URLs that fail.
    fn ended(&mut self, report: Report, is_good: bool, now: Time) {
        // What was begun before less was asked for says nothing of it, and where everything fails nothing tells further attempts from
        // first ones.
        let is_news = !self.throttle.is_suspicious() || self.throttle.is_news(report.started);
        if is_news && (is_good || self.level == 0) {
            self.attempts.ended(report.attempt, is_good);
        }
        if self.throttle.is_suspicious() && self.attempts.url_fails_for_sure() {
            self.throttle.urls_fail(self.attempts.first_share(), now);
        }
        self.scatters |= self.doubts();
    }

    /// Whether that further attempts fail is what is known of the host, and says nothing new.
    fn is_known_to_fail(&self) -> bool {
        self.share.is_hopeless() || self.attempts.further_fail()
    }

    fn lasted(&self, now: Time) -> Duration {
        if self.level == 0 { Duration::ZERO } else { now.since(self.since) }
    }

    fn allowed(&self) -> u32 {
        let ramp = if self.ramp == 0 { u32::MAX } else { self.ramp.into() };
        match self.throttle.allowance() {
            Allowance::AtOnce(requests) => requests.min(ramp),
            Allowance::All | Allowance::Every(_) => ramp,
        }
    }

    /// What a failed attempt says of the host.
    fn weigh(
        &mut self,
        report: Report,
        blow: &Blow,
        asks_too_much: bool,
        host: Known,
        context: &JudgeContext<'_>,
    ) -> Evidence {
        let now = context.now;
        // Who has answered is there while its connections stand, whichever of its URLs never come.
        let is_silent = matches!(report.verdict, Verdict::Stalled(_)) && host.served > 0;
        let is_there = is_there(blow.cause) || is_silent;
        let is_pushed_back = matches!(report.verdict, Verdict::PushedBack(_));
        let asks = asks_too_much || blow.pause.is_some() || is_pushed_back;
        // Whose first failure came while the host served others tells nothing of it with the next ones either.
        let is_of_an_outage = report.failing_since.is_none_or(|since| since > self.served_from);
        let is_all_there_is = host.served > 0 && host.all_tried && is_of_an_outage && !self.is_known_to_fail();
        // A URL is no reason not to be reached.
        // While it was waited for the host answered others: it is the URL.
        let is_url = is_silent && report.started < self.well_at;
        let says_of_host =
            self.counts(report.is_again()) || !is_there || is_all_there_is || (self.level > 0 && blow.pause.is_some());
        let counts = says_of_host && !is_url;
        // Where hardly anything ends well, and it is not known that less does not help, they are what there is to go by.
        self.uncounted = if counts { 0 } else { (self.uncounted + 1) % LONG_RUN };
        let is_unclear = self.share.is_hopeless() && !self.throttle.expects_failures();
        let is_long = !counts && self.uncounted == 0 && is_unclear;
        let counts = counts || is_long;
        let first_fail = self.first_attempts_fail();
        self.run = self.run.saturating_add(u8::from(counts));
        self.slower = self.slower.saturating_add(u8::from(counts && is_there && report.started < self.served_from));
        if context.holds_back() {
            if is_there && self.is_bad_beginning(host.served) && self.throttle.begins_badly(now) {
                // Further attempts at the first pace are compared with first ones at it.
                self.attempts = Attempts::NONE;
            }
            // Where less helps, it helps further attempts, too.
            if (counts || self.throttle.is_suspicious()) && !first_fail {
                let is_meant = self.attempts.has_good_first() && self.attempts.has_good_further();
                self.throttle.bad(report.started, now, host.max, (is_pushed_back, is_meant));
            }
        }
        let url_fails = is_pushed_back && self.attempts.url_fails() && !self.throttle.is_suspicious();
        if url_fails {
            self.throttle.is_not_told(now);
        }
        // Who says so is believed, unless it is the URL that is answered like this.
        let is_believed = is_pushed_back && !url_fails && !self.throttle.expects_failures();
        let telling_run = match host.served > 0 {
            _ if first_fail && is_there => LONGEST_RUN,
            true if is_believed => SHORTEST_RUN,
            // It is there, and asks for nothing: it may serve hardly any of its URLs.
            _ if is_there && !asks || self.share.is_known() => self.share.telling_run(),
            true => SHORTEST_RUN,
            false => 1,
        };
        self.ended(report, false, now);
        Evidence { counts, is_trouble: is_long || self.run - self.slower >= telling_run, holds: is_believed && counts }
    }

    /// Whether nearly all failed that was asked at first, so far.
    const fn is_bad_beginning(&self, served: u8) -> bool {
        let run = self.run.saturating_add(self.uncounted);
        match served {
            0..=1 => run == SHORTEST_RUN,
            2..=EARLY => run == EARLY_RUN,
            _ => false,
        }
    }

    /// The host asks for a pause. `holds`: whatever else it answers.
    fn pause(&mut self, pause: Duration, started: Time, holds: bool, max: u32, context: &JudgeContext<'_>) {
        let now = context.now;
        // What it served between two such pauses is what it takes. Nothing begun during one belongs to the next.
        if holds && started >= self.held_at && context.holds_back() {
            self.throttle.rests(now, max, Some(pause));
            self.held_at = now;
        }
        self.rest.extend(now + pause, now);
        // What was under way when it asked for it says nothing of whether it means that.
        self.asked_at = self.asked_at.max(Some(if holds { now } else { started }));
        // As many as asked for too much would do so again.
        if context.holds_back() {
            self.ramp = 1;
        }
    }

    /// A good answer came.
    fn served(&mut self, report: Report, max: u32, context: &JudgeContext<'_>) {
        let now = context.now;
        // It was asked for before the last good answer came, and all that failed since came back first.
        let is_in_question = report.started <= self.well_at && (!report.is_again() || self.attempts.has_good_first());
        let is_crowded =
            is_in_question && context.holds_back() && self.throttle.crowded(self.run, now.since(report.started), now);
        self.well_at = now;
        self.served_from = self.served_from.max(report.started);
        self.share.good_after(self.run);
        (self.run, self.slower, self.uncounted) = (0, 0, 0);
        if self.asked_at.is_none_or(|asked| report.started >= asked) {
            self.rest.end(now);
            self.asked_at = None;
        }
        self.level = 0;
        let more = self.ramp.saturating_add(1);
        self.ramp = if self.ramp > 0 && more < u16::MAX && u32::from(more) < max { more } else { 0 };
        self.ended(report, true, now);
        if !is_crowded && !self.first_attempts_fail() {
            self.throttle.good(report.started, now, max);
        }
    }

    /// One more event: a rest of `longest` at most, unless another was asked for. The breaker opens at `after` (0: never).
    fn event(&mut self, blow: Blow, after: u32, longest: Duration, context: JudgeContext<'_>) {
        let (now, settings) = (context.now, context.settings);
        if self.level == 0 {
            self.since = now;
        }
        self.level = self.level.saturating_add(1);
        self.last_event = Some(now);
        if blow.weight > 0 {
            self.breaker.failed(blow.cause, blow.weight, after, &settings.retries, now);
        }
        // The time that the attempt took has been a rest already.
        let rested = || blow.started + settings.host_backoff().wait(u32::from(self.level), context.rng).min(longest);
        self.rest.extend(blow.pause.map_or_else(rested, |pause| now + pause), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_against_a_host_fits_its_memory_budget() {
        assert!(size_of::<Trouble>() <= 256, "{}", size_of::<Trouble>());
    }
}
