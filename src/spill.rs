//! Bytes kept on disk until they are wanted: in unnamed temporary files, each dropped when its last piece is taken. What is
//! called a line here may be any bytes.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file takes lines until it holds this many bytes. Few files at a time; and disk space comes back piecewise.
const SEGMENT: u64 = 64 << 20;

/// Where a line lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    segment: u64,
    offset: u64,
    length: usize,
}

/// The store.
#[derive(Default)]
pub(crate) struct Spill {
    segments: VecDeque<Segment>,
    /// How many segments were dropped: the number of the first one held.
    dropped: u64,
}

/// One file. `live` lines of it are still wanted.
struct Segment {
    file: File,
    length: u64,
    live: u64,
}

impl Spill {
    /// Keeps `line`.
    ///
    /// # Errors
    /// The temporary directory can't be written to, or is full.
    pub(crate) fn put(&mut self, line: &[u8]) -> io::Result<Extent> {
        if self.segments.back().is_none_or(|segment| segment.length >= SEGMENT) {
            let file = tempfile::tempfile().map_err(explain)?;
            self.segments.push_back(Segment { file, length: 0, live: 0 });
        }
        let segment = self.dropped + self.segments.len() as u64 - 1;
        let last = self.segments.back_mut().expect("one was made if there was none");
        last.file.write_all_at(line, last.length).map_err(explain)?;
        let slot = Extent { segment, offset: last.length, length: line.len() };
        last.length += line.len() as u64;
        last.live += 1;
        Ok(slot)
    }

    /// Appends the line at `slot` to `into` and gives its room up. Each slot is taken once.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn take(&mut self, slot: Extent, into: &mut Vec<u8>) -> io::Result<()> {
        let at = usize::try_from(slot.segment - self.dropped).expect("a count of files held");
        let segment = &mut self.segments[at];
        let start = into.len();
        into.resize(start + slot.length, 0);
        segment.file.read_exact_at(&mut into[start..], slot.offset).map_err(explain)?;
        segment.live -= 1;
        while self.segments.front().is_some_and(|segment| segment.live == 0) {
            self.segments.pop_front();
            self.dropped += 1;
        }
        Ok(())
    }
}

fn explain(error: io::Error) -> io::Error {
    let directory = std::env::temp_dir();
    let message = format!(
        "can't keep what memory has no room for in a temporary file in {}: {error}; set TMPDIR to a place with room",
        directory.display()
    );
    io::Error::new(error.kind(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_any_order_and_files_are_dropped() {
        let mut spill = Spill::default();
        let line = vec![b'x'; usize::try_from(SEGMENT / 4).expect("small")];
        let slots: Vec<Extent> = (0..10).map(|_| spill.put(&line).expect("room")).collect();
        assert_eq!(spill.segments.len(), 3);
        let mut out = Vec::new();
        for &at in &[1, 9, 0, 3, 2] {
            spill.take(slots[at], &mut out).expect("kept");
            assert_eq!(out.len(), line.len());
            out.clear();
        }
        assert_eq!((spill.segments.len(), spill.dropped), (2, 1));
        for &at in &[8, 7, 6, 5, 4] {
            spill.take(slots[at], &mut out).expect("kept");
        }
        assert_eq!(spill.segments.len(), 0);
        let slot = spill.put(b"again").expect("room");
        out.clear();
        spill.take(slot, &mut out).expect("kept");
        assert_eq!(out, b"again");
    }
}
