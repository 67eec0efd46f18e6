//! The command's source: URLs, files and standard input, one after the other.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use super::entry::{self, At, InputPosition, InputSettings};
use super::lines::{Line, Lines};
use super::open::{self, OpenInput};
use crate::model::{Job, More, Rejected, Source, Time};

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A single URL, given directly.
    Url(String),
    /// Standard input.
    Stdin,
    /// A file of lines: plain, gzip or zstd.
    File(PathBuf),
}

/// Reads inputs in order; `seq` runs on from one to the next. One file is open at a time.
///
/// ```
/// use haul::source::{Input, InputSettings, Inputs};
///
/// let missing = Inputs::open(vec![Input::File("no-such-list".into())], InputSettings::default());
/// assert!(missing.is_err_and(|error| error.to_string().contains("no-such-list")));
/// ```
pub struct Inputs {
    waiting: VecDeque<Input>,
    reading: Option<Reading>,
    settings: InputSettings,
    next_seq: u64,
    urls: u64,
}

/// The input being read.
struct Reading {
    name: Box<str>,
    lines: Lines<OpenInput>,
}

impl Inputs {
    /// Will read `inputs`, after checking that the files among them can be opened.
    ///
    /// # Errors
    /// A file does not exist, can't be read, or is a directory. Nothing is read in that case.
    pub fn open(inputs: Vec<Input>, settings: InputSettings) -> io::Result<Self> {
        for input in &inputs {
            if let Input::File(path) = input {
                open::check(path)?;
            }
        }
        Ok(Self { waiting: inputs.into(), reading: None, settings, next_seq: 0, urls: 0 })
    }

    /// Takes the next input in hand: a URL becomes an entry at once, a file or pipe is opened.
    fn begin(&mut self, input: Input, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<()> {
        let (opened, name) = match input {
            Input::Url(url) => {
                self.urls += 1;
                let at = At { seq: self.next_seq, place: InputPosition::Item(self.urls), now };
                into.push(entry::url(url.trim(), at));
                self.next_seq += 1;
                return Ok(());
            }
            Input::Stdin => (open::stdin(&io::stdin(), self.settings.max_window_log)?, "stdin".into()),
            Input::File(path) => {
                (open::file(&path, self.settings.max_window_log)?, path.display().to_string().into_boxed_str())
            }
        };
        self.reading = Some(Reading { name, lines: Lines::new(opened, self.settings.max_line) });
        Ok(())
    }

    /// Takes the lines in hand, up to `room` entries.
    fn take(&mut self, room: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) {
        let Some(Reading { name, lines }) = &mut self.reading else { return };
        let full = into.len() + room;
        while into.len() < full {
            let number = lines.number() + 1;
            let Some(line) = lines.take() else { return };
            let at = At { seq: self.next_seq, place: InputPosition::Line(name, number), now };
            let entry = match line {
                Line::Whole(bytes) => entry::line(bytes, at, &self.settings),
                Line::TooLong(start) => Some(Err(entry::too_long(start, at, &self.settings))),
            };
            if let Some(entry) = entry {
                into.push(entry);
                self.next_seq += 1;
            }
        }
    }

    /// Brings more lines in hand, or goes on to the next input. [`More::No`]: there is none.
    fn advance(&mut self, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        if let Some(reading) = &mut self.reading {
            if !reading.lines.fill()? {
                self.reading = None;
            }
            return Ok(More::Yes);
        }
        match self.waiting.pop_front() {
            Some(input) => self.begin(input, now, into).map(|()| More::Yes),
            None => Ok(More::No),
        }
    }
}

impl Source for Inputs {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let before = into.len();
        loop {
            self.take(max - (into.len() - before), now, into);
            if into.len() > before {
                return Ok(More::Yes);
            }
            if self.advance(now, into)? == More::No {
                return Ok(More::No);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;
    use crate::model::FailureKind;

    fn file(text: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().expect("temporary file");
        file.write_all(text).expect("written");
        file
    }

    fn path(file: &NamedTempFile) -> Input {
        Input::File(file.path().to_owned())
    }

    /// Reads everything, `max` at a time.
    fn read(inputs: Vec<Input>, max: usize) -> (Vec<Result<Job, Rejected>>, io::Result<()>) {
        let mut source = Inputs::open(inputs, InputSettings::default()).expect("readable");
        let mut entries = Vec::new();
        loop {
            let before = entries.len();
            match source.read(max, Time::ZERO, &mut entries) {
                Ok(More::Yes) => assert!((1..=max).contains(&(entries.len() - before))),
                Ok(More::No) => return (entries, Ok(())),
                Err(error) => return (entries, Err(error)),
            }
        }
    }

    #[test]
    fn seq_runs_on_over_inputs_and_lines_restart() {
        let one = file(b"# list\nhttp://a.example/\n\nnonsense\n");
        let two = file(b"{\"url\": \"http://b.example/\"}\nhttp://c.example/");
        for max in [1, 2, 100] {
            let inputs =
                vec![Input::Url("http://z.example/".into()), path(&one), path(&two), Input::Url(String::new())];
            let (entries, end) = read(inputs, max);
            end.expect("all read");
            let seqs = entries.iter().map(|entry| entry.as_ref().map_or_else(|bad| bad.seq, |job| job.seq));
            assert!(seqs.eq(0..6));
            let rejected: Vec<_> = entries.iter().filter_map(|entry| entry.as_ref().err()).collect();
            assert_eq!((rejected[0].seq, rejected[0].line), (2, 4));
            let place = format!("{}:4: ", one.path().display());
            assert!(rejected[0].failure.message.starts_with(&place), "{}", rejected[0].failure.message);
            assert!(rejected[1].failure.message.starts_with("URL 2: "), "{}", rejected[1].failure.message);
        }
    }

    #[test]
    fn a_missing_file_is_found_before_anything_is_read() {
        let inputs = vec![Input::Url("http://a.example/".into()), Input::File("/no/such/list".into())];
        let error = Inputs::open(inputs, InputSettings::default()).err().expect("missing");
        assert!(error.to_string().contains("/no/such/list"), "{error}");
    }

    #[test]
    fn what_stands_before_a_broken_place_is_read_and_then_comes_the_error() {
        let text: String = (0..50_000).map(|n| format!("http://a.example/{n}\n")).collect();
        let mut packed = zstd::encode_all(text.as_bytes(), 1).expect("memory");
        packed.truncate(packed.len() * 3 / 4);
        let packed = file(&packed);
        let (entries, end) = read(vec![path(&packed)], 1000);
        assert!(entries.len() > 1000, "{}", entries.len());
        let whole = |(at, entry): (usize, &Result<Job, Rejected>)| {
            entry.as_ref().expect("a whole line").url.as_str() == format!("http://a.example/{at}")
        };
        assert!(entries.iter().enumerate().all(whole), "a line cut off is not a line");
        let message = end.expect_err("cut off").to_string();
        assert!(message.contains(&packed.path().display().to_string()) && message.contains("bytes"), "{message}");
    }

    #[test]
    fn a_line_over_the_cap_costs_only_itself() {
        let long = file(format!("http://a.example/\n{}\nhttp://b.example/\n", "x".repeat(2 << 20)).as_bytes());
        let (entries, end) = read(vec![path(&long)], 10);
        end.expect("all read");
        assert_eq!(entries.len(), 3);
        let rejected = entries[1].as_ref().expect_err("too long");
        assert_eq!((rejected.failure.kind, rejected.line), (FailureKind::LineTooLong, 2));
        assert_eq!(entries[2].as_ref().expect("good").seq, 2);
    }
}
