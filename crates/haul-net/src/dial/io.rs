//! The byte stream of a connection: one of a few transports, told apart by a match and not by a box, and TLS over it.

use std::io::{self, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use haul_core::protocol::Protocol;
use rustls::{ClientConnection, HandshakeKind};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::connector::CustomStream;
use super::handshake::TlsStream;
use crate::tls_words::plain;

/// An open connection's byte stream: a transport, under as many layers of TLS as there are.
#[derive(Debug)]
pub enum Io {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// What the user's connector opened.
    Own(CustomStream),
    /// TLS over another one. Boxed: its state is over 1 KB, and plain streams should not carry that room.
    Tls(Box<TlsStream<Self>>),
}

impl Io {
    /// The TLS state of the outermost layer, where there is one.
    fn session(&self) -> Option<&ClientConnection> {
        match self {
            Self::Tcp(_) | Self::Unix(_) | Self::Own(_) => None,
            Self::Tls(stream) => Some(stream.get_ref().1),
        }
    }

    /// Its socket, where it is one.
    fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Self::Tcp(stream) => Some(SockRef::from(stream)),
            Self::Unix(stream) => Some(SockRef::from(stream)),
            Self::Own(_) | Self::Tls(_) => None,
        }
    }

    /// The protocol that TLS negotiated.
    pub(super) fn protocol(&self) -> Protocol {
        Protocol::of_alpn(self.session().and_then(|session| session.alpn_protocol()))
    }

    /// Whether the TLS session is a resumed one.
    pub(super) fn resumed(&self) -> bool {
        self.session().is_some_and(|session| session.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    /// Why nothing can be written. A peer that refuses the handshake when it is over for us says so and closes (RFC 8446 §4.4.2.4), and
    /// who is writing a long body finds the connection reset before he comes to read that.
    fn why(&mut self, error: io::Error) -> io::Error {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let said = match self {
            _ if !matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset) => None,
            Self::Tcp(_) | Self::Unix(_) | Self::Own(_) => None,
            Self::Tls(stream) => alert(stream),
        };
        plain(said.map_or(error, |alert| io::Error::new(io::ErrorKind::InvalidData, alert)))
    }
}

/// How often more is read in search of an alert: 4 KiB at a time, so that no record is too long. What else is found stays to be read.
const LOOKS: usize = 8;

/// The alert that has come over a socket, if one has. The socket itself is asked: the runtime may not have heard yet that there is
/// something to read.
fn alert(stream: &mut TlsStream<Io>) -> Option<rustls::Error> {
    let (below, session) = stream.get_mut();
    let socket = below.socket()?;
    for _ in 0..LOOKS {
        if session.read_tls(&mut &*socket).unwrap_or(0) == 0 {
            return None;
        }
        if let Err(error) = session.process_new_packets() {
            return Some(error).filter(|error| matches!(error, rustls::Error::AlertReceived(_)));
        }
    }
    None
}

/// Calls the same method on whichever stream there is.
macro_rules! each {
    ($io:expr, $method:ident $(, $arg:expr)*) => {
        match $io.get_mut() {
            Io::Tcp(stream) => Pin::new(stream).$method($($arg),*),
            Io::Unix(stream) => Pin::new(stream).$method($($arg),*),
            Io::Own(stream) => Pin::new(stream).$method($($arg),*),
            Io::Tls(stream) => Pin::new(stream).$method($($arg),*),
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        each!(self, poll_read, cx, buf).map_err(plain)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let written = each!(self.as_mut(), poll_write, cx, buf);
        written.map_err(|error| self.get_mut().why(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let written = each!(self.as_mut(), poll_flush, cx);
        written.map_err(|error| self.get_mut().why(error))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self, poll_shutdown, cx).map_err(plain)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = each!(self.as_mut(), poll_write_vectored, cx, bufs);
        written.map_err(|error| self.get_mut().why(error))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Own(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use haul_core::config::TlsSettings;
    use rustls::ServerConfig;
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::dial::{Tls, handshake};

    /// A server of this name that speaks these protocols.
    fn acceptor(name: &str, protocols: &[&[u8]]) -> TlsAcceptor {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        let mut config = config.with_single_cert(vec![made.cert.der().clone()], key.into()).expect("its key");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// As through a proxy that is spoken to over TLS: the innermost layer says which protocol is spoken.
    #[tokio::test]
    async fn tls_goes_over_tls() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = async {
            let outer = acceptor("proxy.test", &[b"http/1.1"]).accept(theirs).await.expect("the outer handshake");
            let mut inner = acceptor("a.test", &[b"h2"]).accept(outer).await.expect("the inner handshake");
            let mut asked = [0; 4];
            inner.read_exact(&mut asked).await.expect("four bytes");
            inner.write_all(&asked).await.expect("room");
            inner.shutdown().await.expect("an end in good order");
        };
        let trusting = TlsSettings { insecure: true, ..TlsSettings::default() };
        let tls = Tls::new(&trusting, false).expect("no files");
        let over = async |stream, host| {
            let layer = handshake::run(tls.for_host(false, false), host, stream).await;
            Io::Tls(Box::new(layer.expect("a handshake")))
        };
        let client = async {
            let outer = over(Io::Own(CustomStream::new(Box::new(ours))), "proxy.test").await;
            assert_eq!(outer.protocol(), Protocol::Http1);
            let mut inner = over(outer, "a.test").await;
            assert_eq!(inner.protocol(), Protocol::Http2);
            inner.write_all(b"ping").await.expect("room");
            let mut answer = String::new();
            inner.read_to_string(&mut answer).await.expect("an end in good order");
            assert_eq!(answer, "ping");
        };
        tokio::join!(server, client);
    }
}
