//! The command: raw flags → checked plan → run → summary and exit code.

mod address_space;
mod allocator;
mod args;
mod bench;
mod bound;
mod compare;
mod console;
mod demo;
mod doctor;
#[cfg(test)]
mod exactly;
mod exit;
mod experiment;
mod forecast;
mod generate;
mod limits_file;
mod log;
mod metrics;
mod origin;
mod outfile;
mod output;
mod page;
mod plan;
mod progress;
#[cfg(test)]
mod reference;
mod report;
mod run;
mod signals;
mod since;
mod status;
mod summary;
mod summary_json;
mod tee;
mod values;
mod view;

use std::fs;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, GetArgs};
use exit::Exit;
use plan::World;

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
    match Cli::try_parse().unwrap_or_else(|error| refuse(&args::without_secrets(error))).command {
        Command::Get(args) => get(*args),
        Command::Bench(args) => bench::run(*args),
        Command::Compare(args) => compare::run(*args),
        Command::Origin(args) => origin::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Plan(args) => forecast::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    }
    .into()
}

/// Says what is wrong with the arguments, some of which may be a stranger's words, such as the names of files; or shows the
/// help that was asked for.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        std::process::exit(page::show_help(error).code().into());
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

/// Fetches.
fn get(args: GetArgs) -> Exit {
    if args.limits.max_memory.is_some() {
        allocator::give_back_at_once();
    }
    let world = World { stdin_is_terminal: io::stdin().is_terminal(), read: &|path| fs::read(path) };
    match plan::plan(args, &world) {
        Ok(plan) => run::run(plan),
        Err(error) => {
            console::tell(&format!("error: {error}\n\nFor more information, try 'haul get --help'."));
            Exit::Usage
        }
    }
}
