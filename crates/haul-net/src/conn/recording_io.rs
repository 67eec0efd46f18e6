//! The byte stream under hyper, with a recorder: how many bytes came in, and the response head as it was sent, its status line put into
//! the form that is read.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::defer_write_errors::DeferWriteErrors;
use super::head;
use super::status_line::StatusLineNormalizer;

/// The largest room for a head that an idle connection keeps.
const MOST_KEPT: usize = 4 << 10;

/// Heads with fewer bytes are kept together, informational ones too.
const LOOK_FROM: usize = 16 << 10;

/// What a recorder has collected.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordedHead<'a> {
    /// The heads, and perhaps the beginning of the body.
    pub(super) bytes: &'a [u8],
    /// The lines of these, where they are one head and nothing else: the status line and the empty line at the end too.
    pub(super) lines: Option<usize>,
}

/// What has passed the stream, and how it stands. Shared between the stream, which hyper owns, and the lane.
#[derive(Debug, Default)]
pub(super) struct IoRecorder {
    received: Cell<u64>,
    /// Whether anything is read yet: not before the first request has been written, or the connection is found idle. What a
    /// hasty server says before it is asked would else be an answer or not by chance.
    open: Cell<bool>,
    /// Writing has failed: the connection can't be used again.
    broken: Cell<bool>,
    /// Something was given to be written since everything was last flushed.
    unsent: Cell<bool>,
    /// Whether what comes belongs to a head that somebody wants.
    collects: Cell<bool>,
    /// What has been collected. Kept from one response to the next.
    head: RefCell<Vec<u8>>,
    /// The lines of what has been collected, where that is one head and nothing else.
    lines: Cell<Option<usize>>,
    /// Bytes collected at the most, those that were dropped again among them.
    most: Cell<usize>,
    /// Bytes of informational heads that were dropped again.
    passed: Cell<usize>,
    /// Once so many are collected, informational heads among them are dropped.
    look_at: Cell<usize>,
    /// How far the response's status line has come.
    status_line: Cell<StatusLineNormalizer>,
}

impl IoRecorder {
    /// Bytes received on this connection so far.
    pub(super) const fn received(&self) -> u64 {
        self.received.get()
    }

    /// Whether anything of the response itself has come, and not only empty lines and informational heads.
    pub(super) const fn has_begun(&self) -> bool {
        self.status_line.get().has_begun()
    }

    /// Reads from now on.
    pub(super) fn open(&self) {
        self.open.set(true);
    }

    /// Whether a write has failed.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Whether part of a request may still wait to be written. hyper calls a body sent once it holds all of it, and flushes
    /// only when it holds nothing any more.
    pub(super) const fn is_unsent(&self) -> bool {
        self.unsent.get()
    }

    /// Collects what comes from now on, `most` bytes of it.
    pub(super) fn collect_head(&self, most: usize) {
        self.most.set(most);
        self.passed.set(0);
        self.look_at.set(LOOK_FROM);
        self.collects.set(true);
        self.status_line.set(StatusLineNormalizer::AWAITED);
        self.lines.set(None);
        self.head.borrow_mut().clear();
    }

    /// Ends collecting, and shows what was collected, unless it was too much: it may reach into the body.
    pub(super) fn show_head<R>(&self, look: impl FnOnce(Option<RecordedHead<'_>>) -> R) -> R {
        self.collects.set(false);
        let mut head = self.head.borrow_mut();
        let whole = head.len() + self.passed.get() < self.most.get();
        let told = look(whole.then_some(RecordedHead { bytes: &head, lines: self.lines.get() }));
        if head.capacity() > MOST_KEPT {
            *head = Vec::new();
        }
        told
    }

    /// Drops the informational heads at the beginning: they may have several times the bytes of the one that counts. Not at
    /// each read, or a head that comes byte by byte would be looked through as often.
    fn forget_informational(&self, head: &mut Vec<u8>) {
        let passed = head::informational(head);
        head.drain(..passed);
        self.passed.set(self.passed.get() + passed);
        self.look_at.set(LOOK_FROM.max(2 * head.len()));
    }

    /// Puts the status line into the form that is read. How many of the bytes are left.
    fn normalize(&self, bytes: &mut [u8]) -> usize {
        let mut line = self.status_line.get();
        if line == StatusLineNormalizer::Over {
            return bytes.len();
        }
        let kept = line.normalize(bytes);
        self.status_line.set(line);
        kept
    }

    fn saw(&self, bytes: &[u8]) {
        self.received.set(self.received.get() + bytes.len() as u64);
        if self.collects.get() {
            let mut head = self.head.borrow_mut();
            let (wanted, lines) = if head.is_empty() { extent(bytes) } else { (bytes.len(), None) };
            self.lines.set(lines);
            let room = self.most.get().saturating_sub(head.len() + self.passed.get());
            head.extend_from_slice(&bytes[..wanted.min(room)]);
            if head.len() >= self.look_at.get() {
                self.forget_informational(&mut head);
            }
        }
    }
}

/// How much of the first bytes of a response may be its heads: all, where an informational one or empty lines come first.
/// And how many lines they have, the empty one at the end among them, where they are certainly one head.
fn extent(bytes: &[u8]) -> (usize, Option<usize>) {
    if !bytes.starts_with(b"HTTP/1.") || bytes.get(9) == Some(&b'1') {
        return (bytes.len(), None);
    }
    for (lines, end) in (2..).zip(memchr::memchr_iter(b'\n', bytes)) {
        match &bytes[end + 1..] {
            [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => return (bytes.len() - rest.len(), Some(lines)),
            _ => {}
        }
    }
    (bytes.len(), None)
}

/// A stream with a [`IoRecorder`].
#[derive(Debug)]
pub(super) struct RecordingIo<T> {
    io: DeferWriteErrors<T>,
    recorder: Rc<IoRecorder>,
}

impl<T> RecordingIo<T> {
    pub(super) const fn new(io: T, recorder: Rc<IoRecorder>) -> Self {
        Self { io: DeferWriteErrors::new(io), recorder }
    }

    /// The first write lets reading begin.
    fn wake_reader(&self, cx: &Context<'_>) {
        if !self.recorder.open.replace(true) {
            cx.waker().wake_by_ref();
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for RecordingIo<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.recorder.open.get() {
            // Whoever writes the request wakes the reader.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        loop {
            ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
            let got = buf.filled().len() - before;
            let kept = self.recorder.normalize(&mut buf.filled_mut()[before..]);
            buf.set_filled(before + kept);
            // With nothing of it left it would look like the end.
            if kept > 0 || got == 0 {
                break;
            }
        }
        self.recorder.saw(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for RecordingIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.wake_reader(cx);
        self.recorder.unsent.set(true);
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.recorder.broken.set(self.io.is_broken());
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.recorder.broken.set(self.io.is_broken());
        if result.is_ready() {
            self.recorder.unsent.set(false);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_head_is_collected_whole_and_little_of_the_body() {
        const HEAD: &str = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        let collected = |pieces: &[&str]| {
            let recorder = IoRecorder::default();
            recorder.saw(b"before");
            recorder.collect_head(1000);
            pieces.iter().for_each(|piece| recorder.saw(piece.as_bytes()));
            recorder.show_head(|seen| {
                let Some(RecordedHead { bytes, lines }) = seen else { return String::new() };
                assert_eq!(lines, (pieces[0] == HEAD || pieces[0].starts_with(&format!("{HEAD}b"))).then_some(3));
                String::from_utf8(bytes.to_vec()).expect("text")
            })
        };
        assert_eq!(collected(&[&format!("{HEAD}body\n")]), HEAD);
        assert_eq!(collected(&[HEAD]), HEAD);
        assert!((1..HEAD.len()).all(|at| collected(&[&HEAD[..at], &HEAD[at..]]) == HEAD));
        for before in ["\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", "\r\nHTTP/1.1 100 Continue\r\n\r\n"] {
            assert!(collected(&[&format!("{before}{HEAD}")]).ends_with(HEAD), "{before:?}");
        }
        assert_eq!(collected(&[&HEAD[..20], &"x".repeat(980)]), "", "too much to be seen whole");
    }

    #[test]
    fn informational_heads_take_no_more_room_than_the_last_one() {
        let early = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(900));
        let last = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "y".repeat(20_000));
        let all = format!("{}{last}", early.repeat(250));
        for step in [1, 1000, 60_000] {
            let recorder = IoRecorder::default();
            recorder.collect_head(1 << 20);
            all.as_bytes().chunks(step).for_each(|piece| {
                recorder.saw(piece);
                assert!(recorder.head.borrow().len() < 60_000 + 40_000, "{step}");
            });
            recorder.show_head(|seen| assert!(seen.expect("whole").bytes.ends_with(last.as_bytes())));
        }
    }

    #[tokio::test]
    async fn a_request_is_unsent_until_all_of_it_is_flushed() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let recorder = Rc::new(IoRecorder::default());
        let mut wire = RecordingIo::new(ours, Rc::clone(&recorder));
        assert!(!recorder.is_unsent());
        wire.write_all(b"request").await.expect("room");
        assert!(recorder.is_unsent(), "not flushed");
        wire.flush().await.expect("no failure");
        assert!(!recorder.is_unsent());
        let written = tokio::select! {
            written = wire.write_all(b"another") => written.is_ok(),
            () = tokio::task::yield_now() => false,
        };
        assert!(!written && recorder.is_unsent(), "there is no room");
        theirs.read_exact(&mut [0; 7]).await.expect("written");
    }
}
