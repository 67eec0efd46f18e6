//! What an HTTP/2 server says first, looked at on its way to h2.
//!
//! RFC 9113 §3.4 wants a SETTINGS frame. h2 takes any frame, and calls the answer of a server that speaks something else a
//! frame of a wrong size. Here the first nine bytes are judged, and no byte after them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The kind of the error that says so: h2 hands on the kind of an input/output error and its text, and no stream has
/// this one of its own.
pub(super) const NOT_HTTP2: io::ErrorKind = io::ErrorKind::Unsupported;

/// Bytes of a frame's header: length (3), type, flags, stream (4).
const HEADER: usize = 9;

/// A stream whose first bytes have to be a SETTINGS frame's header.
#[derive(Debug)]
pub(super) struct Greeted<T> {
    io: T,
    /// Bytes of the header that have come.
    seen: usize,
}

impl<T> Greeted<T> {
    pub(super) const fn new(io: T) -> Self {
        Self { io, seen: 0 }
    }

    fn judge(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes.iter().take(HEADER - self.seen) {
            if !fits(self.seen, *byte) {
                return Err(io::Error::new(NOT_HTTP2, "its first frame is not SETTINGS"));
            }
            self.seen += 1;
        }
        Ok(())
    }
}

/// Whether the header of a SETTINGS frame that is no acknowledgement can have this byte at this place.
const fn fits(place: usize, byte: u8) -> bool {
    const SETTINGS: u8 = 4;
    const ACK: u8 = 1;
    match place {
        0..=2 => true,
        3 => byte == SETTINGS,
        4 => byte & ACK == 0,
        // The first bit of the stream's number means nothing.
        5 => byte & 0x7f == 0,
        _ => byte == 0,
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Greeted<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.seen == HEADER {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        Poll::Ready(self.judge(&buf.filled()[before..]))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Greeted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pieces: &[&[u8]]) -> bool {
        let mut greeted = Greeted::new(());
        pieces.iter().all(|piece| greeted.judge(piece).is_ok())
    }

    #[test]
    fn settings_pass_in_any_pieces_and_whatever_follows() {
        let bytes = b"\0\0\x06\x04\0\0\0\0\0HTTP/1.1";
        assert!(judged(&[bytes]));
        assert!((0..bytes.len()).all(|at| judged(&[&bytes[..at], &bytes[at..]])));
        assert!(judged(&[b"\0\0\0\x04\xfe\x80\0\0\0"]), "bits without a meaning");
    }

    #[test]
    fn anything_else_is_refused_at_the_byte_that_shows_it() {
        for (bytes, at) in [
            (&b"HTTP/1.1"[..], 3),
            (b"\x15\x03\x03\0", 3),
            (b"\0\0\x08\x07", 3),
            (b"\0\0\0\x04\x01", 4),
            (b"\0\0\0\x04\0\0\0\0\x01", 8),
        ] {
            assert!(judged(&[&bytes[..at]]) && !judged(&[&bytes[..=at]]), "{bytes:?}");
        }
    }
}
