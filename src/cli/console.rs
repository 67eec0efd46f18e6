//! Standard error: everything that is not a record. It may be closed; that harms nothing.

use std::io::{self, Write};
use std::sync::Arc;

use indicatif::ProgressBar;

/// Writes one message. Never fails: there is nowhere left to tell.
pub(super) fn tell(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
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
