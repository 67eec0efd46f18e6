//! The decoder of chunks (RFC 9112 §7.1) that hyper hands on as they are. Pure.
//!
//! hyper looks at what stands behind the last comma of `Transfer-Encoding`, so `chunked,` is no `chunked` to it; an empty element of
//! a list does not count (RFC 9110 §5.6.1). As strict as hyper's own decoder in all that says where a chunk ends. How long sizes,
//! extensions and trailers may become is bounded by whoever counts what comes beside the body.

use bytes::{Buf, Bytes};

/// How far into the chunks the bytes have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkDecoder {
    /// Within a size of so many digits so far.
    Size { digits: u8, size: u64 },
    /// Behind a size: blanks, an extension.
    Extension { size: u64 },
    /// Before the LF of a size's line.
    SizeEnd { size: u64 },
    /// Within a chunk, of which so many bytes are left.
    Data { left: u64 },
    /// Behind a chunk, before its CR, or its LF.
    DataEnd { cr: bool },
    /// Within the trailer section. `line`: whether its line has begun; `cr`: its CR has come.
    Trailers { line: bool, cr: bool },
    /// Behind the last byte.
    Over,
}

/// Bytes that are no chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkError;

impl ChunkDecoder {
    /// Before the first chunk.
    pub(super) const START: Self = Self::Size { digits: 0, size: 0 };

    /// The next data in `input`, which is left with what follows it. `None`: more has to come, or all of it is over.
    ///
    /// # Errors
    /// They are no chunks.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkError> {
        while !input.is_empty() && *self != Self::Over {
            if let Self::Data { left } = *self {
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let data = input.split_to(most.min(input.len()));
                *self = match left - data.len() as u64 {
                    0 => Self::DataEnd { cr: false },
                    left => Self::Data { left },
                };
                return Ok(Some(data));
            }
            *self = self.step(input.get_u8())?;
        }
        Ok(None)
    }

    /// Where a byte of the framing leads.
    fn step(self, byte: u8) -> Result<Self, ChunkError> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Ok(match (self, byte) {
            (Self::Size { digits: digits @ ..16, size }, _) if digit.is_some() => {
                Self::Size { digits: digits + 1, size: size << 4 | digit.unwrap_or_default() }
            }
            // Leading zeros are no digits that count.
            (Self::Size { digits: 16, size: size @ 0..=0x0fff_ffff_ffff_ffff }, _) if digit.is_some() => {
                Self::Size { digits: 16, size: size << 4 | digit.unwrap_or_default() }
            }
            (Self::Size { digits: 1.., size }, b'\r') => Self::SizeEnd { size },
            (Self::Size { digits: 1.., size }, b' ' | b'\t' | b';') => Self::Extension { size },
            (Self::Extension { size }, b'\r') => Self::SizeEnd { size },
            (Self::Extension { size }, _) if byte != b'\n' => Self::Extension { size },
            (Self::SizeEnd { size: 0 }, b'\n') => Self::Trailers { line: false, cr: false },
            (Self::SizeEnd { size }, b'\n') => Self::Data { left: size },
            (Self::DataEnd { cr: false }, b'\r') => Self::DataEnd { cr: true },
            (Self::DataEnd { cr: true }, b'\n') => Self::START,
            (Self::Trailers { line: false, cr: true }, b'\n') => Self::Over,
            (Self::Trailers { line: true, cr: true }, b'\n') => Self::Trailers { line: false, cr: false },
            (Self::Trailers { line, cr: false }, b'\r') => Self::Trailers { line, cr: true },
            (Self::Trailers { cr: false, .. }, _) if !matches!(byte, b'\n' | b'\0') => {
                Self::Trailers { line: true, cr: false }
            }
            _ => return Err(ChunkError),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `text` comes to in these pieces: its data, and what is left behind the end.
    fn of(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<usize>), ChunkError> {
        let (mut chunks, mut data, mut rest) = (ChunkDecoder::START, Vec::new(), 0);
        for piece in pieces {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(more) = chunks.next(&mut input)? {
                assert!(!more.is_empty());
                data.extend_from_slice(&more);
            }
            rest += input.len();
        }
        Ok((data, (chunks == ChunkDecoder::Over).then_some(rest)))
    }

    /// The same for every split.
    fn undone(text: &str) -> Result<(Vec<u8>, Option<usize>), ChunkError> {
        let bytes = text.as_bytes();
        let whole = of(&[bytes]);
        for at in 0..=bytes.len() {
            assert_eq!(of(&[&bytes[..at], &bytes[at..]]), whole, "{text:?} split at {at}");
        }
        assert_eq!(of(&bytes.chunks(1).collect::<Vec<_>>()), whole);
        whole
    }

    #[test]
    fn chunks_become_their_data() {
        for (text, data, rest) in [
            ("5\r\nhello\r\n0\r\n\r\n", "hello", 0),
            ("0\r\n\r\n", "", 0),
            ("00000000000000000000005\r\nhello\r\n000\r\n\r\n", "hello", 0),
            ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 0),
            ("5 \r\nhello\r\n0\r\n\r\n", "hello", 0),
            ("5;a=b;c=\"d\"\r\nhello\r\n0;e\r\nX: 1\r\nY: 2\r\n\r\n", "hello", 0),
            ("2\r\nhi\r\n0\r\n\r\n2\r\nho", "hi", 5),
        ] {
            assert_eq!(undone(text), Ok((data.into(), Some(rest))), "{text:?}");
        }
    }

    #[test]
    fn what_is_cut_has_no_end() {
        let whole = "5;a\r\nhello\r\n0\r\nX: 1\r\n\r\n";
        for end in 0..whole.len() {
            let (data, rest) = undone(&whole[..end]).expect("so far they are chunks");
            assert!(rest.is_none() && b"hello".starts_with(&data), "cut at {end}");
        }
        assert_eq!(undone("FFFFFFFFFFFFFFFF\r\nhello"), Ok((b"hello".into(), None)));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for text in [
            " 5\r\nhello",
            "\r\n",
            ";\r\n",
            "g\r\n",
            "5x\r\nhello",
            "+5\r\n",
            "0x5\r\n",
            "5_\r\n",
            "5\0\r\n",
            "5\nhello",
            "5\rhello",
            "5;a\nhello",
            "5;a\rb\r\n",
            "10000000000000005\r\n",
            "FFFFFFFFFFFFFFFFF\r\n",
            "5\r\nhello0\r\n",
            "5\r\nhello\n0",
            "5\r\nhello\r0",
            "4\r\nhello",
            "6\r\nhello\r\n0",
            "5\r\nhello\r\n\r\n",
            "0\r\n\n",
            "0\r\nX: 1\n",
            "0\r\nX: 1\rY",
            "0\r\nX: \0",
            "0\n\r\n",
        ] {
            assert_eq!(undone(text), Err(ChunkError), "{text:?}");
        }
    }
}
