//! One JSON object per line, in the order in which records come.

use std::io::{self, ErrorKind, Write};

use super::record::{RecordFields, append_line_in_pieces};
use crate::model::{Record, Sink};

/// How many bytes are gathered before they are written.
const CHUNK: usize = 256 << 10;

/// Writes each record as a line, in the order of completion.
///
/// A batch is written out before [`Sink::write`] returns, so everything it took is safe then.
///
/// ```
/// use haul::sink::{Ndjson, RecordFields};
///
/// let records = Ndjson::new(std::io::stdout(), "standard output", RecordFields::default());
/// ```
pub struct Ndjson<W> {
    lines: Lines<W>,
    fields: RecordFields,
    /// Positions of the records whose lines are not yet written whole.
    unwritten: Vec<u64>,
}

impl<W: Write + Send> Ndjson<W> {
    /// Will write to `writer`, which needs no buffer of its own; `name` is what errors call it.
    pub fn new(writer: W, name: impl Into<Box<str>>, fields: RecordFields) -> Self {
        Self { lines: Lines::new(writer, name), fields, unwritten: Vec::new() }
    }

    fn write_out(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        let written = self.lines.write_out();
        self.lines.ended(&mut self.unwritten, safe);
        written
    }
}

impl<W: Write + Send> Sink for Ndjson<W> {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            self.unwritten.push(record.seq());
            let appended = self.lines.append(&record, &self.fields);
            self.lines.ended(&mut self.unwritten, safe);
            appended?;
            if self.lines.buffer.len() >= CHUNK {
                self.write_out(safe)?;
            }
        }
        self.write_out(safe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }
}

/// A writer of whole lines, with one buffer that is used again.
pub(super) struct Lines<W> {
    writer: W,
    name: Box<str>,
    /// Lines not yet written.
    pub(super) buffer: Vec<u8>,
    down: Down,
}

/// What the writer has taken.
#[derive(Default)]
struct Down {
    /// Bytes of whole lines.
    whole: u64,
    /// Bytes of a line whose end has not been written.
    begun: u64,
    /// Lines that ended since somebody asked.
    ended: usize,
}

impl Down {
    /// Writes `bytes`, and counts what was taken of them even when the rest was not.
    fn write(&mut self, writer: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        let result = loop {
            if done == bytes.len() {
                break Ok(());
            }
            match writer.write(&bytes[done..]) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(taken) => done += taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let taken = &bytes[..done];
        match memchr::memrchr(b'\n', taken) {
            Some(at) => {
                self.whole += self.begun + at as u64 + 1;
                self.begun = (done - at - 1) as u64;
                // JSON has no line break of its own.
                self.ended += memchr::memchr_iter(b'\n', taken).count();
            }
            None => self.begun += done as u64,
        }
        result
    }
}

impl<W: Write> Lines<W> {
    pub(super) fn new(writer: W, name: impl Into<Box<str>>) -> Self {
        Self { writer, name: name.into(), buffer: Vec::with_capacity(CHUNK + (16 << 10)), down: Down::default() }
    }

    /// Gathers the line of a record. Much of a long one is written at once: with all that JSON escapes it may have six times the
    /// bytes of its body.
    pub(super) fn append(&mut self, record: &Record, fields: &RecordFields) -> io::Result<()> {
        let Self { writer, buffer, down, .. } = self;
        let mut drained = Ok(());
        append_line_in_pieces(record, fields, buffer, &mut |piece| {
            if drained.is_ok() {
                drained = down.write(writer, piece);
            }
            piece.clear();
        });
        self.buffer.push(b'\n');
        drained.map_err(|error| self.explain(&error))
    }

    /// Moves the positions of the lines that have been written since, which are the first ones of `unwritten`.
    pub(super) fn ended(&mut self, unwritten: &mut Vec<u64>, safe: &mut Vec<u64>) {
        safe.extend(unwritten.drain(..std::mem::take(&mut self.down.ended)));
    }

    /// Writes what is gathered.
    pub(super) fn write_out(&mut self) -> io::Result<()> {
        let Self { writer, buffer, down, .. } = self;
        down.write(writer, buffer).map_err(|error| self.explain(&error))?;
        self.buffer.clear();
        // A large body must not hold its room for the rest of the run.
        self.buffer.shrink_to(4 * CHUNK);
        Ok(())
    }

    /// Writes what is gathered, and flushes the writer.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.writer.flush().map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &io::Error) -> io::Error {
        let (name, written) = (&self.name, self.down.whole);
        let message = match error.kind() {
            ErrorKind::BrokenPipe => format!("{name} was closed by its reader after {written} bytes of records"),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                format!(
                    "{name} is full: {error}; {written} bytes of whole records are written, a cut-off one may follow"
                )
            }
            ErrorKind::FileTooLarge => format!(
                "{name} is as large as a file may be here: {error}; raise the limit (ulimit -f) or write elsewhere; {written} \
                 bytes of whole records are written, a cut-off one may follow"
            ),
            _ => format!("can't write records to {name}: {error}; {written} bytes of whole records are written"),
        };
        io::Error::new(error.kind(), message)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::sink::order::tests::rejected;

    #[test]
    fn a_batch_is_written_and_safe_when_write_returns() {
        let mut out = Vec::new();
        let mut sink = Ndjson::new(&mut out, "memory", RecordFields::default());
        let mut safe = Vec::new();
        let mut batch: Vec<Record> = (0..5000).rev().map(|seq| rejected(seq, 10)).collect();
        sink.write(&mut batch, &mut safe).expect("memory");
        assert!(batch.is_empty());
        assert!(safe.iter().copied().eq((0..5000).rev()));
        drop(sink);
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 5000);
    }

    /// Takes so many bytes, then none.
    struct Narrow<'a>(usize, &'a mut Vec<u8>);

    impl Write for Narrow<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0).min(1000);
            if taken == 0 {
                return Err(ErrorKind::FileTooLarge.into());
            }
            self.0 -= taken;
            self.1.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_down_before_an_error_is_counted_and_safe() {
        use crate::sink::InputOrder;
        let line = rejected(0, 300);
        let length = {
            let mut text = Vec::new();
            super::super::append_line(&line, &RecordFields::default(), &mut text);
            text.len()
        };
        for most in [0, 1, length - 1, length, length + 1, 9 * length, 10 * length - 1] {
            for in_order in [false, true] {
                let mut out = Vec::new();
                let mut safe = Vec::new();
                let mut batch: Vec<Record> = (0..10).map(|seq| rejected(seq, 300)).collect();
                let narrow = Narrow(most, &mut out);
                let mut sink: Box<dyn Sink + '_> = if in_order {
                    Box::new(InputOrder::new(narrow, "memory", RecordFields::default(), 1 << 20))
                } else {
                    Box::new(Ndjson::new(narrow, "memory", RecordFields::default()))
                };
                let error = sink.write(&mut batch, &mut safe).expect_err("too large").to_string();
                drop(sink);
                let whole = most / length;
                assert!(error.contains(&format!("; {} bytes of whole records", whole * length)), "{most}: {error}");
                assert!(safe.into_iter().eq(0..whole as u64), "{most}, {in_order}");
                assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), whole);
            }
        }
    }

    #[test]
    fn a_long_line_that_is_cut_off_leaves_those_before_it_safe() {
        let mut out = Vec::new();
        let mut safe = Vec::new();
        let mut batch: Vec<Record> = vec![rejected(0, 300), rejected(1, 3 << 20)];
        let mut sink = Ndjson::new(Narrow(1 << 20, &mut out), "memory", RecordFields::default());
        let error = sink.write(&mut batch, &mut safe).expect_err("too large").to_string();
        drop(sink);
        let first = out.iter().position(|&byte| byte == b'\n').expect("a whole line") + 1;
        assert!(error.contains(&format!("; {first} bytes of whole records")), "{error}");
        assert_eq!(safe, [0]);
    }

    #[test]
    fn a_full_disk_and_a_closed_pipe_are_told_apart() {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let mut sink = Ndjson::new(full, "/dev/full", RecordFields::default());
        let mut safe = Vec::new();
        let error = sink.write(&mut vec![rejected(0, 10)], &mut safe).expect_err("full");
        assert_eq!((error.kind(), safe.len()), (ErrorKind::StorageFull, 0));
        assert!(error.to_string().starts_with("/dev/full is full"), "{error}");
        let (reader, writer) = io::pipe().expect("pipe");
        drop(reader);
        let mut sink = Ndjson::new(writer, "standard output", RecordFields::default());
        let error = sink.write(&mut vec![rejected(0, 10)], &mut safe).expect_err("closed");
        assert_eq!((error.kind(), safe.len()), (ErrorKind::BrokenPipe, 0));
        assert!(error.to_string().contains("closed by its reader"), "{error}");
    }
}
