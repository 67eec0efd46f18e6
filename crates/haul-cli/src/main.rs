//! The `haul` command: raw flags → checked plan → run → summary and exit code. It sees only what any other user of the library sees.

mod commands;
mod shared;

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

use commands::Cli;
use shared::exit::Exit;
use shared::{address_space, allocator, console, log, signals, stdout};

/// Several threads make many small allocations and free each other's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
    Cli::try_parse().unwrap_or_else(|error| refuse(&without_secrets(error))).run().into()
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
