//! The byte stream under hyper, with a tap: how many bytes came in, and the response head as it was sent.
//!
//! A server may answer before it has read the whole request, and close. Writing then fails while the answer is there to be
//! read, and hyper would drop it. So a failed write is kept back here: what can be read is read first.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Head bytes collected at the most: informational heads before the last one may go on for as long as time allows.
const MOST_COLLECTED: usize = 256 << 10;

/// What the tap has seen. Shared between the stream, which hyper owns, and the lane.
#[derive(Debug, Default)]
pub(super) struct Tap {
    received: Cell<u64>,
    /// Writing has failed: the connection can't be used again.
    broken: Cell<bool>,
    /// Where the head of the current response is collected, while somebody wants it.
    head: RefCell<Option<Vec<u8>>>,
}

impl Tap {
    /// Bytes received on this connection so far.
    pub(super) const fn received(&self) -> u64 {
        self.received.get()
    }

    /// Whether a write has failed.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Collect what comes from now on.
    pub(super) fn collect_head(&self) {
        *self.head.borrow_mut() = Some(Vec::with_capacity(1024));
    }

    /// What was collected; collecting ends. It may reach into the body.
    pub(super) fn take_head(&self) -> Option<Vec<u8>> {
        self.head.borrow_mut().take()
    }

    fn saw(&self, bytes: &[u8]) {
        self.received.set(self.received.get() + bytes.len() as u64);
        if let Some(head) = self.head.borrow_mut().as_mut() {
            let room = MOST_COLLECTED.saturating_sub(head.len());
            head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
}

/// A stream with a [`Tap`].
#[derive(Debug)]
pub(super) struct Wire<T> {
    io: T,
    tap: Rc<Tap>,
    /// Why writing failed, until it is told.
    failure: Option<io::Error>,
}

impl<T> Wire<T> {
    pub(super) const fn new(io: T, tap: Rc<Tap>) -> Self {
        Self { io, tap, failure: None }
    }
}

impl<T> Wire<T> {
    /// What hyper is told of a write: that it went well, even when it failed. The task looks again at what there is to read.
    fn wrote<R>(&mut self, result: Poll<io::Result<R>>, instead: R, cx: &Context<'_>) -> Poll<io::Result<R>> {
        match result {
            Poll::Ready(Err(error)) => {
                self.tap.broken.set(true);
                self.failure = Some(error);
                cx.waker().wake_by_ref();
                Poll::Ready(Ok(instead))
            }
            other => other,
        }
    }

    /// There is nothing more to read: now the failure is told, once in full.
    fn broken(&mut self) -> io::Error {
        self.failure.take().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        let got = buf.filled().len() - before;
        if got == 0 && self.tap.is_broken() {
            return Poll::Ready(Err(self.broken()));
        }
        ready!(read)?;
        self.tap.saw(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.tap.is_broken() {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(result, buf.len(), cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.tap.is_broken() {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.wrote(result, (), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_answer_to_a_request_that_could_not_be_written_is_read_first() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        theirs.write_all(b"no").await.expect("room");
        drop(theirs);
        let tap = Rc::new(Tap::default());
        let mut wire = Wire::new(ours, Rc::clone(&tap));
        wire.write_all(b"a long request").await.expect("the failure is kept back");
        wire.flush().await.expect("that too");
        assert!(tap.is_broken());
        let mut answer = Vec::new();
        let told = wire.read_to_end(&mut answer).await.expect_err("then the failure is told");
        assert_eq!((answer.as_slice(), told.kind()), (&b"no"[..], io::ErrorKind::BrokenPipe));
    }
}
