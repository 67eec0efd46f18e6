//! What must become of each job: the slow and obvious version. It keeps every host's whole history and works out from
//! it, from the beginning each time, whether the host is dead and what the budget holds.

use std::time::Duration;

use crate::config::RetrySettings;
use crate::model::{FailureKind, GiveUpReason, Time};
use crate::sched::{RetryFacts, Verdict};

/// Kinds that may go away by trying again.
const AGAIN: &str = "servfail timeout total_timeout refused unreachable reset closed io too_slow truncated";
/// Kinds that say nothing about the host.
const OURS: &str = "bad_url unsupported_scheme empty_host bad_port bad_json bad_request line_too_long invalid_utf8 \
                    host_dead cancelled unwanted not_saved status address_refused certificate_expired certificate_name \
                    certificate_untrusted";
/// Kinds after which the host gave no sign of life.
const SILENT: &str = "servfail timeout total_timeout refused unreachable reset closed io handshake protocol";

fn among(kind: FailureKind, names: &str) -> bool {
    names.split_whitespace().any(|name| name == kind.name())
}

#[derive(Clone, Copy, Debug)]
enum Past {
    Report { started: Time, at: Time, verdict: Verdict },
    Unresolved { at: Time, kind: FailureKind },
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
    earned: u32,
    spent: u32,
}

impl History {
    pub(super) fn report(&mut self, started: Time, at: Time, verdict: Verdict) {
        self.past.push(Past::Report { started, at, verdict });
    }

    pub(super) fn unresolved(&mut self, at: Time, kind: FailureKind) {
        self.past.push(Past::Unresolved { at, kind });
    }

    /// A job ended well.
    pub(super) fn earn(&mut self) {
        self.earned += 1;
    }

    /// Whether anything ever went wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.past.iter().all(|past| matches!(past, Past::Report { verdict: Verdict::Fine, .. }))
    }

    /// The host's last death, unless it has answered since.
    pub(super) fn death(&self, settings: &RetrySettings) -> Option<Death> {
        let (mut death, mut in_a_row, mut last_event) = (None::<Death>, 0, None);
        for past in &self.past {
            let (started, at, kind, after) = match *past {
                Past::Report { started, at, verdict: Verdict::Failed(kind) } => {
                    (started, at, kind, settings.dead_after)
                }
                Past::Report { started, at, verdict } => {
                    (death, in_a_row) = (None, 0);
                    if verdict != Verdict::Fine && last_event.is_none_or(|last| started > last) {
                        last_event = Some(at);
                    }
                    continue;
                }
                Past::Unresolved { at, kind } => {
                    last_event = None;
                    let after = if settings.dead_after == 0 { settings.retries + 1 } else { settings.dead_after };
                    (at, at, kind, after)
                }
            };
            let gone = matches!(kind, FailureKind::NameNotFound | FailureKind::NoAddress);
            if among(kind, OURS) {
                continue;
            }
            if !gone && !among(kind, SILENT) {
                (death, in_a_row) = (None, 0);
                let overload = matches!(kind, FailureKind::TooSlow | FailureKind::Truncated);
                if overload && last_event.is_none_or(|last| started > last) {
                    last_event = Some(at);
                }
                continue;
            }
            let of_before = death.is_some_and(|death| started < death.until)
                || (!gone && last_event.is_some_and(|last| started <= last));
            if of_before {
                continue;
            }
            if !gone {
                last_event = Some(at);
                in_a_row += 1;
            }
            if gone || death.is_some() || (after > 0 && in_a_row >= after) {
                let times = death.map_or(0, |death| death.times);
                let span = settings.dead_for * 2_u32.pow(times.min(3));
                let until = at + span.max(Duration::from_millis(1));
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
        let free = facts.free && facts.attempt == 1;
        let hopeless =
            matches!(verdict, Verdict::Fine) || matches!(verdict, Verdict::Failed(kind) if !among(kind, AGAIN));
        if !free && hopeless {
            return Err(GiveUpReason::Final);
        }
        if !free && !facts.replayable && !settings.unsafe_methods {
            return Err(GiveUpReason::Unsafe);
        }
        if !free && facts.attempt > settings.retries {
            return Err(GiveUpReason::RetriesUsed);
        }
        if stopped {
            return Err(GiveUpReason::Stopped);
        }
        if let Some(cause) = self.dead(settings, now) {
            return Err(GiveUpReason::HostDead(cause));
        }
        let charged = !free && !matches!(verdict, Verdict::PushedBack(_));
        let account = f64::from(settings.budget_floor) + settings.budget_ratio * f64::from(self.earned);
        if charged && account - f64::from(self.spent) < 1.0 - 1e-9 {
            return Err(GiveUpReason::BudgetEmpty);
        }
        self.spent += u32::from(charged);
        Ok(())
    }
}
