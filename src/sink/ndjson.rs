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
    /// Positions of the records among the lines not yet written.
    unwritten: Vec<u64>,
}

impl<W: Write + Send> Ndjson<W> {
    /// Will write to `writer`, which needs no buffer of its own; `name` is what errors call it.
    pub fn new(writer: W, name: impl Into<Box<str>>, fields: RecordFields) -> Self {
        Self { lines: Lines::new(writer, name), fields, unwritten: Vec::new() }
    }

    fn write_out(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        self.lines.write_out()?;
        safe.append(&mut self.unwritten);
        Ok(())
    }
}

impl<W: Write + Send> Sink for Ndjson<W> {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            self.lines.append(&record, &self.fields)?;
            self.unwritten.push(record.seq());
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
    written: u64,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(writer: W, name: impl Into<Box<str>>) -> Self {
        Self { writer, name: name.into(), buffer: Vec::with_capacity(CHUNK + (16 << 10)), written: 0 }
    }

    /// Gathers the line of a record. Much of a long one is written at once: with all that JSON escapes it may have six times the
    /// bytes of its body.
    pub(super) fn append(&mut self, record: &Record, fields: &RecordFields) -> io::Result<()> {
        let Self { writer, buffer, .. } = self;
        let mut drained = Ok(0);
        append_line_in_pieces(record, fields, buffer, &mut |piece| {
            if let Ok(bytes) = drained {
                drained = writer.write_all(piece).map(|()| bytes + piece.len() as u64);
            }
            piece.clear();
        });
        self.buffer.push(b'\n');
        // As whole as the lines before it, which were written with it.
        self.written += drained.map_err(|error| self.explain(&error))?;
        Ok(())
    }

    /// Writes what is gathered.
    pub(super) fn write_out(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.buffer).map_err(|error| self.explain(&error))?;
        self.written += self.buffer.len() as u64;
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
        let (name, written) = (&self.name, self.written);
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
