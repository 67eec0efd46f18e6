//! HTTP/2's preface: the check of the server's first frame, and haul's own SETTINGS corrected. Pure.
//!
//! RFC 9113 §3.4 wants a SETTINGS frame of the server. h2 takes any frame, and calls the answer of a server that speaks
//! something else a frame of a wrong size. Here the first nine bytes are judged, and no byte after them.
//!
//! haul's own SETTINGS say how large a frame may be. h2 must take larger ones, because a head that came in fragments reaches it
//! as one frame: so what it says is corrected on its way out.

use std::io;

use super::frame_filter::{FRAME_SIZE, HEADER};

/// The kind of the error that says so: h2 hands on the kind of an input/output error and its text, and no stream has
/// this one of its own.
pub(super) const NOT_HTTP2: io::ErrorKind = io::ErrorKind::Unsupported;

/// The server's first bytes, which have to be a SETTINGS frame's header.
#[derive(Debug, Default)]
pub(super) struct PrefaceCheck {
    /// Bytes of the header that have come.
    seen: usize,
}

impl PrefaceCheck {
    /// Judges what came next.
    pub(super) fn judge(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes.iter().take(HEADER - self.seen) {
            if !fits(self.seen, *byte) {
                return Err(io::Error::new(NOT_HTTP2, "its first frame is not SETTINGS"));
            }
            self.seen += 1;
        }
        Ok(())
    }
}

/// Whether the header of a SETTINGS frame that is no acknowledgement can have this byte at this place.
const fn fits(place: usize, byte: u8) -> bool {
    const SETTINGS: u8 = 4;
    const ACK: u8 = 1;
    match place {
        0..=2 => true,
        3 => byte == SETTINGS,
        4 => byte & ACK == 0,
        // The first bit of the stream's number means nothing.
        5 => byte & 0x7f == 0,
        _ => byte == 0,
    }
}

/// haul's first bytes: the preface, and h2's SETTINGS.
#[derive(Debug, Default)]
pub(super) struct SettingsRewriter {
    /// Bytes of it that have been written.
    written: usize,
}

/// The value of `SETTINGS_MAX_FRAME_SIZE`: after the preface (24), the frame's header, two entries (6 each), and its number.
/// That h2 puts it there is held by a test.
const SAID: usize = 24 + HEADER + 2 * 6 + 2;
/// Where it ends.
const SAID_END: usize = SAID + 4;

impl SettingsRewriter {
    /// Whether all of it is written.
    pub(super) const fn is_complete(&self) -> bool {
        self.written >= SAID_END
    }

    /// What is written in the place of the first of these bytes, and how many: none, once all is said.
    pub(super) fn instead(&self, bytes: &[u8]) -> Option<([u8; SAID_END], usize)> {
        if self.is_complete() {
            return None;
        }
        let length = bytes.len().min(SAID_END - self.written);
        let mut said = [0; SAID_END];
        said[..length].copy_from_slice(&bytes[..length]);
        for (place, byte) in (SAID..).zip(FRAME_SIZE.to_be_bytes()) {
            if let Some(place) = place.checked_sub(self.written).filter(|place| *place < length) {
                said[place] = byte;
            }
        }
        Some((said, length))
    }

    /// So many of them were written.
    pub(super) const fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pieces: &[&[u8]]) -> bool {
        let mut preface_check = PrefaceCheck::default();
        pieces.iter().all(|piece| preface_check.judge(piece).is_ok())
    }

    #[test]
    fn settings_pass_in_any_pieces_and_whatever_follows() {
        let bytes = b"\0\0\x06\x04\0\0\0\0\0HTTP/1.1";
        assert!(judged(&[bytes]));
        assert!((0..bytes.len()).all(|at| judged(&[&bytes[..at], &bytes[at..]])));
        assert!(judged(&[b"\0\0\0\x04\xfe\x80\0\0\0"]), "bits without a meaning");
    }

    #[test]
    fn anything_else_is_refused_at_the_byte_that_shows_it() {
        for (bytes, at) in [
            (&b"HTTP/1.1"[..], 3),
            (b"\x15\x03\x03\0", 3),
            (b"\0\0\x08\x07", 3),
            (b"\0\0\0\x04\x01", 4),
            (b"\0\0\0\x04\0\0\0\0\x01", 8),
        ] {
            assert!(judged(&[&bytes[..at]]) && !judged(&[&bytes[..=at]]), "{bytes:?}");
        }
    }

    #[test]
    fn the_frame_size_is_corrected_however_it_is_written() {
        let bytes: Vec<u8> = (0..100).collect();
        for most in 1..=100 {
            let (mut settings_rewriter, mut written) = (SettingsRewriter::default(), Vec::new());
            while written.len() < bytes.len() {
                let rest = &bytes[written.len()..];
                let rest = &rest[..rest.len().min(most)];
                match settings_rewriter.instead(rest) {
                    Some((said, length)) => {
                        written.extend_from_slice(&said[..length]);
                        settings_rewriter.wrote(length);
                    }
                    None => written.extend_from_slice(rest),
                }
            }
            let expected = [&bytes[..SAID], &[0, 1, 0, 0], &bytes[SAID_END..]].concat();
            assert_eq!(written, expected, "{most} at a time");
        }
    }
}
