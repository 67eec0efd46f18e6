//! `haul compare`: the same list of URLs through ways of fetching, side by side, and what makes the difference.
//!
//! `mode` says what the ways are, `drive` fetches once in one of them, `rounds` is the experiment, `stats` the method,
//! `report` the answer as plain data and JSON, `text` the same for people. `python` brings the user's own interpreter in.
//!
//! Invariant: every mode runs on the same engine and does the same work; only settings differ, and the way in which the list
//! is handed to it.

mod collect;
mod contender;
mod drive;
mod feed;
mod list;
mod mode;
mod python;
mod report;
mod rounds;
mod sample;
mod site;
mod stats;
mod stop;
mod stopwatch;
mod tally;
mod text;

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::num::NonZeroU32;

use base64::Engine as _;
use clap::Args;
use haul::config::{BodySettings, Config, DnsSettings, RequestSettings};
use haul::source::{InputSettings, Inputs, Urls};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use self::contender::{Contender, Fetcher};
use self::drive::Task;
use self::list::Target;
use self::mode::{Knobs, Mode};
use self::python::{NotRun, PythonTask, Runner, Script};
use self::report::{List, Report, Way};
use self::site::Site;
use self::stop::Stop;
use super::args::{InputArgs, NetworkArgs, TimeoutArgs, TlsArgs};
use super::console::{self, Console};
use super::exit::Exit;
use super::plan::{self, World};
use super::{page, values};

pub(super) const HELP: &str = "\
Modes, on one engine with other settings:
  serial         one by one in the order of the list, a new connection each
  serial-reuse   the same with kept connections, as a session has them
  threads        --workers threads, each fetching one by one from a common list; results as they complete
  threads-reuse  the same, each thread keeping its connections
  gather         all at once; results in the order of the list, as in those below
  limited        never more than --limit at once
  batches        --batch at once, and the next ones when all of these have ended
  pooled         haul's scheduler with the limits of haul get: 256 at once, 8 per host; as they complete
  h2             all at once over one HTTP/2 connection per host
All but pooled and h2 speak HTTP/1.1. Bodies are read and dropped, not decoded; nothing is tried again, no redirect is
followed, and 429 or 503 hold nothing back. Without URLs the built-in server is used: 100 URLs on 5 hosts, about 30 s.

Each mode has its turn once a round, in random order, after a warm-up. Intervals are between two of the rounds (order
statistics, at least 95 %), those of speed-ups over the rounds' ratios; words are used only where an interval allows them.

Exit codes:
  0    every request got a response, whatever its status
  1    some requests failed
  2    wrong usage, or unreadable input
  130  interrupted

Examples:
  haul compare
  haul compare --python
  haul compare -i urls.txt --modes serial-reuse,limited,pooled --limit 20
  haul compare http://127.0.0.1:8080/ http://127.0.0.1:8080/other --rounds 20 --json | jq '.steps'";

/// Everything `haul compare` can be told.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    comparison: ComparisonArgs,
    #[command(flatten)]
    request: CompareRequestArgs,
    #[command(flatten)]
    timeouts: TimeoutArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    tls: TlsArgs,
    /// Answer in JSON (docs/COMPARE.md)
    #[arg(long, help_heading = "Answer")]
    json: bool,
    /// No progress
    #[arg(short, long, help_heading = "Answer")]
    quiet: bool,
    /// Be the built-in server of another haul compare
    #[arg(long, hide = true)]
    serve: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Comparison")]
struct ComparisonArgs {
    /// Modes to compare, by name, with commas between; the others are held against the first [default: all]
    #[arg(short, long, value_name = "MODES", value_delimiter = ',', hide_possible_values = true)]
    modes: Vec<Mode>,
    /// Threads in threads and threads-reuse, at most 256 [default: 8]
    #[arg(short, long, value_name = "N", value_parser = workers)]
    workers: Option<NonZeroU32>,
    /// Requests at once in limited [default: 5]
    #[arg(long, value_name = "N", value_parser = values::count)]
    limit: Option<NonZeroU32>,
    /// Requests in each of batches [default: 5]
    #[arg(long, value_name = "N", value_parser = values::count)]
    batch: Option<NonZeroU32>,
    /// Rounds after the warm-up, at most 1000; fewer than 6 allow no verdict [default: 7]
    #[arg(short, long, value_name = "N", value_parser = rounds)]
    rounds: Option<NonZeroU32>,
    /// What the random order is made from: the same number gives the same order [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Refuse lists that are longer: every mode fetches all of it in every round [default: 1000]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_urls: Option<NonZeroU32>,
    /// Run requests, aiohttp and httpx too, under this Python, as far as it has them [default: python3]
    #[arg(long, value_name = "INTERPRETER", num_args = 0..=1, require_equals = true, default_missing_value = "python3")]
    python: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
struct CompareRequestArgs {
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

const WORKERS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");
const LIMIT: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const BATCH: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const ROUNDS: NonZeroU32 = NonZeroU32::new(7).expect("not zero");
const MAX_URLS: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");
/// More threads than that measure the machine's scheduler; each has an engine of its own.
const MOST_WORKERS: u32 = 256;
const MOST_ROUNDS: u32 = 1000;

fn workers(text: &str) -> Result<NonZeroU32, String> {
    at_most(values::count(text)?, MOST_WORKERS)
}

fn rounds(text: &str) -> Result<NonZeroU32, String> {
    at_most(values::count(text)?, MOST_ROUNDS)
}

fn at_most(count: NonZeroU32, most: u32) -> Result<NonZeroU32, String> {
    if count.get() > most { Err(format!("more than {most}")) } else { Ok(count) }
}

/// Compares, and tells.
pub(super) fn run(args: CompareArgs) -> Exit {
    if args.serve {
        return site::serve();
    }
    let json = args.json;
    match compare(args) {
        Ok(report) => {
            let width = usize::from(::console::Term::stdout().size().1);
            let text = if json { report.json() } else { text::text(&report, width) };
            page::show(&(text + "\n"), report.exit())
        }
        Err(message) => {
            console::tell(&format!("error: {message}\n\nFor more information, try 'haul compare --help'."));
            Exit::Usage
        }
    }
}

fn compare(args: CompareArgs) -> Result<Report, String> {
    check(&args)?;
    let world = World { stdin_is_terminal: io::stdin().is_terminal(), read: &|path| std::fs::read(path) };
    let knobs = args.comparison.knobs();
    let rounds = args.comparison.rounds.unwrap_or(ROUNDS).get() as usize;
    let seed = args.comparison.seed.unwrap_or(1);
    let (ways, python) = (args.comparison.modes(args.network.http1), args.comparison.python.clone());
    let (quiet, most) = (args.quiet, args.comparison.max_urls.unwrap_or(MAX_URLS).get() as usize);
    let built_in = args.input.urls.is_empty() && args.input.inputs.is_empty();
    let site = built_in.then(Site::start).transpose()?;
    let CompareArgs { input, request, timeouts, network, tls, .. } = args;
    let list = targets(input, site.as_ref(), most)?;
    let config = config(request, &timeouts, network, tls, site.as_ref(), &world)?;
    let task = Task { list: list.into(), config, knobs };
    let mut contenders: Vec<Contender> = ways.into_iter().map(|mode| haul(mode, knobs)).collect();
    if let Some(interpreter) = &python {
        contenders.extend(pythons(interpreter, &task)?);
    }
    let stop = Stop::default();
    let console = Console::new(!quiet && io::stderr().is_terminal());
    stop.watch(console.clone()).map_err(|error| format!("can't catch signals: {error}"))?;
    let mut random = fastrand::Rng::with_seed(seed);
    let complete = rounds::run(&mut contenders, &task, rounds, &mut random, &stop, |round, name| {
        if let Some(line) = console.line() {
            line.set_message(progress(round, rounds, name));
        }
    });
    if let Some(line) = console.line() {
        line.finish_and_clear();
    }
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        list: about(&task.list, built_in),
        rounds: complete,
        seed,
        workers: knobs.workers.get(),
        limit: knobs.limit.get(),
        batch: knobs.batch.get(),
        confidence: stats::confidence(complete),
        stopped: stop.is_asked(),
        modes: contenders.iter().map(|contender| contender.figures(task.list.len())).collect(),
        steps: Vec::new(),
    };
    Ok(report.compare())
}

fn progress(round: usize, rounds: usize, name: &str) -> String {
    match round {
        0 => format!("warm-up: {name}"),
        _ => format!("round {round} of {rounds}: {name}"),
    }
}

/// Flags that can't be meant here, and what to do about it.
fn check(args: &CompareArgs) -> Result<(), String> {
    let CompareArgs { comparison, network, tls, .. } = args;
    let mut seen = HashSet::new();
    let other_way = !network.resolve.is_empty()
        || !network.connect_to.is_empty()
        || !network.dns_server.is_empty()
        || network.public_only
        || network.ipv4
        || network.ipv6
        || network.local_address.is_some()
        || network.unix_socket.is_some();
    let rules = [
        (network.no_reuse, "--no-reuse is what serial and threads do; choose them with --modes serial,threads"),
        (
            network.http1 && comparison.modes.contains(&Mode::H2),
            "the mode h2 needs HTTP/2, which --http1.1 rules out; leave one out",
        ),
        (
            network.http1 && network.http2_prior_knowledge,
            "--http1.1 and --http2-prior-knowledge exclude each other; leave one out",
        ),
        (comparison.modes.iter().any(|mode| !seen.insert(*mode)), "a mode stands twice in --modes; name each once"),
        (
            comparison.python.is_some() && (other_way || tls.cert.is_some() || tls.cacert.len() > 1),
            "--python: its packages can't be told of other ways to the servers (--resolve, --connect-to, --dns-server, -4, -6, \
             --local-address, --unix-socket, --public-only), of --cert, nor of a second --cacert; leave one out",
        ),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, message)) => Err(message.to_owned()),
        None => Ok(()),
    }
}

impl ComparisonArgs {
    fn knobs(&self) -> Knobs {
        Knobs {
            workers: self.workers.unwrap_or(WORKERS),
            limit: self.limit.unwrap_or(LIMIT),
            batch: self.batch.unwrap_or(BATCH),
        }
    }

    /// The modes asked for; all that there are if none was named.
    fn modes(&self, http1_only: bool) -> Vec<Mode> {
        match self.modes.is_empty() {
            true => Mode::ALL.into_iter().filter(|mode| *mode != Mode::H2 || !http1_only).collect(),
            false => self.modes.clone(),
        }
    }
}

fn haul(mode: Mode, knobs: Knobs) -> Contender {
    let by = concat!("haul ", env!("CARGO_PKG_VERSION")).to_owned();
    Contender::new(Way { name: mode.name(), about: mode.about(knobs), by }, Fetcher::Haul(mode))
}

/// The Python packages, each missing if it is.
fn pythons(interpreter: &str, task: &Task) -> Result<Vec<Contender>, String> {
    if task.list.iter().any(|target| target.special.is_some()) {
        return Err(
            "--python fetches plain URLs only; leave it out, or the requests with a method, headers or a body".into()
        );
    }
    let told = python_task(task)?;
    let start = |script: Script| {
        let (by, fetcher) = match Runner::start(interpreter, script, &told) {
            Ok(runner) => (runner.by.clone(), Fetcher::Python(Box::new(runner))),
            Err(NotRun::Missing(why)) => (script.package().to_owned(), Fetcher::Missing(why)),
            Err(NotRun::NoInterpreter(error)) => {
                return Err(format!("can't run {interpreter}: {error}; name the interpreter with --python=FILE"));
            }
        };
        let way = Way { name: script.name(), about: script.about(told.workers), by };
        Ok(Contender::new(way, fetcher))
    };
    Script::ALL.into_iter().map(start).collect()
}

/// What the scripts are told: the same requests.
fn python_task(task: &Task) -> Result<PythonTask, String> {
    let Config { request, tls, timeouts, .. } = &task.config;
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned);
    let header = |(name, value): (&HeaderName, &HeaderValue)| Ok((name.to_string(), text(value)?));
    let headers: Result<Vec<_>, http::header::ToStrError> = request.headers.iter().map(header).collect();
    let mut headers = headers.map_err(|_| "--python sends headers of ASCII text only; leave one out".to_owned())?;
    if !request.headers.contains_key(http::header::ACCEPT_ENCODING) {
        // haul does not ask for codings here either.
        headers.push(("accept-encoding".to_owned(), "identity".to_owned()));
    }
    Ok(PythonTask {
        urls: task.list.iter().map(|target| target.url.as_str().to_owned()).collect(),
        method: request.method.to_string(),
        headers,
        body: request.body.as_ref().map(|body| base64::engine::general_purpose::STANDARD.encode(body)),
        workers: task.knobs.workers.get(),
        timeout_s: timeouts.total.as_secs_f64(),
        ca_file: tls.ca_files.first().map(|file| file.display().to_string()),
        insecure: tls.insecure,
    })
}

/// The list: what was given, or the built-in server's.
fn targets(args: InputArgs, site: Option<&Site>, most: usize) -> Result<Vec<Target>, String> {
    if let Some(site) = site {
        return list::read(&mut Urls::new(list::built_in(site.tls_port)), most.max(list::HOSTS * 100));
    }
    let mut settings = InputSettings::default();
    if let Some(max_line) = args.max_line {
        settings.max_line = usize::try_from(max_line).unwrap_or(usize::MAX);
    }
    let world = World { stdin_is_terminal: true, read: &|path| std::fs::read(path) };
    let inputs = plan::inputs(args, &world, "haul compare http://127.0.0.1:8080/")?;
    let mut source = Inputs::open(inputs, settings).map_err(|error| error.to_string())?;
    list::read(&mut source, most)
}

fn about(list: &[Target], built_in: bool) -> List {
    let hosts: HashSet<&str> = list.iter().map(|target| target.url.origin()).collect();
    let url = list.first().map_or_else(String::new, |target| target.url.as_str().to_owned());
    List { url, urls: list.len(), hosts: hosts.len(), built_in }
}

/// What all modes share.
fn config(
    request: CompareRequestArgs,
    timeouts: &TimeoutArgs,
    network: NetworkArgs,
    tls: TlsArgs,
    site: Option<&Site>,
    world: &World<'_>,
) -> Result<Config, String> {
    let mut tls = plan::tls(tls);
    if let Some(site) = site {
        tls.ca_files = vec![site.trusted.path().to_owned()];
    }
    Ok(Config {
        request: request.settings(world)?,
        body: BodySettings { decode: false, max_wire: u64::MAX, max_decoded: u64::MAX, ..BodySettings::default() },
        timeouts: plan::timeouts(timeouts),
        dns: DnsSettings { servers: network.dns_server.clone(), ..DnsSettings::default() },
        network: plan::network(network),
        tls,
        ..Config::default()
    })
}

impl CompareRequestArgs {
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
