//! Ctrl-C and its like: the first asks for an orderly end, the second ends at once.
//!
//! SIGQUIT and SIGUSR1 do what they do to every program; SIGPIPE is off, as in every program in Rust: a reader that has gone
//! is an error of the write.

use std::ffi::c_int;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use haul::engine::Handle;
use indicatif::HumanCount;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::console;
use super::exit::Exit;
use super::times::clock;
use super::view;

/// After the second signal, how long the run may take to end before the process does: the reader of our output may
/// have stopped reading, and then nothing that is written ever ends.
const LAST_CALL: Duration = Duration::from_secs(2);

/// The signals that ask for an end: of a user, of another program, of a terminal that is closed, and of the system when the
/// processor time that it allows is used up (`ulimit -t`).
pub(crate) fn of_the_end() -> Vec<c_int> {
    let mut signals = vec![SIGINT, SIGTERM, SIGXCPU];
    // Who ignores it for us (nohup) wants us to go on without the terminal.
    let ignored = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| is_ignored(&status, SIGHUP));
    if ignored == Some(false) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether a process ignores a signal, by its `/proc/…/status`. There is no safe call that tells it; where there is no such
/// file, SIGHUP keeps doing what it did.
fn is_ignored(status: &str, signal: c_int) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

/// Makes a write beyond the largest size that a file may have (`ulimit -f`) an error of that write, where it would end the
/// process.
pub(crate) fn outlive_large_files() {
    // Whether it came is of no interest. Where it can't be caught, it does what it did.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Watches for the signals that ask for an end until the process ends.
///
/// # Errors
/// The signals can't be caught.
pub(crate) fn watch(handle: Handle, grace: Duration) -> io::Result<()> {
    watch_current(move || Some(handle.clone()), grace)
}

/// The same for a command of several runs: `current` says which one is under way.
///
/// # Errors
/// The signals can't be caught.
pub(crate) fn watch_current(current: impl Fn() -> Option<Handle> + Send + 'static, grace: Duration) -> io::Result<()> {
    let mut signals = Signals::new(of_the_end())?;
    let watch = move || {
        let mut seen = 0;
        for _ in signals.forever() {
            seen += 1;
            match (seen, current()) {
                (1, Some(handle)) => begin_end(&handle, grace),
                (2, Some(handle)) => end_now(&handle),
                _ => leave(),
            }
        }
    };
    thread::Builder::new().spawn(watch).map(drop)
}

fn begin_end(handle: &Handle, grace: Duration) {
    let in_flight = HumanCount(handle.progress().in_flight);
    let grace_text = clock(grace);
    // By a thread of its own: whoever reads standard error may have stopped, and the next signal must be heard all the same.
    thread::spawn(move || {
        console::tell(&format!(
            "haul: stopping: {in_flight} requests in flight may finish within {grace_text}; interrupt again to end at once"
        ));
    });
    handle.stop(grace);
}

fn end_now(handle: &Handle) {
    handle.stop_now();
    thread::spawn(|| {
        thread::sleep(LAST_CALL);
        leave();
    });
}

/// Ends the process, with the terminal as it was.
fn leave() -> ! {
    view::restore();
    std::process::exit(Exit::Interrupted.code().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_says_which_signals_are_ignored() {
        let status = "Name:\thaul\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert_eq!(is_ignored(status, SIGHUP), Some(true));
        assert_eq!(is_ignored(status, SIGINT), Some(false));
        assert_eq!(is_ignored("Name:\thaul\n", SIGHUP), None);
    }
}
