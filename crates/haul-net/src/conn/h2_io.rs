//! The byte stream under h2: what the server sends passes [`FrameFilter`], what both sides say first passes [`super::preface`].

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::defer_write_errors::DeferWriteErrors;
use super::frame_filter::FrameFilter;
use super::h2_peer::H2Peer;
use super::preface::{PrefaceCheck, SettingsRewriter};

/// Bytes read at once where they can't be handed on as they are.
const ASIDE: usize = 4 << 10;
/// Why nothing more is read.
const ENDLESS: &str = "it sends frames that bring nothing, without end";

/// A stream between h2 and a server.
#[derive(Debug)]
pub(super) struct H2Io<T> {
    io: DeferWriteErrors<T>,
    preface_check: PrefaceCheck,
    settings_rewriter: SettingsRewriter,
    frame_filter: FrameFilter,
    /// What is handed on before anything else.
    aside: Vec<u8>,
    handed: usize,
    /// How the connection ended, once that has been handed on.
    end: Option<io::Error>,
}

impl<T> H2Io<T> {
    /// `most`: bytes of a head in fragments.
    pub(super) fn new(io: T, most: usize, peer: Rc<H2Peer>) -> Self {
        Self {
            io: DeferWriteErrors::new(io),
            preface_check: PrefaceCheck::default(),
            settings_rewriter: SettingsRewriter::default(),
            frame_filter: FrameFilter::new(most, peer),
            aside: Vec::new(),
            handed: 0,
            end: None,
        }
    }

    /// Hands on what is due before anything else; false if nothing is.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let due = &self.aside[self.handed..];
        if due.is_empty() {
            return false;
        }
        let now = due.len().min(buf.remaining());
        buf.put_slice(&due[..now]);
        self.handed += now;
        if self.handed == self.aside.len() {
            // Seldom needed: a connection keeps no room for it.
            (self.aside, self.handed) = (Vec::new(), 0);
        }
        true
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for H2Io<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Each round takes bytes off the stream, which has a budget of its own.
        while !this.hand_on(buf) {
            if let Some(error) = this.end.take() {
                return Poll::Ready(Err(error));
            }
            this.frame_filter.read_on();
            if this.frame_filter.is_plain() {
                let before = buf.filled().len();
                let read = ready!(Pin::new(&mut this.io).poll_read(cx, buf));
                let came = &buf.filled()[before..];
                if came.is_empty() {
                    this.frame_filter.finish(&mut this.aside);
                    if !this.aside.is_empty() {
                        this.end = read.err();
                        continue;
                    }
                }
                read?;
                this.preface_check.judge(came)?;
                let passed = this.frame_filter.pass(came);
                if passed == came.len() {
                    break;
                }
                this.frame_filter.take(&came[passed..], &mut this.aside);
                buf.set_filled(before + passed);
                if passed > 0 {
                    break;
                }
            } else if this.frame_filter.is_over() {
                // h2 has seen what ends the connection. Should it ask for more, that is the end.
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, ENDLESS)));
            } else {
                let mut room = [0; ASIDE];
                let mut room = ReadBuf::new(&mut room);
                ready!(Pin::new(&mut this.io).poll_read(cx, &mut room))?;
                if room.filled().is_empty() {
                    break;
                }
                this.preface_check.judge(room.filled())?;
                this.frame_filter.take(room.filled(), &mut this.aside);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for H2Io<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some((said, length)) = this.settings_rewriter.instead(buf) else {
            return Pin::new(&mut this.io).poll_write(cx, buf);
        };
        let written = ready!(Pin::new(&mut this.io).poll_write(cx, &said[..length]))?;
        this.settings_rewriter.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.settings_rewriter.is_complete() {
            return Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        self.poll_write(cx, first)
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
