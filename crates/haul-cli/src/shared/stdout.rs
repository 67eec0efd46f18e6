//! Standard output of the commands that answer a question with a text.

use std::io::{self, Write};

use super::console;
use super::exit::Exit;

/// Writes `text`, or JSON, to standard output and ends as `exit` says. A reader that closes early (`| head`) has what it
/// wanted. Foreign words in it are made printable.
pub(crate) fn show(text: &str, exit: Exit) -> Exit {
    show_own(&console::lines(text), exit)
}

/// Writes a text without a foreign word, as it is.
pub(crate) fn show_own(text: &str, exit: Exit) -> Exit {
    let mut stdout = io::stdout().lock();
    shown(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()), exit)
}

/// Shows the help or the version that was asked for.
pub(crate) fn show_help(help: &clap::Error) -> Exit {
    shown(help.print().and_then(|()| io::stdout().flush()), Exit::Complete)
}

fn shown(written: io::Result<()>, exit: Exit) -> Exit {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            console::tell(&format!("haul: can't write to standard output: {error}"));
            Exit::SomeFailed
        }
        _ => exit,
    }
}
