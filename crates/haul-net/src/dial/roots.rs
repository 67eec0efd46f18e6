//! The certificates that are trusted: from files, from the platform, or the bundled ones.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use super::certificate::RootConstraints;
use super::pem::{self, PemContents};
use super::tls::TlsError;
use super::verifier::fingerprint;
use crate::tls_words;

/// Whom a run trusts.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    pub(super) store: RootCertStore,
    /// Under which conditions each of them is one, in the same order. The bundled ones make none.
    pub(super) constraints: Vec<RootConstraints>,
    /// The same certificates by their fingerprints: a server that shows one of them is trusted, too.
    pub(super) given: HashSet<[u8; 32]>,
}

impl Roots {
    fn of(certificates: &[CertificateDer<'_>]) -> Self {
        let mut store = RootCertStore::empty();
        let mut constraints = Vec::new();
        for certificate in certificates {
            if store.add(certificate.clone()).is_ok() {
                constraints.push(RootConstraints::of(certificate));
            }
        }
        Self { store, constraints, given: certificates.iter().map(fingerprint).collect() }
    }
}

/// The roots in these files, and no others. One that can't be used is passed over where others can.
///
/// # Errors
/// A file that can't be read, or has no certificate that can be used.
pub(super) fn from_files(paths: &[PathBuf]) -> Result<Roots, TlsError> {
    let mut all = Vec::new();
    for path in paths {
        let certificates = contents(path)?.roots().map_err(|what| TlsError::file(path, what))?;
        let mut store = RootCertStore::empty();
        let refused = certificates.iter().filter_map(|certificate| store.add(certificate.clone()).err()).last();
        if let Some(error) = refused.filter(|_| store.is_empty()) {
            return Err(TlsError::file(path, format!("has no root that can be used: {}", tls_words::words(&error))));
        }
        all.extend(certificates);
    }
    Ok(Roots::of(&all))
}

/// The platform's roots; where it has none, Mozilla's as bundled.
pub(super) fn from_platform() -> Roots {
    or_bundled(&rustls_native_certs::load_native_certs().certs)
}

/// Whose certificates a run trusts that names no files of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedRoots {
    /// So many roots of the platform.
    Platform(usize),
    /// The platform has none that can be used, so that these bundled ones (Mozilla's) are trusted.
    Bundled(usize),
}

/// Finds out whose certificates a run would trust. Reads the platform's store.
#[must_use]
pub fn trusted_roots() -> TrustedRoots {
    let mut store = RootCertStore::empty();
    match store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs) {
        (0, _) => TrustedRoots::Bundled(webpki_roots::TLS_SERVER_ROOTS.len()),
        (usable, _) => TrustedRoots::Platform(usable),
    }
}

/// These roots, without the unusable ones, or the bundled ones when none is left.
fn or_bundled(certificates: &[CertificateDer<'_>]) -> Roots {
    let mut roots = Roots::of(certificates);
    if roots.store.is_empty() {
        roots.store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// What is in a file of certificates or keys.
pub(super) fn contents(path: &Path) -> Result<PemContents, TlsError> {
    let bytes = fs::read(path).map_err(|error| TlsError::unread(path, error))?;
    pem::read(&bytes).map_err(|what| TlsError::file(path, what))
}

/// The certificates in a file: at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    contents(path)?.certificates().map_err(|what| TlsError::file(path, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_without_usable_roots_gets_the_bundled_ones() {
        for none in [&[][..], &[CertificateDer::from(b"not a certificate".to_vec())]] {
            assert_eq!(or_bundled(none).store.len(), webpki_roots::TLS_SERVER_ROOTS.len());
        }
    }
}
