//! What came of each rate of a ramp or a search, as rows of a table and as JSON (docs/guide/BENCH.md). Pure.

use std::time::Duration;

use indicatif::HumanCount;
use serde::Serialize;

use super::args::{ENOUGH, OpenLoopPlan};
use super::client::Lack;
use super::figures::{self, at, micros_or_dash, per_second, rate};
use super::load_stats::StepStats;
use super::schedule::Schedule;
use super::trial::LoadResult;

/// What came of a rate.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StepReport {
    rate_per_s: f64,
    got_per_s: f64,
    planned: u64,
    answered: u64,
    failed: u64,
    unfinished: u64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    max_us: Option<f64>,
    late_p99_us: Option<f64>,
    /// Only of a search: how many were answered within its bound, and whether these are enough.
    within: Option<u64>,
    sustained: Option<bool>,
    client_lacked: Vec<&'static str>,
}

impl StepReport {
    /// The steps of a ramp that was carried out as far as `schedule` says.
    pub(super) fn of_ramp(done: &LoadResult, schedule: &Schedule, rates: &[f64]) -> Vec<Self> {
        let Some(open) = &done.tally.open else { return Vec::new() };
        let warm_up = schedule.steps() - open.steps.len();
        let one = |(place, (step, rate)): (usize, (&StepStats, &f64))| {
            Self::new(*rate, schedule.planned(warm_up + place), step, open.step)
        };
        open.steps.iter().zip(rates).enumerate().map(one).collect()
    }

    /// A search's rate, with what it came to.
    pub(super) fn of_trial(done: &LoadResult, trial: &OpenLoopPlan, connections: u64) -> Self {
        let open = done.tally.open.as_ref().expect("a trial is an open loop");
        let planned = done.schedule.as_ref().map_or(0, |schedule| schedule.planned(trial.warm_up_steps()));
        let step = &open.steps[0];
        let lacked = Lack::of(done, connections).into_iter().map(Lack::name).collect();
        Self {
            within: Some(step.within),
            sustained: Some(step.within > 0 && step.within * 100 >= planned * 99),
            client_lacked: lacked,
            ..Self::new(trial.rates[0].per_second(), planned, step, open.step)
        }
    }

    fn new(rate_per_s: f64, planned: u64, step: &StepStats, lasted: Duration) -> Self {
        let answered = step.response.len();
        Self {
            rate_per_s,
            got_per_s: per_second(step.came, lasted.as_secs_f64()),
            planned,
            answered,
            failed: step.failed,
            unfinished: planned.saturating_sub(answered + step.failed),
            p50_us: at(0.5, &step.response),
            p99_us: at(0.99, &step.response),
            max_us: at(1.0, &step.response),
            late_p99_us: at(0.99, &step.late),
            within: None,
            sustained: None,
            client_lacked: Vec::new(),
        }
    }

    /// Whether 99 % of what was planned was answered within the bound.
    pub(super) fn is_sustained(&self) -> bool {
        self.sustained == Some(true)
    }

    /// Whether it was one of `rates`, and judged by too few requests.
    pub(super) fn is_guess_at(&self, rates: &[Option<f64>]) -> bool {
        self.planned < ENOUGH && rates.contains(&Some(self.rate_per_s))
    }

    pub(super) fn client_lacked(&self) -> bool {
        !self.client_lacked.is_empty()
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            rate(self.rate_per_s),
            rate(self.got_per_s),
            micros_or_dash(self.p50_us),
            micros_or_dash(self.p99_us),
            micros_or_dash(self.max_us),
            micros_or_dash(self.late_p99_us),
            HumanCount(self.failed).to_string(),
            HumanCount(self.unfinished).to_string(),
        ];
        cells.extend(self.sustained.map(|sustained| (if sustained { "yes" } else { "no" }).to_owned()));
        cells
    }
}

/// The rates under each other.
pub(super) fn table(steps: &[StepReport]) -> String {
    figures::table(rows(steps))
}

/// The same cell by cell, below the titles.
pub(super) fn rows(steps: &[StepReport]) -> Vec<Vec<String>> {
    let mut heads: Vec<_> =
        ["asked", "got", "p50", "p99", "longest", "late p99", "failed", "unfinished"].map(str::to_owned).into();
    if steps.iter().any(|step| step.sustained.is_some()) {
        heads.push("sustained".to_owned());
    }
    std::iter::once(heads).chain(steps.iter().map(StepReport::cells)).collect()
}
