//! What must become of a failed attempt's job: the slow and obvious version. It keeps every host's whole history and works
//! out from it whether the host is dead, until when it asked to be left alone, and what the budget holds.

use std::cell::Cell;
use std::time::Duration;

use crate::config::RetrySettings;
use crate::model::{FailureKind, GiveUpReason, Time};
use crate::policy::{Attempts, Share, Throttle};
use crate::sched::{Report, RetryFacts, Verdict};

/// Kinds that may go away by trying again.
const AGAIN: &str = "servfail timeout total_timeout refused unreachable no_ports reset closed io too_slow truncated";
/// Kinds that say nothing about the host.
const OURS: &str = "bad_url unsupported_scheme empty_host bad_port bad_json bad_request line_too_long invalid_utf8 \
                    host_dead cancelled unwanted not_saved status address_refused";
/// Kinds after which the host gave no sign of life.
pub(super) const SILENT: &str = "servfail timeout total_timeout refused unreachable no_ports reset closed io handshake protocol certificate_expired \
     certificate_name certificate_untrusted";

pub(super) fn among(kind: FailureKind, names: &str) -> bool {
    names.split_whitespace().any(|name| name == kind.name())
}

/// Why a job that has had this many attempts is not tried again, as far as that lies in the job.
pub(super) fn reason_of_its_own(
    verdict: Verdict,
    attempt: u32,
    replayable: bool,
    settings: &RetrySettings,
) -> Option<GiveUpReason> {
    let hopeless = match verdict {
        Verdict::Fine => true,
        Verdict::Troubled(_) | Verdict::PushedBack(_) => false,
        Verdict::Failed(kind) | Verdict::Stalled(kind) => !among(kind, AGAIN),
    };
    if hopeless {
        Some(GiveUpReason::Final)
    } else if !replayable && !settings.unsafe_methods {
        Some(GiveUpReason::Unsafe)
    } else if attempt > settings.retries {
        Some(GiveUpReason::RetriesUsed)
    } else {
        None
    }
}

/// What something says of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Nothing,
    /// Alive; and whether the answer was a good one.
    Alive(bool),
    /// It failed: the cause, what that counts for, and the pause asked for.
    Failing(FailureKind, u32, Option<Duration>),
    Gone(FailureKind),
}

impl Sign {
    fn of(verdict: Verdict, settings: &RetrySettings) -> Self {
        let half = settings.dead_after.div_ceil(2).max(1);
        match verdict {
            Verdict::Fine => Self::Alive(true),
            Verdict::Troubled(pause) | Verdict::PushedBack(pause) => Self::Failing(FailureKind::Status, 1, pause),
            Verdict::Failed(kind @ (FailureKind::TooSlow | FailureKind::Truncated)) => Self::Failing(kind, 0, None),
            Verdict::Stalled(kind) | Verdict::Failed(kind @ (FailureKind::Timeout | FailureKind::TotalTimeout)) => {
                Self::Failing(kind, half, None)
            }
            Verdict::Failed(kind) if is_gone(kind) => Self::Gone(kind),
            Verdict::Failed(kind) if among(kind, OURS) => Self::Nothing,
            Verdict::Failed(kind) if among(kind, SILENT) => Self::Failing(kind, 1, None),
            Verdict::Failed(_) => Self::Alive(false),
        }
    }
}

/// Whether a kind says that the name has no address.
pub(super) const fn is_gone(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::NameNotFound | FailureKind::NoAddress)
}

/// Something that happened to a host.
#[derive(Clone, Copy, Debug)]
enum Past {
    Reported {
        started: Time,
        at: Time,
        verdict: Verdict,
        attempt: u32,
        max: u32,
        /// When its job began to fail, if it had before.
        failing_since: Option<Time>,
        /// All that was left had been tried before.
        all_tried: bool,
    },
    /// A connection ended under a request, which was repeated for nothing.
    CutOff { started: Time, at: Time, max: u32 },
    /// A look-up failed, which is an event of its own.
    Unresolved { at: Time, kind: FailureKind },
    /// It had nothing left to do.
    Idle { at: Time },
}

/// What is known of a dead host, or of one that was dead and has not answered since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) until: Time,
    pub(super) cause: FailureKind,
    times: u32,
}

/// What follows from a host's history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// The host's last death, unless it has answered since.
    pub(super) death: Option<Death>,
    /// It asked to be left alone until then.
    pub(super) asked_until: Time,
    asked_at: Option<Time>,
    served: u32,
    counted: u32,
    last_event: Option<Time>,
    level: u32,
    since: Time,
    /// It has been in trouble.
    pub(super) scattered: bool,
    run: u8,
    /// Of the run, what was begun before something that was answered well.
    slower: u8,
    /// When the last request was begun that was answered well.
    served_from: Time,
    uncounted: u8,
    share: Share,
    attempts: Attempts,
    /// When the last good answer came, or the first failure.
    well_at: Time,
    held_at: Time,
    /// Known from the first failure on.
    throttle: Option<Throttle>,
}

impl Default for Standing {
    fn default() -> Self {
        Self::FRESH
    }
}

impl Standing {
    const FRESH: Self = Self {
        death: None,
        asked_until: Time::ZERO,
        asked_at: None,
        served: 0,
        counted: 0,
        last_event: None,
        level: 0,
        since: Time::ZERO,
        scattered: false,
        run: 0,
        slower: 0,
        served_from: Time::ZERO,
        uncounted: 0,
        share: Share::NOTHING,
        attempts: Attempts::NONE,
        well_at: Time::ZERO,
        held_at: Time::ZERO,
        throttle: None,
    };

    fn follow(&mut self, past: Past, settings: &RetrySettings) {
        match past {
            Past::Reported { started, at, verdict, attempt, max, failing_since, all_tried } => {
                match Sign::of(verdict, settings) {
                    Sign::Nothing => {}
                    Sign::Alive(good) => self.alive(good, attempt, (started, at), max, !settings.backoff_max.is_zero()),
                    Sign::Gone(kind) => self.gone(kind, started, at, settings),
                    Sign::Failing(kind, weight, pause) => {
                        self.failing(
                            (kind, weight),
                            pause,
                            verdict,
                            (attempt, failing_since, all_tried),
                            (started, at),
                            max,
                            settings,
                        );
                    }
                }
            }
            Past::CutOff { started, at, max } => {
                if let Some(throttle) = &mut self.throttle {
                    throttle.cut_off(started, at, max);
                }
            }
            Past::Unresolved { at, kind } if is_gone(kind) => self.gone(kind, at, at, settings),
            Past::Unresolved { at, kind } => {
                let after = match settings.retries {
                    retries if settings.dead_after == 0 => retries + 1,
                    0 => 1,
                    _ => settings.dead_after,
                };
                let weight = if kind == FailureKind::Timeout { after.div_ceil(2) } else { 1 };
                self.troubled(at);
                if self.death.is_none_or(|death| at >= death.until) {
                    self.event((kind, weight), after, at, settings);
                }
            }
            Past::Idle { at } => {
                let free = self.throttle.is_some_and(|throttle| throttle.is_free() && !throttle.expects_failures());
                let over = free
                    && !self.share.is_usual()
                    && self.run == 0
                    && self.level == 0
                    && self.death.is_none()
                    && self.counted == 0;
                // A pause of its own may still run, which nobody can tell from outside; then what was learnt of it stays.
                if over && self.asked_until <= at {
                    *self = Self { served: self.served, ..Self::FRESH };
                }
            }
        }
    }

    fn alive(&mut self, good: bool, attempt: u32, (started, at): (Time, Time), max: u32, holding: bool) {
        (self.death, self.counted) = (None, 0);
        if !good {
            return;
        }
        self.served += 1;
        let Some(throttle) = &mut self.throttle else { return };
        let in_question = started <= self.well_at && holding && (attempt == 1 || self.attempts.has_good_first());
        let crowded = in_question && throttle.crowded(self.run, at.since(started), at);
        self.well_at = at;
        self.ended((started, at), attempt, true);
        let Some(throttle) = &mut self.throttle else { return };
        let first_fail = throttle.is_free() && self.attempts.first_fail();
        if !crowded && !first_fail {
            throttle.good(started, at, max);
        }
        self.share.good_after(self.run);
        self.served_from = self.served_from.max(started);
        (self.run, self.slower, self.uncounted, self.level) = (0, 0, 0, 0);
        if self.asked_at.is_none_or(|asked| started >= asked) {
            (self.asked_until, self.asked_at) = (self.asked_until.min(at), None);
        }
    }

    fn ended(&mut self, (started, at): (Time, Time), attempt: u32, good: bool) {
        let Some(throttle) = &mut self.throttle else { return };
        if (good || self.level == 0) && (!throttle.is_suspicious() || throttle.is_news(started)) {
            self.attempts.ended(attempt, good);
        }
        if throttle.is_suspicious() && self.attempts.url_fails_for_sure() {
            throttle.urls_fail(self.attempts.first_share(), at);
        }
        self.scattered |=
            throttle.is_suspicious() && self.attempts.has_good_first() && !self.attempts.has_good_further();
    }

    /// It has failed once.
    fn troubled(&mut self, at: Time) {
        if self.throttle.is_none() {
            (self.throttle, self.well_at) = (Some(Throttle::new(at)), at);
        }
    }

    fn gone(&mut self, kind: FailureKind, started: Time, at: Time, settings: &RetrySettings) {
        self.troubled(at);
        if self.death.is_none_or(|death| started >= death.until) {
            self.die(kind, at, settings);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what a report says, laid out")]
    fn failing(
        &mut self,
        (kind, weight): (FailureKind, u32),
        pause: Option<Duration>,
        verdict: Verdict,
        (attempt, failing_since, all_tried): (u32, Option<Time>, bool),
        (started, at): (Time, Time),
        max: u32,
        settings: &RetrySettings,
    ) {
        let holding = !settings.backoff_max.is_zero();
        let (pushed_back, stalled) =
            (matches!(verdict, Verdict::PushedBack(_)), matches!(verdict, Verdict::Stalled(_)));
        if self.throttle.is_none() {
            self.share = Share::new(u8::try_from(self.served).unwrap_or(u8::MAX));
        }
        self.troubled(at);
        let throttle = self.throttle.as_mut().expect("it is there by now");
        if weight == 0 {
            (self.death, self.counted) = (None, 0);
        }
        let there = among(kind, "status reset closed io truncated too_slow") || (stalled && self.served > 0);
        let asked = pause.is_some_and(|pause| !pause.is_zero() && pause <= settings.retry_after_max);
        let known_to_fail = self.share.is_hopeless() || self.attempts.further_fail();
        let served_since = failing_since.is_some_and(|since| since <= self.served_from);
        let all_there_is = self.served > 0 && all_tried && !served_since && !known_to_fail;
        let url = stalled && self.served > 0 && started < self.well_at;
        let counts = !url
            && (attempt == 1 || !there || self.attempts.further_help() || all_there_is || (self.level > 0 && asked));
        self.uncounted = if counts { 0 } else { (self.uncounted + 1) % 32 };
        let unclear = self.share.is_hopeless() && !throttle.expects_failures();
        let long = !counts && self.uncounted == 0 && unclear;
        let counts = counts || long;
        let first_fail = throttle.is_free() && self.attempts.first_fail();
        self.run = self.run.saturating_add(u8::from(counts));
        self.slower = self.slower.saturating_add(u8::from(counts && there && started < self.served_from));
        let beginning = match self.served {
            0..=1 => self.run.saturating_add(self.uncounted) == 8,
            2..=32 => self.run.saturating_add(self.uncounted) == 12,
            _ => false,
        };
        if holding && beginning && there && throttle.begins_badly(at) {
            self.attempts = Attempts::NONE;
        }
        if holding && !first_fail && (counts || throttle.is_suspicious()) {
            let meant = self.attempts.has_good_first() && self.attempts.has_good_further();
            throttle.bad(started, at, max, (pushed_back, meant));
        }
        let url_fails = pushed_back && self.attempts.url_fails() && !throttle.is_suspicious();
        if url_fails {
            throttle.is_not_told(at);
        }
        let disbelieved = url_fails || throttle.expects_failures();
        self.ended((started, at), attempt, false);
        let throttle = self.throttle.as_mut().expect("it is there by now");
        let asks = pushed_back || pause.is_some_and(|pause| !pause.is_zero());
        let telling_run = match self.served {
            _ if first_fail && there => 64,
            1.. if pushed_back && !disbelieved => 8,
            _ if there && !asks || self.share.is_known() => self.share.telling_run(),
            0 => 1,
            _ => 8,
        };
        let in_trouble = long || self.run - self.slower >= telling_run;
        let holds = pushed_back && counts && !disbelieved;
        let pause = pause.filter(|pause| !pause.is_zero());
        let too_long = pause.is_some_and(|pause| pause > settings.retry_after_max);
        if let Some(pause) = pause.filter(|_| !too_long && (holds || in_trouble)) {
            if holds && started >= self.held_at && holding {
                throttle.rests(at, max, Some(pause));
                self.held_at = at;
            }
            self.asked_until = self.asked_until.max(at + pause);
            self.asked_at = self.asked_at.max(Some(if holds { at } else { started }));
        }
        let silence = matches!(kind, FailureKind::Timeout | FailureKind::TotalTimeout);
        let told = |last: Time| !silence || at.since(last) <= at.since(started) / 2;
        let of_before = self.last_event.is_some_and(|last| started <= last && told(last));
        if !in_trouble || !counts || of_before || self.death.is_some_and(|death| started < death.until) {
            return;
        }
        let patience = match kind {
            _ if among(kind, "certificate_expired certificate_name certificate_untrusted") => Duration::ZERO,
            _ if self.served > 0 => settings.outage,
            _ if stalled => settings.outage / 3,
            FailureKind::Status | FailureKind::Reset | FailureKind::Closed | FailureKind::Io => settings.outage / 3,
            FailureKind::Truncated | FailureKind::TooSlow => settings.outage / 3,
            _ => Duration::ZERO,
        };
        let lasted = if self.level == 0 { Duration::ZERO } else { at.since(self.since) };
        let may_recover = lasted < patience;
        let dies = too_long && self.level > 0 && settings.dead_after > 0;
        if holding {
            throttle.rests(at, max, None);
        }
        if dies {
            self.die(kind, at, settings);
        }
        self.scattered = true;
        let after = if may_recover { 0 } else { settings.dead_after };
        self.event((kind, if dies { 0 } else { weight }), after, at, settings);
    }

    fn event(&mut self, (kind, weight): (FailureKind, u32), after: u32, at: Time, settings: &RetrySettings) {
        if self.level == 0 {
            self.since = at;
        }
        self.level += 1;
        self.last_event = Some(at);
        self.counted += weight;
        if weight > 0 && (self.death.is_some() || (after > 0 && self.counted >= after)) {
            self.die(kind, at, settings);
        }
    }

    fn die(&mut self, cause: FailureKind, at: Time, settings: &RetrySettings) {
        let times = self.death.map_or(0, |death| death.times);
        let span = settings.dead_for.saturating_mul(2_u32.pow(times.min(3)));
        self.death = Some(Death { until: at + span.max(Duration::from_millis(1)), cause, times: times + 1 });
    }
}

/// One host's history.
#[derive(Debug, Default)]
pub(super) struct History {
    past: Vec<Past>,
    /// What follows from so many of it.
    followed: Cell<(usize, Standing)>,
    /// Something went wrong once; else there is nothing to work out.
    blemished: bool,
    earned: u32,
    spent: u32,
}

impl History {
    pub(super) fn report(&mut self, report: Report, at: Time, (max, all_tried): (u32, bool)) {
        let Report { started, verdict, attempt, failing_since } = report;
        self.blemished |= verdict != Verdict::Fine;
        self.past.push(Past::Reported { started, at, verdict, attempt, max, failing_since, all_tried });
    }

    pub(super) fn cut_off(&mut self, started: Time, at: Time, max: u32) {
        if self.blemished {
            self.past.push(Past::CutOff { started, at, max });
        }
    }

    pub(super) fn unresolved(&mut self, at: Time, kind: FailureKind) {
        self.blemished = true;
        self.past.push(Past::Unresolved { at, kind });
    }

    /// The host has nothing left to do.
    pub(super) fn idle(&mut self, at: Time) {
        if self.blemished {
            self.past.push(Past::Idle { at });
        }
    }

    /// A job ended well.
    pub(super) fn earn(&mut self, attempts: u32) {
        self.earned += attempts;
    }

    /// Whether nothing ever went wrong.
    pub(super) const fn is_clean(&self) -> bool {
        !self.blemished
    }

    pub(super) fn standing(&self, settings: &RetrySettings) -> Standing {
        if self.is_clean() {
            return Standing::FRESH;
        }
        let (followed, mut standing) = self.followed.get();
        self.past[followed..].iter().for_each(|past| standing.follow(*past, settings));
        self.followed.set((self.past.len(), standing));
        standing
    }

    /// The cause, if the host is dead at `now`.
    pub(super) fn dead(&self, settings: &RetrySettings, now: Time) -> Option<FailureKind> {
        self.standing(settings).death.filter(|death| now < death.until).map(|death| death.cause)
    }

    /// What must become of a job whose attempt has just been reported (and recorded, unless it was free): the reason it
    /// is given up for, or another try, and whether that has to be paid for.
    pub(super) fn fate(
        &self,
        verdict: Verdict,
        facts: RetryFacts,
        settings: &RetrySettings,
        stopped: bool,
        now: Time,
    ) -> Result<bool, GiveUpReason> {
        let free = facts.is_free() && facts.replayable;
        let own = reason_of_its_own(verdict, facts.attempt, facts.replayable, settings);
        if let Some(reason) = own.filter(|_| !free) {
            return Err(reason);
        }
        if stopped {
            return Err(GiveUpReason::Stopped);
        }
        if let Some(cause) = self.dead(settings, now) {
            return Err(GiveUpReason::HostDead(cause));
        }
        if !free && verdict.pause().is_some_and(|pause| pause > settings.retry_after_max) {
            return Err(GiveUpReason::RetryAfter);
        }
        Ok(!free && !matches!(verdict, Verdict::PushedBack(_)))
    }

    /// Takes note of a try that had to be paid for.
    pub(super) fn pay(&mut self, settings: &RetrySettings) {
        self.spent += 1;
        assert!(self.account(settings) > -1e-9, "a try that nobody paid for");
    }

    /// Retries that the host can still afford.
    pub(super) fn account(&self, settings: &RetrySettings) -> f64 {
        let paid_in = if self.earned == 0 { 0.0 } else { settings.budget_ratio * f64::from(self.earned) };
        f64::from(settings.budget_floor) + paid_in - f64::from(self.spent)
    }
}
