//! How the allocator deals with memory that was freed.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// How long, in milliseconds, the allocator keeps freed memory before the system gets it back. It reads this when the
/// process starts.
const SETTING: &str = "MIMALLOC_PURGE_DELAY";

/// Starts this command anew, as the same process, with an allocator that gives freed memory back at once. Without that, what
/// was freed in the last tenth of a second counts against a memory budget: twice a budget of 64 MB was measured, and 0.85
/// times with it, at twice the time for large bodies.
///
/// Nothing must have been read or written yet. Does nothing where the user has chosen the setting, and goes on where the
/// system does not let it: the budget then holds less well.
pub(super) fn give_back_at_once() {
    set(SETTING, "0");
}

/// The addresses that the allocator reserves at once, in KiB. It reads this when the process starts.
const RESERVE: &str = "MIMALLOC_ARENA_RESERVE";

/// Starts this command anew with an allocator that reserves 64 MiB of addresses at a time. It reserves 1 GiB otherwise: under a
/// limit of a little more (`ulimit -v`), nothing would be left for the threads.
pub(super) fn reserve_little() {
    set(RESERVE, "65536");
}

fn set(setting: &str, value: &str) {
    if std::env::var_os(setting).is_none()
        && let Err(error) = anew(setting, value)
    {
        tracing::debug!(%error, "can't start anew to set the allocator up");
    }
}

fn anew(setting: &str, value: &str) -> std::io::Result<Infallible> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "haul".into());
    let program = std::env::current_exe()?;
    Err(Command::new(program).arg0(name).args(arguments).env(setting, value).exec())
}
