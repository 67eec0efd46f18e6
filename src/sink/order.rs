//! One JSON object per line, in the order of the input.
//!
//! A line whose turn has not come is held: in memory up to a bound, beyond it on disk, and a long one on disk at once. How many lines can be held is
//! bounded by the run's window (jobs read and not finished), because a record is held only while an earlier job is
//! unfinished.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::ndjson::Lines;
use super::record::{RecordFields, append_line_in_pieces};
use crate::model::{Record, Sink};
use crate::spill::{Extent, Spill};

/// How many bytes are gathered before they are written.
const CHUNK: usize = 256 << 10;

/// Writes each record as a line, in the order of the input.
///
/// ```
/// use haul::sink::{InputOrder, RecordFields};
///
/// let records = InputOrder::new(std::io::stdout(), "standard output", RecordFields::default(), 64 << 20);
/// ```
pub struct InputOrder<W> {
    lines: Lines<W>,
    fields: RecordFields,
    /// The position whose turn it is.
    next: u64,
    held: BTreeMap<u64, PendingLine>,
    /// Bytes of the lines held in memory, and the most there may be.
    in_memory: usize,
    most_in_memory: usize,
    spill: Spill,
    /// The line being made.
    line: Vec<u8>,
    /// Positions of the records whose lines are not yet written whole.
    unwritten: Vec<u64>,
}

/// A line whose turn has not come.
enum PendingLine {
    Memory(Box<[u8]>),
    /// In pieces.
    Disk(Vec<Extent>),
}

impl<W: Write + Send> InputOrder<W> {
    /// Will write to `writer`, which needs no buffer of its own; `name` is what errors call it. Lines whose turn has
    /// not come are held in memory up to `most_in_memory` bytes, beyond that in temporary files.
    pub fn new(writer: W, name: impl Into<Box<str>>, fields: RecordFields, most_in_memory: usize) -> Self {
        Self {
            lines: Lines::new(writer, name),
            fields,
            next: 0,
            held: BTreeMap::new(),
            in_memory: 0,
            most_in_memory,
            spill: Spill::default(),
            line: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    /// Keeps the line of `record` for later. Much of a long one goes to disk at once, so that it is never in memory whole.
    fn hold(&mut self, record: &Record) -> io::Result<()> {
        let Self { line, spill, .. } = self;
        let mut pieces = Ok(Vec::new());
        append_line_in_pieces(record, &self.fields, line, &mut |piece| {
            if let Ok(slots) = &mut pieces {
                match spill.put(piece) {
                    Ok(slot) => slots.push(slot),
                    Err(error) => pieces = Err(error),
                }
            }
            piece.clear();
        });
        line.push(b'\n');
        let mut slots = pieces.map_err(advise)?;
        let held = if slots.is_empty() && self.in_memory + line.len() <= self.most_in_memory {
            self.in_memory += line.len();
            PendingLine::Memory(line.as_slice().into())
        } else {
            slots.push(spill.put(line).map_err(advise)?);
            PendingLine::Disk(slots)
        };
        line.clear();
        self.held.insert(record.seq(), held);
        Ok(())
    }

    /// Gathers the first line held.
    fn release(&mut self, seq: u64, held: PendingLine, safe: &mut Vec<u64>) -> io::Result<()> {
        self.unwritten.push(seq);
        match held {
            PendingLine::Memory(line) => {
                self.in_memory -= line.len();
                self.lines.buffer.extend_from_slice(&line);
            }
            PendingLine::Disk(slots) => {
                for slot in slots {
                    self.spill.take(slot, &mut self.lines.buffer)?;
                    if self.lines.buffer.len() >= CHUNK {
                        self.write_out(safe)?;
                    }
                }
            }
        }
        self.gathered(seq, safe)
    }

    /// Notes that the line at `seq` is whole, and that the next one's turn has come.
    fn gathered(&mut self, seq: u64, safe: &mut Vec<u64>) -> io::Result<()> {
        self.next = seq + 1;
        if self.lines.buffer.len() >= CHUNK { self.write_out(safe) } else { Ok(()) }
    }

    fn write_out(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        let written = self.lines.write_out();
        self.lines.ended(&mut self.unwritten, safe);
        written
    }
}

impl<W: Write + Send> Sink for InputOrder<W> {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            let seq = record.seq();
            if seq == self.next {
                self.unwritten.push(seq);
                let appended = self.lines.append(&record, &self.fields);
                self.lines.ended(&mut self.unwritten, safe);
                appended?;
                self.gathered(seq, safe)?;
            } else {
                self.hold(&record)?;
            }
            while let Some(held) = self.held.remove(&self.next) {
                self.release(self.next, held, safe)?;
            }
        }
        self.write_out(safe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }

    /// Writes the lines still held: a turn that never came (the run was stopped) holds up nothing.
    fn finish(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        while let Some((seq, held)) = self.held.pop_first() {
            self.release(seq, held, safe)?;
        }
        self.write_out(safe)?;
        self.flush()
    }
}

/// What a user of this order can do beside.
fn advise(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{error}, or write records in the order in which they are complete"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Failure, FailureKind, Phase, Rejected};

    /// A record with a message of `length` bytes.
    pub(in crate::sink) fn rejected(seq: u64, length: usize) -> Record {
        Record::Rejected(Rejected {
            seq,
            line: seq + 1,
            given: "x".into(),
            id: None,
            failure: Failure::new(Phase::Input, FailureKind::BadUrl, "x".repeat(length)),
        })
    }

    fn seqs(out: &[u8]) -> Vec<u64> {
        let seq = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["seq"].as_u64();
        std::str::from_utf8(out).expect("UTF-8").lines().map(|line| seq(line).expect("a number")).collect()
    }

    /// Writes `count` records in a shuffled order, in batches, with little memory.
    fn shuffled(count: u64, most_in_memory: usize, seed: u64) -> (Vec<u8>, Vec<u64>) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut order: Vec<u64> = (0..count).collect();
        random.shuffle(&mut order);
        let (mut out, mut safe) = (Vec::new(), Vec::new());
        let mut sink = InputOrder::new(&mut out, "memory", RecordFields::default(), most_in_memory);
        for seqs in order.chunks(7) {
            let mut batch = seqs.iter().map(|&seq| rejected(seq, random.usize(..300))).collect();
            sink.write(&mut batch, &mut safe).expect("memory");
            assert!(sink.in_memory <= most_in_memory);
            assert!(safe.iter().copied().eq(0..safe.len() as u64), "safe means written, in order");
        }
        assert_eq!(sink.in_memory, 0);
        (out, safe)
    }

    #[test]
    fn records_come_out_in_order_from_memory_and_from_disk() {
        for (most, seed) in [(usize::MAX, 1), (10_000, 2), (0, 3)] {
            let (out, safe) = shuffled(1000, most, seed);
            assert!(seqs(&out).into_iter().eq(0..1000));
            assert_eq!(safe.len(), 1000);
        }
    }

    #[test]
    fn nothing_waits_for_a_turn_that_never_comes() {
        let (mut out, mut safe) = (Vec::new(), Vec::new());
        let mut sink = InputOrder::new(&mut out, "memory", RecordFields::default(), 500);
        let mut batch = [5, 2, 0, 9].map(|seq| rejected(seq, 100)).into();
        sink.write(&mut batch, &mut safe).expect("memory");
        assert_eq!(safe, [0]);
        sink.finish(&mut safe).expect("memory");
        assert_eq!(safe, [0, 2, 5, 9]);
        drop(sink);
        assert_eq!(seqs(&out), [0, 2, 5, 9]);
    }
}
