//! A status line in the form that httparse reads, where another says the same to every browser and to curl. Pure.
//!
//! httparse has no setting for these, so the bytes are changed on their way to it, wherever they are split: letters of
//! `HTTP` in lower case, a later minor version (RFC 9110 §2.5: to be read as 1.1), more blanks than one before the status, something
//! else than a blank behind it, and control characters in the reason, which nobody reads. What is no such line stays as it
//! is, and fails. NUL and bare CR are left, too: RFC 9112 §2.2 has them refused.

/// How far into a status line the bytes have come. Of a response only the first is looked at, be it that of an informational head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StatusLine {
    /// So many bytes of `HTTP/1.1` have come, and perhaps empty lines before them.
    Version(u8),
    /// The version, and at least one blank.
    Blanks,
    /// So many digits of the status.
    Status(u8),
    /// Behind the status.
    Reason,
    /// It has ended, or it is none. Also: none is awaited.
    #[default]
    Over,
}

const VERSION: &[u8; 8] = b"HTTP/1.1";

impl StatusLine {
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
            (Self::Blanks, b'0'..=b'9') => (Self::Status(1), Some(byte)),
            (Self::Status(count @ 1..3), b'0'..=b'9') => (Self::Status(count + 1), Some(byte)),
            (Self::Status(3), b'0'..=b'9') => (Self::Over, Some(byte)),
            (Self::Status(3) | Self::Reason, b'\r' | b'\n' | b'\0') => (Self::Over, Some(byte)),
            (Self::Status(3), _) => (Self::Reason, Some(b' ')),
            (Self::Reason, 1..=0x1f | 0x7f) => (Self::Reason, Some(b' ')),
            (Self::Reason, _) => (Self::Reason, Some(byte)),
            _ => (Self::Over, Some(byte)),
        };
        *self = place;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the text, in one piece; held against every other split.
    fn normalized(text: &str) -> String {
        let of = |pieces: &[&[u8]]| {
            let mut line = StatusLine::AWAITED;
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
    fn nothing_is_changed_where_no_response_is_awaited() {
        let mut bytes = *b"http/1.1  200";
        assert_eq!((StatusLine::default().normalize(&mut bytes), &bytes), (13, b"http/1.1  200"));
    }
}
