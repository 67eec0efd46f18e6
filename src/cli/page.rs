//! Standard output of the commands that answer a question with a text.

use std::io::{self, Write};

use super::console;
use super::exit::Exit;

/// Writes `text` to standard output and ends as `exit` says. A reader that closes early (`| head`) has what it wanted.
pub(super) fn show(text: &str, exit: Exit) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            console::tell(&format!("haul: can't write to standard output: {error}"));
            Exit::SomeFailed
        }
        _ => exit,
    }
}
