//! Certificates for any name that can only mean this machine, from an authority made for one origin.
//!
//! The authority's key is never written anywhere and ends with the origin: who trusts its certificate trusts nothing that
//! outlives it.

use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Names whose certificates are kept; those of further names are made each time.
const MOST_KEPT: usize = 65_536;

/// An authority, and what it has issued.
#[derive(Debug)]
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// All certificates are for this key.
    key: KeyPair,
    signing_key: Arc<dyn SigningKey>,
    /// For clients that name no host, or one that is not ours.
    by_address: Arc<CertifiedKey>,
    issued: Mutex<HashMap<Box<str>, Arc<CertifiedKey>>>,
}

/// The settings for TLS on `address`, and the authority's certificate in PEM.
///
/// # Errors
/// A key or a certificate can't be made.
pub(super) fn tls(address: IpAddr) -> io::Result<(Arc<ServerConfig>, String)> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let authority = Authority::new(address, &provider)?;
    let pem = authority.issuer.pem();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(authority));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), pem))
}

impl Authority {
    fn new(address: IpAddr, provider: &CryptoProvider) -> io::Result<Self> {
        let issuer = issuer().map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing_key = provider.key_provider.load_private_key(der).map_err(io::Error::other)?;
        let mut params = CertificateParams::new(["localhost".to_owned()]).map_err(io::Error::other)?;
        let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST), address];
        params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
        let by_address = issue(params, &issuer, &key, &signing_key).map_err(io::Error::other)?;
        Ok(Self { issuer, key, signing_key, by_address, issued: Mutex::default() })
    }

    /// The certificate for `name`; `None` when it can't be part of one.
    fn of(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let mut issued = self.issued.lock().expect("no holder of this lock panics");
        if let Some(known) = issued.get(name) {
            return Some(Arc::clone(known));
        }
        let params = CertificateParams::new([name.to_owned()]).ok()?;
        let certificate = issue(params, &self.issuer, &self.key, &self.signing_key).ok()?;
        if issued.len() < MOST_KEPT {
            issued.insert(name.into(), Arc::clone(&certificate));
        }
        Some(certificate)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().filter(|name| is_ours(name));
        name.and_then(|name| self.of(name)).or_else(|| Some(Arc::clone(&self.by_address)))
    }
}

/// Names that nobody else can own (RFC 2606, RFC 6761).
fn is_ours(name: &str) -> bool {
    name.ends_with(".localhost") || name.ends_with(".test")
}

fn issuer() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    // Two authorities of one name would be taken for one with a bad signature.
    let mut name = "haul origin ".to_owned();
    for byte in params.key_identifier(&key).iter().take(8) {
        let _ = write!(name, "{byte:02x}");
    }
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, key)
}

fn issue(
    mut params: CertificateParams,
    issuer: &CertifiedIssuer<'static, KeyPair>,
    key: &KeyPair,
    signing_key: &Arc<dyn SigningKey>,
) -> Result<Arc<CertifiedKey>, rcgen::Error> {
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(key, issuer)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], Arc::clone(signing_key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_certificates_of_their_own_once() {
        let provider = aws_lc_rs::default_provider();
        let authority = Authority::new(Ipv4Addr::LOCALHOST.into(), &provider).expect("made");
        let first = authority.of("a.slow.test").expect("issued");
        assert!(Arc::ptr_eq(&first, &authority.of("a.slow.test").expect("kept")));
        assert_ne!(first.cert, authority.of("b.slow.test").expect("issued").cert);
        assert_ne!(first.cert, authority.by_address.cert);
    }

    #[test]
    fn only_names_of_this_machine_are_ours() {
        assert!(is_ours("a.test") && is_ours("a.b.localhost"));
        assert!(!is_ours("localhost") && !is_ours("example.com") && !is_ours("latest") && !is_ours("test"));
    }
}
