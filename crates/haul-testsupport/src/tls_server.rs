//! A TLS server in the test's own process: greets every client with `hello`, then reads until it leaves.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certs::{Authority, Leaf};

/// The handshakes that succeeded so far.
pub type Handshakes = Rc<RefCell<Vec<HandshakeKind>>>;

/// The configuration for `leaf`, offering these protocols; clients must show a certificate of `clients`, if given.
pub fn config(leaf: &Leaf, alpn: &[&str], clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("a provider with suites");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(authority.file()).expect("PEM")).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let chain = CertificateDer::pem_file_iter(&leaf.certificate).expect("PEM").collect::<Result<_, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("PEM");
    let mut config = builder.with_single_cert(chain, key).expect("a pair");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Serves on a free loopback port, as local tasks.
pub async fn start(config: Arc<ServerConfig>) -> (SocketAddr, Handshakes) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let handshakes = Handshakes::default();
    let seen = Rc::clone(&handshakes);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Else the greeting waits 40 ms for the client to confirm the tickets.
            stream.set_nodelay(true).expect("an open socket");
            tokio::task::spawn_local(serve(stream, Arc::clone(&config), Rc::clone(&seen)));
        }
    });
    (address, handshakes)
}

/// Serves one connection.
pub async fn serve<S>(stream: S, config: Arc<ServerConfig>, handshakes: Handshakes)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else { return };
    handshakes.borrow_mut().extend(stream.get_ref().1.handshake_kind());
    if stream.write_all(b"hello").await.is_ok() {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}
