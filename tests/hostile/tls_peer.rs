//! The hostile server over TLS: real handshakes, which can be cut short, and scripts inside them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use haul::config::ResolveRule;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::SockRef;

use super::lab::Lab;
use super::peer::{Line, Peer, Step, drain, play};
use haul_testsupport::certs::{Authority, Leaf};

/// The name that servers are asked by.
pub(crate) const NAME: &str = "a.test";

/// A server's configuration, with which certificate it shows.
pub(crate) fn config(leaf: &Leaf, versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let chain = vec![CertificateDer::from_pem_file(&leaf.certificate).expect("PEM")];
    let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("PEM");
    let builder = builder.expect("suites for the versions").with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).expect("a pair");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// A peer that shakes hands and plays this script inside.
pub(crate) fn playing(config: ServerConfig, script: Vec<Step>) -> Peer {
    playing_each(config, vec![script])
}

/// The first connection plays the first script, and so on; those after the last one play it too.
pub(crate) fn playing_each(config: ServerConfig, scripts: Vec<Vec<Step>>) -> Peer {
    let config = Arc::new(config);
    Peer::serving(move |tcp, number| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
        play(&mut StreamOwned::new(connection, tcp), &scripts[number.min(scripts.len() - 1)]);
    })
}

/// A peer that breaks off in its handshake: it sends so much and no more, and then does what the step says.
pub(crate) fn breaking_off(config: ServerConfig, after: Amount, then: Step) -> Peer {
    let config = Arc::new(config);
    Peer::serving(move |tcp, _| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
        let short = Short { tcp, left: after, record: Vec::new(), then: then.clone() };
        let _ = StreamOwned::new(connection, short).read(&mut [0]);
    })
}

/// A run against a peer that is asked by [`NAME`] and whose authority is trusted.
pub(crate) fn lab(authority: &Authority, peer: &Peer) -> Lab {
    Lab::new().with(|config| {
        config.tls.ca_files = vec![authority.file()];
        config.network.resolve =
            vec![ResolveRule { host: None, port: peer.address.port(), addresses: vec![peer.address.ip()] }];
    })
}

/// `https://a.test:PORT` and the path.
pub(crate) fn url(peer: &Peer, path: &str) -> String {
    format!("https://{NAME}:{}{path}", peer.address.port())
}

impl Line for StreamOwned<ServerConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }

    fn end(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()?;
        self.sock.shutdown(Shutdown::Write)
    }

    fn rekey(&mut self) -> io::Result<()> {
        self.conn.refresh_traffic_keys().map_err(io::Error::other)?;
        self.flush()
    }
}

/// How much of a handshake is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    Bytes(usize),
    Records(usize),
}

/// A connection that takes so much and then breaks.
struct Short {
    tcp: TcpStream,
    left: Amount,
    /// The record that is being sent.
    record: Vec<u8>,
    then: Step,
}

impl Short {
    /// Whether a byte more may be sent. Takes it off.
    fn takes(&mut self, byte: u8) -> bool {
        match &mut self.left {
            Amount::Bytes(left) | Amount::Records(left) if *left == 0 => return false,
            Amount::Bytes(left) => *left -= 1,
            Amount::Records(left) => {
                self.record.push(byte);
                if self.record.len() >= 5 {
                    let length = u16::from_be_bytes([self.record[3], self.record[4]]);
                    if self.record.len() == 5 + usize::from(length) {
                        self.record.clear();
                        *left -= 1;
                    }
                }
            }
        }
        true
    }

    fn break_off(&mut self) {
        let _ = match self.then {
            Step::Reset => SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO)),
            Step::Stall => drain(&mut self.tcp),
            _ => self.tcp.shutdown(Shutdown::Write).and_then(|()| drain(&mut self.tcp)),
        };
    }
}

impl Read for Short {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(buffer)
    }
}

impl Write for Short {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.iter().take_while(|byte| self.takes(**byte)).count();
        self.tcp.write_all(&bytes[..taken])?;
        if taken < bytes.len() {
            self.break_off();
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
