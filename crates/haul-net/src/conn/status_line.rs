//! A status line in the form that httparse reads, where another says the same to every browser and to curl. Pure.
//!
//! httparse has no setting for these, so the bytes are changed on their way to it, wherever they are split: letters of
//! `HTTP` in lower case, a later minor version (RFC 9110 §2.5: to be read as 1.1), more blanks than one before the status, something
//! else than a blank behind it, and control characters in the reason, which nobody reads. What is no such line stays as it
//! is, and fails. NUL and bare CR are left, too: RFC 9112 §2.2 has them refused.

/// How far into a status line the bytes have come: that of the response, or of an informational head before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StatusLineNormalizer {
    /// So many bytes of `HTTP/1.1` have come, and perhaps empty lines before them.
    Version(u8),
    /// The version, and at least one blank.
    Blanks,
    /// So many digits of the status, and what they say.
    Status(u8, u16),
    /// Behind the status; whether that is an informational one.
    Reason(bool),
    /// In the fields of an informational head: so much of the empty line that ends it has come.
    Early(LineEnd),
    /// It has ended, or it is none. Also: none is awaited.
    #[default]
    Over,
}

/// How far the end of a head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// Within a line.
    No,
    /// At the beginning of a line.
    Line,
    /// At the beginning of a line, after a CR.
    Return,
}

const VERSION: &[u8; 8] = b"HTTP/1.1";

impl StatusLineNormalizer {
    /// Before a response.
    pub(super) const AWAITED: Self = Self::Version(0);

    /// Changes what comes next of a response where it has to be changed. How many of the bytes are left.
    pub(super) fn normalize(&mut self, bytes: &mut [u8]) -> usize {
        // What nearly all of them are takes one comparison.
        if *self == Self::AWAITED && bytes.starts_with(b"HTTP/1.1 200 OK\r\n") {
            *self = Self::Over;
            return bytes.len();
        }
        let mut kept = 0;
        for at in 0..bytes.len() {
            if *self == Self::Over {
                if kept < at {
                    bytes.copy_within(at.., kept);
                }
                return kept + bytes.len() - at;
            }
            if let Some(byte) = self.next(bytes[at]) {
                bytes[kept] = byte;
                kept += 1;
            }
        }
        kept
    }

    /// Whether anything of the response itself has come, and not only of what may come before it.
    pub(super) const fn has_begun(self) -> bool {
        !matches!(self, Self::Version(0) | Self::Early(_))
    }

    /// Behind a status line that ends with this byte.
    const fn end(early: bool, byte: u8) -> Self {
        match (early, byte) {
            (false, _) => Self::Over,
            (true, b'\n') => Self::Early(LineEnd::Line),
            (true, _) => Self::Early(LineEnd::No),
        }
    }

    /// What becomes of the next byte. `None`: it goes.
    fn next(&mut self, byte: u8) -> Option<u8> {
        let (place, byte) = match (*self, byte) {
            // RFC 9112 §2.2: empty lines before it are passed over.
            (Self::Version(0), b'\r' | b'\n') => (Self::Version(0), Some(byte)),
            (Self::Version(7), b'0'..=b'9') => (Self::Version(8), Some(byte.min(b'1'))),
            (Self::Version(8), b' ') => (Self::Blanks, Some(byte)),
            (Self::Version(count @ 0..7), _) if byte.eq_ignore_ascii_case(&VERSION[usize::from(count)]) => {
                (Self::Version(count + 1), Some(VERSION[usize::from(count)]))
            }
            (Self::Blanks, b' ') => (Self::Blanks, None),
            (Self::Blanks, b'0'..=b'9') => (Self::Status(1, u16::from(byte - b'0')), Some(byte)),
            (Self::Status(count @ 1..3, status), b'0'..=b'9') => {
                (Self::Status(count + 1, status * 10 + u16::from(byte - b'0')), Some(byte))
            }
            (Self::Status(3, _), b'0'..=b'9') => (Self::Over, Some(byte)),
            (Self::Status(3, status), b'\r' | b'\n') => (Self::end(is_early(status), byte), Some(byte)),
            (Self::Reason(early), b'\r' | b'\n') => (Self::end(early, byte), Some(byte)),
            (Self::Status(3, _) | Self::Reason(_), b'\0') => (Self::Over, Some(byte)),
            (Self::Status(3, status), _) => (Self::Reason(is_early(status)), Some(b' ')),
            (Self::Reason(early), 1..=0x1f | 0x7f) => (Self::Reason(early), Some(b' ')),
            (Self::Reason(early), _) => (Self::Reason(early), Some(byte)),
            (Self::Early(LineEnd::Line | LineEnd::Return), b'\n') => (Self::AWAITED, Some(byte)),
            (Self::Early(_), b'\n') => (Self::Early(LineEnd::Line), Some(byte)),
            (Self::Early(LineEnd::Line), b'\r') => (Self::Early(LineEnd::Return), Some(byte)),
            (Self::Early(_), _) => (Self::Early(LineEnd::No), Some(byte)),
            _ => (Self::Over, Some(byte)),
        };
        *self = place;
        byte
    }
}

/// Whether another head follows. Not after 101: then something else than HTTP does.
const fn is_early(status: u16) -> bool {
    matches!(status, 100 | 102..=199)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the text, in one piece; held against every other split.
    fn normalized(text: &str) -> String {
        let of = |pieces: &[&[u8]]| {
            let mut line = StatusLineNormalizer::AWAITED;
            let mut all = Vec::new();
            for piece in pieces {
                let mut bytes = piece.to_vec();
                let kept = line.normalize(&mut bytes);
                all.extend_from_slice(&bytes[..kept]);
            }
            String::from_utf8(all).expect("as before")
        };
        let bytes = text.as_bytes();
        let whole = of(&[bytes]);
        for at in 0..=bytes.len() {
            assert_eq!(of(&[&bytes[..at], &bytes[at..]]), whole, "split at {at}");
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(of(&single), whole);
        whole
    }

    const REST: &str = "\r\nhttp/1.2  200\tA: \x01b\r\n\r\nhttp/1.1  200 ";

    #[test]
    fn what_all_clients_read_alike_becomes_what_httparse_reads() {
        for (line, expected) in [
            ("HTTP/1.1  200 OK", "HTTP/1.1 200 OK"),
            ("HTTP/1.1     200", "HTTP/1.1 200"),
            ("HTTP/1.1 200\tOK", "HTTP/1.1 200 OK"),
            ("HTTP/1.1 200OK", "HTTP/1.1 200 K"),
            ("HTTP/1.1 200;x", "HTTP/1.1 200 x"),
            ("HTTP/1.1 200 O\x01K\x7f", "HTTP/1.1 200 O K "),
            ("http/1.1 200 OK", "HTTP/1.1 200 OK"),
            ("Http/1.0 200 OK", "HTTP/1.0 200 OK"),
            ("HTTP/1.2 200 OK", "HTTP/1.1 200 OK"),
            ("HTTP/1.9  404", "HTTP/1.1 404"),
            ("\r\n\nHTTP/1.1  200 OK", "\r\n\nHTTP/1.1 200 OK"),
        ] {
            assert_eq!(normalized(&format!("{line}{REST}")), format!("{expected}{REST}"));
        }
    }

    #[test]
    fn what_is_right_or_hopeless_is_left_as_it_is() {
        for line in [
            "HTTP/1.1 200 OK",
            "HTTP/1.0 200 ",
            "HTTP/1.1 200",
            "HTTP/1.1 200 \u{e4} ok",
            "HTTP/1.1\t200 OK",
            "HTTP/1.1200 OK",
            "HTTP/1.10 200 OK",
            "HTTP/2.0 200 OK",
            "HTTP/2 200",
            "HTTP/01.1 200 OK",
            "HTTP /1.1  200 OK",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 20x OK",
            "HTTP/1.1 99 OK",
            "HTTP/1.1 OK",
            "HTTP/1.1",
            " HTTP/1.1  200 OK",
            "ICY 200 OK",
            "HTT",
            "\0",
        ] {
            assert_eq!(normalized(&format!("{line}{REST}")), format!("{line}{REST}"));
        }
        assert_eq!(normalized("HTTP/1.1 200 O\0\x01K\r\n"), "HTTP/1.1 200 O\0\x01K\r\n");
        assert_eq!(normalized("HTTP/1.1 200 O\rK\x01\r\n"), "HTTP/1.1 200 O\rK\x01\r\n");
    }

    #[test]
    fn the_status_line_behind_informational_heads_is_read_alike() {
        for early in
            ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103\nLink: a\r\n b\n\n\r\n", "http/1.2  199 \x01\r\n\r\n"]
        {
            let read = normalized(&format!("{early}{early}http/1.1  200\tOK\r\n"));
            assert!(read.ends_with("HTTP/1.1 200 OK\r\n"), "{read:?}");
        }
        assert!(normalized("HTTP/1.1 101 Switching\r\n\r\nhttp/1.1  200\r\n").ends_with("http/1.1  200\r\n"));
    }

    #[test]
    fn what_comes_before_a_response_is_none() {
        let begun = |text: &str| {
            let mut line = StatusLineNormalizer::AWAITED;
            line.normalize(&mut text.as_bytes().to_vec());
            line.has_begun()
        };
        for text in ["", "\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103\r\nLink: a\r\n", "\nHTTP/1.1 102\n\n\r"]
        {
            assert!(!begun(text), "{text:?}");
        }
        for text in ["H", "HTTP/1.1 1", "HTTP/1.1 100\r\n\r\nHT", "HTTP/1.1 101\r\n", "HTTP/1.1 200", "x"] {
            assert!(begun(text), "{text:?}");
        }
    }

    #[test]
    fn nothing_is_changed_where_no_response_is_awaited() {
        let mut bytes = *b"http/1.1  200";
        assert_eq!((StatusLineNormalizer::default().normalize(&mut bytes), &bytes), (13, b"http/1.1  200"));
    }
}
