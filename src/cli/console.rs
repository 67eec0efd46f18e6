//! Standard error: everything that is not a record. It may be closed; that harms nothing.
//!
//! While a view has the terminal, what is told is held back, and told when the view is over.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use indicatif::ProgressBar;

/// Writes one message. Never fails: there is nowhere left to tell.
pub(super) fn tell(message: &str) {
    match &mut *held() {
        Some(held) => held.push(message.to_owned()),
        None => write(message),
    }
}

fn write(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// The messages held back: the last of them. The others are only counted.
#[derive(Debug, Default)]
struct Held {
    last: VecDeque<String>,
    dropped: usize,
}

impl Held {
    const MOST: usize = 200;

    fn push(&mut self, message: String) {
        if self.last.len() == Self::MOST {
            self.last.pop_front();
            self.dropped += 1;
        }
        self.last.push_back(message);
    }
}

/// What is held back, while something is: there is one standard error, and whoever writes to it must hold.
fn held() -> MutexGuard<'static, Option<Held>> {
    static HELD: Mutex<Option<Held>> = Mutex::new(None);
    // A panic while it was held harmed no message.
    HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Holds back what is told from now on.
pub(super) fn hold() {
    held().get_or_insert_default();
}

/// Tells what was held back, and holds back nothing any more.
pub(super) fn release() {
    let Some(Held { last, dropped }) = held().take() else { return };
    if dropped > 0 {
        write(&format!("haul: {dropped} earlier messages are left out"));
    }
    last.iter().for_each(|message| write(message));
}

/// The last message held back, without the log's colours.
pub(super) fn last_held() -> Option<String> {
    held().as_ref().and_then(|held| held.last.back()).map(|last| ::console::strip_ansi_codes(last).into_owned())
}

/// Standard error for those who write text instead of telling messages, such as the log: each write is one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &mut *held() {
            Some(held) => held.push(String::from_utf8_lossy(text).trim_end().to_owned()),
            None => return io::stderr().write(text),
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The columns of the terminal that is standard error; 80 when it is none.
pub(super) fn width() -> usize {
    usize::from(::console::Term::stderr().size().1)
}

/// Standard error with, perhaps, a progress line at its end.
#[derive(Clone)]
pub(super) struct Console {
    line: Option<Arc<ProgressBar>>,
}

impl Console {
    /// With a progress line if `line`.
    pub(super) fn new(line: bool) -> Self {
        Self { line: line.then(|| Arc::new(progress_line())) }
    }

    /// The progress line.
    pub(super) fn line(&self) -> Option<&ProgressBar> {
        self.line.as_deref()
    }

    /// Writes one message above the progress line.
    pub(super) fn tell(&self, message: &str) {
        match &self.line {
            Some(line) => line.suspend(|| tell(message)),
            None => tell(message),
        }
    }
}

fn progress_line() -> ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{wide_msg}").expect("a valid template");
    ProgressBar::new_spinner().with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_bounded_and_the_last_are_kept() {
        let mut held = Held::default();
        (0..Held::MOST + 3).for_each(|n| held.push(n.to_string()));
        assert_eq!((held.last.len(), held.dropped), (Held::MOST, 3));
        assert_eq!((held.last[0].as_str(), held.last[Held::MOST - 1].as_str()), ("3", "202"));
    }
}
