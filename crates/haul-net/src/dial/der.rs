//! Fields of DER (X.690): as much of it as certificates and keys are written in. Pure.
//!
//! Not a validator: who relies on a certificate has had it read by webpki before.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// The content of the field that `bytes` begin with, if it has this tag.
pub(super) fn content(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    DerFields(bytes).next()?.filter(|(own, _)| *own == tag).map(|(_, content)| content)
}

/// The content of the first field with this tag.
pub(super) fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    DerFields(bytes).map_while(|field| field).find(|(own, _)| *own == tag).map(|(_, content)| content)
}

/// The fields of a sequence in DER: tag and content. `None` for the rest that is none.
pub(super) struct DerFields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for DerFields<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = field(self.0);
        self.0 = field.map_or(&[], |(_, _, rest)| rest);
        Some(field.map(|(tag, content, _)| (tag, content)))
    }
}

/// A field's tag, its content, and what follows it.
pub(super) fn field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, bytes) = bytes.split_first()?;
    let (length, bytes) = bytes.split_first()?;
    let (length, bytes) = match length {
        0..=0x7f => (usize::from(*length), bytes),
        // Three bytes of length are 16 MiB, more than a handshake may have.
        0x81..=0x83 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(length & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A field of DER, for tests.
#[cfg(test)]
pub(super) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    bytes.extend(content);
    bytes
}
