//! What a run needs of the machine before it can begin, tried out: what is refused in the middle of a start could only end in
//! a panic.

use std::fs::File;
use std::io;
use std::sync::mpsc;
use std::thread;

use super::StartError;

/// Descriptors for a shard's runtime and its first connections.
const DESCRIPTORS_A_SHARD: usize = 4;
/// Descriptors beside: the signals', a file that is read and one that is written.
const DESCRIPTORS: usize = 6;
/// Threads beside the shards: intake, outlet, and those of the program around.
const THREADS: usize = 8;

/// Whether a run of so many shards can begin.
///
/// # Errors
/// It can't; the message says what is lacking.
pub(super) fn rehearse(shards: usize) -> Result<(), StartError> {
    descriptors(DESCRIPTORS + DESCRIPTORS_A_SHARD * shards).map_err(|(error, open)| {
        let (needed, limit) = (DESCRIPTORS + DESCRIPTORS_A_SHARD * shards, limit());
        let message = format!(
            "{}: a run with {shards} shards (threads that fetch) needs {needed} file descriptors beside those in use, \
             and the system gives {open}{limit}; raise the descriptor limit (ulimit -n), or use fewer shards",
            text(&error)
        );
        StartError::Machine { message: message.into(), source: error }
    })?;
    threads(THREADS + shards).map_err(|(error, started)| {
        let message = format!(
            "{}: a run with {shards} shards needs {} threads, and the system gives {started}; raise the limits of \
             processes (ulimit -u, or that of the container) and of memory (ulimit -v), or use fewer shards",
            text(&error),
            THREADS + shards
        );
        StartError::Machine { message: message.into(), source: error }
    })
}

/// The limit, as far as it can be read.
fn limit() -> String {
    rlimit::Resource::NOFILE.get_soft().map_or_else(|_| String::new(), |limit| format!(" under a limit of {limit}"))
}

/// Opens so many at once. An error comes with how many there were.
fn descriptors(count: usize) -> Result<(), (io::Error, usize)> {
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        match File::open("/dev/null") {
            Ok(file) => open.push(file),
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE)) => {
                return Err((error, open.len()));
            }
            // No such device: nothing is known.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// Starts so many at once. An error comes with how many there were.
fn threads(count: usize) -> Result<(), (io::Error, usize)> {
    thread::scope(|scope| {
        // They end when the senders are dropped, here or with an error.
        let mut started = Vec::with_capacity(count);
        while started.len() < count {
            let (sender, receiver) = mpsc::channel::<()>();
            let wait = move || {
                let _ = receiver.recv();
            };
            match thread::Builder::new().spawn_scoped(scope, wait) {
                Ok(_) => started.push(sender),
                Err(error) => return Err((error, started.len())),
            }
        }
        Ok(())
    })
}

/// The system's words, without its number.
fn text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_machine_has_what_a_run_needs() {
        assert!(rehearse(4).is_ok());
    }
}
