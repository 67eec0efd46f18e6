//! The two bodies of an HTTP/2 stream: the request's on its way out, the response's on its way in.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::error::{self, TransportError};
use super::h2_peer::H2Peer;
use super::silly_window::SillyWindowAvoidance;
use haul_core::model::Phase;

/// The most that h2 is asked to make room for at once.
const PIECE: usize = 1 << 20;
/// How long little room waits for more (RFC 9293 §3.8.6.2.1: 0.1 to 1 s).
const PATIENCE: Duration = Duration::from_millis(100);

/// A request's body, sent as far as the peer's windows allow.
pub(super) struct Upload {
    stream: SendStream<Bytes>,
    rest: Bytes,
    portion: SillyWindowAvoidance,
    /// Runs while there is room, but little.
    patience: Option<Pin<Box<Sleep>>>,
    /// The room that it holds back.
    held: usize,
    shared: Rc<Uploads>,
}

/// What the uploads of one connection have in common.
#[derive(Debug)]
pub(super) struct Uploads {
    peer: Rc<H2Peer>,
    /// The room that they hold back together.
    held: Cell<usize>,
}

impl Uploads {
    pub(super) const fn new(peer: Rc<H2Peer>) -> Self {
        Self { peer, held: Cell::new(0) }
    }
}

impl Upload {
    /// `body`: not empty.
    pub(super) fn new(stream: SendStream<Bytes>, body: Bytes, shared: Rc<Uploads>) -> Self {
        shared.peer.unfinished.begin(stream.stream_id().as_u32());
        Self { stream, rest: body, portion: SillyWindowAvoidance::default(), patience: None, held: 0, shared }
    }

    /// Ready when all has been handed to h2, or the stream has ended; how it ended is told with the response.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.rest.is_empty() {
            self.stream.reserve_capacity(self.rest.len().min(PIECE));
            let room = self.stream.capacity();
            let mut now = self.portion.of(room, self.rest.len(), self.shared.held.get() - self.held);
            if now == 0 && room > 0 && self.poll_patience(cx).is_ready() {
                now = self.portion.at_last(room, self.rest.len());
            }
            self.hold(if now == 0 { room } else { 0 });
            if now == 0 {
                match ready!(self.stream.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
            self.patience = None;
            self.shared.peer.budget.upload(now);
            let piece = self.rest.split_to(now);
            if self.stream.send_data(piece, self.rest.is_empty()).is_err() {
                return Poll::Ready(());
            }
        }
        Poll::Ready(())
    }

    /// Holds back so much room.
    fn hold(&mut self, room: usize) {
        let before = std::mem::replace(&mut self.held, room);
        self.shared.held.set(self.shared.held.get() - before + room);
    }

    /// Ready once little room has stayed little for long enough.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(cx)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.hold(0);
        self.shared.peer.unfinished.end(self.stream.stream_id().as_u32());
    }
}

/// A response's body, whose bytes make room in the windows as soon as they are taken.
#[derive(Debug)]
pub(super) struct H2Body {
    stream: RecvStream,
    /// What the head says its length is.
    length: Option<u64>,
    /// All data has come; trailers may follow.
    data_ended: bool,
    /// All of it has been taken, and no trailers follow. Remembered, because each question takes h2's lock.
    complete: bool,
}

impl H2Body {
    pub(super) fn of(response: Response<RecvStream>) -> Response<Self> {
        let length = length(response.headers());
        response.map(|stream| Self { complete: stream.is_end_stream(), stream, length, data_ended: false })
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.complete {
            return Poll::Ready(None);
        }
        if !self.data_ended {
            if let Some(data) = ready!(self.stream.poll_data(cx)).transpose()? {
                // It fails where the stream has ended meanwhile: then there is no window to keep open.
                let _ = self.stream.flow_control().release_capacity(data.len());
                self.complete = self.stream.is_end_stream();
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.data_ended = true;
        }
        self.stream.poll_trailers(cx).map(|trailers| trailers.map(|trailers| trailers.map(Frame::trailers)).transpose())
    }
}

/// The `content-length`, where there is one: h2 has checked it.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Body for H2Body {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        Poll::Ready(match ready!(self.poll_data(cx)) {
            // The peer wants no more of the request (RFC 9113 §8.1). Whether the response is whole is for the caller to ask.
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => None,
            frame => frame.map(|frame| frame.map_err(|error| error::map_h2(&error, Phase::Body))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.complete || self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
