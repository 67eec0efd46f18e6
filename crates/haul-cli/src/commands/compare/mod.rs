//! `haul compare`: the same list of URLs through ways of fetching, side by side, and what makes the difference.
//!
//! `mode` says what the ways are, `drive` fetches once in one of them, `rounds` is the experiment, `stats` the method,
//! `report` the answer as plain data and JSON, `text` the same for people. `python` brings the user's own interpreter in,
//! `server_process` the built-in server.
//!
//! Invariant: every mode runs on the same engine and does the same work; only settings differ, and the way in which the list
//! is handed to it.

mod args;
mod contender;
mod drive;
mod entrants;
mod list;
mod list_source;
mod mode;
mod python;
mod report;
mod result_sink;
mod round_stats;
mod rounds;
mod sample;
mod server_process;
mod stats;
mod stop;
mod stopwatch;
mod text;

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use haul::engine;
use haul::source::{Inputs, Urls};

pub(super) use self::args::{CompareArgs, HELP};
use self::drive::Task;
use self::mode::Mode;
use self::report::{ComparisonReport, List};
use self::server_process::ServerProcess;
use self::stop::Stop;
use crate::shared::console::{self, Console};
use crate::shared::exit::Exit;
use crate::shared::experiment::{self, Target};
use crate::shared::flags::{InputArgs, World};
use crate::shared::page::{self, ReportFile};
use crate::shared::times::clock;
use crate::shared::{address_space, log, stdout};

/// Compares, and tells.
pub(super) fn run(args: CompareArgs) -> Exit {
    if args.serve {
        return server_process::serve();
    }
    log::start(args.quiet, args.log);
    let json = args.json;
    match compare(args) {
        Ok((report, is_drawn)) => {
            let width = usize::from(::console::Term::stdout().size().1);
            let text = if json { report.json() } else { text::text(&report, width) };
            stdout::show(&(text + "\n"), if is_drawn { report.exit() } else { Exit::SomeFailed })
        }
        Err(message) => {
            console::tell(&format!("error: {message}\n\nFor more information, try 'haul compare --help'."));
            Exit::Usage
        }
    }
}

/// What came of it, and whether the page of `--report` could be written, if there was to be one.
fn compare(args: CompareArgs) -> Result<(ComparisonReport, bool), String> {
    args.check()?;
    let world = World { stdin_is_terminal: io::stdin().is_terminal(), read: &|path| std::fs::read(path) };
    let CompareArgs { input, comparison, request, timeouts, network, tls, report, quiet, .. } = args;
    let inputs = input.inputs.clone();
    let modes = comparison.modes(network.http1);
    let built_in = input.urls.is_empty() && input.inputs.is_empty();
    let site = built_in.then(ServerProcess::start).transpose()?;
    let list = targets(input, site.as_ref(), comparison.max_urls(), &world)?;
    let trusted = site.as_ref().map(|site| site.trusted.path());
    let config = args::config(request, &timeouts, network, tls, trusted, &world)?;
    let task = Task { list: list.into(), config, knobs: comparison.knobs() };
    check_machine(&modes, &task)?;
    let console = Console::new(!quiet && io::stderr().is_terminal());
    let stop = Stop::default();
    stop.watch().map_err(|error| format!("can't catch signals: {error}"))?;
    let mut contenders = entrants::all(&modes, comparison.python.as_deref(), &task, &stop)?;
    // The file comes last: a comparison that can't start must not empty it.
    let page = report.map(|path| ReportFile::open(&path, inputs.iter().map(PathBuf::as_path))).transpose()?;
    let report = experiment(&mut contenders, &task, comparison.rounds(), comparison.seed(), &stop, &console);
    let report = ComparisonReport { list: about(&task.list, built_in), ..report }.compare();
    let drawn = page.map(|page| {
        let runs: Vec<_> = contenders.iter().filter_map(|contender| contender.watched(&task, &stop)).collect();
        page.write(&format!("haul compare {}", page::shown(&report.list.url)), Some(&text::answer(&report)), &runs)
    });
    let is_drawn = drawn.transpose().map_err(|error| console::tell(&format!("haul: {error}"))).is_ok();
    Ok((report, is_drawn))
}

/// Goes through the rounds while someone watches.
fn experiment(
    contenders: &mut [contender::Contender],
    task: &Task,
    rounds: usize,
    seed: u64,
    stop: &Stop,
    console: &Console,
) -> ComparisonReport {
    let begin = stopwatch::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let complete = rounds::run(contenders, task, rounds, &mut random, stop, |round, name| {
        if let Some(line) = console.line() {
            let elapsed = stopwatch::now().saturating_duration_since(begin);
            line.set_message(progress(round, rounds, name, elapsed));
        }
    });
    if let Some(line) = console.line() {
        line.finish_and_clear();
    }
    ComparisonReport {
        version: env!("CARGO_PKG_VERSION"),
        list: List::default(),
        rounds: complete,
        rounds_asked: rounds,
        seed,
        workers: task.knobs.workers.get(),
        limit: task.knobs.limit.get(),
        batch: task.knobs.batch.get(),
        confidence: stats::confidence(complete),
        stopped: stop.is_asked(),
        modes: contenders.iter().map(|contender| contender.figures(task.list.len())).collect(),
        steps: Vec::new(),
    }
}

/// Where the comparison is; `round`: 0 is the warm-up, which is taken to be as long as the others.
fn progress(round: usize, rounds: usize, name: &str, elapsed: Duration) -> String {
    let Some(done) = u32::try_from(round).ok().filter(|done| *done > 0) else { return format!("warm-up: {name}") };
    let left = u32::try_from(rounds + 1 - round).unwrap_or(u32::MAX);
    format!("round {round} of {rounds}: {name}; less than {} left", clock(elapsed / done * left))
}

/// Descriptors of an engine of one shard with its connection, and those of the command itself. Several engines are there at
/// once, each of which finds what it needs while the others have not begun.
const DESCRIPTORS_AN_ENGINE: u64 = 6;
const DESCRIPTORS: u64 = 20;

/// Whether the machine lets all modes begin. gather with fewer at once than the list is long would not be what it is called.
fn check_machine(modes: &[Mode], task: &Task) -> Result<(), String> {
    let urls = task.list.len();
    let config = Mode::Gather.config(&task.config, task.knobs, urls);
    let limit = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(u64::MAX, |(_, hard)| hard);
    let engines = modes.iter().map(|mode| mode.engines(task.knobs) as u64).max().unwrap_or(1);
    // Each has a thread that fetches and others beside; in the mode of haul's own there are as many as cores.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    address_space::check(cores.max(2 * usize::try_from(engines).unwrap_or(1)))?;
    let needed = DESCRIPTORS + DESCRIPTORS_AN_ENGINE * engines;
    if limit < needed {
        return Err(format!(
            "these modes need {needed} file descriptors, and the limit (ulimit -n) is {limit}; raise it, or name fewer modes \
             with --modes"
        ));
    }
    let sockets = engine::socket_budget(&config, limit).map_err(|error| error.to_string())?.sockets;
    if modes.contains(&Mode::Gather) && sockets < urls {
        return Err(format!(
            "gather would ask for {urls} URLs at once, and the descriptor limit lets this process open {sockets} \
             connections; raise it (ulimit -n), or name the other modes with --modes"
        ));
    }
    Ok(())
}

/// The list: what was given, or the built-in server's.
fn targets(
    args: InputArgs,
    site: Option<&ServerProcess>,
    most: usize,
    world: &World<'_>,
) -> Result<Vec<Target>, String> {
    if let Some(site) = site {
        return list::read(&mut Urls::new(list::built_in(site.tls_port)), usize::MAX);
    }
    let settings = experiment::input_settings(args.max_line);
    let inputs = args.inputs(world, "haul compare http://127.0.0.1:8080/")?;
    let mut source = Inputs::open(inputs, settings).map_err(|error| error.to_string())?;
    list::read(&mut source, most)
}

fn about(list: &[Target], built_in: bool) -> List {
    let hosts: HashSet<&str> = list.iter().map(|target| target.url.origin()).collect();
    let url = list.first().map_or_else(String::new, |target| target.url.as_str().to_owned());
    List { url, urls: list.len(), hosts: hosts.len(), built_in }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_once_a_round_is_over() {
        let progress = |round| progress(round, 7, "gather", Duration::from_secs(8));
        assert_eq!(progress(0), "warm-up: gather");
        assert_eq!(progress(1), "round 1 of 7: gather; less than 56.0s left");
        assert_eq!(progress(4), "round 4 of 7: gather; less than 8.0s left");
    }
}
