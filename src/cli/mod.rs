//! The command: raw flags → checked plan → run → summary and exit code.

mod address_space;
mod allocator;
mod bench;
mod bound;
mod compare;
mod console;
mod demo;
mod doctor;
mod drive;
#[cfg(test)]
mod exactly;
mod exit;
mod experiment;
mod flags;
mod generate;
mod get;
mod layout;
mod log;
mod metrics;
mod origin;
mod outfile;
mod page;
mod plan;
mod progress;
#[cfg(test)]
mod reference;
mod signals;
mod since;
mod status;
mod stdout;
mod summary;
mod summary_json;
mod tee;
mod times;
mod view;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};

use bench::BenchArgs;
use compare::CompareArgs;
use demo::DemoArgs;
use doctor::DoctorArgs;
use exit::Exit;
use generate::{CompletionsArgs, ManArgs};
use get::GetArgs;
use origin::OriginArgs;
use plan::PlanArgs;

/// Fetches a great many URLs.
#[derive(Debug, Parser)]
#[command(name = "haul", version, about, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch URLs and write one JSON record per URL.
    #[command(after_help = get::HELP)]
    Get(Box<GetArgs>),
    /// Load one or many URLs, and say how that was borne: rate, latency, failures.
    #[command(after_help = bench::HELP)]
    Bench(Box<BenchArgs>),
    /// Fetch a list of URLs in many ways, side by side, and say what makes the difference.
    #[command(after_help = compare::HELP)]
    Compare(Box<CompareArgs>),
    /// Run a test server on this machine that answers, and misbehaves, to order
    #[command(after_help = origin::help())]
    Origin(OriginArgs),
    /// Show what haul does: fetch 30,000 URLs of 303 hosts on this machine.
    #[command(after_help = demo::HELP)]
    Demo(DemoArgs),
    /// Say how long a run must take at least, why, and what would help, without fetching.
    #[command(after_help = plan::HELP)]
    Plan(Box<PlanArgs>),
    /// Say what limits a big run on this machine, and how to fix it.
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArgs),
    /// Write a completion script for a shell to standard output.
    #[command(after_help = generate::COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
    /// Write the manual pages, in roff, to standard output or a directory.
    #[command(after_help = generate::MAN_HELP)]
    Man(ManArgs),
}

/// The whole command.
pub(crate) fn main() -> ExitCode {
    // Whatever is wrong with the arguments is said in the form they ask for.
    if log::asks_for_json(std::env::args_os().skip(1)) {
        console::tell_as_json();
    }
    if !address_space::has_least() {
        return Exit::Usage.into();
    }
    if address_space::is_small() {
        allocator::reserve_little();
    }
    signals::outlive_large_files();
    match Cli::try_parse().unwrap_or_else(|error| refuse(&without_secrets(error))).command {
        Command::Get(args) => get::run(*args),
        Command::Bench(args) => bench::run(*args),
        Command::Compare(args) => compare::run(*args),
        Command::Origin(args) => origin::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => generate::completions(&args, Cli::command()),
        Command::Man(args) => generate::man(&args, Cli::command()),
    }
    .into()
}

/// Says what is wrong with the arguments, some of which may be a stranger's words, such as the names of files; or shows the
/// help that was asked for.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        std::process::exit(stdout::show_help(error).code().into());
    }
    if console::tells_json() {
        console::tell(&error.render().to_string());
        std::process::exit(error.exit_code());
    }
    let colours = ::console::colors_enabled_stderr();
    let text = error.render();
    let text = if colours { text.ansi().to_string() } else { text.to_string() };
    console::tell_shown(console::log_lines(text.trim_end(), colours));
    std::process::exit(error.exit_code())
}

/// The error without the value that it quotes, where that may be a credential.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let secret = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => ["--header", "--bearer"].iter().any(|name| flag.contains(name)),
        _ => false,
    };
    if secret {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    // A key's text in the place of its file's name, whose dashes make it a flag.
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        if matches!(error.get(kind), Some(ContextValue::String(text)) if text.contains("-----BEGIN")) {
            error.insert(kind, ContextValue::String("-----BEGIN …".to_owned()));
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

#[test]
fn clap_finds_no_fault_with_the_flags() {
    Cli::command().debug_assert();
}
