//! The byte stream under hyper, with a tap: how many bytes came in, and the response head as it was sent.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Head bytes collected at the most: as many as the heads of one response take with the default `--max-head`.
const MOST_COLLECTED: usize = 256 << 10;

/// What the tap has seen. Shared between the stream, which hyper owns, and the lane.
#[derive(Debug, Default)]
pub(super) struct Tap {
    received: Cell<u64>,
    /// Whether anything is read yet: not before the first request has been written, or the connection is found idle. What a
    /// hasty server says before it is asked would else be an answer or not by chance.
    open: Cell<bool>,
    /// Where the head of the current response is collected, while somebody wants it.
    head: RefCell<Option<Vec<u8>>>,
}

impl Tap {
    /// Bytes received on this connection so far.
    pub(super) const fn received(&self) -> u64 {
        self.received.get()
    }

    /// Reads from now on.
    pub(super) fn open(&self) {
        self.open.set(true);
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
}

impl<T> Wire<T> {
    pub(super) const fn new(io: T, tap: Rc<Tap>) -> Self {
        Self { io, tap }
    }

    /// The first write lets reading begin.
    fn wake_reader(&self, cx: &Context<'_>) {
        if !self.tap.open.replace(true) {
            cx.waker().wake_by_ref();
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.tap.open.get() {
            // Whoever writes the request wakes the reader.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.tap.saw(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.wake_reader(cx);
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wake_reader(cx);
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
