//! An HTTP/2 connection: one driver task, any number of exchanges within the peer's stream limit.
//!
//! On the `h2` crate itself, which hyper's client stands on: hyper gives each request a task of its own, and passes it through
//! a queue and a one-shot channel, where here whoever waits for a response asks h2 for it (docs/measured/PERFORMANCE.md has the figures).

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use http::{Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot::{self, Receiver};

use super::connection::{self, MultiplexedConnection};
use super::exchange::{self, ExchangeContext, ExchangeError, ExchangeOutcome, ExchangeProgress};
use super::frame_filter::FRAME_SIZE;
use super::h2_io::H2Io;
use super::h2_peer::H2Peer;
use super::stream_slots::{StreamSlotError, StreamSlots};
use super::streams::{H2Body, Upload, Uploads};
use super::{LazyTimer, RequestBody, error, framing, h2_request};
use haul_core::config::BodySettings;
use haul_core::model::{Clock, CloseReason, Failure, FailureKind, Phase};
use haul_core::protocol::Protocol;

/// The sending side of one HTTP/2 connection; clones share it.
#[derive(Clone)]
pub struct H2 {
    sender: SendRequest<Bytes>,
    state: Rc<H2State>,
    /// Tells the driver, by being dropped, that nobody holds the connection any more.
    held: Rc<oneshot::Sender<Infallible>>,
}

/// What the driver has seen of the connection. Its exchanges look here, because to ask h2 takes its lock.
#[derive(Debug)]
struct H2State {
    /// Why the connection takes no more requests, once that is so.
    closed: Cell<Option<CloseReason>>,
    /// A request's time was up before the peer had sent anything: those that wait unsent had better wait elsewhere.
    silent: Cell<bool>,
    /// Those that the peer allows, for requests.
    slots: StreamSlots,
    peer: Rc<H2Peer>,
    uploads: Rc<Uploads>,
}

impl fmt::Debug for H2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2")
            .field("state", &self.state)
            .field("holders", &Rc::strong_count(&self.held))
            .finish_non_exhaustive()
    }
}

impl H2 {
    /// Speaks the preface on an open stream. The future returned drives the connection until it takes no more requests, or
    /// nobody holds it any more: the caller runs it as a task of its own, on the same thread. What is left then is its
    /// [`H2Drain`].
    ///
    /// # Errors
    /// When the preface can't be written.
    pub async fn new<T>(
        io: T,
        body: &BodySettings,
    ) -> Result<(Self, impl Future<Output = H2Drain<T>> + use<T> + 'static), Failure>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let peer = Rc::new(H2Peer::default());
        let (sender, connection) = settings(body)
            .handshake(H2Io::new(io, largest_block(body), Rc::clone(&peer)))
            .await
            .map_err(|error| error::map_h2(&error, Phase::Connect).failure)?;
        let state = Rc::new(H2State {
            closed: Cell::new(None),
            silent: Cell::new(false),
            slots: StreamSlots::new(sender.current_max_send_streams()),
            uploads: Rc::new(Uploads::new(Rc::clone(&peer))),
            peer,
        });
        let (held, gone) = oneshot::channel();
        let driver = drive(connection, sender.clone(), Rc::clone(&state), gone);
        Ok((Self { sender, state, held: Rc::new(held) }, driver))
    }
}

impl connection::Connection for H2 {
    const PROTOCOL: Protocol = Protocol::Http2;

    /// Each request has a stream of its own. Dropping the future resets the stream and leaves the connection as it is.
    async fn exchange<C: Clock>(
        &mut self,
        request: &mut Request<RequestBody>,
        method: &Method,
        context: &ExchangeContext<'_, C>,
        timer: &mut LazyTimer,
    ) -> ExchangeOutcome {
        let deadlines = context.deadlines(context.clock.now());
        let progress = ExchangeProgress::default();
        let Self { sender, state, .. } = self;
        // Given up after the stream.
        let place = RefCell::new(None);
        let last_slot = Cell::new(false);
        // 0: it has none.
        let stream = Cell::new(0);
        let mut outcome = {
            let upload = RefCell::new(None);
            let most_early = framing::most_before_head(context.body);
            let sending = pin!(async {
                let mut taken = state.slots.try_take();
                if taken.is_none() {
                    deadlines.wait_unsent();
                    taken = match state.slots.take().await {
                        Ok(place) => Some(place),
                        // To send says why.
                        Err(StreamSlotError::Closed) => None,
                        Err(StreamSlotError::Full) => return Err(error::no_slot()),
                    };
                    deadlines.send(context.clock.now());
                    if state.silent.get() {
                        return Err(ExchangeError::from(error::silent()).unwritten());
                    }
                }
                last_slot.set(state.slots.is_full());
                *place.borrow_mut() = taken;
                send(sender, request, &stream, &upload, most_early, state).await
            });
            let mut exchange = pin!(exchange::exchange(sending, method, context, &deadlines, &progress));
            poll_fn(|cx| match exchange.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => {
                    poll_upload(&mut upload.borrow_mut(), cx);
                    let ended = context.poll_ended(cx, &deadlines, timer);
                    ended.map(|failure| {
                        let error = ExchangeError::from(failure);
                        Err(if deadlines.is_unsent() { error.unwritten() } else { error })
                    })
                }
            })
            .await
        };
        if outcome.is_err() || last_slot.get() {
            // Where streams are scarce h2's handle holds on to the last one it opened until it opens another, and so keeps it
            // from being reset. A new one does not.
            *sender = sender.clone();
        }
        if stream.get() != 0 && !state.peer.heard.get() && is_timeout(&outcome) {
            state.silent.set(true);
            state.closed.set(Some(CloseReason::Failed));
            state.slots.close();
        }
        drop(place);
        let answered = progress.has_head();
        match &mut outcome {
            Err(error) if error.ended_ours => {
                // The others on the connection hear of its end in this same turn, and say whether theirs was good.
                tokio::task::yield_now().await;
                if stream.get() == 0 || !state.peer.unconfirmed.include(stream.get()) {
                    error.failure = error::cut_off_by_another(error.failure.phase);
                }
            }
            Err(error) => error::with_go_away(error, &state.peer.go_away),
            Ok(_) if state.closed.get().is_some() => state.peer.unconfirmed.confirm(stream.get(), true),
            Ok(_) => {}
        }
        progress.into_outcome(outcome, answered, &deadlines, context.clock.now())
    }

    /// Why the connection takes no further request, when it is gone or going.
    fn why_not_reusable(&self) -> Option<CloseReason> {
        self.state.closed.get()
    }
}

impl MultiplexedConnection for H2 {
    /// How many streams the peer allows; 1 until its settings have arrived, which any response proves, and once the
    /// connection takes no more.
    fn streams_allowed(&self) -> usize {
        if self.state.closed.get().is_some() { 1 } else { self.state.slots.allowed() }
    }

    /// Whether the peer, which had allowed streams, allows none any more.
    fn has_stopped(&self) -> bool {
        self.state.slots.have_ended()
    }
}

/// h2's settings.
fn settings(body: &BodySettings) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        // Until the peer has said how many streams it allows, more than one may be refused; the rest waits (`StreamSlots`).
        .initial_max_send_streams(1)
        .initial_window_size(body.h2_stream_window)
        .initial_connection_window_size(body.h2_stream_window.saturating_mul(STREAMS_UNREAD).min(LARGEST_WINDOW))
        .max_header_list_size(u32::try_from(body.max_head).unwrap_or(u32::MAX).saturating_mul(HEADS_TAKEN))
        // For heads that came in fragments. The server hears of less (`preface`).
        .max_frame_size(LARGEST_FRAME)
        // Cancelled exchanges leave streams that the peer still writes to; too few places for them would turn late frames
        // into connection errors.
        .max_concurrent_reset_streams(1024);
    if let Some(bytes) = body.h2_frame_overhead {
        builder.data_frame_budget(bytes);
    }
    builder
}

/// The most bytes of a head in fragments, as they are on the wire: as many as it may have decoded. Where they would be more
/// (Huffman code can make a value longer), or are more than a frame can have, the head is over the cap.
fn largest_block(body: &BodySettings) -> usize {
    body.max_head.saturating_mul(HEADS_TAKEN as usize).clamp(FRAME_SIZE as usize, LARGEST_FRAME as usize)
}

/// Drives the connection until it takes no more requests. How it ended reaches every exchange on it.
async fn drive<T>(
    mut connection: Connection<H2Io<T>, Bytes>,
    mut sender: SendRequest<Bytes>,
    state: Rc<H2State>,
    mut gone: Receiver<Infallible>,
) -> H2Drain<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let driving = poll_fn(|cx| {
        let ended = Pin::new(&mut connection).poll(cx).is_ready();
        // The peer may have said GOAWAY: the streams it knows of go on, and no other.
        let closing = match sender.poll_ready(cx) {
            Poll::Ready(Err(error)) => Some(why(&error)),
            _ => None,
        };
        state.slots.allow(sender.current_max_send_streams(), state.peer.settled.get());
        if ended || closing.is_some() { Poll::Ready((ended, closing)) } else { Poll::Pending }
    });
    let ((ended, closing), gone) = tokio::select! {
        biased;
        end = driving => (end, Some(gone)),
        _ = &mut gone => ((false, None), None),
    };
    let why = closing.unwrap_or(CloseReason::PeerClosed);
    state.closed.set(Some(why));
    state.slots.close();
    H2Drain { connection: (!ended).then_some(connection), gone, why }
}

/// Why a connection takes no more requests.
fn why(error: &h2::Error) -> CloseReason {
    match (error.is_go_away(), error.is_remote()) {
        (true, true) => CloseReason::GoAway,
        // It broke the protocol.
        (true, false) => CloseReason::Failed,
        (false, _) => CloseReason::PeerClosed,
    }
}

fn is_timeout<T>(outcome: &Result<T, ExchangeError>) -> bool {
    outcome.as_ref().is_err_and(|error| error.failure.kind == FailureKind::Timeout)
}

/// Opens a stream for `request` as soon as there may be one, and waits for the head of its response, for as long as the
/// informational (1xx) heads before it have no more than `most_early` bytes.
async fn send(
    sender: &mut SendRequest<Bytes>,
    request: &mut Request<RequestBody>,
    id: &Cell<u32>,
    upload: &RefCell<Option<Upload>>,
    most_early: u64,
    state: &H2State,
) -> Result<Response<H2Body>, ExchangeError> {
    let body = mem::take(request.body_mut()).into_bytes();
    let mut head = mem::take(request).map(drop);
    h2_request::fit(&mut head, body.len());
    // Nothing of it has been written yet.
    let unsent = |error: h2::Error| ExchangeError::from(error::map_h2(&error, Phase::Head)).unwritten();
    poll_fn(|cx| sender.poll_ready(cx)).await.map_err(unsent)?;
    let (mut response, stream) = sender.send_request(head, body.is_empty()).map_err(unsent)?;
    state.peer.budget.request();
    id.set(response.stream_id().as_u32());
    state.peer.unconfirmed.opened(id.get());
    if body.is_empty() {
        // While the stream is open: to let go of one that has ended takes h2 180 instructions more.
        drop(stream);
    } else {
        *upload.borrow_mut() = Some(Upload::new(stream, body, Rc::clone(&state.uploads)));
    }
    let mut early = 0;
    let response = poll_fn(|cx| {
        // Pending means that no head has come, and that h2 wakes us when one does: each question takes its lock.
        while let Some(Ok(head)) = ready!(response.poll_informational(cx)) {
            early += framing::size(head.headers()) as u64;
            if early > most_early {
                return Poll::Ready(Err(framing::endless_heads().into()));
            }
        }
        let mapped = |error| ExchangeError::from(error::map_h2(&error, Phase::Head));
        Pin::new(&mut response).poll(cx).map_err(mapped)
    });
    let response = response.await?;
    if state.closed.get().is_some() {
        state.peer.unconfirmed.confirm(id.get(), false);
    }
    Ok(H2Body::of(response))
}

/// Sends what can be sent of the request's body, until it has been sent or the peer wants no more of it.
fn poll_upload(upload: &mut Option<Upload>, cx: &mut task::Context<'_>) {
    if upload.as_mut().is_some_and(|upload| upload.poll(cx).is_ready()) {
        *upload = None;
    }
}

/// The end of a connection that takes no more requests.
#[must_use = "the exchanges that are left go on while this is awaited"]
pub struct H2Drain<T> {
    /// `None` once it has ended.
    connection: Option<Connection<H2Io<T>, Bytes>>,
    /// `None` once nobody holds the connection any more.
    gone: Option<Receiver<Infallible>>,
    why: CloseReason,
}

impl<T> H2Drain<T> {
    /// Why the connection takes no more requests, as far as it was not those who held it that let go.
    pub const fn why(&self) -> CloseReason {
        self.why
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> H2Drain<T> {
    /// Serves the exchanges that are left, takes leave of the peer, and closes the stream if that takes longer than a second:
    /// a peer that takes no more bytes would keep it for ever.
    pub async fn run(self) {
        let Some(connection) = self.connection else { return };
        let patience = async {
            if let Some(gone) = self.gone {
                // Nothing is ever sent: it ends when the last one lets go.
                let _ = gone.await;
            }
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            _ = connection => {}
            () = patience => {}
        }
    }
}

/// How long a connection that nobody uses any more has to take leave of its peer.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection's window has room for as many full stream windows, so that bodies which their readers leave unread do not
/// hold up the others.
const STREAMS_UNREAD: u32 = 128;
/// RFC 9113 §6.9.1.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// How many times the cap a head may be before h2 refuses it: h2 calls it malformed, and the exchange says what it is.
const HEADS_TAKEN: u32 = 4;
/// One less than the protocol's largest, which then is one that h2 refuses (RFC 9113 §4.2).
const LARGEST_FRAME: u32 = (1 << 24) - 2;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// The SETTINGS frame that a server gets after the preface: numbers and values.
    async fn settings_said(body: &BodySettings) -> Vec<(u16, u32)> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let (_h2, driver) = H2::new(ours, body).await.expect("room");
        let read = async {
            let mut head = [0; 24 + 9];
            theirs.read_exact(&mut head).await.expect("a preface and a frame's header");
            assert_eq!((&head[..3], head[24 + 3]), (&b"PRI"[..], 4), "SETTINGS come first");
            let mut payload = vec![0; u32::from_be_bytes([0, head[24], head[25], head[26]]) as usize];
            theirs.read_exact(&mut payload).await.expect("the frame");
            payload
        };
        let payload = tokio::select! {
            payload = read => payload,
            _ = driver => panic!("the connection is held"),
        };
        let entry = |entry: &[u8]| {
            let value = entry[2..].try_into().expect("four bytes");
            (u16::from_be_bytes([entry[0], entry[1]]), u32::from_be_bytes(value))
        };
        payload.chunks(6).map(entry).collect()
    }

    #[tokio::test]
    async fn the_server_hears_of_the_frames_that_it_may_send_and_not_of_those_that_h2_takes() {
        const ENABLE_PUSH: u16 = 2;
        const MAX_FRAME_SIZE: u16 = 5;
        const MAX_HEADER_LIST_SIZE: u16 = 6;
        for max_head in [1 << 10, 64 << 10, 1 << 30] {
            let said = settings_said(&BodySettings { max_head, ..BodySettings::default() }).await;
            let value = |number| said.iter().find(|(is, _)| *is == number).map(|(_, value)| *value);
            assert_eq!(value(ENABLE_PUSH), Some(0));
            assert_eq!(value(MAX_FRAME_SIZE), Some(64 << 10), "{said:?}");
            let heads = u32::try_from(max_head).unwrap_or(u32::MAX).saturating_mul(4);
            assert_eq!(value(MAX_HEADER_LIST_SIZE), Some(heads), "{said:?}");
        }
    }

    #[test]
    fn a_head_in_fragments_may_be_as_large_as_one_that_is_whole() {
        let largest = |max_head| largest_block(&BodySettings { max_head, ..BodySettings::default() });
        assert_eq!([1 << 10, 64 << 10, 1 << 20].map(largest), [64 << 10, 256 << 10, 4 << 20]);
        assert_eq!(largest(usize::MAX), (1 << 24) - 2, "what fits a frame that h2 takes");
    }
}
