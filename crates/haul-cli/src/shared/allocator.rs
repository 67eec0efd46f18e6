//! How the allocator deals with memory that was freed.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the allocators read when the process starts. mimalloc: how long, in milliseconds, it keeps freed memory before the system
/// gets it back. The C library's, which zstd's windows come from: the size from which a block is the system's again as soon as it
/// is freed, and takes memory only as it is filled.
const SETTINGS: [(&str, &str); 2] = [("MIMALLOC_PURGE_DELAY", "0"), ("MALLOC_MMAP_THRESHOLD_", "131072")];

/// Starts this command anew, as the same process, with an allocator that gives freed memory back at once. Without that, what
/// was freed in the last second counts against a memory budget: twice a budget of 64 MB was measured, and 0.85
/// times with it, at twice the time for large bodies.
///
/// Nothing must have been read or written yet. What the user has chosen stays, and where the system does not let it it goes on:
/// the budget then holds less well.
pub(crate) fn give_back_at_once() {
    set(&SETTINGS);
}

/// The addresses that the allocator reserves at once, in KiB. It reads this when the process starts.
const RESERVE: &str = "MIMALLOC_ARENA_RESERVE";

/// Starts this command anew with an allocator that reserves 64 MiB of addresses at a time. It reserves 1 GiB otherwise: under a
/// limit of a little more (`ulimit -v`), nothing would be left for the threads.
pub(crate) fn reserve_little() {
    set(&[(RESERVE, "65536")]);
}

fn set(settings: &[(&str, &str)]) {
    let lacking: Vec<_> = settings.iter().copied().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if !lacking.is_empty()
        && let Err(error) = anew(lacking)
    {
        tracing::debug!(%error, "can't start anew to set the allocator up");
    }
}

fn anew(settings: Vec<(&str, &str)>) -> std::io::Result<Infallible> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "haul".into());
    let program = std::env::current_exe()?;
    Err(Command::new(program).arg0(name).args(arguments).envs(settings).exec())
}
