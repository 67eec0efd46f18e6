//! The DNS names of a certificate, and whether one of them is a host's. Pure.
//!
//! Only for hosts whose names rustls has no word for (`odd_name.rs`); the others are rustls' own affair.

/// Whether a certificate in DER names `host`: exactly, or by a wildcard for its first label (RFC 9525 §6.3).
pub(super) fn names(certificate: &[u8], host: &str) -> bool {
    let Some(names) = alternative_names(certificate) else { return false };
    Fields(names).any(|field| field.is_some_and(|(tag, name)| tag == DNS_NAME && is_for(name, host)))
}

/// Whether a name of a certificate is for `host`. The wildcard stands for one label, of a domain of two labels at least.
fn is_for(name: &[u8], host: &str) -> bool {
    let domain = name.strip_prefix(b"*").filter(|domain| domain.first() == Some(&b'.'));
    match domain {
        None => name.eq_ignore_ascii_case(host.as_bytes()),
        Some(domain) => host.find('.').is_some_and(|dot| {
            dot > 0 && domain[1..].contains(&b'.') && domain.eq_ignore_ascii_case(&host.as_bytes()[dot..])
        }),
    }
}

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
/// `[3]` of a TBSCertificate: its extensions (RFC 5280 §4.1).
const EXTENSIONS: u8 = 0xa3;
/// `[2]` of a GeneralName (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = 0x82;
/// id-ce-subjectAltName, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The content of the subject's alternative names.
fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = content(certificate, SEQUENCE)?;
    let to_be_signed = content(certificate, SEQUENCE)?;
    let extensions = content(find(to_be_signed, EXTENSIONS)?, SEQUENCE)?;
    Fields(extensions).find_map(|extension| {
        let (_, extension) = extension.filter(|(tag, _)| *tag == SEQUENCE)?;
        let is_it = content(extension, OBJECT)? == SUBJECT_ALT_NAME;
        if is_it { content(find(extension, OCTETS)?, SEQUENCE) } else { None }
    })
}

/// The content of the field that `bytes` begin with, if it has this tag.
fn content(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    Fields(bytes).next()?.filter(|(own, _)| *own == tag).map(|(_, content)| content)
}

/// The content of the first field with this tag.
fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    Fields(bytes).map_while(|field| field).find(|(own, _)| *own == tag).map(|(_, content)| content)
}

/// The fields of a sequence in DER: tag and content. `None` for the rest that is none.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
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
fn field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of DER.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut bytes = match length {
            0..=0x7f => vec![tag, length as u8],
            0x80..=0xff => vec![tag, 0x81, length as u8],
            _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        };
        bytes.extend(content);
        bytes
    }

    fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
        der(SEQUENCE, &[der(OBJECT, oid), der(0x01, &[0xff]), der(OCTETS, value)].concat())
    }

    /// A certificate with these names, and with a body like others'.
    fn certificate(names: &[&str]) -> Vec<u8> {
        let names: Vec<_> = names.iter().flat_map(|name| der(DNS_NAME, name.as_bytes())).collect();
        let address = der(0x87, &[127, 0, 0, 1]);
        let extensions = [
            extension(&[0x55, 0x1d, 0x0f], &[0x03, 0x02, 0x05, 0xa0]),
            extension(SUBJECT_ALT_NAME, &der(SEQUENCE, &[address, names].concat())),
        ];
        let body = [
            der(0xa0, &der(0x02, &[2])),
            der(0x02, &[1; 20]),
            der(SEQUENCE, &der(OBJECT, &[0x2a])),
            der(SEQUENCE, &der(DNS_NAME, b"-subject.test")),
            der(EXTENSIONS, &der(SEQUENCE, &extensions.concat())),
        ];
        let signed = [der(SEQUENCE, &body.concat()), der(SEQUENCE, &[]), der(0x03, &[0; 65])];
        der(SEQUENCE, &signed.concat())
    }

    #[test]
    fn a_host_is_named_by_itself_or_by_its_domains_wildcard() {
        let own = certificate(&["a.test", "-b-.blogs.test", "*.wild.test"]);
        for host in ["-b-.blogs.test", "-x.wild.test", "x-.wild.test"] {
            assert!(names(&own, host), "{host}");
        }
        for host in
            ["-c-.blogs.test", "b-.blogs.test", "-x.y-.wild.test", "wild.test", ".wild.test", "-subject.test", ""]
        {
            assert!(!names(&own, host), "{host}");
        }
        assert!(names(&certificate(&["*.BLOGS.test"]), "a-.blogs.test"));
        for (name, host) in
            [("*.test", "a-.test"), ("*", "-"), ("a-*.b.test", "a-b.b.test"), ("*a-.b.test", "xa-.b.test")]
        {
            assert!(!names(&certificate(&[name]), host), "{name}");
        }
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        let whole = certificate(&["-a.test"]);
        assert!(names(&whole, "-a.test"));
        for end in 0..whole.len() {
            assert!(!names(&whole[..end], "-a.test"), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut other = whole.clone();
            for byte in 0..=255 {
                other[at] = byte;
                let _ = names(&other, "-a.test");
            }
        }
        assert!(!names(b"", "") && !names(&[0x30, 0x80], "") && !names(&[0x30, 0x84, 0, 0, 0, 1, 0], ""));
    }
}
