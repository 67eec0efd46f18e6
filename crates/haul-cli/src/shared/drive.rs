//! Runs an engine while someone watches.

use haul::engine::{Engine, RunReport};

use super::console::{self, Console};
use super::progress::{BoundDurations, ProgressThread, Show};
use super::view::Ends;

/// Runs while someone watches.
pub(crate) fn watched(
    engine: Engine,
    (source, sink): Ends,
    console: &Console,
    show: Show,
) -> (RunReport, BoundDurations) {
    let progress = ProgressThread::start(console, engine.handle(), show);
    let report = engine.run(source, sink);
    let bounds = progress.finish();
    if let Some(line) = console.line() {
        line.finish_and_clear();
    }
    (report, bounds)
}

/// What cut the run short: told always.
pub(crate) fn tell_trouble(report: &RunReport) {
    for error in [&report.source_error, &report.sink_error].into_iter().flatten() {
        console::tell(&format!("haul: {error}"));
    }
    if report.unwritten > 0 {
        console::tell(&format!("haul: {} finished URLs are left without a record", report.unwritten));
    }
}
