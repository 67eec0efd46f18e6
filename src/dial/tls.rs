//! The TLS configuration: one for all shards, built on first use.
//!
//! Files the user named are read at once, so that a wrong path is told before anything is fetched. The platform's
//! roots take tens of milliseconds to read and are read when the first TLS connection needs them.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::roots;
use super::sessions::Sessions;
use super::verifier::AcceptAny;
use crate::config::TlsSettings;

/// The TLS settings, checked, and the configuration made of them.
#[derive(Debug)]
pub struct Tls {
    trust: Trust,
    identity: Option<Identity>,
    session_hosts: usize,
    session_tickets: usize,
    http1_only: bool,
    config: OnceLock<Arc<ClientConfig>>,
}

/// Which certificates are accepted.
#[derive(Debug)]
enum Trust {
    Any,
    Roots(Arc<RootCertStore>),
    Platform,
}

/// The client certificate.
#[derive(Debug)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// Checks the settings and reads the files they name. `http1_only` offers HTTP/1.1 and not HTTP/2.
    ///
    /// # Errors
    /// A file that can't be read or used; a key without a certificate; a key that does not fit the certificate.
    pub fn new(settings: &TlsSettings, http1_only: bool) -> Result<Self, TlsError> {
        let trust = match settings {
            TlsSettings { insecure: true, .. } => Trust::Any,
            TlsSettings { ca_files, .. } if ca_files.is_empty() => Trust::Platform,
            TlsSettings { ca_files, .. } => Trust::Roots(Arc::new(roots::from_files(ca_files)?)),
        };
        let identity = Identity::read(settings)?;
        let TlsSettings { session_hosts, session_tickets, .. } = *settings;
        Ok(Self { trust, identity, session_hosts, session_tickets, http1_only, config: OnceLock::new() })
    }

    /// A configuration that the user has made, but for its ALPN protocols.
    #[must_use]
    pub fn with(config: &Arc<ClientConfig>, http1_only: bool) -> Self {
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = alpn(http1_only);
        Self {
            trust: Trust::Platform,
            identity: None,
            session_hosts: 0,
            session_tickets: 0,
            http1_only,
            config: OnceLock::from(Arc::new(config)),
        }
    }

    /// The configuration, made on the first call. That call may take tens of milliseconds.
    pub(super) fn config(&self) -> &Arc<ClientConfig> {
        self.config.get_or_init(|| Arc::new(self.build()))
    }

    fn build(&self) -> ClientConfig {
        let provider = Arc::new(provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3");
        let builder = match &self.trust {
            Trust::Any => {
                let schemes = provider.signature_verification_algorithms.supported_schemes();
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny { schemes }))
            }
            Trust::Roots(roots) => builder.with_webpki_verifier(verifier(Arc::clone(roots), provider)),
            Trust::Platform => builder.with_webpki_verifier(verifier(Arc::new(roots::from_platform()), provider)),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .expect("the key was found to fit the certificate when it was read"),
        };
        config.resumption = match self.session_hosts {
            0 => Resumption::in_memory_sessions(0),
            names => Resumption::store(Arc::new(Sessions::new(names, self.session_tickets))),
        };
        config.alpn_protocols = alpn(self.http1_only);
        config
    }
}

/// The protocols offered.
fn alpn(http1_only: bool) -> Vec<Vec<u8>> {
    if http1_only { vec![b"http/1.1".to_vec()] } else { vec![b"h2".to_vec(), b"http/1.1".to_vec()] }
}

fn verifier(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>) -> Arc<WebPkiServerVerifier> {
    WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .expect("the roots are not empty and there are no revocation lists to be wrong")
}

/// AWS-LC with X25519 as the first key exchange. The post-quantum hybrid is offered last: its key share makes the
/// first flight over 1 KB larger, and some servers drop a hello that spans two packets.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups.sort_by_key(|group| group.name() != rustls::NamedGroup::X25519);
    provider
}

impl Identity {
    fn read(settings: &TlsSettings) -> Result<Option<Self>, TlsError> {
        let Some(certificate) = &settings.client_certificate else {
            return match &settings.client_key {
                Some(key) => Err(TlsError::file(key, "is a client key without a client certificate".to_owned())),
                None => Ok(None),
            };
        };
        let chain = roots::certificates(certificate)?;
        let path = settings.client_key.as_ref().unwrap_or(certificate);
        let key = PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::file(path, "has no private key in PEM".to_owned()),
            error => TlsError::pem(path, &error),
        })?;
        rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider())
            .and_then(|identity| identity.keys_match())
            .map_err(|error| TlsError::file(path, format!("can't be used with {}: {error}", certificate.display())))?;
        Ok(Some(Self { chain, key }))
    }
}

/// Why the TLS settings can't be used.
#[derive(Debug)]
pub struct TlsError(Box<str>);

impl TlsError {
    pub(super) fn file(path: &Path, what: String) -> Self {
        Self(format!("file {} {what}", path.display()).into())
    }

    pub(super) fn pem(path: &Path, error: &pem::Error) -> Self {
        match error {
            pem::Error::Io(error) => Self::file(path, format!("can't be read: {error}")),
            error => Self::file(path, format!("is not valid PEM: {error}")),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TlsError {}
