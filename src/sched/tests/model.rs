//! What must become of a failed attempt's job: the slow and obvious version. It keeps every host's whole history and works
//! out from it, from the beginning each time, whether the host is dead and what the budget holds.

use std::time::Duration;

use crate::config::RetrySettings;
use crate::model::{FailureKind, GiveUpReason, Time};
use crate::sched::{RetryFacts, Verdict};

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
        Verdict::Troubled | Verdict::PushedBack(_) => false,
        Verdict::Failed(kind) => !among(kind, AGAIN),
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
    Alive,
    Overloaded,
    Silent(FailureKind),
    Gone(FailureKind),
}

impl Sign {
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Fine => Self::Alive,
            Verdict::Troubled | Verdict::PushedBack(_) => Self::Overloaded,
            Verdict::Failed(FailureKind::TooSlow | FailureKind::Truncated) => Self::Overloaded,
            Verdict::Failed(kind) if is_gone(kind) => Self::Gone(kind),
            Verdict::Failed(kind) if among(kind, OURS) => Self::Nothing,
            Verdict::Failed(kind) if among(kind, SILENT) => Self::Silent(kind),
            Verdict::Failed(_) => Self::Alive,
        }
    }
}

/// Whether a kind says that the name has no address.
pub(super) const fn is_gone(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::NameNotFound | FailureKind::NoAddress)
}

#[derive(Clone, Copy, Debug)]
struct Past {
    /// `None`: a look-up, which is an event of its own.
    started: Option<Time>,
    at: Time,
    sign: Sign,
}

/// What is known of a dead host, or of one that was dead and has not answered since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) until: Time,
    pub(super) cause: FailureKind,
    times: u32,
}

/// One host's history.
#[derive(Debug, Default)]
pub(super) struct History {
    past: Vec<Past>,
    /// Something went wrong once; else there is nothing to work out.
    blemished: bool,
    earned: u32,
    spent: u32,
}

impl History {
    pub(super) fn report(&mut self, started: Time, at: Time, verdict: Verdict) {
        self.blemished |= verdict != Verdict::Fine;
        self.past.push(Past { started: Some(started), at, sign: Sign::of(verdict) });
    }

    pub(super) fn unresolved(&mut self, at: Time, kind: FailureKind) {
        self.blemished = true;
        self.past.push(Past { started: None, at, sign: Sign::of(Verdict::Failed(kind)) });
    }

    /// A job ended well.
    pub(super) fn earn(&mut self) {
        self.earned += 1;
    }

    /// Whether nothing ever went wrong.
    pub(super) const fn is_clean(&self) -> bool {
        !self.blemished
    }

    /// The host's last death, unless it has answered since.
    pub(super) fn death(&self, settings: &RetrySettings) -> Option<Death> {
        if self.is_clean() {
            return None;
        }
        let (mut death, mut in_a_row, mut last_event) = (None::<Death>, 0, None);
        for Past { started, at, sign } in &self.past {
            if started.is_none() {
                last_event = None;
            }
            let of_before = started.is_some_and(|started| last_event.is_some_and(|last| started <= last));
            let after = match started {
                None if settings.dead_after == 0 => settings.retries + 1,
                _ => settings.dead_after,
            };
            let started = started.unwrap_or(*at);
            let (kind, gone) = match *sign {
                Sign::Nothing => continue,
                Sign::Alive | Sign::Overloaded => {
                    (death, in_a_row) = (None, 0);
                    if *sign == Sign::Overloaded && !of_before {
                        last_event = Some(*at);
                    }
                    continue;
                }
                Sign::Silent(kind) => (kind, false),
                Sign::Gone(kind) => (kind, true),
            };
            if death.is_some_and(|death| started < death.until) || (!gone && of_before) {
                continue;
            }
            if !gone {
                last_event = Some(*at);
                in_a_row += 1;
            }
            if gone || death.is_some() || (after > 0 && in_a_row >= after) {
                let times = death.map_or(0, |death| death.times);
                let span = settings.dead_for.saturating_mul(2_u32.pow(times.min(3)));
                let until = *at + span.max(Duration::from_millis(1));
                death = Some(Death { until, cause: kind, times: times + 1 });
            }
        }
        death
    }

    /// The cause, if the host is dead at `now`.
    pub(super) fn dead(&self, settings: &RetrySettings, now: Time) -> Option<FailureKind> {
        self.death(settings).filter(|death| now < death.until).map(|death| death.cause)
    }

    /// What must become of a job whose attempt has just been reported (and recorded, unless it was free): the reason it
    /// is given up for, or another try.
    pub(super) fn fate(
        &mut self,
        verdict: Verdict,
        facts: RetryFacts,
        settings: &RetrySettings,
        stopped: bool,
        now: Time,
    ) -> Result<(), GiveUpReason> {
        let free = facts.free && facts.replayable;
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
        let charged = !free && !matches!(verdict, Verdict::PushedBack(_));
        let paid_in = if self.earned == 0 { 0.0 } else { settings.budget_ratio * f64::from(self.earned) };
        let account = f64::from(settings.budget_floor) + paid_in;
        if charged && account - f64::from(self.spent) < 1.0 - 1e-9 {
            return Err(GiveUpReason::BudgetEmpty);
        }
        self.spent += u32::from(charged);
        Ok(())
    }
}
