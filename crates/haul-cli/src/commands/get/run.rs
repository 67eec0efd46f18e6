//! Carries a plan out.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use haul::engine::{Engine, Extensions, Handle, RunReport};
use haul::model::{Sink, Source};
use haul::save::SaveBodies;
use haul::source::{Input, Inputs};

use crate::shared::console::{self, Console};
use crate::shared::exit::Exit;
use crate::shared::metrics::Metrics;
use crate::shared::page::{self, NamedValues, ReportFile, Watch};
use crate::shared::progress::Show;
use crate::shared::since::Since;
use crate::shared::view::{self, Subject, View};
use crate::shared::{address_space, drive, log, signals, summary, summary_json};

use super::args::SummaryForm;
use super::output;
use super::plan::Plan;

/// A run that has everything it needs.
struct PreparedRun {
    engine: Engine,
    source: Box<dyn Source>,
    sink: Box<dyn Sink>,
    /// Where bodies are saved, and whether that has failed.
    save: Option<(Arc<SaveBodies>, Arc<AtomicBool>)>,
    report: Option<PendingReport>,
    console: Console,
    show: Show,
    view: Option<View>,
    /// Served until the run has ended.
    metrics: Metrics,
}

/// What makes the report: its file, what watches the run for it, and the run's settings.
struct PendingReport {
    file: ReportFile,
    watch: Watch,
    settings: NamedValues,
}

/// Carries `plan` out, and tells on standard error how it went.
pub(super) fn run(plan: Plan) -> Exit {
    let summary = plan.summary;
    log::start(plan.quiet, plan.log);
    match prepare(plan) {
        Ok(ready) => finish(ready, summary),
        Err(message) => {
            console::tell(&format!("haul: {message}"));
            Exit::Usage
        }
    }
}

/// Opens and checks everything before the first request. The output comes last: a run that can't start must not
/// empty a file.
fn prepare(plan: Plan) -> Result<PreparedRun, String> {
    let save = plan.output.save.as_ref().map(|(directory, naming)| SaveBodies::into(directory, *naming).map(Arc::new));
    let save = save.transpose().map_err(|error| error.to_string())?;
    let mut extensions = Extensions::default();
    if let Some(save) = &save {
        extensions.add_hooks(Arc::clone(save));
    }
    let budget = plan.config.limits.max_memory;
    let settings = plan.report.as_ref().map(|_| page::settings(&plan.config)).unwrap_or_default();
    address_space::check(plan.config.limits.shards)?;
    let engine = Engine::with(plan.config, extensions).map_err(|error| error.to_string())?;
    let source = Inputs::open(plan.inputs.clone(), plan.input_settings).map_err(|error| error.to_string())?;
    if plan.tui && io::stderr().is_terminal() && plan.output.file.is_none() && io::stdout().is_terminal() {
        return Err(
            "--tui draws where the records would be written; add -o FILE, or send standard output elsewhere".into()
        );
    }
    let on_terminal = io::stderr().is_terminal() && (plan.output.file.is_some() || !io::stdout().is_terminal());
    let view = (plan.tui && on_terminal && view::is_possible()).then(|| View::start(Subject::Get));
    let show = match (plan.quiet, on_terminal) {
        _ if view.is_some() => Show::Nothing,
        (true, _) => Show::Nothing,
        (false, true) => Show::Line,
        (false, false) => Show::Messages,
    };
    let console = Console::new(show == Show::Line);
    let mut metrics = Metrics::at(plan.metrics, plan.quiet);
    metrics.follow(&engine)?;
    let report = plan.report.map(|path| report_file(&path, &plan.inputs, plan.output.file.as_ref())).transpose()?;
    let sink = output::open(plan.output, &plan.inputs, budget).map_err(|error| error.to_string())?;
    let (report, sink) = match report {
        Some(file) => {
            let (watch, sink) = Watch::on(sink, Duration::ZERO, Since::of(&source));
            (Some(PendingReport { file, watch, settings }), sink)
        }
        None => (None, sink),
    };
    let sink = metrics.counting(Since::of(&source), sink);
    signals::watch(engine.handle(), plan.grace).map_err(|error| format!("can't catch signals: {error}"))?;
    let save = save.map(|save| {
        let failed = stop_on_failure(&save, engine.handle());
        (save, failed)
    });
    Ok(PreparedRun { engine, source: Box::new(source), sink, save, report, console, show, view, metrics })
}

/// The file of the report, which must be none of the run's others.
fn report_file(path: &Path, inputs: &[Input], output: Option<&PathBuf>) -> Result<ReportFile, String> {
    let inputs = inputs.iter().filter_map(|input| match input {
        Input::File(path) => Some(&**path),
        Input::Url(_) | Input::Stdin => None,
    });
    ReportFile::open(path, inputs.chain(output.map(PathBuf::as_path)))
}

/// A body that can't be saved ends the run, as a record that can't be written does: the next would fare no better. What is
/// returned becomes true then.
fn stop_on_failure(save: &SaveBodies, handle: Handle) -> Arc<AtomicBool> {
    let failed = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&failed);
    save.on_failure(move |error| {
        if !told.swap(true, Ordering::SeqCst) {
            console::tell(&format!("haul: {error}; stopping"));
            handle.stop(AFTER_FAILURE);
        }
    });
    failed
}

/// What requests in flight are given to end once a body could not be saved.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

fn finish(ready: PreparedRun, form: SummaryForm) -> Exit {
    let PreparedRun { engine, source, sink, save, report: told, console, show, view, metrics } = ready;
    let ends = View::showing(view.as_ref(), "", engine.handle(), (source, sink));
    let (report, bounds) = drive::watched(engine, ends, &console, show);
    drop(view);
    drop(metrics);
    let not_saved = save.is_some_and(|(save, failed)| {
        save.close();
        failed.load(Ordering::SeqCst)
    });
    if form == SummaryForm::Text {
        console::tell(&summary::summary(&report, &bounds));
    }
    drive::tell_trouble(&report);
    let not_told = told.is_some_and(|told| !told.tell(&report));
    if form == SummaryForm::Json {
        // The last line, so that programs find it.
        console::tell_json(&summary_json::summary(&report, &bounds));
    }
    if not_saved || not_told { Exit::SomeFailed } else { Exit::of(&report) }
}

impl PendingReport {
    /// Writes the report, and says whether that went well.
    fn tell(self, report: &RunReport) -> bool {
        let Self { file, watch, settings } = self;
        let written = file.write("haul get", None, &[watch.over("haul get", settings, report)]);
        written.map_err(|error| console::tell(&format!("haul: {error}"))).is_ok()
    }
}
