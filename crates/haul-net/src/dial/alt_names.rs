//! The DNS names of a certificate, and whether one of them is a host's. Pure.
//!
//! Only for hosts whose names rustls has no word for (`sni_rewrite.rs`), and for names that it does not take for ones; the others are
//! rustls' own affair.

use super::certificate::{Certificate, SUBJECT_ALT_NAME};
use super::der::{DerFields, SEQUENCE, content};

/// `[2]` of a GeneralName (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = 0x82;

/// Whether a certificate in DER names `host`: exactly, or by a wildcard for its first label (RFC 9525 §6.3).
pub(super) fn names(certificate: &[u8], host: &str) -> bool {
    let Some(names) = alternative_names(certificate) else { return false };
    DerFields(names).any(|field| field.is_some_and(|(tag, name)| tag == DNS_NAME && is_for(name, host)))
}

/// The same by a name that ends with a dot, which RFC 5280 §4.2.1.6 has no place for, and which webpki takes for none.
pub(super) fn names_with_a_final_dot(certificate: &[u8], host: &str) -> bool {
    let Some(names) = alternative_names(certificate) else { return false };
    let mut dotted =
        DerFields(names).flatten().filter(|(tag, _)| *tag == DNS_NAME).filter_map(|(_, name)| name.strip_suffix(b"."));
    dotted.any(|name| is_for(name, host))
}

/// Whether a name of a certificate is for `host`. The wildcard stands for one label, of a domain of two labels at least.
fn is_for(name: &[u8], host: &str) -> bool {
    let domain = name.strip_prefix(b"*").filter(|domain| domain.first() == Some(&b'.'));
    match domain {
        None => !name.is_empty() && name.eq_ignore_ascii_case(host.as_bytes()),
        Some(domain) => host.find('.').is_some_and(|dot| {
            dot > 0 && domain[1..].contains(&b'.') && domain.eq_ignore_ascii_case(&host.as_bytes()[dot..])
        }),
    }
}

/// The content of the subject's alternative names.
fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    content(Certificate::read(certificate)?.extension(SUBJECT_ALT_NAME)?, SEQUENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial::certificate::EXTENSIONS;
    use crate::dial::der::{OBJECT, OCTETS, der};

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
            der(SEQUENCE, &der(DNS_NAME, b"-issuer.test")),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &der(DNS_NAME, b"-subject.test")),
            der(SEQUENCE, &[]),
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
    fn a_name_with_a_final_dot_is_the_one_without() {
        let own = certificate(&["a.test", "b.test.", "*.c.test.", "d.test..", ".", "*.e."]);
        for (host, named) in [
            ("b.test", true),
            ("B.Test", true),
            ("x.c.test", true),
            ("a.test", false),
            ("c.test", false),
            ("x.y.c.test", false),
            ("d.test", false),
            ("x.e", false),
            ("", false),
        ] {
            assert_eq!(names_with_a_final_dot(&own, host), named, "{host}");
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
