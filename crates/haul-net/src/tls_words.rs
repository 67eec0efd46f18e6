//! What the errors of rustls and webpki mean, in plain words. Pure.
//!
//! Both print most of their errors as the names of their variants. Nobody should have to know those: each says here what
//! happened and, where something can be done, what.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use haul_core::config::Setting;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved};
use rustls_pki_types::UnixTime;
use webpki::Error as PkiError;

/// The names of a certificate that a sentence has room for.
const NAMED: usize = 5;

/// What haul does not speak of what servers may insist on.
const UNSPOKEN: &str = "haul does not speak CBC ciphers, RSA or DHE key exchange, curves other than X25519, P-256, P-384 and P-521, nor \
    keys of DSA or Ed448";

/// An error of TLS on an open connection, in the place of rustls's own.
#[derive(Debug)]
pub(crate) struct TlsStreamError(pub(crate) Error);

impl fmt::Display for TlsStreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(&self.0))
    }
}

impl StdError for TlsStreamError {}

/// The same error, with its text in plain words when it is one of TLS.
pub(crate) fn plain(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(tls) => io::Error::new(error.kind(), TlsStreamError(tls.clone())),
        None => error,
    }
}

/// The alerts by which a server refuses a handshake for good that is over for the client: it looks at the client's certificate, and at
/// the signature with its key, after that (RFC 8446 §4.4.2.4, §6.2).
const REFUSALS: [AlertDescription; 12] = [
    AlertDescription::HandshakeFailure,
    AlertDescription::NoCertificate,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
    AlertDescription::DecryptError,
    AlertDescription::InsufficientSecurity,
    AlertDescription::CertificateRequired,
];

/// The words for an error if it is a server's refusal of the handshake.
pub(crate) fn refusal(error: &Error) -> Option<String> {
    let Error::AlertReceived(alert) = error else { return None };
    REFUSALS.contains(alert).then(|| words(error))
}

/// Whether a text is [`refusal`]'s, of an error of which nothing else is left.
pub(crate) fn is_refusal(text: &str) -> bool {
    REFUSALS.into_iter().any(|refusal| alert(refusal) == text)
}

/// Whether an alert says that nothing is wrong with what it ends: the server failed, changed its mind, or something was damaged on
/// its way (RFC 8446 §6.1, §6.2). The next handshake may well succeed.
pub(crate) const fn may_pass(alert: AlertDescription) -> bool {
    matches!(alert, AlertDescription::InternalError | AlertDescription::UserCanceled | AlertDescription::BadRecordMac)
}

/// The words for an error. They go on after a colon.
pub(crate) fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(reason) => certificate(reason),
        Error::AlertReceived(alert) => self::alert(*alert),
        Error::PeerIncompatible(reason) => incompatible(reason),
        Error::PeerMisbehaved(what) => format!("the server broke the rules of TLS: {}", misbehaved(what)),
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            "the server does not speak TLS; is it an http:// server?".to_owned()
        }
        Error::InvalidMessage(what) => {
            format!("the server sent a TLS message that can't be read: {}", unreadable(what))
        }
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server sent a TLS message out of turn".to_owned()
        }
        Error::NoCertificatesPresented => "the server showed no certificate".to_owned(),
        Error::UnsupportedNameType => "certificates can't be checked for a name of this form".to_owned(),
        Error::DecryptError => {
            "what the server sent can't be decrypted: it was damaged or changed on its way".to_owned()
        }
        Error::PeerSentOversizedRecord => "the server sent a TLS record longer than TLS allows".to_owned(),
        Error::NoApplicationProtocol => "the server speaks none of the protocols offered (HTTP/2, HTTP/1.1)".to_owned(),
        Error::InvalidEncryptedClientHello(_) => "encrypting the server's name (ECH) failed".to_owned(),
        Error::InvalidCertRevocationList(_) => "the list of revoked certificates can't be used".to_owned(),
        Error::InconsistentKeys(_) => "the private key does not belong to the certificate".to_owned(),
        Error::FailedToGetCurrentTime => "this machine does not say what time it is".to_owned(),
        Error::FailedToGetRandomBytes => "this machine gives no random numbers".to_owned(),
        Error::EncryptError | Error::HandshakeNotComplete | Error::BadMaxFragmentSize => {
            "TLS was used in a way that it can't be; this is an error in haul".to_owned()
        }
        Error::General(text) => text.clone(),
        Error::Other(other) => self::other(other),
        _ => "TLS failed in a way that haul has no words for".to_owned(),
    }
}

/// An error in an error: webpki's, or one of a TLS configuration that the user has made, which has its own words.
fn other(error: &OtherError) -> String {
    error.0.downcast_ref().map_or_else(|| error.0.to_string(), pki)
}

fn certificate(reason: &CertificateError) -> String {
    use CertificateError as Reason;
    let what = match reason {
        Reason::BadEncoding => "can't be read",
        Reason::Expired => "has expired",
        Reason::ExpiredContext { time, not_after } => {
            return format!("the certificate expired on {}, {} ago", date(*not_after), days(*not_after, *time));
        }
        Reason::NotValidYet => "is not valid yet",
        Reason::NotValidYetContext { time, not_before } => {
            return format!(
                "the certificate is not valid before {}, in {}",
                date(*not_before),
                days(*time, *not_before)
            );
        }
        Reason::Revoked => "has been revoked",
        Reason::UnhandledCriticalExtension => "makes a condition that haul does not know (a critical extension)",
        Reason::UnknownIssuer => "was issued by nobody who is trusted",
        Reason::UnknownRevocationStatus => "may have been revoked; nothing says whether",
        Reason::ExpiredRevocationList | Reason::ExpiredRevocationListContext { .. } => {
            "may have been revoked; the list that says so is out of date"
        }
        Reason::BadSignature => {
            return "a signature of the certificate or the handshake is wrong, or made with an RSA key of fewer than 2048 bits, which \
                haul does not take"
                .to_owned();
        }
        Reason::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            return format!(
                "the certificate, or its issuer's, is signed in a way that haul does not check{}",
                algorithm(signature_algorithm_id)
            );
        }
        Reason::UnsupportedSignatureAlgorithmForPublicKeyContext { public_key_algorithm_id, .. } => {
            return format!(
                "the certificate's key, or its issuer's, is of a kind or size that haul does not use{}",
                algorithm(public_key_algorithm_id)
            );
        }
        Reason::NotValidForName => "is for another name",
        Reason::NotValidForNameContext { expected, presented } => return names(&expected.to_str(), presented),
        Reason::InvalidPurpose | Reason::InvalidPurposeContext { .. } => {
            "is not meant for servers (extended key usage)"
        }
        Reason::InvalidOcspResponse => "comes with a false statement about its revocation (OCSP)",
        Reason::ApplicationVerificationFailure => "was refused",
        Reason::Other(error) => return other(error),
        #[expect(deprecated, reason = "rustls still makes it")]
        Reason::UnsupportedSignatureAlgorithm => "is signed in a way that haul does not check, such as SHA-1",
        _ => "was refused for a reason that haul has no words for",
    };
    format!("the certificate {what}")
}

/// Which names a certificate has instead of the one that is wanted.
fn names(expected: &str, presented: &[String]) -> String {
    let (mut counting, mut others) = (Vec::new(), 0);
    for name in presented {
        match PresentedName::of(name) {
            PresentedName::Dns(name) if name == expected && name.parse::<IpAddr>().is_ok() => {
                return format!(
                    "the certificate is for {expected} as a DNS name, which an address can't have; it has to be an IP address in \
                     subjectAltName"
                );
            }
            PresentedName::Dns(name) => counting.push(printable(name)),
            PresentedName::Address(address) => counting.push(address),
            PresentedName::Other => others += 1,
        }
    }
    match counting.split_at(counting.len().min(NAMED)) {
        ([], _) if others > 0 => format!(
            "the certificate is not for {expected}: its names (subjectAltName) are for mail, URIs or others, and none for a server; its \
             common name does not count"
        ),
        ([], _) => format!(
            "the certificate is not for {expected}: it has no name that counts (subjectAltName; its common name does not)"
        ),
        (first, []) => format!("the certificate is not for {expected}, only for {}", first.join(", ")),
        (first, more) => {
            format!("the certificate is not for {expected}, only for {} and {} more", first.join(", "), more.len())
        }
    }
}

/// Whether a name that webpki has found in a certificate can be a server's.
pub(crate) fn is_a_server_s(name: &str) -> bool {
    !matches!(PresentedName::of(name), PresentedName::Other)
}

/// A name as webpki writes it: `DnsName("a.test")`.
enum PresentedName<'a> {
    Dns(&'a str),
    Address(String),
    /// Of a kind that no server is asked for by: mail, URIs, directories.
    Other,
}

impl<'a> PresentedName<'a> {
    fn of(name: &'a str) -> Self {
        let Some((kind, inner)) = name.strip_suffix(')').and_then(|name| name.split_once('(')) else {
            return Self::Other;
        };
        match kind {
            "DnsName" => Self::Dns(inner.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(inner)),
            // webpki's own form of IPv6 is nearly the usual one.
            "IpAddress" => {
                Self::Address(inner.parse().map_or_else(|_| printable(inner), |address: IpAddr| address.to_string()))
            }
            _ => Self::Other,
        }
    }
}

/// What is in a name was written by a stranger.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(255).collect()
}

/// The algorithms people meet, by the content of their AlgorithmIdentifiers: an object identifier and what may follow it.
fn algorithm(id: &[u8]) -> String {
    let parts = id
        .strip_prefix(&[0x06])
        .and_then(|rest| rest.split_first())
        .and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
    let Some((id, parameters)) = parts else { return String::new() };
    let name = match id {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last] => match last {
            2 => "RSA with MD2",
            4 => "RSA with MD5",
            5 => "RSA with SHA-1",
            10 => "RSA-PSS",
            14 => "RSA with SHA-224",
            _ => "RSA",
        },
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] => "ECDSA with SHA-1",
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x01] => "ECDSA with SHA-224",
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, _] => "ECDSA",
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => match parameters {
            [0x30, ..] => "an elliptic curve with explicit parameters",
            [0x06, _, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, ..] => "a brainpool curve",
            [0x06, 5, 0x2b, 0x81, 0x04, 0x00, 0x0a] => "the curve secp256k1",
            _ => "an elliptic curve",
        },
        [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, ..] | [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 1 | 2] => "DSA",
        [0x2b, 0x65, 0x71] => "Ed448",
        [0x2b, 0x65, 0x70] => "Ed25519",
        _ => return String::new(),
    };
    format!(" ({name})")
}

fn date(time: UnixTime) -> String {
    let system = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs().min(253_402_300_799)));
    httpdate::fmt_http_date(system.unwrap_or(SystemTime::UNIX_EPOCH))
}

fn days(from: UnixTime, to: UnixTime) -> String {
    match to.as_secs().saturating_sub(from.as_secs()) / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn pki(error: &PkiError) -> String {
    let what = match error {
        PkiError::CaUsedAsEndEntity => {
            "is one for issuing certificates (CA:TRUE), as self-signed ones often are: it is trusted only where it is given itself"
        }
        PkiError::EndEntityUsedAsCa => "was issued by one that may not issue any (CA:FALSE)",
        PkiError::CertDistrusted => "has a key that is not trusted",
        PkiError::EmptyEkuExtension | PkiError::RequiredEkuNotFoundContext(_) => {
            "is not meant for servers (extended key usage)"
        }
        PkiError::NameConstraintViolation => {
            "has a name that its issuer may not give (name constraints; one on directory names can't be checked and counts as broken)"
        }
        PkiError::PathLenConstraintViolated | PkiError::MaximumPathDepthExceeded => {
            "has too many issuers between it and a root"
        }
        PkiError::MaximumNameConstraintComparisonsExceeded
        | PkiError::MaximumPathBuildCallsExceeded
        | PkiError::MaximumSignatureChecksExceeded => "comes with so many others that checking them takes too long",
        PkiError::UnsupportedCertVersion => {
            "is of X.509 version 1, and only version 3 can be checked; openssl x509 -req makes such a one without -extfile"
        }
        PkiError::UnsupportedCriticalExtension => "makes a condition that haul does not know (a critical extension)",
        PkiError::SignatureAlgorithmMismatch => "names two different algorithms for its signature",
        PkiError::InvalidSerialNumber => "has a serial number that is not allowed",
        PkiError::CertExpired { .. } | PkiError::InvalidCertValidity => "has expired, or ends before it begins",
        PkiError::CertNotValidYet { .. } => "is not valid yet",
        PkiError::CertNotValidForName(_) => "is for another name",
        PkiError::CertRevoked => "has been revoked",
        PkiError::UnknownIssuer => "was issued by nobody who is trusted",
        PkiError::UnknownRevocationStatus | PkiError::CrlExpired { .. } => {
            "may have been revoked; nothing says whether"
        }
        PkiError::InvalidSignatureForPublicKey => "was not signed by its issuer",
        PkiError::UnsupportedSignatureAlgorithmContext(_) => "is signed in a way that haul does not check",
        PkiError::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "has a key of a kind or size that haul does not use"
        }
        PkiError::BadDer
        | PkiError::BadDerTime
        | PkiError::TrailingData(_)
        | PkiError::ExtensionValueInvalid
        | PkiError::MalformedExtensions => "can't be read: it is not in the form that X.509 gives it",
        PkiError::MalformedDnsIdentifier
        | PkiError::MalformedNameConstraint
        | PkiError::InvalidNetworkMaskConstraint
        | PkiError::UnsupportedNameType => "has a name that can't be one",
        _ => "was refused for a reason that haul has no words for",
    };
    format!("the certificate {what}")
}

fn alert(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::HandshakeFailure | Alert::InsufficientSecurity => format!(
            "the server found nothing that both speak (alert {}): it probably wants something old or rare ({UNSPOKEN}), or a client \
             certificate",
            named(alert)
        ),
        Alert::ProtocolVersion => format!(
            "the server speaks neither TLS 1.3 nor 1.2 (alert {}), only older versions probably, which haul does not speak",
            named(alert)
        ),
        Alert::CertificateRequired | Alert::NoCertificate => {
            let (certificate, key) = (Setting::ClientCertificate, Setting::ClientKey);
            format!("the server wants a client certificate; give one with `{certificate}` and `{key}`")
        }
        Alert::UnrecognisedName => "the server has no site of this name (alert unrecognized_name)".to_owned(),
        Alert::NoApplicationProtocol => {
            "the server speaks none of the protocols offered, HTTP/2 and HTTP/1.1 (alert no_application_protocol)"
                .to_owned()
        }
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::AccessDenied => {
            format!("the server does not accept the client certificate, or that there is none (alert {})", named(alert))
        }
        Alert::DecryptError => {
            "the server could not check what was signed or hashed here (alert decrypt_error); the client \
            certificate's key may be another than the server knows"
                .to_owned()
        }
        Alert::CloseNotify | Alert::UserCanceled => {
            format!("the server closed the connection (alert {})", named(alert))
        }
        Alert::InternalError => "the server failed (alert internal_error)".to_owned(),
        _ => format!("the server broke off (alert {})", named(alert)),
    }
}

/// An alert's name as RFC 8446 §6 writes it; its number for one that has none there.
fn named(alert: AlertDescription) -> String {
    let name = match u8::from(alert) {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        number => return format!("number {number}"),
    };
    name.to_owned()
}

fn incompatible(reason: &PeerIncompatible) -> String {
    use PeerIncompatible as Reason;
    let what = match reason {
        Reason::ServerDoesNotSupportTls12Or13
        | Reason::ServerTlsVersionIsDisabledByOurConfig
        | Reason::Tls12NotOffered
        | Reason::Tls12NotOfferedOrEnabled
        | Reason::SupportedVersionsExtensionRequired => {
            "a TLS version that haul does not speak, probably TLS 1.1 or older"
        }
        Reason::NoCipherSuitesInCommon => "a cipher that haul does not speak",
        Reason::NoKxGroupsInCommon | Reason::NamedGroupsExtensionRequired | Reason::KeyShareExtensionRequired => {
            "a key exchange that haul does not speak"
        }
        Reason::NoSignatureSchemesInCommon | Reason::SignatureAlgorithmsExtensionRequired => {
            "a signature that haul does not check, such as one with SHA-1, Ed448 or a short key"
        }
        Reason::NoCertificateRequestSignatureSchemesInCommon => {
            "the client certificate's key to sign in a way that it can't; another kind of key may do"
        }
        Reason::NoEcPointFormatsInCommon | Reason::EcPointsExtensionRequired | Reason::UncompressedEcPointsRequired => {
            "its key exchange written in a form that haul does not speak"
        }
        Reason::ExtendedMasterSecretExtensionRequired => "TLS 1.2 without the extended master secret (RFC 7627)",
        Reason::NullCompressionRequired => "TLS with compression, which is not safe",
        _ => "something of TLS that haul does not speak",
    };
    format!("the server wants {what} ({UNSPOKEN})")
}

fn misbehaved(what: &PeerMisbehaved) -> &'static str {
    use PeerMisbehaved as What;
    match what {
        What::AttemptedDowngradeToTls12WhenTls13IsSupported => {
            "something between it and here lowered the TLS version, which TLS 1.3 forbids"
        }
        What::SelectedUnofferedApplicationProtocol
        | What::SelectedUnofferedCertCompression
        | What::SelectedUnofferedCipherSuite
        | What::SelectedUnofferedCompression
        | What::SelectedUnofferedKxGroup
        | What::SelectedUnofferedPsk
        | What::SelectedInvalidPsk
        | What::SelectedUnusableCipherSuiteForVersion
        | What::SelectedTls12UsingTls13VersionExtension
        | What::SelectedDifferentCipherSuiteAfterRetry
        | What::SignedHandshakeWithUnadvertisedSigScheme
        | What::WrongGroupForKeyShare => "it chose what was not offered",
        What::SignedKxWithWrongAlgorithm => {
            "it signed with a key that its cipher is not for, or with one for RSA-PSS alone, which haul takes in TLS 1.3 only"
        }
        What::InvalidKeyShare | What::MissingKeyShare => "its part of the key exchange is wrong",
        What::TooManyEmptyFragments
        | What::TooManyKeyUpdateRequests
        | What::TooManyRenegotiationRequests
        | What::TooManyWarningAlertsReceived => "it sent messages without end that say nothing",
        What::MessageInterleavedWithHandshakeMessage
        | What::KeyEpochWithPendingFragment
        | What::IllegalMiddleboxChangeCipherSpec
        | What::IllegalTlsInnerPlaintext => "its messages are cut or mixed where they may not be",
        What::UnsolicitedCertExtension
        | What::UnsolicitedEncryptedExtension
        | What::UnsolicitedSctList
        | What::UnsolicitedServerHelloExtension
        | What::UnsolicitedEchExtension
        | What::DisallowedEncryptedExtension
        | What::UnexpectedCleartextExtension
        | What::BadCertChainExtensions => "it answered what was not asked",
        What::DuplicateEncryptedExtensions
        | What::DuplicateHelloRetryRequestExtensions
        | What::DuplicateNewSessionTicketExtensions
        | What::DuplicateServerHelloExtensions => "it said the same thing twice",
        What::ResumptionOfferedWithVariedCipherSuite
        | What::ResumptionOfferedWithVariedEms
        | What::ResumptionOfferedWithIncompatibleCipherSuite => "it resumed a session under other terms",
        _ => "its part of the handshake is not one that TLS allows",
    }
}

const fn unreadable(what: &InvalidMessage) -> &'static str {
    use InvalidMessage as What;
    match what {
        What::CertificatePayloadTooLarge => "its certificates are larger than 64 KiB",
        What::HandshakePayloadTooLarge | What::MessageTooLarge => "it is longer than TLS allows",
        What::MessageTooShort | What::MissingData(_) => "it is shorter than it says",
        What::TrailingData(_) => "it goes on where it should end",
        What::DuplicateExtension(_) => "it says the same thing twice",
        What::UnsupportedCompression => "it wants compression, which is not safe",
        What::UnsupportedCurveType | What::UnsupportedKeyExchangeAlgorithm(_) | What::InvalidDhParams => {
            "it wants a key exchange that haul does not speak"
        }
        _ => "it is not in the form that TLS gives it",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{CertRevocationListError, ContentType, EncryptedClientHelloError, HandshakeType, InconsistentKeys};
    use rustls_pki_types::ServerName;

    use super::*;

    /// Words with a capital within that are a person's.
    const ALLOWED: [&str; 2] = ["subjectAltName", "KiB"];

    /// Nothing that only a program would write: names of variants, braces, lists of bytes.
    fn is_plain(text: &str) -> bool {
        let text = ALLOWED.iter().fold(text.to_owned(), |text, word| text.replace(word, ""));
        let bytes = text.as_bytes();
        let camel = bytes.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        !camel && !text.is_empty() && !text.contains(['{', '}', '[', ']', '"']) && !text.contains("::")
    }

    fn pki_error(error: PkiError) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
    }

    fn certificate_errors() -> Vec<CertificateError> {
        use CertificateError as Reason;
        let (then, now) =
            (UnixTime::since_unix_epoch(Duration::from_secs(1)), UnixTime::since_unix_epoch(Duration::MAX));
        let expected = || ServerName::try_from("a.test").unwrap();
        vec![
            Reason::BadEncoding,
            Reason::Expired,
            Reason::ExpiredContext { time: now, not_after: then },
            Reason::NotValidYet,
            Reason::NotValidYetContext { time: then, not_before: now },
            Reason::Revoked,
            Reason::UnhandledCriticalExtension,
            Reason::UnknownIssuer,
            Reason::UnknownRevocationStatus,
            Reason::ExpiredRevocationList,
            Reason::ExpiredRevocationListContext { time: now, next_update: then },
            Reason::BadSignature,
            #[expect(deprecated, reason = "rustls still makes it")]
            Reason::UnsupportedSignatureAlgorithm,
            Reason::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 5, 5, 0],
                supported_algorithms: Vec::new(),
            },
            Reason::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: vec![1, 2, 3],
                public_key_algorithm_id: vec![6, 3, 0x2b, 0x65, 0x71],
            },
            Reason::NotValidForName,
            Reason::NotValidForNameContext { expected: expected(), presented: Vec::new() },
            Reason::NotValidForNameContext {
                expected: expected(),
                presented: vec!["DnsName(\"b.test\")".to_owned(); 9],
            },
            Reason::InvalidPurpose,
            Reason::InvalidPurposeContext {
                required: rustls::ExtendedKeyPurpose::ServerAuth,
                presented: vec![rustls::ExtendedKeyPurpose::Other(vec![1, 2, 3])],
            },
            Reason::InvalidOcspResponse,
            Reason::ApplicationVerificationFailure,
        ]
    }

    fn pki_errors() -> Vec<PkiError> {
        use PkiError as Reason;
        vec![
            Reason::BadDer,
            Reason::BadDerTime,
            Reason::CaUsedAsEndEntity,
            Reason::CertDistrusted,
            Reason::CertRevoked,
            Reason::EmptyEkuExtension,
            Reason::EndEntityUsedAsCa,
            Reason::ExtensionValueInvalid,
            Reason::InvalidCertValidity,
            Reason::InvalidCrlNumber,
            Reason::InvalidNetworkMaskConstraint,
            Reason::InvalidSerialNumber,
            Reason::InvalidCrlSignatureForPublicKey,
            Reason::InvalidSignatureForPublicKey,
            Reason::IssuerNotCrlSigner,
            Reason::MalformedDnsIdentifier,
            Reason::MalformedExtensions,
            Reason::MalformedNameConstraint,
            Reason::MaximumNameConstraintComparisonsExceeded,
            Reason::MaximumPathBuildCallsExceeded,
            Reason::MaximumPathDepthExceeded,
            Reason::MaximumSignatureChecksExceeded,
            Reason::NameConstraintViolation,
            Reason::PathLenConstraintViolated,
            Reason::SignatureAlgorithmMismatch,
            Reason::UnknownIssuer,
            Reason::UnknownRevocationStatus,
            Reason::UnsupportedCertVersion,
            Reason::UnsupportedCriticalExtension,
            Reason::UnsupportedCrlVersion,
            Reason::UnsupportedDeltaCrl,
            Reason::UnsupportedIndirectCrl,
            Reason::UnsupportedNameType,
            Reason::UnsupportedRevocationReason,
        ]
    }

    fn incompatible_peers() -> Vec<PeerIncompatible> {
        use PeerIncompatible as Reason;
        vec![
            Reason::EcPointsExtensionRequired,
            Reason::ExtendedMasterSecretExtensionRequired,
            Reason::IncorrectCertificateTypeExtension,
            Reason::KeyShareExtensionRequired,
            Reason::NamedGroupsExtensionRequired,
            Reason::NoCertificateRequestSignatureSchemesInCommon,
            Reason::NoCipherSuitesInCommon,
            Reason::NoEcPointFormatsInCommon,
            Reason::NoKxGroupsInCommon,
            Reason::NoSignatureSchemesInCommon,
            Reason::NullCompressionRequired,
            Reason::ServerDoesNotSupportTls12Or13,
            Reason::ServerSentHelloRetryRequestWithUnknownExtension,
            Reason::ServerTlsVersionIsDisabledByOurConfig,
            Reason::SignatureAlgorithmsExtensionRequired,
            Reason::SupportedVersionsExtensionRequired,
            Reason::Tls12NotOffered,
            Reason::Tls12NotOfferedOrEnabled,
            Reason::Tls13RequiredForQuic,
            Reason::UncompressedEcPointsRequired,
            Reason::UnsolicitedCertificateTypeExtension,
            Reason::ServerRejectedEncryptedClientHello(None),
        ]
    }

    fn misbehaviours() -> Vec<PeerMisbehaved> {
        use PeerMisbehaved as What;
        vec![
            What::AttemptedDowngradeToTls12WhenTls13IsSupported,
            What::BadCertChainExtensions,
            What::DisallowedEncryptedExtension,
            What::DuplicateServerHelloExtensions,
            What::DuplicateEncryptedExtensions,
            What::HandshakeHashVariedAfterRetry,
            What::IllegalHelloRetryRequestWithNoChanges,
            What::IllegalMiddleboxChangeCipherSpec,
            What::IncorrectBinder,
            What::InvalidKeyShare,
            What::KeyEpochWithPendingFragment,
            What::MessageInterleavedWithHandshakeMessage,
            What::MissingKeyShare,
            What::ResumptionOfferedWithVariedCipherSuite,
            What::SelectedUnofferedApplicationProtocol,
            What::SelectedUnofferedCipherSuite,
            What::SelectedUnofferedKxGroup,
            What::SignedKxWithWrongAlgorithm,
            What::SignedHandshakeWithUnadvertisedSigScheme,
            What::TooManyEmptyFragments,
            What::TooManyKeyUpdateRequests,
            What::TooManyWarningAlertsReceived,
            What::UnsolicitedServerHelloExtension,
            What::WrongGroupForKeyShare,
        ]
    }

    fn unreadable_messages() -> Vec<InvalidMessage> {
        use InvalidMessage as What;
        vec![
            What::CertificatePayloadTooLarge,
            What::HandshakePayloadTooLarge,
            What::InvalidCcs,
            What::InvalidContentType,
            What::InvalidDhParams,
            What::InvalidEmptyPayload,
            What::InvalidKeyUpdate,
            What::InvalidServerName,
            What::MessageTooLarge,
            What::MessageTooShort,
            What::MissingData("ServerHello"),
            What::TrailingData("ServerHello"),
            What::UnexpectedMessage("ServerHello"),
            What::UnknownProtocolVersion,
            What::UnsupportedCompression,
            What::UnsupportedCurveType,
            What::UnsupportedKeyExchangeAlgorithm(rustls::crypto::KeyExchangeAlgorithm::DHE),
            What::EmptyTicketValue,
            What::IllegalEmptyList("ALPN"),
            What::IllegalEmptyValue,
            What::DuplicateExtension(7),
            What::UnknownHelloRetryRequestExtension,
            What::UnknownCertificateExtension,
        ]
    }

    #[test]
    fn every_error_has_plain_words() {
        let mut errors = vec![
            Error::InappropriateMessage { expect_types: vec![ContentType::Alert], got_type: ContentType::Handshake },
            Error::InappropriateHandshakeMessage { expect_types: Vec::new(), got_type: HandshakeType::Finished },
            Error::InvalidEncryptedClientHello(EncryptedClientHelloError::NoCompatibleConfig),
            Error::NoCertificatesPresented,
            Error::UnsupportedNameType,
            Error::DecryptError,
            Error::EncryptError,
            Error::InvalidCertRevocationList(CertRevocationListError::ParseError),
            Error::FailedToGetCurrentTime,
            Error::FailedToGetRandomBytes,
            Error::HandshakeNotComplete,
            Error::PeerSentOversizedRecord,
            Error::NoApplicationProtocol,
            Error::BadMaxFragmentSize,
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
            Error::Other(OtherError(Arc::new(PkiError::CaUsedAsEndEntity))),
        ];
        errors.extend(certificate_errors().into_iter().map(Error::InvalidCertificate));
        errors.extend(pki_errors().into_iter().map(pki_error));
        errors.extend(incompatible_peers().into_iter().map(Error::PeerIncompatible));
        errors.extend(misbehaviours().into_iter().map(Error::PeerMisbehaved));
        errors.extend(unreadable_messages().into_iter().map(Error::InvalidMessage));
        errors.extend((0..=255).map(|number| Error::AlertReceived(AlertDescription::from(number))));
        for error in errors {
            let text = words(&error);
            assert!(is_plain(&text), "{error:?}: {text}");
        }
    }

    #[test]
    fn the_check_itself_finds_what_is_not_plain() {
        for text in
            ["", "Other(OtherError(CaUsedAsEndEntity))", "alert HandshakeFailure", "names {a}", "[1, 2]", "a::b"]
        {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn a_user_s_own_verifier_has_its_own_words() {
        assert_eq!(words(&Error::General("not on Sundays".to_owned())), "not on Sundays");
        let own = OtherError(Arc::new(io::Error::other("not on Mondays")));
        assert_eq!(words(&Error::InvalidCertificate(CertificateError::Other(own))), "not on Mondays");
    }

    #[test]
    fn dates_and_names_are_said_as_people_say_them() {
        let day = |day: u64| UnixTime::since_unix_epoch(Duration::from_secs(day * 86_400));
        let text = certificate(&CertificateError::ExpiredContext { time: day(10), not_after: day(7) });
        assert_eq!(text, "the certificate expired on Thu, 08 Jan 1970 00:00:00 GMT, 3 days ago");
        let text = certificate(&CertificateError::NotValidYetContext { time: day(6), not_before: day(7) });
        assert_eq!(text, "the certificate is not valid before Thu, 08 Jan 1970 00:00:00 GMT, in 1 day");
        let presented = ["DnsName(\"b.test\")", "IpAddress(127.0.0.1)", "DnsName(\"\u{1b}[31m\")"].map(str::to_owned);
        assert_eq!(names("a.test", &presented), "the certificate is not for a.test, only for b.test, 127.0.0.1, ?[31m");
        assert!(names("a.test", &[]).contains("no name that counts"));
        for (expected, presented, says) in [
            ("127.0.0.1", &["DnsName(\"127.0.0.1\")"][..], "for 127.0.0.1 as a DNS name"),
            ("::1", &["DnsName(\"b.test\")", "DnsName(\"::1\")"], "for ::1 as a DNS name"),
            ("a.test", &["Unsupported(0x01)"], "for mail, URIs or others"),
            ("a.test", &["UniformResourceIdentifier(\"https://a.test\")", "DirectoryName"], "for mail, URIs or others"),
            ("a.test", &["Unsupported(0x01)", "DnsName(\"b.test\")"], "only for b.test"),
            ("127.0.0.1", &["IpAddress(0::ffff:7f00:1)"], "only for ::ffff:127.0.0.1"),
            ("a.test", &["IpAddress(2001:db8::1)", "IpAddress(0::1)"], "only for 2001:db8::1, ::1"),
            ("a.test", &["IpAddress([invalid: 1, 2])"], "only for [invalid:?1,?2]"),
            ("a.test", &["DnsName(\"srv.test\u{0}.evil.test\")"], "only for srv.test?.evil.test"),
            ("a.test", &["DnsName(\"a)\")"], "only for a)"),
        ] {
            let presented: Vec<String> = presented.iter().map(|name| (*name).to_owned()).collect();
            let text = names(expected, &presented);
            assert!(text.contains(says) && !text.contains("0x"), "{presented:?}: {text}");
        }
    }

    #[test]
    fn algorithms_have_their_names() {
        for (id, name) in [
            (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 5, 5, 0][..], " (RSA with SHA-1)"),
            (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 14], " (RSA with SHA-224)"),
            (&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x01], " (ECDSA with SHA-224)"),
            (
                &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x30, 0],
                " (an elliptic curve with explicit parameters)",
            ),
            (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 6, 5, 0x2b, 0x81, 4, 0, 10], " (the curve secp256k1)"),
            (&[6, 3, 0x2b, 0x65, 0x71], " (Ed448)"),
            (&[6, 3, 0x2a, 3, 4], ""),
            (&[6, 200, 0x2a], ""),
            (&[6], ""),
            (&[], ""),
        ] {
            assert_eq!(algorithm(id), name, "{id:?}");
        }
    }

    #[test]
    fn alerts_that_refuse_are_known_by_their_words_too_and_those_that_may_pass_are_none() {
        let refusals = |alert: &AlertDescription| refusal(&Error::AlertReceived(*alert));
        let all: Vec<AlertDescription> = (0..=255).map(AlertDescription::from).collect();
        let refusing: Vec<u8> =
            all.iter().filter(|alert| refusals(alert).is_some()).map(|alert| u8::from(*alert)).collect();
        assert_eq!(refusing, [40, 41, 42, 43, 44, 45, 46, 48, 49, 51, 71, 116]);
        let passing: Vec<u8> = all.iter().filter(|alert| may_pass(**alert)).map(|alert| u8::from(*alert)).collect();
        assert_eq!(passing, [20, 80, 90]);
        for known in all {
            assert_eq!(is_refusal(&alert(known)), refusing.contains(&u8::from(known)), "{known:?}");
        }
        assert!(refusal(&Error::DecryptError).is_none() && !is_refusal(""));
    }

    #[test]
    fn an_error_on_an_open_connection_keeps_its_kind() {
        let error = plain(io::Error::new(io::ErrorKind::InvalidData, Error::DecryptError));
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("can't be decrypted"), "{error}");
        let error = plain(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
