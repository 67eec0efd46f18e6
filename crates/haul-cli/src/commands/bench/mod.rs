//! `haul bench`: a load on one or many URLs, and how the server took it.
//!
//! The engine of every other command does the work. `args` says what load to make, `load_spec` what of that is told;
//! `closed_loop` is a closed loop's source, `open_loop` with its `schedule` an open loop's; `load_stats` is the sink; `trial`
//! runs one load, `trials` one after the other, `rate_search` says which to run next; `report`, `search` and `steps` tell
//! what came of it, `csv` by the second; `thread_sampler` looks at the client's own, of which `busy` finds the fullest and
//! `client` judges; `against` and `ranks` compare.

mod against;
mod args;
mod busy;
mod client;
mod closed_loop;
mod csv;
mod figures;
mod load_spec;
mod load_stats;
mod open_loop;
mod ranks;
mod rate_search;
mod report;
mod schedule;
mod search;
mod series;
mod steps;
mod thread_sampler;
mod trial;
mod trials;

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::config::{Config, Limits, PoolSettings};
use haul::model::{More, Source, Time};
use haul::source::Inputs;
use indicatif::HumanCount;

use self::against::Earlier;
pub(super) use self::args::BenchArgs;
use self::args::LoadPlan;
use self::load_spec::LoadSpec;
use self::report::BenchReport;
use self::trial::{LoadResult, Setup};
use self::trials::SearchResult;
use crate::shared::console::{self, Console};
use crate::shared::exit::Exit;
use crate::shared::experiment::{self, Target};
use crate::shared::flags::{InputArgs, World};
use crate::shared::metrics::Metrics;
use crate::shared::outfile::OutFile;
use crate::shared::page::{self, AnswerSection, ReportFile, Run};
use crate::shared::progress::Show;
use crate::shared::view::{self, Subject, View};
use crate::shared::{address_space, log, signals, stdout};

pub(super) const HELP: &str = "\
Without --rate a closed loop: each connection sends its next request when the last one is answered, so a server that stalls
is asked less, and its stall is a few long times among many short ones. Latency is from the start of a request to the end of
its body, connecting included where a connection was opened for it.

With --rate, --ramp or --find-max an open loop: requests are due by a plan that does not wait for the server. Its response
times count from when a request was due, so that a stall shows in all the requests it held up; service times count from when
it was sent, and how late that was is shown apart. Requests beyond -c at once wait, and their waiting counts.

Bodies are read and dropped, not decoded; nothing is tried again, no redirect is followed, and 429 or 503 hold nothing back.
Several URLs are asked in turn.

Exit codes:
  0    every request got a response, whatever its status; --find-max found a rate
  1    some requests failed, or had not ended in time; --find-max found none
  2    wrong usage, or unreadable input
  130  interrupted

Examples:
  haul bench http://127.0.0.1:8080/
  haul bench http://127.0.0.1:8080/ -c 64 -n 1000000 --json | jq .latency_us.p99
  haul bench https://127.0.0.1:8443/ -k -c 4 --streams 100 -d 30s
  haul bench -i urls.txt -c 500 -d 1m --warm-up 5s
  haul bench http://127.0.0.1:8080/ --rate 500/s --arrivals poisson
  haul bench http://127.0.0.1:8080/ --ramp 100..5000/s -d 20s
  haul bench http://127.0.0.1:8080/ --find-max --p99 20ms
  haul bench http://127.0.0.1:8080/ -d 30s --json > old.json
  haul bench http://127.0.0.1:8080/ -d 30s --against old.json";

/// URLs of a load, at most: they are kept in memory.
const MOST_URLS: usize = 1_000_000;
/// How long what is in flight may take at the end, before it is given up.
const GRACE: Duration = Duration::from_secs(5);
/// Jobs read ahead, at least: a reading thread that wakes up for each one would cost more than the request.
const WINDOW: usize = 4096;

/// Loads, and tells.
pub(super) fn run(args: BenchArgs) -> Exit {
    log::start(args.answer.quiet, args.answer.log);
    match bench(args) {
        Ok((text, exit)) => stdout::show(&(text + "\n"), exit),
        Err(message) => {
            console::tell(&format!("error: {message}\n\nFor more information, try 'haul bench --help'."));
            Exit::Usage
        }
    }
}

/// What to tell, and how the command ends.
fn bench(mut args: BenchArgs) -> Result<(String, Exit), String> {
    let load = args.plan()?;
    let world = World { stdin_is_terminal: io::stdin().is_terminal(), read: &|path| std::fs::read(path) };
    let inputs = args.input.inputs.clone();
    let targets = targets(std::mem::take(&mut args.input), &world)?;
    let json = args.answer.json;
    let against = args.answer.against.take();
    let earlier = against.as_deref().map(|file| earlier(file, &load)).transpose()?;
    let (series, page) = (args.answer.csv.take(), args.answer.report.clone());
    let mut setup = setup(args, targets, &world)?;
    let asked = LoadSpec::new(&setup.targets, &setup.config, &load);
    // The files come last: a load that can't start must not empty them.
    let used = inputs.iter().chain(&against).map(PathBuf::as_path);
    let page = page.map(|path| ReportFile::open(&path, used.clone().chain(series.as_deref()))).transpose()?;
    let series = series.map(|path| OutFile::open("--csv", &path, used)).transpose()?;
    let name = page::shown(&asked.url);
    let told = match load {
        LoadPlan::Closed { requests, lasts, warm_up } => {
            BenchAnswer::of_load(asked, setup.closed(requests, lasts, warm_up, GRACE)?, earlier, json)
        }
        LoadPlan::Open(plan) => BenchAnswer::of_load(asked, setup.open(&plan, Duration::MAX, GRACE)?, earlier, json),
        LoadPlan::FindMax(sought) => BenchAnswer::of_search(trials::find(&mut setup, asked, &sought)?, json),
    };
    let title = format!("haul bench {name}");
    let is_drawn = went_well(page.map(|page| page.write(&title, told.answer.as_ref(), &told.runs)));
    let is_written = went_well(series.map(|file| file.write(told.csv.as_bytes())));
    let exit = if is_drawn && is_written { told.exit } else { Exit::SomeFailed };
    Ok((told.text, exit))
}

/// What is told of one load or a search, in every form that may be asked for.
struct BenchAnswer {
    text: String,
    exit: Exit,
    csv: String,
    /// What a page says before what it shows.
    answer: Option<AnswerSection>,
    runs: Vec<Run>,
}

impl BenchAnswer {
    fn of_load(asked: LoadSpec, mut done: LoadResult, earlier: Option<Earlier>, json: bool) -> Self {
        let page_run = done.page_run.take();
        let mut report = BenchReport::new(asked, done);
        let runs = page_run.into_iter().map(|run| report.completes(run)).collect();
        if let Some(earlier) = earlier {
            report.compare(earlier);
        }
        let csv = csv::csv(report.seconds());
        Self { text: report.told(json), exit: report.exit(), csv, answer: report.answer(), runs }
    }

    fn of_search(found: SearchResult, json: bool) -> Self {
        let SearchResult { report, seconds, shown } = found;
        Self {
            text: report.told(json),
            exit: report.exit(),
            csv: csv::of_rates(&seconds),
            answer: Some(report.answer()),
            runs: shown.into_iter().flatten().collect(),
        }
    }
}

/// Whether there was nothing to write or it was written; if not, that is told.
fn went_well(written: Option<Result<(), String>>) -> bool {
    written.transpose().map_err(|error| console::tell(&format!("haul: {error}"))).is_ok()
}

/// The answer of an earlier load, read before this one begins.
fn earlier(file: &Path, load: &LoadPlan) -> Result<Earlier, String> {
    let text = std::fs::read(file).map_err(|error| format!("can't read '{}': {error}", file.display()))?;
    Earlier::read(&file.display().to_string(), &text, matches!(load, LoadPlan::Open(_)))
}

/// What all loads have in common.
fn setup(args: BenchArgs, targets: Vec<Target>, world: &World<'_>) -> Result<Setup, String> {
    let shards = fetching_threads(&targets, args.load.shards.unwrap_or(0));
    address_space::check(shards)?;
    let answer = &args.answer;
    let is_told = !answer.quiet && io::stderr().is_terminal();
    let has_view = is_told && answer.has_view() && io::stdout().is_terminal() && view::is_possible();
    let view = has_view.then(|| View::start(Subject::Bench));
    let show = match (&view, answer.quiet) {
        (None, false) if is_told => Show::Line,
        (None, false) => Show::Messages,
        _ => Show::Nothing,
    };
    let metrics = Metrics::at(answer.metrics, answer.quiet);
    let console = Console::new(show == Show::Line);
    let current = Arc::new(Mutex::new(None));
    let watched = Arc::clone(&current);
    let under_way = move || watched.lock().expect("no holder of this lock panics").clone();
    signals::watch_current(under_way, GRACE).map_err(|error| format!("can't catch signals: {error}"))?;
    let is_watched = answer.report.is_some();
    let (config, name) = (config(args, shards, world)?, String::new());
    Ok(Setup { config, targets, name, console, show, view, metrics, is_watched, current })
}

/// How many threads have something to fetch: a host is served by one.
fn fetching_threads(targets: &[Target], shards: usize) -> usize {
    let hosts: HashSet<&str> = targets.iter().map(|target| target.url.host()).collect();
    let shards = if shards == 0 { std::thread::available_parallelism().map_or(1, NonZeroUsize::get) } else { shards };
    hosts.len().min(shards)
}

/// What to ask: the input's URLs, all of them good.
fn targets(args: InputArgs, world: &World<'_>) -> Result<Vec<Target>, String> {
    let settings = experiment::input_settings(args.max_line);
    let inputs = args.inputs(world, "haul bench http://127.0.0.1:8080/")?;
    let mut source = Inputs::open(inputs, settings).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    while source.read(1024, Time::ZERO, &mut entries).map_err(|error| error.to_string())? == More::Yes {
        if entries.len() > MOST_URLS {
            return Err(format!(
                "more than {} URLs, which are asked in turn; give fewer",
                HumanCount(MOST_URLS as u64)
            ));
        }
    }
    match experiment::targets(entries)? {
        targets if targets.is_empty() => Err("the input has no URLs; give one or more".to_owned()),
        targets => Ok(targets),
    }
}

/// The settings of a load: nothing that would spare the server, or ask it again.
fn config(args: BenchArgs, shards: usize, world: &World<'_>) -> Result<Config, String> {
    let connections = args.connections();
    let BenchArgs { load, request, timeouts, network, tls, .. } = args;
    if load.streams.is_some() && network.http1 {
        return Err("--streams needs HTTP/2, which --http1.1 rules out; leave one out".to_owned());
    }
    let streams = load.streams();
    let at_once = connections.saturating_mul(streams);
    let reuse = !network.no_reuse;
    let mut config = experiment::config(request, &timeouts, network, tls, world)?;
    config.network.http2_prior_knowledge |= load.streams.is_some();
    config.limits = Limits {
        concurrency: at_once,
        per_host: at_once,
        // A thread without a host would keep a request of the limit for itself.
        shards,
        window: (at_once.get() as usize * 2).clamp(WINDOW, Limits::default().window),
        ..Limits::default()
    };
    config.pool = PoolSettings {
        reuse,
        max_h2_connections: connections.get(),
        max_h2_streams: streams.get(),
        ..PoolSettings::default()
    };
    Ok(config)
}
