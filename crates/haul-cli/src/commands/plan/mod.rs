//! `haul plan`: how long a run must take at least, why, and what would help. It fetches nothing.
//!
//! `input_stats` counts the input, `service` says how long a request takes, `estimate` puts them together under the limits,
//! `change` tries other limits, `text` and `json` tell. Only this file and `service::read` touch the world.
//!
//! Memory is held per host, never per URL.

mod change;
mod estimate;
mod input_stats;
mod json;
mod service;
mod text;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use haul::config::Config;
use haul::model::{More, Source, Time};
use haul::source::{Input, InputSettings, Inputs};

use crate::shared::exit::Exit;
use crate::shared::flags::{LimitArgs, RetryArgs, World, checked, values};
use crate::shared::{console, stdout};
use estimate::Estimate;
use input_stats::InputStats;
use service::ServiceTimes;

pub(super) const HELP: &str = "\
The bound is the longest of: any host's requests at --per-host and its delay,
any site's at --per-site, all requests at --concurrency, all starts at --rate.
haul stays near it. Retries, redirects, name look-ups and new connections come
on top. --per-address, --adaptive, --shards and --window have no part in it.
When hosts that fail are given up is said beside it; the flags for retries count.

Exit codes:
  0    also when lines were rejected
  2    wrong usage, or unreadable input

Examples:
  haul plan urls.txt
  zcat urls.gz | haul plan --per-host 4 --delay 250ms --service-time 80ms
  haul get -i sample.txt | haul plan urls.txt --from -
  haul plan urls.txt -c 1000 --json | jq .bound_s";

/// What a request takes unless something better is known.
const SERVICE_TIME: Duration = Duration::from_millis(200);

/// How many hosts are shown unless told otherwise.
const TOP: usize = 10;

/// Everything `haul plan` can be told.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Files of URLs, as haul get -i takes them; - is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same as FILE; may be repeated
    #[arg(short, long = "input", value_name = "FILE", help_heading = "Input")]
    inputs: Vec<PathBuf>,
    /// Reject input lines longer than this [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "Input")]
    max_line: Option<u64>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    retries: RetryArgs,
    /// What a request takes from its start to its end [default: 200ms]
    #[arg(long, value_name = "TIME", value_parser = values::timeout, help_heading = "Service time")]
    service_time: Option<Duration>,
    /// Take each host's mean time from these records of an earlier run; --service-time is for hosts without any
    #[arg(long, value_name = "RECORDS", help_heading = "Service time")]
    from: Option<PathBuf>,
    /// Hosts shown: the N that need longest [default: 10]
    #[arg(long, value_name = "N", help_heading = "Answer")]
    top: Option<usize>,
    /// Answer in JSON (docs/guide/PLAN.md)
    #[arg(long, help_heading = "Answer")]
    json: bool,
}

/// Reads, estimates, tells.
pub(super) fn run(args: &PlanArgs) -> Exit {
    match answer(args) {
        Ok(text) => stdout::show(&text, Exit::Complete),
        Err(message) => {
            console::tell(&format!("haul: {message}"));
            Exit::Usage
        }
    }
}

fn answer(args: &PlanArgs) -> Result<String, String> {
    let inputs = inputs(args, io::stdin().is_terminal())?;
    let times = match &args.from {
        Some(path) => service::read(open(path)?, &path.display().to_string())?,
        None => ServiceTimes::default(),
    };
    let mut settings = InputSettings::default();
    if let Some(max_line) = args.max_line {
        settings.max_line = usize::try_from(max_line).unwrap_or(usize::MAX);
    }
    let tally = read(Inputs::open(inputs, settings).map_err(|error| error.to_string())?)?;
    let basis = times.basis(args.service_time, SERVICE_TIME);
    let world = World { stdin_is_terminal: false, read: &|path| std::fs::read(path) };
    let limits = checked(Config { limits: args.limits.settings(&world)?, ..Config::default() })?.limits;
    let retries = args.retries.settings();
    let estimate =
        Estimate::new(&tally, &times, basis, limits, args.top.unwrap_or(TOP)).map_err(|error| error.to_string())?;
    Ok(if args.json { json::page(&estimate, &retries) } else { text::page(&estimate, &retries) })
}

/// Counts everything `source` has, a batch at a time.
fn read(mut source: Inputs) -> Result<InputStats, String> {
    let (mut tally, mut entries) = (InputStats::default(), Vec::new());
    loop {
        let more = source.read(1024, Time::ZERO, &mut entries);
        entries.drain(..).for_each(|entry| tally.add(entry));
        match more {
            Ok(More::Yes) => {}
            Ok(More::No) => return Ok(tally),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// What to read: the files named, or a piped standard input.
fn inputs(args: &PlanArgs, stdin_is_terminal: bool) -> Result<Vec<Input>, String> {
    let named = || args.files.iter().chain(&args.inputs);
    let is_stdin = |path: &Path| path == Path::new("-");
    if named().chain(&args.from).filter(|path| is_stdin(path)).count() > 1 {
        return Err("standard input can be read only once; give - once".to_owned());
    }
    if named().chain(&args.from).any(|path| path.to_string_lossy().contains("://")) {
        // Which one is not said: there may be a password in it.
        return Err("a URL was given, and haul plan takes files of URLs; write: echo URL | haul plan".to_owned());
    }
    let inputs: Vec<_> =
        named().map(|path| if is_stdin(path) { Input::Stdin } else { Input::File(path.clone()) }).collect();
    match (inputs.is_empty(), stdin_is_terminal || args.from.as_deref().is_some_and(is_stdin)) {
        (false, _) => Ok(inputs),
        (true, false) => Ok(vec![Input::Stdin]),
        (true, true) => Err("nothing to plan; name a file of URLs, as in: haul plan urls.txt".to_owned()),
    }
}

/// The records of an earlier run.
fn open(path: &Path) -> Result<Box<dyn io::Read>, String> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    Ok(Box::new(file))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// The flags, on a command line of their own.
    #[derive(Parser)]
    struct PlanCommandLine {
        #[command(flatten)]
        args: PlanArgs,
    }

    fn inputs_of(arguments: &str, stdin_is_terminal: bool) -> Result<Vec<Input>, String> {
        let line = PlanCommandLine::parse_from(["plan"].into_iter().chain(arguments.split_whitespace()));
        inputs(&line.args, stdin_is_terminal)
    }

    #[test]
    fn inputs_are_files_or_a_piped_standard_input() {
        let files = [Input::File("a".into()), Input::Stdin, Input::File("b".into())];
        assert_eq!(inputs_of("-i b a -", true), Ok(files.to_vec()));
        assert_eq!(inputs_of("--top 3", false), Ok(vec![Input::Stdin]));
        assert!(inputs_of("", true).expect_err("nothing").contains("haul plan urls.txt"));
        assert!(inputs_of("--from -", false).expect_err("no list").contains("haul plan urls.txt"));
        assert!(inputs_of("- --from -", false).expect_err("twice").contains("only once"));
        assert!(inputs_of("https://a.example/", true).expect_err("a URL").contains("echo URL |"));
    }

    #[test]
    fn the_defaults_named_in_the_help_are_true() {
        let line = <PlanCommandLine as clap::CommandFactory>::command();
        let default = |flag: &str| {
            let help = line.get_arguments().find(|argument| argument.get_id() == flag).expect(flag).get_help();
            help.expect("help")
                .to_string()
                .split_once("[default: ")
                .expect("a default")
                .1
                .trim_end_matches(']')
                .to_owned()
        };
        assert_eq!(values::duration(&default("service_time")), Ok(SERVICE_TIME));
        assert_eq!(default("top"), TOP.to_string());
        assert_eq!(values::size(&default("max_line")), Ok(InputSettings::default().max_line as u64));
    }
}
