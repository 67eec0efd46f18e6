//! Bytes to lines, in bounded memory, without waiting for more than the next line.
//!
//! [`Lines::take`] only looks at what is buffered; [`Lines::fill`] makes one read. So the caller decides when to
//! block. A line over the cap is reported once, by its beginning, and skipped to its end.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

/// The buffer's first size, and the most that one read brings.
const CHUNK: usize = 256 << 10;

/// A UTF-8 byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// One line, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line within the cap.
    Whole(&'a [u8]),
    /// The beginning of a line over the cap; the rest is skipped.
    TooLong(&'a [u8]),
}

/// Splits what a reader brings into lines.
///
/// The buffer starts at 256 KiB and grows, for long lines only, to at most the cap plus 256 KiB.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The bytes read and not yet taken.
    pending: Range<usize>,
    /// How many of the pending bytes are known to hold no line break.
    searched: usize,
    cap: usize,
    number: u64,
    skipping: bool,
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `cap` bytes from `reader`.
    pub(super) fn new(reader: R, cap: usize) -> Self {
        Self {
            reader,
            buffer: vec![0; CHUNK],
            pending: 0..0,
            searched: 0,
            cap,
            number: 0,
            skipping: false,
            ended: false,
        }
    }

    /// The number of the line taken last, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The next line, if it can be told without reading: it is complete, or over the cap, or the input's last.
    pub(super) fn take(&mut self) -> Option<Line<'_>> {
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[self.pending.start + self.searched..self.pending.end])
                .map(|at| self.searched + at);
            let skipping = self.skipping;
            let (line, too_long) = match found {
                Some(length) => (self.cut(length, 1), length > self.cap),
                None => self.take_unbroken()?,
            };
            if skipping {
                continue;
            }
            self.number += 1;
            let bytes = &self.buffer[without_bom(self.number, &self.buffer, line)];
            return Some(if too_long { Line::TooLong(bytes) } else { Line::Whole(bytes) });
        }
    }

    /// What to make of pending bytes without a line break: nothing yet, the last line, or one over the cap.
    fn take_unbroken(&mut self) -> Option<(Range<usize>, bool)> {
        let length = self.pending.len();
        if self.skipping || length > self.cap {
            let line = self.cut(length, 0);
            let first = !self.skipping;
            self.skipping = !self.ended;
            return first.then_some((line, true));
        }
        self.searched = length;
        (self.ended && length > 0).then(|| (self.cut(length, 0), false))
    }

    /// Takes `length` bytes and the `newline` bytes after them off the pending ones.
    fn cut(&mut self, length: usize, newline: usize) -> Range<usize> {
        let start = self.pending.start;
        self.pending.start += length + newline;
        self.searched = 0;
        self.skipping &= newline == 0;
        start..start + length
    }

    /// Reads once, blocking if need be. False at the end, from which on [`Self::take`] gives the last line.
    ///
    /// # Errors
    /// The reader's. What was read before stays available, an unfinished line excepted.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        loop {
            match self.reader.read(&mut self.buffer[self.pending.end..]) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(!self.pending.is_empty());
                }
                Ok(length) => {
                    self.pending.end += length;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves the pending bytes to the front and grows the buffer when they fill it. They are never more than the
    /// cap here, because [`Self::take`] came first.
    fn make_room(&mut self) {
        if self.pending.start > 0 {
            self.buffer.copy_within(self.pending.clone(), 0);
            self.pending = 0..self.pending.len();
        }
        if self.pending.end == self.buffer.len() {
            let grown = (2 * self.buffer.len()).min(self.cap + CHUNK);
            self.buffer.resize(grown, 0);
        }
    }
}

/// The first line's range without a byte order mark.
fn without_bom(number: u64, buffer: &[u8], line: Range<usize>) -> Range<usize> {
    if number == 1 && buffer[line.clone()].starts_with(BOM) { line.start + BOM.len()..line.end } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that brings its pieces one read at a time.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.first_mut() else { return Ok(0) };
            let length = piece.len().min(into.len());
            into[..length].copy_from_slice(&piece[..length]);
            piece.drain(..length);
            if piece.is_empty() {
                self.0.remove(0);
            }
            Ok(length)
        }
    }

    fn all(reader: impl Read, cap: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(reader, cap);
        let mut found = Vec::new();
        loop {
            while let Some(line) = lines.take() {
                let text = match line {
                    Line::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Line::TooLong(bytes) => format!("too long: {}", String::from_utf8_lossy(&bytes[..4])),
                };
                found.push((lines.number(), text));
            }
            if !lines.fill().expect("readable") {
                return found;
            }
        }
    }

    fn texts(input: &[u8], cap: usize) -> Vec<String> {
        let whole = all(input, cap);
        let single = all(Pieces(input.iter().map(|&byte| vec![byte]).collect()), cap);
        assert_eq!(whole, single, "the size of reads must not matter");
        assert!(whole.iter().map(|(number, _)| *number).eq(1..=whole.len() as u64));
        whole.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_last_line_needs_no_line_break_and_a_byte_order_mark_is_skipped() {
        assert_eq!(texts(b"one\n\ntwo\r\nthree", 100), ["one", "", "two\r", "three"]);
        assert_eq!(texts(b"one\n", 100), ["one"]);
        assert_eq!(texts(b"", 100), Vec::<String>::new());
        assert_eq!(texts(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo", 100), ["one", "\u{feff}two"]);
    }

    #[test]
    fn a_line_over_the_cap_is_reported_once_and_skipped_to_its_end() {
        assert_eq!(texts(b"12345\n123456789\nab\n", 5), ["12345", "too long: 1234", "ab"]);
        assert_eq!(texts(b"ab\n123456", 5), ["ab", "too long: 1234"]);
        assert_eq!(texts(b"ab\n12345", 5), ["ab", "12345"]);
    }

    #[test]
    fn an_endless_line_is_held_in_bounded_memory() {
        let mut lines = Lines::new(io::repeat(b'x').take(50 << 20).chain(&b"\nlast"[..]), 1 << 20);
        let mut count = 0;
        loop {
            while lines.take().is_some() {
                count += 1;
            }
            assert!(lines.buffer.len() <= (1 << 20) + CHUNK);
            if !lines.fill().expect("readable") {
                break;
            }
        }
        assert_eq!((count, lines.number()), (2, 2));
    }

    #[test]
    fn lines_in_hand_are_given_before_the_next_read() {
        let mut lines = Lines::new(Pieces(vec![b"a\nb\nc".to_vec(), b"\n".to_vec()]), 100);
        assert!(lines.take().is_none());
        assert!(lines.fill().expect("readable"));
        assert_eq!(lines.take(), Some(Line::Whole(b"a")));
        assert_eq!(lines.take(), Some(Line::Whole(b"b")));
        assert_eq!(lines.take(), None, "'c' may go on");
        assert!(lines.fill().expect("readable"));
        assert_eq!(lines.take(), Some(Line::Whole(b"c")));
    }

    #[test]
    fn an_unfinished_line_before_an_error_is_not_a_line() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.0 {
                    return Err(io::Error::other("broken"));
                }
                self.0 = true;
                (&b"whole\nhal"[..]).read(into)
            }
        }
        let mut lines = Lines::new(Broken(false), 100);
        assert!(lines.fill().expect("first"));
        assert_eq!(lines.take(), Some(Line::Whole(b"whole")));
        assert!(lines.fill().is_err());
        assert_eq!(lines.take(), None);
    }
}
