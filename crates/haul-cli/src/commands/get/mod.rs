//! `haul get`: raw flags → checked plan → run → summary and exit code.

mod args;
mod output;
mod plan;
mod run;

use std::fs;
use std::io::{self, IsTerminal};

pub(super) use args::{GetArgs, HELP};

use crate::shared::exit::Exit;
use crate::shared::flags::World;
use crate::shared::{allocator, console};

/// Fetches.
pub(super) fn run(args: GetArgs) -> Exit {
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
