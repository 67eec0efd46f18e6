//! Which codings were applied? Reads `Content-Encoding` (RFC 9110 §8.4).
//!
//! `identity` and empty members say nothing. A list with an unknown coding is left undecoded as a whole: the user may
//! know the coding, and the header is there to tell.

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use haul_core::model::{Failure, FailureKind, Phase};

/// The most codings that are decoded. Two are rare and three are unheard of; more is an attack.
pub(super) const MOST: usize = 3;

/// A content coding haul decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// `gzip` or `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: zlib (RFC 1950) by the standard, raw deflate (RFC 1951) from some servers.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl ContentCoding {
    /// Its name in `Content-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    fn parse(token: &str) -> Option<Self> {
        [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ]
        .into_iter()
        .find_map(|(name, coding)| token.eq_ignore_ascii_case(name).then_some(coding))
    }
}

/// The codings of one body, in the order they were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentCodings {
    applied: [Option<ContentCoding>; MOST],
    count: usize,
}

impl ContentCodings {
    /// A body that is taken as it comes.
    pub const NONE: Self = Self { applied: [None; MOST], count: 0 };

    /// The codings these headers name.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut codings = Self::NONE;
        for value in headers.get_all(CONTENT_ENCODING) {
            let Ok(list) = value.to_str() else { return Self::NONE };
            for token in list.split(',').map(str::trim) {
                if token.is_empty() || token.eq_ignore_ascii_case("identity") {
                    continue;
                }
                let Some(coding) = ContentCoding::parse(token) else { return Self::NONE };
                codings.push(coding);
            }
        }
        codings
    }

    fn push(&mut self, coding: ContentCoding) {
        if let Some(place) = self.applied.get_mut(self.count) {
            *place = Some(coding);
        }
        self.count = self.count.saturating_add(1);
    }

    /// Whether there is nothing to decode.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The codings in the order to undo them: last applied first.
    pub(super) fn undo(&self) -> Result<impl Iterator<Item = ContentCoding>, Failure> {
        if self.count > MOST {
            let message = format!("the body has {} content codings; haul decodes at most {MOST}", self.count);
            return Err(Failure::new(Phase::Decode, FailureKind::Corrupt, message));
        }
        Ok(self.applied.into_iter().rev().flatten())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn undone(values: &[&[u8]]) -> Option<Vec<ContentCoding>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_bytes(value).expect("valid"));
        }
        ContentCodings::of(&headers).undo().ok().map(Iterator::collect)
    }

    #[test]
    fn lists_are_undone_from_their_end() {
        use ContentCoding::{Brotli, Deflate, Gzip, Zstd};
        let table: &[(&[&[u8]], &[ContentCoding])] = &[
            (&[], &[]),
            (&[b""], &[]),
            (&[b"identity"], &[]),
            (&[b"gzip"], &[Gzip]),
            (&[b"X-GZip"], &[Gzip]),
            (&[b"gzip, br"], &[Brotli, Gzip]),
            (&[b"gzip", b"br"], &[Brotli, Gzip]),
            (&[b" deflate ,identity,, zstd\t"], &[Zstd, Deflate]),
            (&[b"gzip,gzip,gzip"], &[Gzip, Gzip, Gzip]),
            (&[b"compress"], &[]),
            (&[b"gzip, aes128gcm"], &[]),
            (&[b"gzip;q=1"], &[]),
            (&[b"gzip\xff"], &[]),
        ];
        for (values, expected) in table {
            assert_eq!(undone(values).as_deref(), Some(*expected), "{values:?}");
        }
        assert_eq!(undone(&[b"br,br,br,br"]), None);
    }

    #[test]
    fn what_is_asked_for_is_what_is_decoded() {
        for token in crate::body::ACCEPT_ENCODING.split(", ") {
            assert_eq!(ContentCoding::parse(token).map(ContentCoding::name), Some(token));
        }
    }
}
