//! The command: raw flags → checked plan → run → summary and exit code.

mod args;
mod bound;
mod console;
mod exit;
mod limits_file;
mod output;
mod plan;
mod progress;
mod run;
mod signals;
mod status;
mod summary;
mod summary_json;
mod values;

use std::fs;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;
use plan::World;

/// The whole command.
pub(crate) fn main() -> ExitCode {
    let Command::Get(args) = Cli::parse().command;
    let world = World { stdin_is_terminal: io::stdin().is_terminal(), read: &|path| fs::read(path) };
    match plan::plan(*args, &world) {
        Ok(plan) => run::run(plan),
        Err(error) => {
            console::tell(&format!("error: {error}\n\nFor more information, try 'haul get --help'."));
            Exit::Usage
        }
    }
    .into()
}
