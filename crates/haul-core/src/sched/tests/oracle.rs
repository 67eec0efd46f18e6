//! What may become of each job, worked out from the plan alone: no clock, no queue, no limit, no look at what the
//! scheduler did. Limits, pauses, capacities, groups, addresses and disturbances decide *when* a job is served, never
//! *whether*; what may end a job for reasons that lie outside it (a dead host, an empty account, the stop) is allowed
//! exactly where the plan has something that can bring it about. Where one end is left, it is a prediction.

use crate::model::{FailureKind, GiveUpReason, Time};
use crate::policy::Budget;
use crate::sched::{Gate, Verdict};

use super::model::{SILENT, among, is_gone, reason_of_its_own};
use super::ops::{Disturbance, Plan};
use super::sim::{MOST_FREE, MOST_HOPS};
use super::world::{Answer, Mood, Name, dice};

/// Steps of one job that are followed up; past them anything may become of it. The seeds' jobs take a few.
const MOST_STEPS: usize = 10_000;

/// How a job ended, after how many starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) how: How,
    pub(super) starts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A good response.
    Fine,
    /// A bad one that could not be taken back.
    Shown,
    GivenUp(GiveUpReason),
}

/// What a plan says of all its jobs.
pub(super) struct Oracle<'a> {
    plan: &'a Plan,
    /// When the run is stopped, if it is.
    stop: Option<Time>,
    /// What each host may be found dead of.
    causes: Vec<Vec<FailureKind>>,
    /// Whether each host's account may run empty.
    poor: Vec<bool>,
}

/// Where a job is on its way.
#[derive(Clone, Copy, Debug)]
struct Stage {
    host: usize,
    attempt: u32,
    hops: u8,
    free: u8,
    starts: u32,
}

impl<'a> Oracle<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let stops = plan.disturbances.iter().filter(|(_, what)| matches!(what, Disturbance::Stop));
        let hosts = 0..plan.hosts.len();
        Self {
            stop: stops.map(|(at, _)| *at).min(),
            causes: hosts.clone().map(|host| causes_of_death(plan, host)).collect(),
            poor: hosts.map(|host| may_run_empty(plan, host)).collect(),
            plan,
        }
    }

    /// Every end that the job may come to, which arrives at this host at this time (or later, where there is a window).
    /// `None`: anything.
    pub(super) fn ends(&self, host: usize, key: u64, arrival: Time) -> Option<Vec<End>> {
        if self.stop.is_some_and(|stop| stop < arrival) {
            return Some(vec![End { how: How::GivenUp(GiveUpReason::Stopped), starts: 0 }]);
        }
        let mut ends = Vec::new();
        let mut stages = vec![Stage { host, attempt: 1, hops: 0, free: 0, starts: 0 }];
        let mut steps = 0;
        while let Some(stage) = stages.pop() {
            steps += 1;
            if steps > MOST_STEPS {
                return None;
            }
            self.follow(stage, key, &mut ends, &mut stages);
        }
        Some(ends)
    }

    /// What can become of a job that waits for a start.
    fn follow(&self, stage: Stage, key: u64, ends: &mut Vec<End>, stages: &mut Vec<Stage>) {
        let script = &self.plan.hosts[stage.host];
        self.end_from_outside(stage, ends);
        if script.rules.gates.has(Gate::Address) && matches!(script.name, Name::FailsAlways(_)) {
            return;
        }
        let started = Stage { starts: stage.starts + 1, ..stage };
        let mut rng = dice(self.plan.seed, key, stage.starts.into());
        for answer in script.may_answer(&mut rng) {
            match answer {
                Answer::Verdict(Verdict::Fine) => ends.push(End { how: How::Fine, starts: started.starts }),
                Answer::Shown(_) => ends.push(End { how: How::Shown, starts: started.starts }),
                Answer::Unsent => stages.push(started),
                Answer::Redirect(_) if stage.hops >= MOST_HOPS => {
                    ends.push(End { how: How::Fine, starts: started.starts });
                }
                Answer::Redirect(host) => {
                    stages.push(Stage { host, attempt: 1, hops: stage.hops + 1, ..started });
                }
                Answer::Stale if stage.attempt == 1 && stage.free < MOST_FREE && replayable(key) => {
                    stages.push(Stage { free: stage.free + 1, ..started });
                }
                Answer::Stale => self.fail(started, Verdict::Failed(FailureKind::Closed), key, ends, stages),
                Answer::Verdict(verdict) => self.fail(started, verdict, key, ends, stages),
            }
        }
    }

    fn fail(&self, stage: Stage, verdict: Verdict, key: u64, ends: &mut Vec<End>, stages: &mut Vec<Stage>) {
        let retries = &self.plan.settings.retries;
        if let Some(reason) = reason_of_its_own(verdict, stage.attempt, replayable(key), retries) {
            return ends.push(End { how: How::GivenUp(reason), starts: stage.starts });
        }
        if verdict.pause().is_some_and(|pause| pause > retries.retry_after_max) {
            self.end_from_outside(stage, ends);
            return ends.push(End { how: How::GivenUp(GiveUpReason::RetryAfter), starts: stage.starts });
        }
        if self.poor[stage.host] && !matches!(verdict, Verdict::PushedBack(_)) {
            ends.push(End { how: How::GivenUp(GiveUpReason::BudgetEmpty), starts: stage.starts });
        }
        stages.push(Stage { attempt: stage.attempt + 1, ..stage });
    }

    /// What can end a job whenever it is not in flight.
    fn end_from_outside(&self, stage: Stage, ends: &mut Vec<End>) {
        let end = |reason| End { how: How::GivenUp(reason), starts: stage.starts };
        ends.extend(self.stop.map(|_| end(GiveUpReason::Stopped)));
        ends.extend(self.causes[stage.host].iter().map(|cause| end(GiveUpReason::HostDead(*cause))));
    }
}

/// One job in five is a POST.
pub(super) const fn replayable(key: u64) -> bool {
    !key.is_multiple_of(5)
}

fn causes_of_death(plan: &Plan, host: usize) -> Vec<FailureKind> {
    let (script, retries) = (&plan.hosts[host], &plan.settings.retries);
    let kinds = script.bad_verdicts().into_iter().filter_map(|verdict| match verdict {
        Verdict::Failed(kind) | Verdict::Stalled(kind) => Some(kind),
        Verdict::Troubled(_) | Verdict::PushedBack(_) => Some(FailureKind::Status),
        Verdict::Fine => None,
    });
    let kinds: Vec<_> = kinds.collect();
    let of_name = match script.name {
        _ if !script.rules.gates.has(Gate::Address) => None,
        Name::Known => None,
        // It never gets as far as an attempt.
        Name::FailsAlways(kind) => return vec![kind],
        Name::FailsFirst(count, kind) => {
            let after = match retries.retries {
                retried if retries.dead_after == 0 => retried + 1,
                0 => 1,
                _ => retries.dead_after,
            };
            let weight = if kind == FailureKind::Timeout { after.div_ceil(2) } else { 1 };
            (is_gone(kind) || count * weight >= after).then_some(kind)
        }
    };
    // A host that was dead once may be found dead again by a single failure, whatever the breaker's count.
    let opens = retries.dead_after > 0 || of_name.is_some() || kinds.iter().any(|kind| is_gone(*kind));
    let counts = |kind: FailureKind| kind == FailureKind::Status || among(kind, SILENT);
    let may_kill = |kind: &FailureKind| is_gone(*kind) || (opens && counts(*kind));
    kinds.into_iter().filter(may_kill).chain(of_name).collect()
}

/// Whether all the retries that jobs may ask of a host could be more than it is given to begin with, for those that come first.
fn may_run_empty(plan: &Plan, host: usize) -> bool {
    let retries = &plan.settings.retries;
    let wandering = plan.hosts.iter().any(|host| matches!(host.mood, Mood::Moved(_)));
    let visits = |what: &Disturbance| matches!(what, Disturbance::Arrive(at, _) if wandering || *at == host);
    let jobs = plan.disturbances.iter().filter(|(_, what)| visits(what)).count() as u64;
    // A host that answers does not redirect, so each job comes by at most once.
    jobs * u64::from(retries.retries) > u64::from(retries.budget_floor - Budget::kept(1, retries))
}
