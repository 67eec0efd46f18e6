//! What a certificate says of what it may be used for. Pure.
//!
//! webpki builds the path from a server's certificate to a root and checks names, dates, signatures, basic constraints, extended key
//! usage and name constraints along it. It takes a root for granted, whatever its certificate says, and never looks at a key usage.
//! OpenSSL does, and with it curl; the rules here are those of its `check_ca` and `check_purpose_ssl_server`.

use std::error::Error;
use std::fmt;

use super::der::{BITS, BOOLEAN, DerFields, INTEGER, OBJECT, OCTETS, SEQUENCE, content, find};

/// `[0]` of a TBSCertificate: its version (RFC 5280 §4.1).
const VERSION: u8 = 0xa0;
/// `[3]` of a TBSCertificate: its extensions.
pub(super) const EXTENSIONS: u8 = 0xa3;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Extensions by their object identifiers: id-ce, 2.5.29, and Netscape's type of a certificate.
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const NETSCAPE_TYPE: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x01, 0x01];

/// The extensions that OpenSSL knows, by their last number below id-ce: a root may make a condition of each. Alternative names, and
/// what policies there are, say nothing against a root; name constraints are webpki's affair.
const KNOWN: [u8; 10] = [15, 17, 19, 30, 31, 32, 33, 36, 37, 54];

/// What a key may be used for, as [`EXTENDED_KEY_USAGE`] lists it: serverAuth, and what it was called by Netscape and Microsoft.
const FOR_SERVERS: [&[u8]; 3] = [
    SERVER_AUTH,
    &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x04, 0x01],
    &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0a, 0x03, 0x03],
];
pub(super) const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
pub(super) const ANY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];

/// Bits of a key usage (RFC 5280 §4.2.1.3), the first of them the highest.
const SIGNS_CERTIFICATES: u8 = 0x04;
/// To sign, to encipher a key or to agree on one.
const TLS: u8 = 0x80 | 0x20 | 0x08;
/// Of Netscape's type: an authority for TLS.
const NETSCAPE_AUTHORITY: u8 = 0x04;

/// Why a certificate may not be used for what it was to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateUseError {
    RootUnreadable,
    RootNotAnAuthority,
    RootNotForServers,
    RootMakesConditions,
    RootExpired,
    RootNotYetValid,
    RootTooFar,
    IssuerDoesNotSign,
    NotForTls,
    NotForServers,
}

impl fmt::Display for CertificateUseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RootUnreadable => "the root that issued the certificate can't be read",
            Self::RootNotAnAuthority => {
                "the certificate was issued by one that is trusted itself but may not issue any (no CA:TRUE, or a key usage without \
                 keyCertSign)"
            }
            Self::RootNotForServers => {
                "the certificate's root is not meant for servers (its extended key usage has no serverAuth)"
            }
            Self::RootMakesConditions => {
                "the certificate's root makes a condition that haul does not know (a critical extension)"
            }
            Self::RootExpired => "the certificate's root has expired",
            Self::RootNotYetValid => "the certificate's root is not valid yet",
            Self::RootTooFar => "there are more issuers between the certificate and its root than the root allows",
            Self::IssuerDoesNotSign => {
                "one of the certificate's issuers may not issue any (its key usage has no keyCertSign)"
            }
            Self::NotForTls => {
                "the certificate's key is not for TLS: it may neither sign, nor encipher keys, nor agree on them (key usage)"
            }
            Self::NotForServers => "the certificate is not meant for servers (extended key usage)",
        })
    }
}

impl Error for CertificateUseError {}

/// A certificate's parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'a> {
    is_v1: bool,
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    /// The key's algorithm, and its bits.
    key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate in DER.
    pub(super) fn read(certificate: &'a [u8]) -> Option<Self> {
        let to_be_signed = content(content(certificate, SEQUENCE)?, SEQUENCE)?;
        let mut fields = DerFields(to_be_signed).map_while(|field| field).peekable();
        let version = fields.next_if(|(tag, _)| *tag == VERSION);
        fields.next().filter(|(tag, _)| *tag == INTEGER)?;
        let mut part = || fields.next().filter(|(tag, _)| *tag == SEQUENCE).map(|(_, content)| content);
        let _signature = part()?;
        let (issuer, validity, subject, key) = (part()?, part()?, part()?, part()?);
        let extensions = match find(to_be_signed, EXTENSIONS) {
            Some(list) => content(list, SEQUENCE)?,
            None => &[],
        };
        let is_v1 = version.is_none_or(|(_, number)| content(number, INTEGER) == Some(&[0]));
        Some(Self { is_v1, issuer, validity, subject, key, extensions })
    }

    /// The extensions: identifier, whether it is critical, value.
    fn all_extensions(&self) -> impl Iterator<Item = (&'a [u8], bool, &'a [u8])> {
        DerFields(self.extensions).filter_map(|extension| {
            let (_, extension) = extension.filter(|(tag, _)| *tag == SEQUENCE)?;
            let critical = find(extension, BOOLEAN).is_some_and(|value| value != [0]);
            Some((content(extension, OBJECT)?, critical, find(extension, OCTETS)?))
        })
    }

    /// The value of an extension.
    pub(super) fn extension(&self, id: &[u8]) -> Option<&'a [u8]> {
        self.all_extensions().find(|(own, ..)| *own == id).map(|(.., value)| value)
    }

    /// The first byte of an extension that is a row of bits.
    fn bits(&self, id: &[u8]) -> Option<u8> {
        let value = self.extension(id)?;
        // Before the bits is how many of the last byte are unused. None at all allow nothing.
        Some(content(value, BITS).and_then(|bits| bits.get(1).copied()).unwrap_or(0))
    }

    fn key_usage_without(&self, wanted: u8) -> bool {
        self.bits(KEY_USAGE).is_some_and(|usage| usage & wanted == 0)
    }

    /// Whether the certificate of an intermediate issuer, which webpki has looked at, may sign others.
    pub(super) fn may_sign(&self) -> Result<(), CertificateUseError> {
        if self.key_usage_without(SIGNS_CERTIFICATES) { Err(CertificateUseError::IssuerDoesNotSign) } else { Ok(()) }
    }

    /// Whether a server may use its certificate for TLS, as far as webpki does not look at it.
    pub(super) fn may_serve(&self) -> Result<(), CertificateUseError> {
        if self.key_usage_without(TLS) {
            return Err(CertificateUseError::NotForTls);
        }
        // webpki has looked at this, but for a certificate that is trusted for being given.
        if self.is_for_servers() { Ok(()) } else { Err(CertificateUseError::NotForServers) }
    }

    fn is_for_servers(&self) -> bool {
        let Some(usages) = self.extension(EXTENDED_KEY_USAGE) else { return true };
        let usages = DerFields(content(usages, SEQUENCE).unwrap_or(&[]));
        usages.flatten().any(|(_, usage)| FOR_SERVERS.contains(&usage))
    }

    /// Whether a root may issue others, as OpenSSL sees it: basic constraints decide where there are any, else version 1 does for one
    /// that is signed by itself, else a key usage, else Netscape's type. A certificate that says nothing is nobody's issuer.
    fn may_issue(&self) -> Result<(), CertificateUseError> {
        let is_authority = !self.key_usage_without(SIGNS_CERTIFICATES)
            && match self.extension(BASIC_CONSTRAINTS) {
                Some(constraints) => {
                    content(constraints, SEQUENCE).and_then(|all| content(all, BOOLEAN)).is_some_and(|ca| ca != [0])
                }
                None if self.is_v1 => self.issuer == self.subject,
                None => {
                    self.bits(KEY_USAGE).is_some()
                        || self.bits(NETSCAPE_TYPE).is_some_and(|kind| kind & NETSCAPE_AUTHORITY != 0)
                }
            };
        if !is_authority {
            return Err(CertificateUseError::RootNotAnAuthority);
        }
        if !self.is_for_servers() {
            return Err(CertificateUseError::RootNotForServers);
        }
        let is_known = |id: &[u8]| match id.strip_prefix(&[0x55, 0x1d]) {
            Some([last]) => KNOWN.contains(last),
            _ => id == NETSCAPE_TYPE,
        };
        if self.all_extensions().any(|(id, critical, _)| critical && !is_known(id)) {
            return Err(CertificateUseError::RootMakesConditions);
        }
        Ok(())
    }

    /// The most issuers that a root allows below it.
    fn path_length(&self) -> Option<usize> {
        let length = find(content(self.extension(BASIC_CONSTRAINTS)?, SEQUENCE)?, INTEGER)?;
        Some(length.iter().fold(0_usize, |sum, byte| sum.saturating_mul(256).saturating_add(usize::from(*byte))))
    }

    /// The first and the last second that it is valid in.
    fn validity(&self) -> Option<(u64, u64)> {
        let mut times = DerFields(self.validity).map(|time| time.and_then(|(tag, digits)| seconds(tag, digits)));
        Some((times.next()??, times.next()??))
    }

    /// The bits of the public key, without its algorithm.
    pub(super) fn public_key(&self) -> Option<&'a [u8]> {
        public_bits(self.key)
    }
}

/// The bits of a SubjectPublicKeyInfo's content.
pub(super) fn public_bits(key: &[u8]) -> Option<&[u8]> {
    find(key, BITS)
}

/// Under which conditions a root is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct RootConstraints {
    may_issue: Result<(), CertificateUseError>,
    from: u64,
    to: u64,
    path_length: Option<usize>,
}

impl RootConstraints {
    /// Those that a root's certificate makes.
    pub(super) fn of(certificate: &[u8]) -> Self {
        let unreadable =
            Self { may_issue: Err(CertificateUseError::RootUnreadable), from: 0, to: 0, path_length: None };
        let Some(root) = Certificate::read(certificate) else { return unreadable };
        let Some((from, to)) = root.validity() else { return unreadable };
        Self { may_issue: root.may_issue(), from, to, path_length: root.path_length() }
    }

    /// Whether they are met now by a path with so many issuers below the root.
    pub(super) fn check(&self, now: u64, issuers: usize) -> Result<(), CertificateUseError> {
        self.may_issue?;
        if now < self.from {
            return Err(CertificateUseError::RootNotYetValid);
        }
        if now > self.to {
            return Err(CertificateUseError::RootExpired);
        }
        if self.path_length.is_some_and(|most| issuers > most) { Err(CertificateUseError::RootTooFar) } else { Ok(()) }
    }
}

/// The seconds since 1970 of a time in a certificate (RFC 5280 §4.1.2.5); of one before that, 0.
fn seconds(tag: u8, digits: &[u8]) -> Option<u64> {
    let digits = digits.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(&digits[..2]);
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
        _ => return None,
    };
    let mut pairs = rest.chunks_exact(2).map(number);
    let mut pair = || pairs.next().unwrap_or(0);
    let (month, day, hour, minute, second) = (pair(), pair(), pair(), pair(), pair());
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days by a calendar whose year begins with March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let time = hour * 3_600 + minute * 60 + second;
    Some(days.checked_sub(719_468).map_or(0, |days| days * 86_400 + time))
}

#[cfg(test)]
mod tests {
    use super::super::der::der;
    use super::*;

    fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
        let critical = if critical { der(BOOLEAN, &[0xff]) } else { Vec::new() };
        der(SEQUENCE, &[der(OBJECT, id), critical, der(OCTETS, value)].concat())
    }

    fn usage(bits: u8) -> Vec<u8> {
        extension(KEY_USAGE, true, &der(BITS, &[0, bits]))
    }

    fn constraints(ca: Option<u8>, length: Option<u8>) -> Vec<u8> {
        let ca = ca.map(|ca| der(BOOLEAN, &[ca])).unwrap_or_default();
        let length = length.map(|length| der(INTEGER, &[length])).unwrap_or_default();
        extension(BASIC_CONSTRAINTS, true, &der(SEQUENCE, &[ca, length].concat()))
    }

    fn purposes(ids: &[&[u8]]) -> Vec<u8> {
        let ids: Vec<u8> = ids.iter().flat_map(|id| der(OBJECT, id)).collect();
        extension(EXTENDED_KEY_USAGE, false, &der(SEQUENCE, &ids))
    }

    /// A certificate of version 3, or of version 1 when it has no extensions at all.
    fn certificate(issuer: &[u8], extensions: Option<&[Vec<u8>]>) -> Vec<u8> {
        let version = extensions.map(|_| der(VERSION, &der(INTEGER, &[2]))).unwrap_or_default();
        let extensions = extensions.map(|all| der(EXTENSIONS, &der(SEQUENCE, &all.concat()))).unwrap_or_default();
        let body = [
            version,
            der(INTEGER, &[1; 20]),
            der(SEQUENCE, &der(OBJECT, &[0x2a])),
            der(SEQUENCE, issuer),
            der(SEQUENCE, &[der(UTC_TIME, b"200101000000Z"), der(GENERALIZED_TIME, b"20500101000000Z")].concat()),
            der(SEQUENCE, b"me"),
            der(SEQUENCE, &[der(SEQUENCE, &[]), der(BITS, &[0, 4, 1, 2])].concat()),
            extensions,
        ];
        der(SEQUENCE, &[der(SEQUENCE, &body.concat()), der(SEQUENCE, &[]), der(BITS, &[0; 65])].concat())
    }

    const NOW: u64 = 1_800_000_000;
    const CA: Option<u8> = Some(0xff);
    const UNKNOWN: &[u8] = &[0x2a, 3, 4];

    #[test]
    fn a_root_is_one_where_its_certificate_lets_it_be_one() {
        let none: &[Vec<u8>] = &[];
        for (what, issuer, extensions, expected) in [
            ("CA:TRUE", "me", Some(&[constraints(CA, None)][..]), Ok(())),
            ("issued by another", "other", Some(&[constraints(CA, None)]), Ok(())),
            ("CA:TRUE, and keyCertSign", "me", Some(&[constraints(CA, None), usage(0x06)]), Ok(())),
            (
                "CA:TRUE without keyCertSign",
                "me",
                Some(&[constraints(CA, None), usage(0x80)]),
                Err(CertificateUseError::RootNotAnAuthority),
            ),
            (
                "CA:TRUE with an empty usage",
                "me",
                Some(&[constraints(CA, None), usage(0)]),
                Err(CertificateUseError::RootNotAnAuthority),
            ),
            ("CA:FALSE", "me", Some(&[constraints(Some(0), None)]), Err(CertificateUseError::RootNotAnAuthority)),
            (
                "CA:FALSE by saying nothing",
                "me",
                Some(&[constraints(None, None)]),
                Err(CertificateUseError::RootNotAnAuthority),
            ),
            (
                "CA:FALSE with keyCertSign",
                "me",
                Some(&[constraints(None, None), usage(0x04)]),
                Err(CertificateUseError::RootNotAnAuthority),
            ),
            ("no constraints", "me", Some(none), Err(CertificateUseError::RootNotAnAuthority)),
            ("keyCertSign alone", "me", Some(&[usage(0x04)]), Ok(())),
            ("digitalSignature alone", "me", Some(&[usage(0x80)]), Err(CertificateUseError::RootNotAnAuthority)),
            ("Netscape's authority", "me", Some(&[extension(NETSCAPE_TYPE, false, &der(BITS, &[2, 4]))]), Ok(())),
            (
                "Netscape's server",
                "me",
                Some(&[extension(NETSCAPE_TYPE, false, &der(BITS, &[6, 0x40]))]),
                Err(CertificateUseError::RootNotAnAuthority),
            ),
            ("version 1", "me", None, Ok(())),
            ("version 1, issued by another", "other", None, Err(CertificateUseError::RootNotAnAuthority)),
            ("for servers", "me", Some(&[constraints(CA, None), purposes(&[UNKNOWN, SERVER_AUTH])]), Ok(())),
            ("for servers of old", "me", Some(&[constraints(CA, None), purposes(&[FOR_SERVERS[1]])]), Ok(())),
            (
                "for others",
                "me",
                Some(&[constraints(CA, None), purposes(&[UNKNOWN])]),
                Err(CertificateUseError::RootNotForServers),
            ),
            (
                "for anything",
                "me",
                Some(&[constraints(CA, None), purposes(&[ANY_USAGE])]),
                Err(CertificateUseError::RootNotForServers),
            ),
            (
                "for nothing",
                "me",
                Some(&[constraints(CA, None), purposes(&[])]),
                Err(CertificateUseError::RootNotForServers),
            ),
            (
                "an unknown condition",
                "me",
                Some(&[constraints(CA, None), extension(UNKNOWN, true, &[5, 0])]),
                Err(CertificateUseError::RootMakesConditions),
            ),
            (
                "an unknown one below id-ce",
                "me",
                Some(&[constraints(CA, None), extension(&[0x55, 0x1d, 99], true, &[5, 0])]),
                Err(CertificateUseError::RootMakesConditions),
            ),
            ("an unknown word", "me", Some(&[constraints(CA, None), extension(UNKNOWN, false, &[5, 0])]), Ok(())),
            ("policies", "me", Some(&[constraints(CA, None), extension(&[0x55, 0x1d, 32], true, &[5, 0])]), Ok(())),
        ] {
            let constraints = RootConstraints::of(&certificate(issuer.as_bytes(), extensions));
            assert_eq!(constraints.check(NOW, 9), expected, "{what}");
        }
    }

    #[test]
    fn a_root_is_one_in_its_time_and_for_so_many_issuers() {
        let root = RootConstraints::of(&certificate(b"me", Some(&[constraints(CA, Some(1))])));
        let (from, to) = (1_577_836_800, 2_524_608_000);
        for (now, issuers, expected) in [
            (from - 1, 0, Err(CertificateUseError::RootNotYetValid)),
            (from, 0, Ok(())),
            (to, 1, Ok(())),
            (to + 1, 1, Err(CertificateUseError::RootExpired)),
            (NOW, 2, Err(CertificateUseError::RootTooFar)),
        ] {
            assert_eq!(root.check(now, issuers), expected, "{now} {issuers}");
        }
        assert_eq!(RootConstraints::of(b"nothing").check(NOW, 0), Err(CertificateUseError::RootUnreadable));
    }

    #[test]
    fn a_server_s_key_has_to_be_for_tls_and_an_issuer_s_for_certificates() {
        for (bits, serves, signs) in [
            (0x80, true, false),
            (0x20, true, false),
            (0x08, true, false),
            (0x04, false, true),
            (0x06, false, true),
            (0x84, true, true),
            (0x40, false, false),
            (0, false, false),
        ] {
            let own = certificate(b"other", Some(&[usage(bits)]));
            let own = Certificate::read(&own).expect("readable");
            assert_eq!((own.may_serve().is_ok(), own.may_sign().is_ok()), (serves, signs), "{bits:x}");
        }
        let own = certificate(b"other", Some(&[constraints(None, None)]));
        let own = Certificate::read(&own).expect("readable");
        assert_eq!((own.may_serve(), own.may_sign()), (Ok(()), Ok(())));
        assert_eq!(own.public_key(), Some(&[0, 4, 1, 2][..]));
    }

    #[test]
    fn a_server_s_certificate_has_to_be_for_servers() {
        for (purposes, expected) in [
            (purposes(&[SERVER_AUTH]), Ok(())),
            (purposes(&[UNKNOWN, FOR_SERVERS[2]]), Ok(())),
            (purposes(&[UNKNOWN]), Err(CertificateUseError::NotForServers)),
            (purposes(&[ANY_USAGE]), Err(CertificateUseError::NotForServers)),
            (purposes(&[]), Err(CertificateUseError::NotForServers)),
            (extension(EXTENDED_KEY_USAGE, false, b"?"), Err(CertificateUseError::NotForServers)),
        ] {
            let own = certificate(b"me", Some(&[constraints(CA, None), purposes]));
            assert_eq!(Certificate::read(&own).expect("readable").may_serve(), expected);
        }
    }

    #[test]
    fn times_are_seconds() {
        for (tag, digits, expected) in [
            (UTC_TIME, &b"700101000000Z"[..], Some(0)),
            (UTC_TIME, b"691231235959Z", Some(0)),
            (UTC_TIME, b"991231235959Z", Some(946_684_799)),
            (UTC_TIME, b"000229120000Z", Some(951_825_600)),
            (UTC_TIME, b"000301000000Z", Some(951_868_800)),
            (UTC_TIME, b"491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, b"500101000000Z", Some(0)),
            (GENERALIZED_TIME, b"20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, b"99991231235959Z", Some(253_402_300_799)),
            (GENERALIZED_TIME, b"00000101000000Z", None),
            (UTC_TIME, b"001301000000Z", None),
            (UTC_TIME, b"000001000000Z", None),
            (UTC_TIME, b"7001010000Z", None),
            (UTC_TIME, b"700101000000", None),
            (UTC_TIME, b"70010100000aZ", None),
            (OBJECT, b"700101000000Z", None),
        ] {
            assert_eq!(seconds(tag, digits), expected, "{}", String::from_utf8_lossy(digits));
        }
    }

    #[test]
    fn what_is_no_certificate_is_no_root() {
        let whole = certificate(b"me", Some(&[constraints(CA, Some(3)), purposes(&[SERVER_AUTH]), usage(4)]));
        assert_eq!(RootConstraints::of(&whole).check(NOW, 0), Ok(()));
        for end in 0..whole.len() {
            assert!(RootConstraints::of(&whole[..end]).check(NOW, 0).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut other = whole.clone();
            for byte in 0..=255 {
                other[at] = byte;
                let _ = RootConstraints::of(&other).check(NOW, 0);
                let _ = Certificate::read(&other).map(|other| (other.may_serve(), other.public_key().is_some()));
            }
        }
    }
}
