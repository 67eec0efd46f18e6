//! The verifiers: one that trusts the roots, and the certificates that are among them themselves; and that of `--insecure`,
//! which accepts whatever the peer shows.
//!
//! The latter does not even check the handshake's signature: with any certificate accepted, anyone can sign, and old
//! servers' certificates that can't be parsed would fail.

use std::cell::Cell;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::alt_names;
use super::certificate::{Certificate, CertificateUseError};
use super::roots::Roots;
use super::rsa_pss;
use crate::tls_words;

/// Trusts what the roots have issued, and a server's certificate that is one of those given as roots itself, whoever issued it: a
/// self-signed one, or one whose issuer nobody knows. Of that, too, the name and the dates must be right.
///
/// webpki builds the path; what it does not look at is looked at on each path that it finds, so that it goes on to another where
/// there is one: whether the root's certificate lets it be one, and the issuers' and the server's key usage.
#[derive(Debug)]
pub(super) struct RootsOrPinnedVerifier {
    pub(super) roots: Roots,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl RootsOrPinnedVerifier {
    fn check_path(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let found = Cell::new(None);
        let check = |path: &VerifiedPath<'_>| {
            self.check_issuers(path, now).map_err(|fault| {
                found.set(Some(fault));
                webpki::Error::UnknownIssuer
            })
        };
        let (roots, algorithms, usage) = (&self.roots.store, self.algorithms.all, KeyUsage::server_auth());
        if let Ok(leaf) = EndEntityCert::try_from(end_entity)
            && leaf.verify_for_usage(algorithms, &roots.roots, intermediates, now, usage, None, Some(&check)).is_ok()
        {
            return Ok(());
        }
        // Once more for rustls's word for what webpki found, which it keeps to itself.
        let leaf = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&leaf, roots, intermediates, now, algorithms)?;
        Err(found.get().map_or(CertificateError::UnknownIssuer.into(), refused))
    }

    /// Whether all issuers on a path may be what they are on it.
    fn check_issuers(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), CertificateUseError> {
        let mut issuers = 0;
        for issuer in path.intermediate_certificates() {
            // RFC 5280 §4.2.1.9: one that has issued itself, to change its key, does not count.
            issuers += usize::from(issuer.subject() != issuer.issuer());
            Certificate::read(&issuer.der()).ok_or(CertificateUseError::IssuerDoesNotSign)?.may_sign()?;
        }
        let root = self.roots.store.roots.iter().position(|root| std::ptr::eq(root, path.anchor()));
        match root.and_then(|root| self.roots.constraints.get(root)) {
            Some(constraints) => constraints.check(now.as_secs(), issuers),
            None => Ok(()),
        }
    }

    /// Whether a certificate of which all else is right is for the server.
    fn check_name(&self, end_entity: &CertificateDer<'_>, server_name: &ServerName<'_>) -> Result<(), Error> {
        let checked = verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name);
        match (checked, server_name) {
            (Err(_), ServerName::DnsName(name)) if alt_names::names_with_a_final_dot(end_entity, name.as_ref()) => {
                Ok(())
            }
            (checked, _) => checked,
        }
    }
}

/// The error for a certificate that may not be what it is used for.
fn refused(fault: CertificateUseError) -> Error {
    CertificateError::Other(OtherError(Arc::new(fault))).into()
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

/// Whether the certificate is refused for having no name at all that a server can have. Names are looked at last.
fn has_no_names(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) = error else {
        return false;
    };
    !presented.iter().any(|name| tls_words::is_a_server_s(name))
}

/// Whether the certificate's common name is the server's, as curl takes it where there is no other name. Only for certificates that
/// the user has given himself: `openssl req -x509` makes them so.
fn is_common_name(certificate: &CertificateDer<'_>, server_name: &ServerName<'_>) -> bool {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else { return false };
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

impl ServerCertVerifier for RootsOrPinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.check_path(end_entity, intermediates, now);
        let may_serve =
            || Certificate::read(end_entity).ok_or(CertificateError::BadEncoding)?.may_serve().map_err(refused);
        // The name last: where it is spelled otherwise, nothing follows from that alone (`sni_rewrite`).
        match checked.and_then(|()| may_serve()).and_then(|()| self.check_name(end_entity, server_name)) {
            Ok(()) => {}
            Err(error)
                if (is_about_trust(&error) || has_no_names(&error))
                    && self.roots.given.contains(&fingerprint(end_entity)) =>
            {
                may_serve()?;
                match self.check_name(end_entity, server_name) {
                    Err(error) if !has_no_names(&error) || !is_common_name(end_entity, server_name) => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            Err(error) => return Err(error),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(algorithms) = rsa_pss::of(&self.algorithms, signature.scheme) else {
            return verify_tls13_signature(message, certificate, signature, &self.algorithms);
        };
        let key = EndEntityCert::try_from(certificate).map_err(|_| CertificateError::BadEncoding)?;
        match algorithms
            .iter()
            .any(|algorithm| key.verify_signature(*algorithm, message, signature.signature()).is_ok())
        {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(CertificateError::BadSignature.into()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Accepts any certificate.
#[derive(Debug)]
pub(super) struct AcceptAnyVerifier {
    /// What is offered to the peer: everything the provider knows.
    pub(super) schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for AcceptAnyVerifier {
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
