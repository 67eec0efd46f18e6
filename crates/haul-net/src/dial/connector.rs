//! The user's connector: byte streams that somebody else opens, in place of TCP connections: tunnels, and peers that live in this process.

use std::fmt;
use std::future::Future;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Target;
use super::endpoint::Endpoint;
use haul_core::model::Egress;

/// Opens byte streams in place of TCP connections. TLS, where the URL asks for it, and HTTP are spoken over what it opens.
///
/// ```
/// # use haul_net::dial::{ByteStream, Connect, Connecting, Destination};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// /// Every address is a server in this process that says `hi` once.
/// struct Hi;
///
/// impl Connect for Hi {
///     fn connect(&self, _: &Destination<'_>) -> Connecting {
///         let (ours, mut theirs) = tokio::io::duplex(1024);
///         tokio::task::spawn_local(async move {
///             let _ = theirs.read(&mut [0; 1024]).await;
///             let _ = theirs.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
///         });
///         Box::pin(async { Ok(Box::new(ours) as Box<dyn ByteStream>) })
///     }
/// }
/// ```
pub trait Connect: Send + Sync {
    /// Opens a stream. Called on the threads that fetch, inside a tokio `LocalSet`; the future is dropped when time is up or another
    /// address was sooner.
    fn connect(&self, to: &Destination<'_>) -> Connecting;
}

/// Where a stream is wanted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination<'a> {
    /// The origin that is asked for. TLS and HTTP are spoken with it, wherever the stream goes.
    pub target: Target<'a>,
    /// The other end of the stream.
    pub endpoint: Endpoint<'a>,
    /// The way out that the request asks for.
    pub egress: Egress,
}

/// A stream that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn ByteStream>>>>>;

/// Anything that carries bytes both ways. It stays on the thread that opened it.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> ByteStream for T {}

/// A stream that a [`Connect`] opened.
pub struct CustomStream(Box<dyn ByteStream>);

impl CustomStream {
    pub(super) fn new(stream: Box<dyn ByteStream>) -> Self {
        Self(stream)
    }
}

impl fmt::Debug for CustomStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnStream")
    }
}

impl AsyncRead for CustomStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for CustomStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
