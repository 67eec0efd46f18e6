//! What attempts and look-ups brought: permits freed, the host judged, the job's fate decided.

use std::net::IpAddr;

use crate::model::{FailureKind, GiveUpReason, Time};
use crate::policy::{Decision, Fault, Verdict, decide};

use super::event::{HostId, Report};
use super::gate::Gate;
use super::health::{JudgeContext, Known};
use super::host::blend;
use super::list::NONE;
use super::retries::Comeback;
use super::{RetryFacts, Scheduler};

impl<J> Scheduler<J> {
    pub(super) fn done(&mut self, id: HostId, report: Report, now: Time) {
        self.release(id, now);
        self.note(id, report, now);
        if report.verdict == Verdict::Fine {
            self.hosts[id.0 as usize].budget.earn(report.attempt, &self.settings.retries);
        }
        self.settle(id.0, now);
    }

    /// [`Event::Failed`] for a caller who wants to know whether the job may come again before it hands it over: `job` is called with
    /// that, once. If so it is kept here, and may yet be handed back; if not it comes back with the next actions.
    ///
    /// [`Event::Failed`]: super::Event::Failed
    pub fn failed(&mut self, id: HostId, report: Report, facts: RetryFacts, job: impl FnOnce(bool) -> J, now: Time) {
        self.release(id, now);
        if !facts.is_free() {
            if report.verdict.pause().is_some_and(|pause| !pause.is_zero()) {
                self.askers.note(id.0, now);
            }
            self.note(id, report, now);
        } else if facts.fault == Some(Fault::Stale) && matches!(report.verdict, Verdict::Failed(_)) {
            let host = &mut self.hosts[id.0 as usize];
            let max = host.concurrency();
            host.health.cut_off(report, max, now);
        }
        let fate = self.fate(id, report.verdict, facts, now);
        let job = job(fate.is_ok());
        match fate {
            Ok(Decision::Free) => {
                self.comes_again_at = Some(now);
                return self.enqueue_first(id, job, now);
            }
            Ok(_) => {
                let wait = self.settings.job_backoff().wait(facts.attempt, &mut self.rng);
                let wait = report.verdict.pause().unwrap_or_default().max(wait);
                let due = if report.verdict.is_timeout() { now.max(report.started + wait) } else { now + wait };
                let host = &mut self.hosts[id.0 as usize];
                self.retries.insert(id.0, &mut host.retries, job, due, comeback(report));
                self.comes_again_at = Some(due);
            }
            Err(reason) => {
                self.comes_again_at = None;
                self.given_up.push_back((id, job, reason));
            }
        }
        self.settle(id.0, now);
    }

    /// Whether a job whose attempt will end like this may be tried again. A dead host may answer again until then; nothing else that is
    /// known now can change.
    #[must_use]
    pub fn may_come_again(&self, host: HostId, verdict: Verdict, facts: RetryFacts, now: Time) -> bool {
        matches!(self.fate(host, verdict, facts, now), Ok(_) | Err(GiveUpReason::HostDead(_)))
    }

    /// Whether the job goes on. The reasons that lie in the job come first, then the run's, then the host's.
    fn fate(&self, id: HostId, verdict: Verdict, facts: RetryFacts, now: Time) -> Result<Decision, GiveUpReason> {
        let host = &self.hosts[id.0 as usize];
        let asks_too_much = verdict.pause().is_some_and(|pause| pause > self.settings.retries.retry_after_max);
        match decide(verdict, facts, &self.settings.retries) {
            Decision::GiveUp(reason) => Err(reason),
            _ if self.stopped => Err(GiveUpReason::Stopped),
            decision => match (host.health.dead(now), decision) {
                (Some(cause), _) => Err(GiveUpReason::HostDead(cause)),
                (None, Decision::Later) if asks_too_much => Err(GiveUpReason::RetryAfter),
                (None, decision) => Ok(decision),
            },
        }
    }

    /// Gives an attempt's permits back. Those who wait for them come first, then the host itself.
    pub(super) fn release(&mut self, id: HostId, now: Time) {
        let host = self.host(id);
        assert!(host.in_flight > 0, "{id:?} has nothing in flight that could end");
        let (group, address) = (host.group, host.address);
        self.change_held(id.0, now, |host| host.in_flight -= 1);
        self.in_flight -= 1;
        self.freed = Some(id.0);
        self.limits.release(group);
        self.limits.release(address);
        self.rouse(group, now);
        self.rouse(address, now);
    }

    /// A host has answered, or not in time: what that lends to all.
    pub(super) fn note_lent(&mut self, answers: bool, now: Time) {
        if self.places_held.note_answer(answers) {
            self.rouse_unanswered(now);
        }
    }

    fn note(&mut self, id: HostId, report: Report, now: Time) {
        let micros = u32::try_from(now.since(report.started).as_micros()).unwrap_or(u32::MAX);
        self.usual_service = blend(self.usual_service, micros);
        let host = &mut self.hosts[id.0 as usize];
        host.served(micros);
        let known = Known { max: host.concurrency(), served: host.served, all_tried: host.has_tried_all() };
        host.served = host.served.saturating_add(u8::from(report.verdict == Verdict::Fine));
        if report.verdict == Verdict::Fine && !host.health.is_clear() {
            self.askers.note_served(now);
        }
        host.health.note(report, known, JudgeContext { settings: &self.settings, rng: &mut self.rng, now });
        if let Some(answers) = report.verdict.answers() {
            self.note_lent(answers, now);
            // The request that has ended held a place, too.
            self.change_held(id.0, now, |host| host.note_answer(answers, host.in_flight + 1));
        }
    }

    pub(super) fn resolved(&mut self, id: HostId, address: Option<IpAddr>, now: Time) {
        let host = self.host(id);
        host.shut.open(Gate::Address);
        if let Some(limit) = host.per_address {
            let limit = address.map_or(NONE, |address| self.limits.of_address(address, limit.get()));
            self.move_to_address(id.0, limit, now);
        }
        self.settle(id.0, now);
    }

    fn move_to_address(&mut self, id: u32, to: u32, now: Time) {
        let (from, in_flight) = (self.hosts[id as usize].address, self.hosts[id as usize].in_flight);
        if from == to {
            return;
        }
        self.leave(id);
        self.limits.leave(from, in_flight);
        self.limits.join(to, in_flight);
        self.hosts[id as usize].address = to;
        self.settle(id, now);
        let group = self.hosts[id as usize].group;
        self.rouse(group, now);
        self.rouse(from, now);
        self.rouse_unanswered(now);
    }

    pub(super) fn unresolved(&mut self, id: HostId, kind: FailureKind, now: Time) {
        self.host(id).shut.shut(Gate::Address);
        let context = JudgeContext { settings: &self.settings, rng: &mut self.rng, now };
        self.hosts[id.0 as usize].health.unresolved(kind, context);
        self.settle(id.0, now);
    }
}

/// Behind those that have not been tried yet: it has failed, and they may not. But who was asked to wait, with all of the host,
/// has done so. A host that asks for less is already asked less by its back-off clock; charging its account too would give up
/// on jobs that it has promised to serve later.
const fn comeback(report: Report) -> Comeback {
    match report.verdict {
        Verdict::PushedBack(Some(_)) => Comeback::First,
        Verdict::PushedBack(None) => Comeback::Behind,
        Verdict::Fine | Verdict::Troubled(_) | Verdict::Failed(_) | Verdict::Stalled(_) => {
            Comeback::Paying { failed: report.attempt }
        }
    }
}
