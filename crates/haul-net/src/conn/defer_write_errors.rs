//! A byte stream whose peer is heard to the end, though nothing can be written to it any more.
//!
//! A server may answer before it has read all that was sent, and close. Writing then fails while the answer, or a GOAWAY, is
//! there to be read, and whoever drives the connection would drop it. So a failed write is kept back: it looks as if it had
//! gone well, and the failure is reported once there is nothing more to read. That may take a moment: the system fails a
//! write before it says that there is something to read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that is read to its end.
#[derive(Debug)]
pub(super) struct DeferWriteErrors<T> {
    io: T,
    /// A write has failed.
    broken: bool,
    /// Why, until it is reported.
    failure: Option<io::Error>,
}

impl<T> DeferWriteErrors<T> {
    pub(super) const fn new(io: T) -> Self {
        Self { io, broken: false, failure: None }
    }

    /// Whether a write has failed: the connection can't be used again.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// What is said of a write: that it went well, even when it failed. The task looks again at what there is to read.
    fn wrote<R>(&mut self, result: Poll<io::Result<R>>, instead: R, cx: &Context<'_>) -> Poll<io::Result<R>> {
        match result {
            Poll::Ready(Err(error)) => {
                self.broken = true;
                self.failure = Some(error);
                cx.waker().wake_by_ref();
                Poll::Ready(Ok(instead))
            }
            other => other,
        }
    }

    /// The failure, once in full.
    fn failed(&mut self) -> io::Error {
        self.failure.take().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for DeferWriteErrors<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        if self.broken && buf.filled().len() == before {
            return Poll::Ready(Err(self.failed()));
        }
        Poll::Ready(read)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for DeferWriteErrors<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(result, buf.len(), cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = bufs.iter().map(|buf| buf.len()).sum();
        if self.broken {
            return Poll::Ready(Ok(all));
        }
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(result, all, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken {
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
    async fn what_can_be_read_is_read_before_a_failed_write_is_reported() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        theirs.write_all(b"no").await.expect("room");
        drop(theirs);
        let mut stream = DeferWriteErrors::new(ours);
        stream.write_all(b"a long request").await.expect("the failure is kept back");
        stream.flush().await.expect("that too");
        assert!(stream.is_broken());
        let mut answer = Vec::new();
        let reported = stream.read_to_end(&mut answer).await.expect_err("then the failure is reported");
        assert_eq!((answer.as_slice(), reported.kind()), (&b"no"[..], io::ErrorKind::BrokenPipe));
    }

    /// Fails to write, and has something to read a moment later.
    struct Late(bool);

    impl AsyncRead for Late {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if std::mem::replace(&mut self.0, true) {
                buf.put_slice(b"no");
                return Poll::Ready(Ok(()));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }

    impl AsyncWrite for Late {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_can_be_read_a_moment_later_is_waited_for() {
        let mut stream = DeferWriteErrors::new(Late(false));
        stream.write_all(b"request").await.expect("the failure is kept back");
        assert_eq!(stream.read_u16().await.expect("an answer"), u16::from_be_bytes(*b"no"));
    }
}
