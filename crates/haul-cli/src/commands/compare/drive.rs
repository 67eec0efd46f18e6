//! Fetches the list once in one mode: engines, threads, clocks.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use haul::config::Config;
use haul::engine::{Engine, Extensions, Handle, StartError};
use haul::model::Time;

use super::list_source::{ListSource, SharedList};
use super::mode::{Knobs, Mode};
use super::result_sink::{ResultSink, Results};
use super::sample::{EngineSample, Sample};
use super::stop::Stop;
use super::stopwatch;
use crate::shared::experiment::{Target, processor_time};
use crate::shared::page::{self, Run, Watch};
use crate::shared::since::Since;

/// All that every mode is given.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) list: Arc<[Target]>,
    pub(super) config: Config,
    pub(super) knobs: Knobs,
}

/// Fetches the list of `task` in this mode. Every round starts cold: no connection is open, no name and no TLS session known.
///
/// # Errors
/// The settings contradict each other, or the round is incomplete, as it is when `stop` was asked for meanwhile.
pub(super) fn once(mode: Mode, task: &Task, stop: &Stop) -> Result<Sample, String> {
    fetch_all(mode, task, stop, None)
}

/// The same while every record is watched, which takes its own time: what a page tells of it, and nothing that is compared.
///
/// # Errors
/// As for [`once`].
pub(super) fn watched(mode: Mode, task: &Task, stop: &Stop) -> Result<Run, String> {
    let watch = Watch::new(Duration::ZERO, Since::Sent);
    let sample = fetch_all(mode, task, stop, Some(&watch))?;
    Ok(Run {
        name: mode.name().to_owned(),
        elapsed: sample.elapsed,
        drained: 0,
        opened: sample.inside.map(|inside| inside.connections),
        notes: Vec::new(),
        settings: page::settings(&mode.config(&task.config, task.knobs, task.list.len())),
        seen: watch.seen(),
    })
}

fn fetch_all(mode: Mode, task: &Task, stop: &Stop, watch: Option<&Watch>) -> Result<Sample, String> {
    let config = mode.config(&task.config, task.knobs, task.list.len());
    let shared = SharedList::new(Arc::clone(&task.list));
    let engine = |_| {
        let feed = ListSource::new(Arc::clone(&shared), mode.portion(task.knobs));
        let mut extensions = Extensions::default();
        if let Some(hooks) = feed.hooks() {
            extensions.add_hooks(hooks);
        }
        Ok((Engine::with(config.clone(), extensions)?, feed))
    };
    let engines: Result<Vec<_>, StartError> = (0..mode.engines(task.knobs)).map(engine).collect();
    let engines = engines.map_err(|error| error.to_string())?;
    let handles: Vec<Handle> = engines.iter().map(|(engine, _)| engine.handle()).collect();
    let ends = handles.iter().cloned().map(|handle| Box::new(move || handle.stop_now()) as Box<dyn Fn() + Send>);
    let results = Arc::new(Mutex::new(Results::default()));
    let (begin, processor) = (stopwatch::now(), processor_time());
    stop.during(ends.collect(), || fetch(mode, engines, &results, watch));
    let processor = processor_time().saturating_sub(processor);
    let results = std::mem::take(&mut *results.lock().expect("no holder of this lock panics"));
    if results.fetched.len() < task.list.len() {
        return Err(format!("{} of {} results came", results.fetched.len(), task.list.len()));
    }
    let elapsed = results.last.unwrap_or(begin).saturating_duration_since(begin);
    let connections = handles.iter().map(|handle| handle.progress().connections_opened).sum();
    Ok(Sample::of(EngineSample { connections, fetched: results.fetched }, elapsed, processor))
}

/// Runs the engines, each on a thread, until all of them are done.
fn fetch(mode: Mode, engines: Vec<(Engine, ListSource)>, results: &Arc<Mutex<Results>>, watch: Option<&Watch>) {
    thread::scope(|scope| {
        for (engine, feed) in engines {
            let begin = Time::ZERO + engine.handle().progress().elapsed;
            let sink = Box::new(ResultSink::new(Arc::clone(results), mode.order(), feed.places(), begin));
            let sink = match watch {
                Some(watch) => watch.also(sink),
                None => sink,
            };
            scope.spawn(move || engine.run(Box::new(feed), sink));
        }
    });
}

#[cfg(test)]
mod tests {
    use haul::model::WebUrl;
    use haul_testserver::TestServer;
    use std::num::NonZeroU32;

    use super::*;
    use crate::commands::compare::mode::tests::knobs;

    /// Twenty URLs, the first by far the slowest.
    fn task(origin: &TestServer) -> Task {
        let target = |n: usize| {
            let url = origin.url(&format!("/bytes/10?delay={}ms&n={n}", if n == 0 { 400 } else { 5 }));
            Target { url: WebUrl::parse(&url).expect("a URL").0, overrides: None }
        };
        Task { list: (0..20).map(target).collect(), config: Config::default(), knobs: knobs() }
    }

    fn fetch_once(mode: Mode, task: &Task) -> (EngineSample, Duration) {
        let sample = once(mode, task, &Stop::default()).expect("good settings");
        assert!(sample.failures.is_empty() && sample.requests() == 20, "{sample:?}");
        (sample.inside.expect("known of haul's own modes"), sample.elapsed)
    }

    #[test]
    fn each_mode_gives_every_result_once_and_in_its_order() {
        let origin = TestServer::start().expect("free ports");
        let task = task(&origin);
        for mode in Mode::ALL {
            let (inside, _) = fetch_once(mode, &task);
            let mut places: Vec<_> = inside.fetched.iter().map(|fetched| fetched.place).collect();
            if matches!(mode.name(), "serial" | "serial-reuse" | "gather" | "limited" | "batches") {
                assert!(places.is_sorted(), "{mode:?}: in the order of the list: {places:?}");
            } else {
                assert_eq!(places.last(), Some(&0), "{mode:?}: as they complete: {places:?}");
            }
            places.sort_unstable();
            assert!(places.into_iter().eq(0..20), "{mode:?}");
        }
    }

    #[test]
    fn time_is_told_from_the_start_of_the_round() {
        let origin = TestServer::start().expect("free ports");
        let task = Task { knobs: Knobs { workers: NonZeroU32::MIN, ..knobs() }, ..task(&origin) };
        for mode in [Mode::SerialReuse, Mode::ThreadsReuse] {
            let (inside, elapsed) = fetch_once(mode, &task);
            let mut end = Duration::ZERO;
            for fetched in &inside.fetched {
                assert!(fetched.waited >= end, "{mode:?}: one by one: {inside:?}");
                end = fetched.waited + fetched.took;
            }
            assert!(end <= elapsed, "{mode:?}: {end:?} of {elapsed:?}");
            assert!(elapsed >= Duration::from_millis(495), "the sum of all delays");
            assert_eq!(inside.connections, 1);
        }
    }
}
