//! Ctrl-C and its like: the first asks for an orderly end, the second ends at once.

use std::io;
use std::thread;
use std::time::Duration;

use haul::engine::Handle;
use indicatif::HumanCount;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::console::Console;
use super::exit::Exit;
use super::status::clock;
use super::view;

/// After the second signal, how long the run may take to end before the process does: the reader of our output may
/// have stopped reading, and then nothing that is written ever ends.
const LAST_CALL: Duration = Duration::from_secs(2);

/// Watches for SIGINT and SIGTERM until the process ends.
///
/// # Errors
/// The signals can't be caught.
pub(super) fn watch(handle: Handle, console: Console, grace: Duration) -> io::Result<()> {
    watch_current(move || Some(handle.clone()), console, grace)
}

/// The same for a command of several runs: `current` says which one is under way.
///
/// # Errors
/// The signals can't be caught.
pub(super) fn watch_current(
    current: impl Fn() -> Option<Handle> + Send + 'static,
    console: Console,
    grace: Duration,
) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        let mut seen = 0;
        for _ in signals.forever() {
            seen += 1;
            match (seen, current()) {
                (1, Some(handle)) => begin_end(&handle, &console, grace),
                (2, Some(handle)) => end_now(&handle),
                _ => leave(),
            }
        }
    });
    Ok(())
}

fn begin_end(handle: &Handle, console: &Console, grace: Duration) {
    let in_flight = HumanCount(handle.progress().in_flight);
    let grace_text = clock(grace);
    console.tell(&format!(
        "haul: stopping: {in_flight} requests in flight may finish within {grace_text}; interrupt again to end at once"
    ));
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
