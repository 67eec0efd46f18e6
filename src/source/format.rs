//! What an input is, told from its first bytes.

/// How an input's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As they are.
    Plain,
    /// Through gzip, several members included.
    Gzip,
    /// Through zstd, several frames included.
    Zstd,
    /// Not at all: this is a format haul does not read, with the advice what to do.
    Foreign(&'static str),
}

/// First bytes and what they say. None is the beginning of another.
const MAGIC: &[(&[u8], Format)] = &[
    (b"\x1f\x8b", Format::Gzip),
    (b"\x28\xb5\x2f\xfd", Format::Zstd),
    (
        b"\xfd7zXZ\x00",
        Format::Foreign("is compressed with xz, which haul does not read; pipe it: xzcat FILE | haul get"),
    ),
    (b"BZh", Format::Foreign("is compressed with bzip2, which haul does not read; pipe it: bzcat FILE | haul get")),
    (b"PK\x03\x04", Format::Foreign("is a zip archive, which haul does not read; pipe it: unzip -p FILE | haul get")),
    (b"\xff\xfe", Format::Foreign("is UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8 FILE | haul get")),
    (b"\xfe\xff", Format::Foreign("is UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8 FILE | haul get")),
];

/// The most bytes [`recognise`] asks for.
pub(super) const LONGEST: usize = 6;

/// The format that begins with `start`; `None` when more bytes could still change the answer.
pub(super) fn recognise(start: &[u8]) -> Option<Format> {
    if let Some((_, format)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(*format);
    }
    (!MAGIC.iter().any(|(magic, _)| magic.starts_with(start))).then_some(Format::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_of_a_url_or_object_is_enough() {
        for start in [&b"h"[..], b"{", b"#", b"\n", b"\xef"] {
            assert_eq!(recognise(start), Some(Format::Plain));
        }
    }

    #[test]
    fn a_format_is_told_as_soon_as_its_magic_is_complete() {
        assert_eq!(recognise(b""), None);
        assert_eq!(recognise(b"\x1f"), None);
        assert_eq!(recognise(b"\x1f\x8b"), Some(Format::Gzip));
        assert_eq!(recognise(b"\x28\xb5\x2f"), None);
        assert_eq!(recognise(b"\x28\xb5\x2f\xfdrest"), Some(Format::Zstd));
        assert_eq!(recognise(b"\x28\xb5x"), Some(Format::Plain));
        assert!(matches!(recognise(b"\xfd7zXZ\x00\x00"), Some(Format::Foreign(why)) if why.contains("xz")));
    }

    #[test]
    fn no_magic_is_longer_than_said_or_the_beginning_of_another() {
        for (at, (magic, _)) in MAGIC.iter().enumerate() {
            assert!(magic.len() <= LONGEST);
            assert!(MAGIC.iter().enumerate().all(|(other, (longer, _))| at == other || !longer.starts_with(magic)));
        }
    }
}
