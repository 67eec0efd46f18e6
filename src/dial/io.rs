//! The byte stream of a connection: one of a few kinds, told apart by a match, not by a box.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::{ClientConnection, HandshakeKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::handshake::TlsStream;
use super::own::OwnStream;
use crate::tls_words::plain;

/// An open connection's byte stream. TLS streams are boxed: their state is over 1 KB, and plain ones should not
/// carry that room.
#[derive(Debug)]
pub enum Io {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    TlsTcp(Box<TlsStream<TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over a Unix socket.
    TlsUnix(Box<TlsStream<UnixStream>>),
    /// What the user's connector opened.
    Own(OwnStream),
    /// TLS over that.
    TlsOwn(Box<TlsStream<OwnStream>>),
}

impl Io {
    /// The TLS state, where there is one.
    fn session(&self) -> Option<&ClientConnection> {
        match self {
            Self::Tcp(_) | Self::Unix(_) | Self::Own(_) => None,
            Self::TlsTcp(stream) => Some(stream.get_ref().1),
            Self::TlsUnix(stream) => Some(stream.get_ref().1),
            Self::TlsOwn(stream) => Some(stream.get_ref().1),
        }
    }

    /// Whether TLS negotiated HTTP/2.
    pub(super) fn alpn_h2(&self) -> bool {
        self.session().is_some_and(|session| session.alpn_protocol() == Some(b"h2"))
    }

    /// Whether the TLS session is a resumed one.
    pub(super) fn resumed(&self) -> bool {
        self.session().is_some_and(|session| session.handshake_kind() == Some(HandshakeKind::Resumed))
    }
}

/// Calls the same method on whichever stream there is.
macro_rules! each {
    ($io:expr, $method:ident $(, $arg:expr)*) => {
        match $io.get_mut() {
            Io::Tcp(stream) => Pin::new(stream).$method($($arg),*),
            Io::TlsTcp(stream) => Pin::new(stream).$method($($arg),*),
            Io::Unix(stream) => Pin::new(stream).$method($($arg),*),
            Io::TlsUnix(stream) => Pin::new(stream).$method($($arg),*),
            Io::Own(stream) => Pin::new(stream).$method($($arg),*),
            Io::TlsOwn(stream) => Pin::new(stream).$method($($arg),*),
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        each!(self, poll_read, cx, buf).map_err(plain)
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        each!(self, poll_write, cx, buf).map_err(plain)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self, poll_flush, cx).map_err(plain)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self, poll_shutdown, cx).map_err(plain)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        each!(self, poll_write_vectored, cx, bufs).map_err(plain)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::TlsTcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::TlsUnix(stream) => stream.is_write_vectored(),
            Self::Own(stream) => stream.is_write_vectored(),
            Self::TlsOwn(stream) => stream.is_write_vectored(),
        }
    }
}
