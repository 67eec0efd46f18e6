//! The TLS configuration: one for all shards, built on first use.
//!
//! Files the user named are read at once, so that a wrong path is told before anything is fetched. The platform's
//! roots take tens of milliseconds to read and are read when the first TLS connection needs them.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

use super::identity;
use super::p521::P521;
use super::roots::{self, Roots};
use super::rsa_pss;
use super::session_cache::SessionCache;
use super::sni_rewrite::{self, HostNameVerifier};
use super::verifier::{AcceptAnyVerifier, RootsOrPinnedVerifier};
use haul_core::config::TlsSettings;

/// The TLS settings, checked, and the configuration made of them.
#[derive(Debug)]
pub struct Tls {
    trust: TrustPolicy,
    /// The client certificate.
    identity: Option<Arc<CertifiedKey>>,
    session_hosts: usize,
    session_tickets: usize,
    http1_only: bool,
    config: OnceLock<Arc<ClientConfig>>,
    /// The same that offers HTTP/1.1 alone, for the few hosts that have asked for that.
    http1_config: OnceLock<Arc<ClientConfig>>,
    /// For hosts whose names rustls takes only in another spelling. `None`: there is none.
    odd: OnceLock<Option<Arc<ClientConfig>>>,
}

/// Which certificates are accepted.
#[derive(Debug)]
enum TrustPolicy {
    Any,
    Given(Roots),
    Platform,
}

impl Tls {
    /// Checks the settings and reads the files they name. `http1_only` offers HTTP/1.1 and not HTTP/2.
    ///
    /// # Errors
    /// A file that can't be read or used; a key without a certificate; a key that does not fit the certificate.
    pub fn new(settings: &TlsSettings, http1_only: bool) -> Result<Self, TlsError> {
        let trust = match settings {
            TlsSettings { insecure: true, .. } => TrustPolicy::Any,
            TlsSettings { ca_files, .. } if ca_files.is_empty() => TrustPolicy::Platform,
            TlsSettings { ca_files, .. } => TrustPolicy::Given(roots::from_files(ca_files)?),
        };
        let identity = identity::read(settings)?;
        let TlsSettings { session_hosts, session_tickets, .. } = *settings;
        let (config, http1_config, odd) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Self { trust, identity, session_hosts, session_tickets, http1_only, config, http1_config, odd })
    }

    /// A configuration that the user has made, but for its ALPN protocols.
    #[must_use]
    pub fn with(config: &Arc<ClientConfig>, http1_only: bool) -> Self {
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = alpn(http1_only);
        Self {
            trust: TrustPolicy::Platform,
            identity: None,
            session_hosts: 0,
            session_tickets: 0,
            http1_only,
            config: OnceLock::from(Arc::new(config)),
            http1_config: OnceLock::new(),
            // Neither its verifier nor its cipher suites can be got at.
            odd: OnceLock::from(None),
        }
    }

    /// The configuration, made on the first call. That call may take tens of milliseconds.
    pub(super) fn config(&self) -> &Arc<ClientConfig> {
        self.config.get_or_init(|| Arc::new(self.build(false)))
    }

    /// The configuration for a host. `odd`: rustls takes its name only in another spelling; `http1`: it has asked for HTTP/1.1.
    /// `None`: it is odd, and with a configuration of the user's own such hosts can't be spoken to.
    pub(super) fn for_host(&self, odd: bool, http1: bool) -> Option<Arc<ClientConfig>> {
        let config = match (odd, http1) {
            (false, false) => self.config(),
            (false, true) => self.http1_config(),
            (true, false) => self.odd_config()?,
            (true, true) => return self.odd_config().map(|config| Arc::new(over_http1(config))),
        };
        Some(Arc::clone(config))
    }

    /// The same, offering HTTP/1.1 alone. Sessions are shared.
    fn http1_config(&self) -> &Arc<ClientConfig> {
        self.http1_config.get_or_init(|| Arc::new(over_http1(self.config())))
    }

    /// The configuration for hosts whose names rustls takes only in another spelling. `None`: with a configuration of the user's
    /// own such hosts can't be spoken to.
    fn odd_config(&self) -> Option<&Arc<ClientConfig>> {
        self.odd.get_or_init(|| Some(Arc::new(self.build(true)))).as_ref()
    }

    fn build(&self, odd: bool) -> ClientConfig {
        let provider = Arc::new(if odd { sni_rewrite::provider(provider()) } else { provider() });
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3");
        let builder = match &self.trust {
            TrustPolicy::Any => {
                let schemes = provider.signature_verification_algorithms.supported_schemes();
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAnyVerifier { schemes }))
            }
            TrustPolicy::Given(roots) => with_verifier(builder, verifier(roots.clone(), &provider), odd),
            TrustPolicy::Platform => with_verifier(builder, verifier(roots::from_platform(), &provider), odd),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity)))),
        };
        config.resumption = match self.session_hosts {
            _ if odd => Resumption::disabled(),
            0 => Resumption::in_memory_sessions(0),
            names => Resumption::store(Arc::new(SessionCache::new(names, self.session_tickets))),
        };
        config.alpn_protocols = alpn(self.http1_only);
        config
    }
}

/// With a verifier, for hosts with odd names or for others.
fn with_verifier(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    verifier: Arc<RootsOrPinnedVerifier>,
    odd: bool,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let builder = builder.dangerous();
    match odd {
        false => builder.with_custom_certificate_verifier(verifier),
        true => builder.with_custom_certificate_verifier(Arc::new(HostNameVerifier { verifier })),
    }
}

/// The same, offering HTTP/1.1 alone.
fn over_http1(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.alpn_protocols = alpn(true);
    config
}

/// The protocols offered.
fn alpn(http1_only: bool) -> Vec<Vec<u8>> {
    if http1_only { vec![b"http/1.1".to_vec()] } else { vec![b"h2".to_vec(), b"http/1.1".to_vec()] }
}

fn verifier(roots: Roots, provider: &CryptoProvider) -> Arc<RootsOrPinnedVerifier> {
    Arc::new(RootsOrPinnedVerifier { roots, algorithms: provider.signature_verification_algorithms })
}

/// AWS-LC with X25519 as the first key exchange. The post-quantum hybrid is offered last: its key share makes the
/// first flight over 1 KB larger, and some servers drop a hello that spans two packets. P-521 is for servers that take
/// nothing else.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups.sort_by_key(|group| group.name() != rustls::NamedGroup::X25519);
    provider.kx_groups.push(&P521);
    provider.signature_verification_algorithms = rsa_pss::with_own_keys(provider.signature_verification_algorithms);
    provider
}

/// Why the TLS settings can't be used.
#[derive(Debug)]
pub struct TlsError {
    message: Box<str>,
    /// Of a file that can't be read.
    source: Option<io::Error>,
}

impl TlsError {
    pub(super) fn file(path: &Path, what: String) -> Self {
        if is_a_text(path) {
            let message = "the text of a file, or what is none, was given in place of a file's name; name the file";
            return Self { message: message.into(), source: None };
        }
        Self { message: format!("file {} {what}", path.display()).into(), source: None }
    }

    pub(super) fn unread(path: &Path, error: io::Error) -> Self {
        let message = Self::file(path, format!("can't be read: {error}")).message;
        Self { message, source: Some(error) }
    }
}

/// The longest name that a file can have on the systems that are known here.
const LONGEST_NAME: usize = 255;

/// Whether a path can't be one, and may be a key's text, in PEM or in base64 again, that was given in its place. Nothing of it is said.
fn is_a_text(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("-----BEGIN")
        || text.contains('\n')
        || text.split('/').any(|name| name.len() > LONGEST_NAME)
        || is_key_in_base64(&text)
}

/// Whether a text may be a key in base64, of DER (a sequence, so it begins with `MA` to `MP`) or of PEM.
fn is_key_in_base64(text: &str) -> bool {
    let is_base64 =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'='));
    let begins = text.starts_with("LS0tLS1") || matches!(text.as_bytes(), [b'M', b'A'..=b'P', ..]);
    text.len() >= 40 && is_base64 && begins
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}
