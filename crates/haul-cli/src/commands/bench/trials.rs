//! Carries a search out: a load for each rate, until the highest that is sustained is known or there is no time for one more.

use std::time::Duration;

use haul::config::Rate;

use super::args::FindMaxPlan;
use super::figures;
use super::load_spec::LoadSpec;
use super::search::SearchReport;
use super::series::Second;
use super::steps::StepReport;
use super::trial::{LoadResult, Setup};
use crate::shared::page::Run;

/// What came of a search.
pub(super) struct SearchResult {
    pub(super) report: SearchReport,
    /// The seconds of each rate tried, in order.
    pub(super) seconds: Vec<(f64, Vec<Second>)>,
    /// What a page tells of the highest rate that was sustained, and of the lowest that was not.
    pub(super) shown: [Option<Run>; 2],
}

/// Tries one rate after the other.
///
/// # Errors
/// A load can't begin.
pub(super) fn find(setup: &mut Setup, asked: LoadSpec, sought: &FindMaxPlan) -> Result<SearchResult, String> {
    let (mut search, bound) = (sought.search.clone(), sought.bound);
    let mut tried: Vec<StepReport> = Vec::new();
    let mut seconds = Vec::new();
    let mut shown = [None, None];
    let mut spent = Duration::ZERO;
    let mut stopped = false;
    while let Some(rate) = search.next().and_then(Rate::new).filter(|_| !stopped) {
        let trial = sought.trial(rate);
        if spent + trial.lasts().unwrap_or_default() > sought.lasts {
            break;
        }
        setup.name = format!("trying {}", figures::rate(rate.per_second()));
        // What has not ended after that has missed the bound.
        let mut done = setup.open(&trial, bound, bound)?;
        spent += done.spent.elapsed;
        stopped = done.run.stopped;
        if !stopped {
            let step = StepReport::of_trial(&done, &trial, asked.connections.into());
            search.note(rate.per_second(), step.is_sustained());
            show(&mut shown, &mut done, rate, step.is_sustained());
            tried.push(step);
        }
        seconds.push((rate.per_second(), done.tally.finish().0));
    }
    let report = SearchReport::new(asked, bound, &search, tried, stopped);
    Ok(SearchResult { report, seconds, shown })
}

/// Keeps what a page is to tell of this rate, in place of the one that it now stands for: the rates come closer and closer.
fn show([sustained, too_much]: &mut [Option<Run>; 2], done: &mut LoadResult, rate: Rate, is_sustained: bool) {
    let (place, what) = if is_sustained { (sustained, "sustained") } else { (too_much, "too much") };
    let name = format!("{}, {what}", figures::rate(rate.per_second()));
    *place = done.page_run.take().map(|page_run| Run { name, ..page_run });
}
