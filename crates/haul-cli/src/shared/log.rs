//! The log: what the library's events become on standard error (docs/reference/LOGS.md).

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::console;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// Log to standard error: what failed for good, and hosts paused, throttled or given up. -vv adds redirects, retries,
    /// connections opened and closed and why, name look-ups; -vvv adds each request and response (docs/reference/LOGS.md)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// The form of the log: text, or json, which makes each line of standard error one JSON object
    #[arg(long, value_name = "FORM", hide_possible_values = true, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// Whether arguments that have not been read yet, and may be wrong, ask for a log of JSON.
pub(crate) fn asks_for_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let mut arguments = arguments.into_iter().take_while(|argument| argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--log-format=json"
            || (argument == "--log-format" && arguments.next().is_some_and(|form| form == "json"))
        {
            return true;
        }
    }
    false
}

/// Logs to standard error from now on: warnings unless `quiet`, and more with each `-v`, quiet or not.
pub(crate) fn start(quiet: bool, args: LogArgs) {
    let level = match (quiet, args.verbose) {
        (true, 0) => "error",
        (false, 0) => "warn",
        (_, 1) => "info",
        (_, 2) => "debug",
        (_, _) => "trace",
    };
    let is_json = args.log_format == LogFormat::Json;
    let colours = io::stderr().is_terminal() && !is_json && ::console::colors_enabled_stderr();
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("error,haul={level}")))
        .with_writer(move || console::LogWriter { colours })
        .with_ansi(colours);
    // A second start would be a mistake of ours, and no reason to end a run.
    let started = if is_json {
        console::tell_as_json();
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).with_target(true).try_init()
    } else {
        log.with_target(false).try_init()
    };
    debug_assert!(started.is_ok(), "the log is started once");
}
