//! The certificates that are trusted: from files, from the platform, or the bundled ones.

use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::tls::TlsError;

/// The roots in these PEM files, and no others.
///
/// # Errors
/// A file that can't be read, is not PEM, or has no certificate or an unusable one.
pub(super) fn from_files(paths: &[std::path::PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for path in paths {
        for certificate in certificates(path)? {
            store.add(certificate).map_err(|error| TlsError::file(path, format!("has an unusable root: {error}")))?;
        }
    }
    Ok(store)
}

/// The platform's roots; where it has none, Mozilla's as bundled.
pub(super) fn from_platform() -> RootCertStore {
    or_bundled(rustls_native_certs::load_native_certs().certs)
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
fn or_bundled(certificates: Vec<CertificateDer<'_>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store
}

/// The certificates in a PEM file: at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let all = all.map_err(|error| TlsError::pem(path, &error))?;
    if all.is_empty() {
        return Err(TlsError::file(
            path,
            "has no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)".to_owned(),
        ));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_without_usable_roots_gets_the_bundled_ones() {
        for none in [vec![], vec![CertificateDer::from(b"not a certificate".to_vec())]] {
            assert_eq!(or_bundled(none).len(), webpki_roots::TLS_SERVER_ROOTS.len());
        }
    }
}
