//! Where requests end: HTTP/1.1 without bodies, in pieces or several at once.

use memchr::memmem;

/// A head longer than this is given up; no contender sends one.
const LONGEST: usize = 64 << 10;

/// The beginning of a request whose end has not come yet.
#[derive(Default)]
pub(crate) struct Heads {
    begun: Vec<u8>,
}

impl Heads {
    /// Calls `each` with every head that these bytes end. False: the connection is of no use any longer.
    pub(crate) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> bool {
        if self.begun.is_empty() {
            let rest = split(bytes, &mut each);
            self.begun.extend_from_slice(rest);
        } else {
            self.begun.extend_from_slice(bytes);
            let rest = split(&self.begun, &mut each).len();
            self.begun.drain(..self.begun.len() - rest);
        }
        self.begun.len() <= LONGEST
    }
}

/// What is left after the last whole head.
fn split<'a>(mut bytes: &'a [u8], each: &mut impl FnMut(&[u8])) -> &'a [u8] {
    // Nearly always one whole head.
    while let Some(end) = memmem::find(bytes, b"\r\n\r\n") {
        let (head, rest) = bytes.split_at(end + 4);
        each(head);
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(pieces: &[&[u8]]) -> Vec<String> {
        let (mut heads, mut seen) = (Heads::default(), Vec::new());
        for piece in pieces {
            assert!(heads.take(piece, |head| seen.push(String::from_utf8_lossy(head).into_owned())));
        }
        assert!(heads.begun.is_empty());
        seen
    }

    #[test]
    fn every_head_is_seen_once_however_it_comes() {
        let one = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
        let both = [&one[..], b"GET /2 HTTP/1.1\r\n\r\n"].concat();
        let expected = heads(&[&both]);
        assert_eq!(expected.len(), 2);
        for cut in 1..both.len() {
            assert_eq!(heads(&[&both[..cut], &both[cut..]]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = both.chunks(1).collect();
        assert_eq!(heads(&bytes), expected);
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        assert!(!Heads::default().take(&[b'x'; LONGEST + 1], |_| {}));
    }
}
