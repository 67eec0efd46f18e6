//! `--metrics ADDR`: a run's numbers for Prometheus, over HTTP, for as long as the run goes on.
//!
//! `response` decides, `text` writes, `job_stats` counts what the engine's own counters don't tell, `sum` adds up runs: all
//! pure; `server` is the only part that touches the network. Without the flag none of this exists and nothing is added to a
//! request. With it the sink's thread takes one lock per batch and counts each record; the threads that fetch do nothing
//! more.

mod address;
mod job_stats;
mod response;
mod server;
mod sum;
mod text;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use haul::engine::{Engine, Handle, Snapshot};
use haul::model::Sink;

pub(crate) use self::address::address;
use self::job_stats::JobStats;
use self::server::MetricsServer;
use self::text::{Format, MetricsSnapshot};
use super::console;
use super::since::Since;
use super::tee::tee;

/// The metrics of a command's runs, which follow each other. Dropped, they are gone: the port is free again.
pub(crate) struct Metrics {
    address: Option<SocketAddr>,
    quiet: bool,
    /// From the first run on.
    serving: Option<LiveMetrics>,
}

struct LiveMetrics {
    server: MetricsServer,
    numbers: Arc<Mutex<Numbers>>,
}

/// What is known of the runs so far.
#[derive(Clone)]
struct Numbers {
    /// The runs that are over, added up.
    before: Snapshot,
    /// The run under way, or the last one.
    handle: Handle,
    /// Of all runs.
    tally: JobStats,
}

impl Metrics {
    /// Metrics to be served on `address`, if there is one. Where they are is told, unless `quiet`.
    pub(crate) const fn at(address: Option<SocketAddr>, quiet: bool) -> Self {
        Self { address, quiet, serving: None }
    }

    /// Serves the numbers of the run of `engine`, which is about to begin; counters go on from where the run before it ended.
    ///
    /// # Errors
    /// The address can't be listened on; the message says what to change.
    pub(crate) fn follow(&mut self, engine: &Engine) -> Result<(), String> {
        let handle = engine.handle();
        match (&self.serving, self.address) {
            (Some(serving), _) => serving.numbers().go_on(handle),
            (None, Some(address)) => {
                let serving = LiveMetrics::start(address, handle)?;
                if !self.quiet {
                    console::tell(&format!("haul: metrics at http://{}/metrics", serving.server.address));
                }
                self.serving = Some(serving);
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// A sink that counts what goes to `onward`; `onward` itself if there is nothing to count for.
    pub(crate) fn counting(&self, since: Since, onward: Box<dyn Sink>) -> Box<dyn Sink> {
        let Some(serving) = &self.serving else { return onward };
        let numbers = Arc::clone(&serving.numbers);
        tee(onward, move |batch| numbers.lock().expect("no holder of this lock panics").tally.count(batch, since))
    }
}

impl LiveMetrics {
    fn start(address: SocketAddr, handle: Handle) -> Result<Self, String> {
        let numbers = Numbers { before: Snapshot::default(), handle, tally: JobStats::default() };
        let numbers = Arc::new(Mutex::new(numbers));
        let known = Arc::clone(&numbers);
        let page = move |format: Format| {
            let Numbers { before, handle, tally } = known.lock().expect("no holder of this lock panics").clone();
            let (now, limits, estimate) = (sum::after(&before, handle.progress()), handle.limits(), handle.estimate());
            text::page(MetricsSnapshot { now, limits, estimate, tally }, format)
        };
        let server = MetricsServer::start(address, Box::new(page)).map_err(|error| {
            format!("can't serve --metrics on {address}: {error}; give another port, or 0 for a free one")
        })?;
        Ok(Self { server, numbers })
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().expect("no holder of this lock panics")
    }
}

impl Numbers {
    /// The run so far is over, and this one begins.
    fn go_on(&mut self, handle: Handle) {
        self.before = sum::after(&self.before, self.handle.progress());
        self.handle = handle;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use haul::config::Config;
    use haul::sink::Null;
    use haul::source::Urls;

    use super::*;

    fn engine() -> Engine {
        Engine::new(Config::default()).expect("settings that make sense")
    }

    #[test]
    fn the_server_is_there_until_it_is_dropped() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut metrics = Metrics::at(Some(any), true);
        metrics.follow(&engine()).expect("a free port");
        let address = metrics.serving.as_ref().expect("asked for").server.address;
        let taken = Metrics::at(Some(address), true).follow(&engine()).expect_err("its port is in use");
        assert!(taken.contains("give another port"), "{taken}");
        metrics.follow(&engine()).expect("the same server");
        let waiting = TcpStream::connect(address).expect("it listens");
        drop(metrics);
        assert!(TcpStream::connect(address).is_err(), "it is gone, whoever still waits");
        drop(waiting);
        let mut none = Metrics::at(None, true);
        none.follow(&engine()).expect("nothing to do");
        assert!(none.serving.is_none());
    }

    #[test]
    fn counters_go_on_from_run_to_run() {
        let run = |engine: Engine, lines: usize| {
            let handle = engine.handle();
            let _ = engine.run(Box::new(Urls::new(vec!["no url"; lines])), Box::new(Null));
            handle
        };
        let (first, second) = (engine(), engine());
        let mut numbers = Numbers { before: Snapshot::default(), handle: run(first, 3), tally: JobStats::default() };
        numbers.go_on(second.handle());
        let _ = run(second, 2);
        let rejected = |numbers: &Numbers| sum::after(&numbers.before, numbers.handle.progress()).rejected;
        assert_eq!(rejected(&numbers), 5);
        numbers.go_on(engine().handle());
        assert_eq!(rejected(&numbers), 5);
    }
}
