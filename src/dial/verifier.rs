//! The verifiers: one that trusts the roots, and the certificates that are among them themselves; and that of `--insecure`,
//! which accepts whatever the peer shows.
//!
//! The latter does not even check the handshake's signature: with any certificate accepted, anyone can sign, and old
//! servers' certificates that can't be parsed would fail.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

/// Trusts what the roots have issued, and a server's certificate that is one of those given as roots itself, whoever issued it: a
/// self-signed one, or one whose issuer nobody knows. Of that, too, the name and the dates must be right.
#[derive(Debug)]
pub(super) struct RootsAndThemselves {
    pub(super) roots: Arc<WebPkiServerVerifier>,
    /// The hashes of the certificates given.
    pub(super) given: HashSet<[u8; 32]>,
}

/// What a certificate is known by.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// Whether a certificate may be trusted for being given although webpki refuses it for this. webpki looks at the dates before it
/// looks at anything that is not listed here, so that those are right whenever this is.
const fn is_about_trust(error: &Error) -> bool {
    use CertificateError as Reason;
    let Error::InvalidCertificate(reason) = error else { return false };
    !matches!(
        reason,
        Reason::BadEncoding
            | Reason::Expired
            | Reason::ExpiredContext { .. }
            | Reason::NotValidYet
            | Reason::NotValidYetContext { .. }
            | Reason::NotValidForName
            | Reason::NotValidForNameContext { .. }
            | Reason::InvalidPurpose
            | Reason::InvalidPurposeContext { .. }
    )
}

/// Whether the certificate is refused for having no name at all that counts. Names are looked at last.
fn has_no_names(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) = error else {
        return false;
    };
    presented.is_empty()
}

/// Whether the certificate's common name is the server's, as curl takes it where there is no other name. Only for certificates that
/// the user has given himself: `openssl req -x509` makes them so.
fn is_common_name(certificate: &CertificateDer<'_>, server_name: &ServerName<'_>) -> bool {
    let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else { return false };
    let Some(common) = common_name(parsed.subject()) else { return false };
    let asked = server_name.to_str();
    let wildcard = |common: &str| {
        let (domain, rest) = (common.strip_prefix("*.")?, asked.split_once('.')?.1);
        Some(domain.contains('.') && domain.eq_ignore_ascii_case(rest))
    };
    let by_name = matches!(server_name, ServerName::DnsName(_));
    common.eq_ignore_ascii_case(&asked) || (by_name && wildcard(common) == Some(true))
}

/// The last common name in a subject, in DER.
fn common_name(subject: &[u8]) -> Option<&str> {
    const ID: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
    let at = subject.windows(ID.len()).rposition(|window| window == ID)?;
    let [_, length, value @ ..] = &subject[at + ID.len()..] else { return None };
    std::str::from_utf8(value.get(..usize::from(*length))?).ok()
}

impl ServerCertVerifier for RootsAndThemselves {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(error)
                if (is_about_trust(&error) || has_no_names(&error))
                    && self.given.contains(&fingerprint(end_entity)) =>
            {
                match verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name) {
                    Err(error) if !has_no_names(&error) || !is_common_name(end_entity, server_name) => Err(error),
                    _ => Ok(ServerCertVerified::assertion()),
                }
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}

/// Accepts any certificate.
#[derive(Debug)]
pub(super) struct AcceptAny {
    /// What is offered to the peer: everything the provider knows.
    pub(super) schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
