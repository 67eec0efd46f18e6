//! `--report FILE`: what a run was like, as one page for a browser that needs no network (docs/guide/REPORT.md).
//!
//! A `Watch` puts a tee before the run's sink; the `recorder` (pure) gathers what comes by, in bounded memory; at the end
//! `page` (pure) makes a document of one or several runs: charts drawn here as SVG, tables, and a little script that reads values
//! out, sorts and searches. Without `--report` nothing of this is on a record's path.
//!
//! Owns: what is told of a run, and that nothing in a page can act: every text is escaped, and the page's own policy lets run
//! only the script it was made with. Must not know: flags, the engine's inside.

mod answer;
mod chart;
mod charts;
mod file;
mod hosts;
mod html;
mod machine;
mod parts;
mod recorder;
mod sample;
mod series;
mod settings;
mod tables;
mod text;
mod timeline;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::engine::RunReport;
use haul::model::Sink;

pub(crate) use self::answer::AnswerSection;
pub(crate) use self::file::ReportFile;
use self::recorder::Recorder;
pub(crate) use self::sample::shown;
pub(crate) use self::settings::settings;
use super::since::Since;
use super::tee::tee;

/// Names and values, to be shown as they are.
pub(crate) type NamedValues = Vec<(String, String)>;

/// One run, as it is told. A report has one or several, side by side.
#[derive(Debug)]
pub(crate) struct Run {
    /// What tells it from the others: `haul get`, or a way of fetching.
    pub(crate) name: String,
    /// What is counted took so long, from its start to its end.
    pub(crate) elapsed: Duration,
    /// Requests that ended after that: of a load whose time was up, and not in its rate.
    pub(crate) drained: u64,
    /// Connections opened, where known.
    pub(crate) opened: Option<u64>,
    /// What the reader must know before the figures: that it was stopped, or what is not in them.
    pub(crate) notes: Vec<String>,
    /// How it fetched.
    pub(crate) settings: NamedValues,
    /// What was seen.
    pub(crate) seen: Recorder,
}

impl Run {
    /// Requests that ended in time, for each second.
    fn per_second(&self) -> f64 {
        let (seconds, ended) = (self.elapsed.as_secs_f64(), self.seen.requests.saturating_sub(self.drained));
        if seconds > 0.0 { ended as f64 / seconds } else { 0.0 }
    }
}

/// A run that is being watched for a report.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Mutex<Recorder>>);

/// The samples of a report are chosen by this.
const SEED: u64 = 0;

impl Watch {
    /// Watches nothing yet. What is started within `warm_up` of the first start is shown over time, but not counted. Latencies
    /// count `since` then.
    pub(crate) fn new(warm_up: Duration, since: Since) -> Self {
        Self(Arc::new(Mutex::new(Recorder::new(warm_up, since, SEED))))
    }

    /// A new one that watches what goes to `sink`.
    pub(crate) fn on(sink: Box<dyn Sink>, warm_up: Duration, since: Since) -> (Self, Box<dyn Sink>) {
        let watch = Self::new(warm_up, since);
        let sink = watch.also(sink);
        (watch, sink)
    }

    /// Watches what goes to another sink, too: that of an engine which began at the same time.
    pub(crate) fn also(&self, sink: Box<dyn Sink>) -> Box<dyn Sink> {
        let recorder = Arc::clone(&self.0);
        tee(sink, move |batch| {
            let mut recorder = recorder.lock().expect("no holder of this lock panics");
            batch.iter().for_each(|record| recorder.record(record));
        })
    }

    /// The run, now over, that was watched.
    pub(crate) fn over(&self, name: impl Into<String>, settings: NamedValues, report: &RunReport) -> Run {
        Run {
            name: name.into(),
            elapsed: report.totals.elapsed,
            drained: 0,
            opened: Some(report.totals.connections_opened),
            notes: notes(report),
            settings,
            seen: self.seen(),
        }
    }

    /// What has been seen.
    pub(crate) fn seen(&self) -> Recorder {
        let mut recorder = self.0.lock().expect("no holder of this lock panics");
        std::mem::replace(&mut *recorder, Recorder::new(Duration::ZERO, Since::Sent, SEED))
    }
}

/// What cut the run short.
fn notes(report: &RunReport) -> Vec<String> {
    let stopped = report.stopped.then(|| format!("The run was stopped; {} URLs were left.", report.left));
    let unwritten = (report.unwritten > 0).then(|| format!("{} records could not be written.", report.unwritten));
    let errors = [&report.source_error, &report.sink_error].into_iter().flatten().map(ToString::to_string);
    stopped.into_iter().chain(unwritten).chain(errors).collect()
}
