//! A byte stream that can be taken away from whoever reads and writes it.
//!
//! hyper's HTTP/2 connection is a task of its own that ends when it has said goodbye to the peer; a peer that takes no more
//! bytes would keep it, and its socket, for ever.

use std::cell::RefCell;
use std::fmt;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream, and who to wake when it is gone.
struct Held<T> {
    io: Option<T>,
    reader: Option<Waker>,
}

/// A stream that [`Shears`] can take away. What is done with it afterwards fails as an aborted connection.
pub struct Severable<T>(Rc<RefCell<Held<T>>>);

/// Takes a stream away, once.
pub(super) struct Shears<T>(Weak<RefCell<Held<T>>>);

impl<T> Severable<T> {
    pub(super) fn new(io: T) -> (Self, Shears<T>) {
        let held = Rc::new(RefCell::new(Held { io: Some(io), reader: None }));
        let shears = Shears(Rc::downgrade(&held));
        (Self(held), shears)
    }
}

impl<T> Shears<T> {
    /// Whether the stream has been dropped already.
    pub(super) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Closes the stream, if it is still there.
    pub(super) fn cut(&self) {
        let Some(held) = self.0.upgrade() else { return };
        let (io, reader) = {
            let mut held = held.borrow_mut();
            (held.io.take(), held.reader.take())
        };
        drop(io);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<T> fmt::Debug for Severable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Severable")
    }
}

impl<T> Severable<T> {
    fn with<R>(
        &self,
        cx: &mut Context<'_>,
        step: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<Result<R>>,
    ) -> Poll<Result<R>> {
        match &mut self.0.borrow_mut().io {
            Some(io) => step(io, cx),
            None => Poll::Ready(Err(Error::new(ErrorKind::ConnectionAborted, "closed: the peer took no more bytes"))),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Severable<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let polled = self.with(cx, |io, cx| Pin::new(io).poll_read(cx, buf));
        if polled.is_pending() {
            // A connection always waits for something to read, whatever else it waits for.
            let reader = &mut self.0.borrow_mut().reader;
            match reader {
                Some(reader) => reader.clone_from(cx.waker()),
                None => *reader = Some(cx.waker().clone()),
            }
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Severable<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.with(cx, |io, cx| Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        self.with(cx, |io, cx| Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.with(cx, |io, cx| Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.with(cx, |io, cx| Pin::new(io).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_stream_that_is_cut_is_closed_and_its_reader_told() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let (mut stream, shears) = Severable::new(ours);
        stream.write_all(b"hi").await.expect("open");
        let mut buf = [0; 8];
        let reading = stream.read(&mut buf);
        let (read, ()) = tokio::join!(reading, async { shears.cut() });
        assert_eq!(read.expect_err("cut").kind(), ErrorKind::ConnectionAborted);
        let mut rest = Vec::new();
        theirs.read_to_end(&mut rest).await.expect("closed");
        assert_eq!(rest, b"hi");
        shears.cut();
    }
}
