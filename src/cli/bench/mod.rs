//! `haul bench`: a load on one or many URLs, and how it was borne. A closed loop: the next request starts when one ends.
//!
//! The engine of every other command does the work: `load` is its source, `tally` its sink, `report` says what came of it.

mod load;
mod report;
mod tally;

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use haul::config::{BodySettings, Config, Limits, PoolSettings, RequestSettings, RetrySettings};
use haul::engine::{Engine, Handle};
use haul::model::{More, Sink, Source, Time};
use haul::source::{InputSettings, Inputs};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use nix::time::ClockId;

use self::load::{Load, Target};
use self::report::{Asked, Report, Spent};
use self::tally::{Counting, Tally};
use super::args::{InputArgs, NetworkArgs, TimeoutArgs, TlsArgs};
use super::console::{self, Console};
use super::exit::Exit;
use super::metrics::{self, Metrics};
use super::plan::{self, World};
use super::progress::Show;
use super::report::{self as picture, ReportFile, Watch};
use super::view::{self, Subject};
use super::{page, run, signals, values};

pub(super) const HELP: &str = "\
A closed loop: each connection sends its next request when the last one is answered, so a server that stalls is asked less,
and its stall is a few long times among many short ones. Bodies are read and dropped, not decoded; nothing is tried again,
no redirect is followed, and 429 or 503 hold nothing back. Several URLs are asked in turn.

Latency is from the start of a request to the end of its body, connecting included where a connection was opened for it.

Exit codes:
  0    every request got a response, whatever its status
  1    some requests failed
  2    wrong usage, or unreadable input
  130  interrupted

Examples:
  haul bench http://127.0.0.1:8080/
  haul bench http://127.0.0.1:8080/ -c 64 -n 1000000 --json | jq .latency_us.p99
  haul bench https://127.0.0.1:8443/ -k -c 4 --streams 100 -d 30s
  haul bench -i urls.txt -c 500 -d 1m --warm-up 5s";

/// Everything `haul bench` can be told.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    request: BenchRequestArgs,
    #[command(flatten)]
    timeouts: TimeoutArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    tls: TlsArgs,
    /// Answer in JSON (docs/BENCH.md)
    #[arg(long, help_heading = "Answer")]
    json: bool,
    /// Write a page for a browser to FILE: charts, hosts, a timeline of some requests, failures (docs/REPORT.md)
    #[arg(long, value_name = "FILE", help_heading = "Answer")]
    report: Option<PathBuf>,
    /// A progress line in place of the live view, which is shown where the answer goes to a terminal (docs/VIEW.md)
    #[arg(long, help_heading = "Answer")]
    no_tui: bool,
    /// Serve the load's numbers for Prometheus while it goes on: a port of this machine, or ADDR:PORT (docs/METRICS.md)
    #[arg(long, value_name = "ADDR", value_parser = metrics::address, help_heading = "Answer")]
    metrics: Option<SocketAddr>,
    /// No progress
    #[arg(short, long, help_heading = "Answer")]
    quiet: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct LoadArgs {
    /// Connections, over all hosts [default: 50]
    #[arg(short, long, value_name = "N", value_parser = values::count)]
    connections: Option<NonZeroU32>,
    /// Requests at once on each connection: HTTP/2, without asking where the URL is http:// [default: 1]
    #[arg(long, value_name = "N", value_parser = values::count)]
    streams: Option<NonZeroU32>,
    /// Requests to make [default: as many as there is time for]
    #[arg(short = 'n', long, value_name = "N")]
    requests: Option<NonZeroU64>,
    /// How long to go on [default: 10s, or until -n requests are made]
    #[arg(short, long, value_name = "TIME", value_parser = values::timeout)]
    duration: Option<Duration>,
    /// Leave out what is started in this time [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    warm_up: Option<Duration>,
    /// Threads that fetch; a host is served by one of them; 0 means one per core [default: 0]
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
struct BenchRequestArgs {
    /// The method [default: GET, or POST with --body]
    #[arg(short = 'X', long = "request", value_name = "METHOD", value_parser = values::method)]
    method: Option<Method>,
    /// Send this header ('Name: value', or 'Name;' for an empty value); may be repeated
    #[arg(short = 'H', long, value_name = "HEADER", value_parser = values::header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// Send this body, or the content of FILE if it is @FILE
    #[arg(long, value_name = "DATA")]
    body: Option<String>,
}

/// A load that was asked for neither by number nor by time lasts this long.
const DURATION: Duration = Duration::from_secs(10);
const CONNECTIONS: NonZeroU32 = NonZeroU32::new(50).expect("not zero");
/// How long what is in flight may take at the end, before it is given up and counts for nothing.
const GRACE: Duration = Duration::from_secs(5);
/// Jobs read ahead, at least: a reading thread that wakes up for each one would cost more than the request.
const WINDOW: usize = 1024;

/// Loads, and tells.
pub(super) fn run(args: BenchArgs) -> Exit {
    let json = args.json;
    match bench(args) {
        Ok((report, is_told)) => {
            let text = if json { report.json() } else { report.text() };
            page::show(&(text + "\n"), if is_told { report.exit() } else { Exit::SomeFailed })
        }
        Err(message) => {
            console::tell(&format!("error: {message}\n\nFor more information, try 'haul bench --help'."));
            Exit::Usage
        }
    }
}

/// What came of it, and whether the page of `--report` could be written, if there was to be one.
fn bench(mut args: BenchArgs) -> Result<(Report, bool), String> {
    let world = World { stdin_is_terminal: io::stdin().is_terminal(), read: &|path| std::fs::read(path) };
    let inputs = args.input.inputs.clone();
    let targets = targets(std::mem::take(&mut args.input), &world)?;
    let asked = Asked::new(&targets, &args.load);
    let shards = fetching_threads(&targets, args.load.shards.unwrap_or(0));
    let (requests, lasts) = (args.load.requests.map(NonZeroU64::get), args.load.lasts());
    let warm_up = args.load.warm_up.unwrap_or_default();
    let show = match args.quiet || !io::stderr().is_terminal() {
        true => Show::Nothing,
        false if !args.no_tui && !args.json && io::stdout().is_terminal() && view::is_possible() => {
            Show::Screen(Subject::Bench)
        }
        false => Show::Line,
    };
    let (metrics, quiet) = (args.metrics, args.quiet);
    let file =
        args.report.take().map(|path| ReportFile::open(&path, inputs.iter().map(PathBuf::as_path))).transpose()?;
    let config = config(args, shards, &world)?;
    let settings = picture::settings(&config);
    let engine = Engine::new(config).map_err(|error| error.to_string())?;
    let metrics = Metrics::of(&engine, metrics, quiet)?;
    let console = Console::new(show == Show::Line);
    let handle = engine.handle();
    signals::watch(handle.clone(), console.clone(), GRACE).map_err(|error| format!("can't catch signals: {error}"))?;
    let time_is_up = lasts.map(|lasts| stop_after(warm_up + lasts, handle));
    let tally = Arc::new(Mutex::new(Tally::new(warm_up)));
    let (source, counting) = (Box::new(Load::new(targets, requests)), Box::new(Counting(Arc::clone(&tally))));
    let (watch, sink): (_, Box<dyn Sink>) = match file {
        Some(file) => {
            let (watch, sink) = Watch::on(counting, warm_up);
            (Some((file, watch)), sink)
        }
        None => (None, counting),
    };
    let sink = Metrics::counting(metrics.as_ref(), sink);
    let before = processor_time();
    let (mut report, _) = run::watched(engine, source, sink, &console, show);
    drop(metrics);
    let spent = Spent { processor: processor_time() - before, elapsed: report.totals.elapsed, shards };
    report.stopped &= !time_is_up.is_some_and(|up| up.load(Ordering::SeqCst));
    run::tell_trouble(&report);
    let written = watch.map(|(file, watch)| {
        file.write(
            &format!("haul bench {}", picture::shown(&asked.url)),
            &[watch.over("haul bench", settings, &report)],
        )
    });
    let is_told = written.transpose().map_err(|error| console::tell(&format!("haul: {error}"))).is_ok();
    let tally = tally.lock().expect("no holder of this lock panics");
    Ok((Report::new(asked, &tally, &report, spent), is_told))
}

/// Ends the run of `handle` after this time, and says whether it has done so.
fn stop_after(time: Duration, handle: Handle) -> Arc<AtomicBool> {
    let up = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&up);
    std::thread::spawn(move || {
        std::thread::sleep(time);
        tell.store(true, Ordering::SeqCst);
        handle.stop(GRACE);
    });
    up
}

/// How many threads have something to fetch: a host is served by one.
fn fetching_threads(targets: &[Target], shards: usize) -> usize {
    let hosts: HashSet<&str> = targets.iter().map(|target| target.url.host()).collect();
    let shards = if shards == 0 { std::thread::available_parallelism().map_or(1, NonZeroUsize::get) } else { shards };
    hosts.len().min(shards)
}

/// What to ask: the input's URLs, all of them good.
fn targets(args: InputArgs, world: &World<'_>) -> Result<Vec<Target>, String> {
    let mut settings = InputSettings::default();
    if let Some(max_line) = args.max_line {
        settings.max_line = usize::try_from(max_line).unwrap_or(usize::MAX);
    }
    let inputs = plan::inputs(args, world, "haul bench http://127.0.0.1:8080/")?;
    let mut source = Inputs::open(inputs, settings).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    while source.read(1024, Time::ZERO, &mut entries).map_err(|error| error.to_string())? == More::Yes {}
    let targets: Result<Vec<Target>, String> = entries
        .into_iter()
        .map(|entry| entry.map(Target::from).map_err(|line| format!("{}: {}", line.given, line.failure.message)))
        .collect();
    match targets {
        Ok(targets) if targets.is_empty() => Err("the input has no URLs; give one or more".to_owned()),
        targets => targets,
    }
}

/// The settings of a load: nothing that would spare the server, or ask it again.
fn config(args: BenchArgs, shards: usize, world: &World<'_>) -> Result<Config, String> {
    let BenchArgs { load, request, timeouts, network, tls, .. } = args;
    if load.streams.is_some() && network.http1 {
        return Err("--streams needs HTTP/2, which --http1.1 rules out; leave one out".to_owned());
    }
    let (connections, streams) = (load.connections(), load.streams());
    let at_once = connections.saturating_mul(streams);
    let reuse = !network.no_reuse;
    let mut network = plan::network(network);
    network.http2_prior_knowledge |= load.streams.is_some();
    let none = Duration::ZERO;
    Ok(Config {
        limits: Limits {
            concurrency: at_once,
            per_host: at_once,
            // A thread without a host would keep a request of the limit for itself.
            shards,
            window: (at_once.get() as usize * 2).max(WINDOW),
            ..Limits::default()
        },
        retries: RetrySettings {
            retries: 0,
            dead_after: 0,
            backoff_base: none,
            backoff_max: none,
            retry_after_max: none,
            ..RetrySettings::default()
        },
        request: request.settings(world)?,
        body: BodySettings { decode: false, max_wire: u64::MAX, max_decoded: u64::MAX, ..BodySettings::default() },
        pool: PoolSettings {
            reuse,
            max_h2_connections: connections.get(),
            max_h2_streams: streams.get(),
            ..PoolSettings::default()
        },
        timeouts: plan::timeouts(&timeouts),
        network,
        tls: plan::tls(tls),
        ..Config::default()
    })
}

impl LoadArgs {
    fn connections(&self) -> NonZeroU32 {
        self.connections.unwrap_or(CONNECTIONS)
    }

    fn streams(&self) -> NonZeroU32 {
        self.streams.unwrap_or(NonZeroU32::MIN)
    }

    /// How long the load lasts, if it has no number.
    fn lasts(&self) -> Option<Duration> {
        self.duration.or_else(|| self.requests.is_none().then_some(DURATION))
    }
}

impl BenchRequestArgs {
    fn settings(self, world: &World<'_>) -> Result<RequestSettings, String> {
        let body = self.body.as_deref().map(|text| plan::data("--body", text, world)).transpose()?;
        let method = self.method.unwrap_or_else(|| if body.is_some() { Method::POST } else { Method::GET });
        let mut headers = HeaderMap::new();
        for (name, value) in self.header {
            headers.append(name, value);
        }
        Ok(RequestSettings { method, headers, body: body.map(Into::into), max_redirects: 0 })
    }
}

/// Processor time of all threads of this process so far. Where the system keeps no such clock: none.
fn processor_time() -> Duration {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().map_or(Duration::ZERO, Duration::from)
}
