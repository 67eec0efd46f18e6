//! One load: the engine over the targets, with a closed or an open loop's source, and the sink that counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::config::Config;
use haul::engine::{self, Engine, Handle, RunReport};
use haul::model::{Sink, Source, Time};

use super::args::OpenLoopPlan;
use super::busy::BusiestThread;
use super::closed_loop::ClosedLoopSource;
use super::load_stats::{LoadStats, StatsSink};
use super::open_loop::OpenLoopSource;
use super::schedule::{BEGIN, Schedule};
use super::thread_sampler::ThreadSampler;
use crate::shared::console::Console;
use crate::shared::drive;
use crate::shared::experiment::{Target, processor_time};
use crate::shared::metrics::Metrics;
use crate::shared::page::{self, Watch};
use crate::shared::progress::Show;
use crate::shared::since::Since;
use crate::shared::view::View;

/// What every load of a command has in common.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) targets: Vec<Target>,
    /// What the next load is among others; empty where it is the only one.
    pub(super) name: String,
    pub(super) console: Console,
    pub(super) show: Show,
    pub(super) view: Option<View>,
    /// Serves the numbers of all loads.
    pub(super) metrics: Metrics,
    /// Whether a page is made of it.
    pub(super) is_watched: bool,
    /// The load under way, for the signals.
    pub(super) current: Arc<Mutex<Option<Handle>>>,
}

/// What came of a load.
pub(super) struct LoadResult {
    pub(super) tally: LoadStats,
    pub(super) run: RunReport,
    pub(super) spent: ClientUsage,
    /// How far the plan of an open loop was carried out.
    pub(super) schedule: Option<Schedule>,
    /// As long load was made, the warm-up left out.
    pub(super) lasted: Duration,
    /// What a page tells of it, where one is made.
    pub(super) page_run: Option<page::Run>,
}

/// How the client's process fared.
#[derive(Clone, Debug)]
pub(super) struct ClientUsage {
    pub(super) processor: Duration,
    /// Of its threads, while requests counted.
    pub(super) busiest: Option<BusiestThread>,
    pub(super) elapsed: Duration,
    /// Threads that fetched.
    pub(super) shards: usize,
    /// Requests at once that the descriptor limit allows, where that is less than was asked for.
    pub(super) descriptors_allow: Option<usize>,
}

/// How a load ends that is not over by itself.
#[derive(Clone, Copy, Debug)]
struct LoadDeadline {
    after: Duration,
    /// What requests in flight are given then. No new ones are started.
    grace: Duration,
}

/// How a page's latencies are to be read after an open loop.
const FROM_WHEN_DUE: &str = "An open loop: latencies count from when a request was due by the plan. What passed before it was sent is its \
                             waiting; the times of hosts and of single requests begin with the sending.";

impl Setup {
    /// A closed loop.
    pub(super) fn closed(
        &mut self,
        requests: Option<u64>,
        lasts: Option<Duration>,
        warm_up: Duration,
        grace: Duration,
    ) -> Result<LoadResult, String> {
        let end = lasts.map(|lasts| LoadDeadline { after: warm_up.saturating_add(lasts), grace });
        let tally = LoadStats::new(warm_up).until(end.map(|end| Time::ZERO + end.after));
        self.carry_out(Box::new(ClosedLoopSource::new(self.targets.clone(), requests)), None, tally, warm_up, end)
    }

    /// An open loop. What was due and has not ended `grace` after the plan's end is given up.
    pub(super) fn open(&mut self, plan: &OpenLoopPlan, bound: Duration, grace: Duration) -> Result<LoadResult, String> {
        let schedule = Arc::new(Mutex::new(plan.schedule()));
        let tally = LoadStats::open(plan.warm_up, plan.rates.len(), plan.step.unwrap_or(Duration::MAX), bound)
            .until(plan.lasts().map(|lasts| BEGIN + lasts));
        let end = plan.lasts().map(|lasts| {
            let after = BEGIN.since(Time::ZERO).saturating_add(lasts).saturating_add(grace);
            LoadDeadline { after, grace: Duration::ZERO }
        });
        let source = OpenLoopSource::new(self.targets.clone(), Arc::clone(&schedule));
        let mut done = self.carry_out(Box::new(source), Some(&schedule), tally, plan.warm_up, end)?;
        if let Some(page_run) = &mut done.page_run {
            page_run.notes.push(FROM_WHEN_DUE.to_owned());
        }
        let mut schedule = schedule.lock().expect("no holder of this lock panics").clone();
        if let Some(after) = done.run.stopped_after.filter(|_| done.run.stopped) {
            schedule.stop(Time::ZERO + after);
        }
        done.schedule = Some(schedule);
        Ok(done)
    }

    fn carry_out(
        &mut self,
        source: Box<dyn Source>,
        plan: Option<&Mutex<Schedule>>,
        tally: LoadStats,
        warm_up: Duration,
        end: Option<LoadDeadline>,
    ) -> Result<LoadResult, String> {
        let engine = Engine::new(self.config.clone()).map_err(|error| error.to_string())?;
        self.metrics.follow(&engine)?;
        *self.current.lock().expect("no holder of this lock panics") = Some(engine.handle());
        let time_is_up = end.map(|end| stop(end, engine.handle()));
        let looks = tally.looks();
        let tally = Arc::new(Mutex::new(tally));
        let counting = Box::new(StatsSink(Arc::clone(&tally)));
        let since = Since::of(&*source);
        let (watch, sink): (_, Box<dyn Sink>) = if self.is_watched {
            let (watch, sink) = Watch::on(counting, warm_up, since);
            (Some(watch), sink)
        } else {
            (None, counting)
        };
        let sink = self.metrics.counting(since, sink);
        let looking = ThreadSampler::at(engine.handle(), looks);
        let before = processor_time();
        let ends = View::showing(self.view.as_ref(), &self.name, engine.handle(), (source, sink));
        let (mut run, _) = drive::watched(engine, ends, &self.console, self.show);
        let spent = ClientUsage {
            processor: processor_time() - before,
            busiest: looking.finish(),
            elapsed: run.totals.elapsed,
            shards: self.config.limits.shards,
            descriptors_allow: descriptors_allow(&self.config),
        };
        let time_was_up = time_is_up.is_some_and(|up| up.load(Ordering::SeqCst));
        run.stopped &= !time_was_up;
        drive::tell_trouble(&run);
        let mut tally = tally.lock().expect("no holder of this lock panics");
        let mut tally = std::mem::replace(&mut *tally, LoadStats::new(Duration::ZERO));
        // A plan is carried out to the end of its time even if its last request has ended before.
        let is_planned = plan.is_some_and(|plan| !plan.lock().expect("no holder of this lock panics").is_used_up());
        let interrupted = run.stopped_after.filter(|_| run.stopped);
        let lasted = tally.lasted(match interrupted {
            None => time_was_up || is_planned,
            Some(after) => tally.is_up(Time::ZERO + after),
        });
        // The page tells of the same time as the answer: without the warm-up, and without the moment before the plan begins.
        let page_run = watch.map(|watch| page::Run {
            elapsed: lasted,
            drained: tally.drained.requests,
            ..watch.over("haul bench", page::settings(&self.config), &run)
        });
        Ok(LoadResult { tally, run, spent, schedule: None, lasted, page_run })
    }
}

/// Ends the run of `handle` in time, and says whether it has done so: not where it was being ended by then.
fn stop(end: LoadDeadline, handle: Handle) -> Arc<AtomicBool> {
    let up = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&up);
    std::thread::spawn(move || {
        std::thread::sleep(end.after);
        tell.store(!handle.is_stopped(), Ordering::SeqCst);
        handle.stop(end.grace);
    });
    up
}

/// What the descriptor limit, which the engine has raised by now, allows, if that is less than what was asked for.
fn descriptors_allow(config: &Config) -> Option<usize> {
    let (limit, _) = rlimit::getrlimit(rlimit::Resource::NOFILE).ok()?;
    let sockets = engine::socket_budget(config, limit).ok()?.sockets;
    (sockets < usize::try_from(config.limits.concurrency.get()).unwrap_or(usize::MAX)).then_some(sockets)
}
