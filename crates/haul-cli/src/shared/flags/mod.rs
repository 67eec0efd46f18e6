//! Flags that several commands have: each group's definition, and what it means to the library.
//!
//! Knows no command. The world (terminal, files named by flags) is an argument, so that meaning is a function of its arguments.

mod input;
mod limits;
mod limits_file;
mod network;
mod retries;
mod timeouts;
mod tls;
pub(crate) mod values;

use std::io;
use std::path::Path;

pub(crate) use input::InputArgs;
pub(crate) use limits::LimitArgs;
pub(crate) use network::{NetworkArgs, names};
pub(crate) use retries::RetryArgs;
pub(crate) use timeouts::TimeoutArgs;
pub(crate) use tls::TlsArgs;

use haul::config::Config;

use super::setting_names::with_flags;

/// What flags may look at besides themselves.
pub(crate) struct World<'a> {
    pub(crate) stdin_is_terminal: bool,
    /// Reads a file named by `--data @FILE` or `--limits FILE`.
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

/// What was asked for, or what to change.
pub(crate) type PlanResult<T> = Result<T, String>;

/// The bytes a body flag stands for: its text, or the file it names.
pub(crate) fn data(flag: &str, text: &str, world: &World<'_>) -> PlanResult<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(name) => (world.read)(Path::new(name)).map_err(|error| format!("can't read {flag} {text}: {error}")),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// Settings that do not exclude each other, or which do.
pub(crate) fn checked(config: Config) -> PlanResult<Config> {
    match config.check() {
        Ok(()) => Ok(config),
        Err(error) => Err(with_flags(&error.to_string()).into_owned()),
    }
}

/// Replaces a default by what was given.
pub(crate) fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

/// A size as this machine counts memory.
pub(crate) fn to_usize(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
