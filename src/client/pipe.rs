//! What goes from the thread that fetches to whoever waits: a head, pieces of a body, an end.
//!
//! Owns one request's meeting point. Invariant: the body's end is told only after the engine has found the response
//! whole; whoever stops waiting (drops the [`Receiver`]) makes [`Sender::poll_gone`] ready, and a sender that goes without
//! an end makes the request fail as cancelled.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONTENT_ENCODING;

use super::error::Error;
use super::head::Head;
use crate::model::{BodyUse, BodyWriter, Failure, FailureKind, Outcome, Phase, Reply, ResponseHead};

/// Bytes of body that may wait for the reader before the peer has to.
const MOST_WAITING: usize = 256 << 10;

/// Bodies known to be no longer than this come with their head: two wake-ups less, and a response cut off is tried again
/// as long as nobody has seen a part of it.
const SMALL: u64 = 64 << 10;

/// Makes both ends for a request to `url`.
pub(super) fn pipe(url: Box<str>) -> (Sender, Receiver) {
    let shared = Arc::new(Pipe { url, state: Mutex::default() });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

struct Pipe {
    url: Box<str>,
    state: Mutex<PipeState>,
}

#[derive(Default)]
struct PipeState {
    /// The head, until the reader has it.
    head: Option<Head>,
    /// The body's pieces come one by one behind the head, and not with the end.
    streamed: bool,
    pieces: VecDeque<Bytes>,
    /// Bytes in `pieces`.
    waiting: usize,
    end: Option<Result<(), Error>>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl PipeState {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.waiting += piece.len();
            self.pieces.push_back(piece);
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.waiting -= piece.len();
        Some(piece)
    }
}

impl Pipe {
    fn state(&self) -> MutexGuard<'_, PipeState> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Changes the state and wakes the reader.
    fn tell(&self, change: impl FnOnce(&mut PipeState)) {
        let mut state = self.state();
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// Notes who is to be woken, without a copy when it is known already.
fn note(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

/// The end on the thread that fetches.
pub(super) struct Sender {
    shared: Arc<Pipe>,
}

impl Reply for Sender {
    fn head(&self, head: &ResponseHead<'_>) -> BodyUse {
        if is_small(head) {
            return BodyUse::Collect;
        }
        self.shared.tell(|state| {
            state.head = Some(Head::of(head));
            state.streamed = true;
        });
        BodyUse::Stream(Box::new(Writer { shared: Arc::clone(&self.shared) }))
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.state();
        if state.reader_gone {
            return Poll::Ready(());
        }
        note(&mut state.writer, cx);
        Poll::Pending
    }

    fn end(self: Box<Self>, outcome: Outcome) {
        let attempts = outcome.attempts;
        let whole = Head::and_body(outcome);
        self.shared.tell(|state| match whole {
            Ok((head, body)) => {
                if !state.streamed {
                    state.head = Some(head);
                    state.push(body);
                }
                state.end = Some(Ok(()));
            }
            Err(failure) => state.end = Some(Err(Error::new(failure, self.shared.url.clone(), attempts))),
        });
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.tell(|state| {
            if state.end.is_none() {
                let failure = Failure::new(Phase::Queue, FailureKind::Cancelled, "the client was stopped or dropped");
                state.end = Some(Err(Error::new(failure, self.shared.url.clone(), 0)));
            }
        });
    }
}

/// Whether the body is known to be short: no coding can make it longer.
fn is_small(head: &ResponseHead<'_>) -> bool {
    !head.headers.contains_key(CONTENT_ENCODING) && head.content_length().is_some_and(|length| length <= SMALL)
}

/// The way of the pieces.
struct Writer {
    shared: Arc<Pipe>,
}

impl BodyWriter for Writer {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut state = self.shared.state();
        if state.reader_gone {
            let message = "nobody reads this body any longer";
            return Poll::Ready(Err(Failure::new(Phase::Body, FailureKind::Cancelled, message)));
        }
        if state.waiting < MOST_WAITING {
            return Poll::Ready(Ok(()));
        }
        note(&mut state.writer, cx);
        Poll::Pending
    }

    fn write(&mut self, piece: Bytes) {
        self.shared.tell(|state| state.push(piece));
    }

    /// The end itself is told by [`Sender::end`], once the engine agrees.
    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
        Poll::Ready(Ok(None))
    }
}

/// The end of whoever waits.
pub(super) struct Receiver {
    shared: Arc<Pipe>,
}

impl Receiver {
    /// One that has everything already.
    pub(super) fn whole(body: Bytes) -> Self {
        let mut state = PipeState { end: Some(Ok(())), ..PipeState::default() };
        state.push(body);
        Self { shared: Arc::new(Pipe { url: Box::default(), state: Mutex::new(state) }) }
    }

    /// The URL asked for.
    pub(super) fn url(&self) -> &str {
        &self.shared.url
    }

    /// Ready with the head, or with why there is none.
    pub(super) fn poll_head(&self, cx: &Context<'_>) -> Poll<Result<Head, Error>> {
        let mut state = self.shared.state();
        if let Some(head) = state.head.take() {
            return Poll::Ready(Ok(head));
        }
        if let Some(Err(error)) = state.end.take_if(|end| end.is_err()) {
            state.end = Some(Ok(()));
            return Poll::Ready(Err(error));
        }
        note(&mut state.reader, cx);
        Poll::Pending
    }

    /// Ready with the next piece of the body, its end, or why it is cut off. That is told once; then comes the end.
    pub(super) fn poll_piece(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let mut state = self.shared.state();
        if let Some(piece) = state.pop() {
            let writer = if state.waiting < MOST_WAITING { state.writer.take() } else { None };
            drop(state);
            if let Some(writer) = writer {
                writer.wake();
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match state.end.replace(Ok(())) {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                state.end = None;
                note(&mut state.reader, cx);
                Poll::Pending
            }
        }
    }

    /// Puts a piece back in front of the others.
    pub(super) fn put_back(&self, piece: Bytes) {
        if !piece.is_empty() {
            let mut state = self.shared.state();
            state.waiting += piece.len();
            state.pieces.push_front(piece);
        }
    }

    /// The bytes to come, once all of them are here.
    pub(super) fn left(&self) -> Option<u64> {
        let state = self.shared.state();
        matches!(state.end, Some(Ok(()))).then_some(state.waiting as u64)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.reader_gone = true;
        state.pieces.clear();
        state.reader = None;
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}
