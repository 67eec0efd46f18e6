//! What `haul` can be asked to do: the only file that knows all commands.

mod bench;
mod compare;
mod demo;
mod doctor;
mod generate;
mod get;
mod origin;
mod plan;
#[cfg(test)]
mod reference;

use clap::{CommandFactory, Parser, Subcommand};

use bench::BenchArgs;
use compare::CompareArgs;
use demo::DemoArgs;
use doctor::DoctorArgs;
use generate::{CompletionsArgs, ManArgs};
use get::GetArgs;
use origin::OriginArgs;
use plan::PlanArgs;

use super::shared::exit::Exit;

/// Fetches a great many URLs.
#[derive(Debug, Parser)]
#[command(name = "haul", version, about, max_term_width = 120)]
pub(super) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch URLs and write one JSON record per URL.
    #[command(after_help = get::HELP)]
    Get(Box<GetArgs>),
    /// Load one or many URLs, and measure rate, latency and failures.
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

impl Cli {
    /// Does what was asked for.
    pub(super) fn run(self) -> Exit {
        match self.command {
            Command::Get(args) => get::run(*args),
            Command::Bench(args) => bench::run(*args),
            Command::Compare(args) => compare::run(*args),
            Command::Origin(args) => origin::run(&args),
            Command::Demo(args) => demo::run(&args),
            Command::Plan(args) => plan::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Completions(args) => generate::completions(&args, Self::command()),
            Command::Man(args) => generate::man(&args, Self::command()),
        }
    }
}

#[test]
fn clap_finds_no_fault_with_the_flags() {
    Cli::command().debug_assert();
}
