//! Standard error: everything that is not a record. It may be closed; that harms nothing.
//!
//! Whatever goes to a terminal passes [`lines`], [`log_lines`] or [`TerminalWriter`] here, and with that
//! [`printable`](haul::model::printable): no text of a stranger acts on it. Settings that the library names are named as flags.
//!
//! While a view has the terminal, what is told is held back, and told when the view is over.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use haul::model::printable;
use indicatif::ProgressBar;

use super::setting_names::with_flags;

/// A text of several lines, each of them printable.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// The same for a text with colours of its own, if `colours`: they stay.
pub(crate) fn log_lines(text: &str, colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, colour, after)) = colour(rest).filter(|_| colours) {
        shown.push_str(&lines(before));
        shown.push_str(colour);
        rest = after;
    }
    shown + &lines(rest)
}

/// The first sequence that sets a colour, and what stands before and after it.
fn colour(text: &str) -> Option<(&str, &str, &str)> {
    const BEGIN: &str = "\x1b[";
    let sequences = text.match_indices(BEGIN).filter_map(|(at, _)| {
        let from = at + BEGIN.len();
        let end = from + text[from..].find(|c: char| !c.is_ascii_digit() && c != ';')? + 1;
        (text.as_bytes()[end - 1] == b'm').then(|| (&text[..at], &text[at..end], &text[end..]))
    });
    sequences.into_iter().next()
}

/// A terminal that records are written to: whole lines of JSON, which is the same JSON afterwards.
#[derive(Debug)]
pub(crate) struct TerminalWriter<W>(pub(crate) W);

impl<W: Write> Write for TerminalWriter<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write_all(lines(&String::from_utf8_lossy(text)).as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether whatever is told is a JSON object.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// Tells everything as JSON from now on: a message is the `message` of an object.
pub(crate) fn tell_as_json() {
    AS_JSON.store(true, Ordering::Relaxed);
}

/// Whether everything is told as JSON.
pub(crate) fn tells_json() -> bool {
    AS_JSON.load(Ordering::Relaxed)
}

/// Writes one message. Never fails: there is nowhere left to tell.
pub(crate) fn tell(message: &str) {
    if tells_json() {
        tell_json(&serde_json::json!({ "message": message.trim_end() }).to_string());
    } else {
        tell_shown(lines(message));
    }
}

/// Writes one JSON text, which is the same JSON on a terminal.
pub(crate) fn tell_json(json: &str) {
    tell_shown(lines(json));
}

/// Writes what is printable already.
pub(crate) fn tell_shown(message: String) {
    let message = with_flags(&message).into_owned();
    match &mut *held() {
        Some(held) => held.push(message),
        None => write(&message),
    }
}

/// Writes above the progress line, if there is one, which stands below again afterwards. Whoever calls has taken hold of
/// standard error.
fn write(message: &str) {
    let write = || drop(writeln!(io::stderr().lock(), "{message}"));
    let line = progress_line().lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    match line {
        Some(line) => line.suspend(write),
        None => write(),
    }
}

/// The progress line, while there is one: whatever is written must go around it.
fn progress_line() -> &'static Mutex<Weak<ProgressBar>> {
    static LINE: Mutex<Weak<ProgressBar>> = Mutex::new(Weak::new());
    &LINE
}

/// The messages held back: the last of them. The others are only counted.
#[derive(Debug, Default)]
struct HeldMessages {
    last: VecDeque<String>,
    dropped: usize,
}

impl HeldMessages {
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
fn held() -> MutexGuard<'static, Option<HeldMessages>> {
    static HELD: Mutex<Option<HeldMessages>> = Mutex::new(None);
    // A panic while it was held harmed no message.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds back what is told from now on.
pub(crate) fn hold() {
    held().get_or_insert_default();
}

/// Tells what was held back, and holds back nothing any more.
pub(crate) fn release() {
    let Some(HeldMessages { last, dropped }) = held().take() else { return };
    if dropped > 0 {
        write(&format!("haul: {dropped} earlier messages are left out"));
    }
    last.iter().for_each(|message| write(message));
}

/// The last message held back, without the log's colours.
pub(crate) fn last_held() -> Option<String> {
    held().as_ref().and_then(|held| held.last.back()).map(|last| ::console::strip_ansi_codes(last).into_owned())
}

/// Standard error for those who write text instead of telling messages, such as the log: each write is one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogWriter {
    /// Whether the text has colours of its own.
    pub(crate) colours: bool,
}

impl Write for LogWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // One event is one line, whatever stands in it.
        let line = String::from_utf8_lossy(text).trim_end().replace('\n', "\\n");
        tell_shown(log_lines(&line, self.colours));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The columns of the terminal that is standard error; 80 when it is none.
pub(crate) fn width() -> usize {
    usize::from(::console::Term::stderr().size().1)
}

/// Standard error with, perhaps, a progress line at its end.
#[derive(Clone)]
pub(crate) struct Console {
    line: Option<Arc<ProgressBar>>,
}

impl Console {
    /// With a progress line if `line`.
    pub(crate) fn new(line: bool) -> Self {
        let line = line.then(|| Arc::new(new_line()));
        if let Some(line) = &line {
            *progress_line().lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(line);
        }
        Self { line }
    }

    /// The progress line.
    pub(crate) fn line(&self) -> Option<&ProgressBar> {
        self.line.as_deref()
    }
}

fn new_line() -> ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{wide_msg}").expect("a valid template");
    ProgressBar::new_spinner().with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_but_our_own_colours() {
        assert_eq!(lines("a\nb\x1b[2J\u{202e}\n"), "a\nb\\u001b[2J\\u202e\n");
        let log = "\x1b[32m INFO\x1b[0m got \x1b[2J\u{9b}m\x1b[\x1b[1;2m\x1b[3";
        assert_eq!(log_lines(log, true), "\x1b[32m INFO\x1b[0m got \\u001b[2J\\u009bm\\u001b[\x1b[1;2m\\u001b[3");
        assert!(!log_lines(log, false).contains('\x1b'));
    }

    #[test]
    fn records_on_a_terminal_are_the_same_json() {
        let line = serde_json::json!({ "url": "http://a/\u{9b}2J\u{202e}\x7f\u{e0041}é\n" }).to_string() + "\n";
        let mut terminal = TerminalWriter(Vec::new());
        terminal.write_all(line.as_bytes()).expect("memory");
        let shown = String::from_utf8(terminal.0).expect("text");
        assert!(shown.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}') && shown.contains('é'), "{shown}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&shown), read(&line));
    }

    #[test]
    fn what_is_held_back_is_bounded_and_the_last_are_kept() {
        let mut held = HeldMessages::default();
        (0..HeldMessages::MOST + 3).for_each(|n| held.push(n.to_string()));
        assert_eq!((held.last.len(), held.dropped), (HeldMessages::MOST, 3));
        assert_eq!((held.last[0].as_str(), held.last[HeldMessages::MOST - 1].as_str()), ("3", "202"));
    }
}
