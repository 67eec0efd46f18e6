//! One request and its response, whatever the protocol: send, wait for the head, judge the framing, receive the body.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::response::Parts;
use http::{HeaderName, HeaderValue, Method, Response as HttpResponse, Version};
use http_body::{Body, Frame, SizeHint};

use super::chunk_decoder::{ChunkDecoder, ChunkError};
use super::deadlines::Deadlines;
use super::error::TransportError;
use super::framing::BodyEnd;
use super::recording_io::IoRecorder;
use super::{LazyTimer, framing, head};
use crate::body::{self, BodyError, BodyPlan, MemoryReservation};
use haul_core::attempt::{AttemptEnd, Sent};
use haul_core::config::{BodySettings, Timeouts};
use haul_core::model::{BodyUse, BodyWriter, Clock, CompleteResponse, Failure, FailureKind, Phase, Time};
use haul_core::policy::redirect;

/// Whom a response is for.
pub trait Recipient {
    /// The head is here: says what becomes of the body. `followed`: of a redirect that is followed, whose body nobody gets.
    fn head(&self, head: &Parts, first_byte: Duration, followed: bool) -> BodyUse;

    /// Where the memory for decoding a body is asked for, where it is rationed. Asked after [`Self::head`].
    fn reservation(&self) -> Option<Box<dyn MemoryReservation>> {
        None
    }

    /// Whether the attempt's total time-out stands still while the body is not taken: nobody outside waits for it, and haul
    /// itself has no room at the moment.
    fn is_patient(&self) -> bool {
        false
    }

    /// Ready when nobody waits for the response any longer: the exchange then ends.
    fn poll_gone(&self, cx: &mut task::Context<'_>) -> Poll<()>;
}

/// What an exchange needs to know beside the request.
pub struct ExchangeContext<'a, C> {
    /// The time.
    pub clock: &'a C,
    /// The phases' time-outs.
    pub timeouts: Cow<'a, Timeouts>,
    /// What is done with the body.
    pub body: &'a BodySettings,
    /// When the attempt as a whole is over.
    pub total: Time,
    /// What is done with the bodies of redirects that are followed: they are read, so that the connection can be used
    /// again, and dropped. `None`: redirects are results like any other.
    pub redirect_body: Option<&'a BodySettings>,
    /// Whom the response is for.
    pub recipient: &'a dyn Recipient,
}

impl<C: Clock> ExchangeContext<'_, C> {
    /// The deadlines of an exchange that starts now.
    pub(super) fn deadlines(&self, now: Time) -> Deadlines<'_> {
        Deadlines::new(&self.timeouts, self.total, now).patient(self.recipient.is_patient())
    }

    /// The failure that waiting has brought: time is up, or nobody waits any longer.
    pub(super) fn poll_ended(
        &self,
        cx: &mut task::Context<'_>,
        deadlines: &Deadlines<'_>,
        timer: &mut LazyTimer,
    ) -> Poll<Failure> {
        if self.recipient.poll_gone(cx).is_ready() {
            let message = "nobody waits for this response any longer";
            return Poll::Ready(Failure::new(deadlines.phase(), FailureKind::Cancelled, message));
        }
        deadlines.poll_timeout(cx, timer, self.clock)
    }
}

/// How an exchange ended.
#[derive(Debug)]
pub struct ExchangeOutcome {
    /// The complete response, or why there is none.
    pub result: Result<CompleteResponse, Failure>,
    /// The response head, when it was received: redirects, retry hints and keep-alive hints are in it.
    pub head: Option<Parts>,
    /// The headers' names in the order they came, where the headers are kept (HTTP/1.x only).
    pub order: Option<Vec<HeaderName>>,
    /// What the peer can have made of the request.
    pub sent: Sent,
    /// From sending to the complete head.
    pub first_byte: Option<Duration>,
    /// From the head to the end of the body.
    pub body: Option<Duration>,
    /// Body bytes off the wire.
    pub wire_bytes: u64,
    /// When it ended.
    pub ended: Time,
}

impl ExchangeOutcome {
    /// An exchange that failed before anything was sent.
    #[must_use]
    pub fn unsent(failure: Failure, ended: Time) -> Self {
        Self {
            result: Err(failure),
            head: None,
            order: None,
            sent: Sent::No,
            first_byte: None,
            body: None,
            wire_bytes: 0,
            ended,
        }
    }

    /// How the attempt ended that this was. `reused`: its connection had served a request before.
    #[must_use]
    pub fn end(&self, reused: bool) -> AttemptEnd<'_> {
        AttemptEnd {
            result: self.result.as_ref().map(|response| (response.status, response.version)),
            head: self.head.as_ref().map(|head| head.status.as_u16()),
            sent: self.sent,
            reused,
        }
    }

    /// Whether the peer has said that it keeps the connection: `Connection: keep-alive`, or a `Keep-Alive`.
    #[must_use]
    pub fn promises_keep_alive(&self) -> bool {
        self.head.as_ref().is_some_and(|head| framing::promises_keep_alive(&head.headers))
    }

    /// The peer's `Keep-Alive: timeout`.
    #[must_use]
    pub fn keep_alive_timeout(&self) -> Option<Duration> {
        framing::keep_alive_timeout(&self.head.as_ref()?.headers)
    }
}

/// The lines of a head that are no headers.
const STATUS_AND_EMPTY_LINE: usize = 2;

/// What an exchange has reached so far: it outlives the exchange's future, which a time-out drops.
#[derive(Debug, Default)]
pub(super) struct ExchangeProgress {
    head: RefCell<Option<(Parts, Time)>>,
    /// Where the head's bytes are collected (HTTP/1.x only).
    recorder: Option<Rc<IoRecorder>>,
    order_wanted: bool,
    order: RefCell<Option<Vec<HeaderName>>>,
    /// Where the body ended is in doubt.
    doubtful: Cell<bool>,
}

impl ExchangeProgress {
    /// Looks at the head's bytes too, of which there are less than `most`, and keeps the order of the headers if it is wanted.
    pub(super) fn with_recorder(recorder: Rc<IoRecorder>, order_wanted: bool, most: u64) -> Self {
        recorder.collect_head(usize::try_from(most).unwrap_or(usize::MAX));
        Self { recorder: Some(recorder), order_wanted, ..Self::default() }
    }

    /// The bytes are those of a head and perhaps more: what comes now is body, and not collected. Checks that hyper has
    /// passed over no line of it that says where the body ends.
    fn bytes_came(&self, head: &Parts, method: &Method) -> Result<(), Failure> {
        let Some(recorder) = &self.recorder else { return Ok(()) };
        recorder.show_head(|seen| {
            // What was not seen may say where the body ends.
            let seen =
                seen.ok_or_else(|| Failure::new(Phase::Head, FailureKind::HeadTooLarge, framing::head_too_large()))?;
            if self.order_wanted {
                *self.order.borrow_mut() = Some(head::names(seen.bytes));
            }
            // As many headers as lines: none was passed over. Much cheaper than a look at each line, and where it fails there
            // may still be nothing amiss: a folded line, an informational head before.
            if seen.lines == Some(head.headers.len() + STATUS_AND_EMPTY_LINE) {
                return Ok(());
            }
            framing::check_lines(head, method, head::framing_lines(seen.bytes))
        })
    }

    fn head_came(&self, head: Parts, now: Time) {
        *self.head.borrow_mut() = Some((head, now));
    }

    /// Whether where the body ended is in doubt.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.doubtful.get()
    }

    pub(super) fn has_head(&self) -> bool {
        self.head.borrow().is_some()
    }

    /// Puts together what the exchange came to. `answered`: a byte of an answer came.
    pub(super) fn into_outcome(
        self,
        outcome: Result<CompleteResponse, ExchangeError>,
        answered: bool,
        deadlines: &Deadlines<'_>,
        ended: Time,
    ) -> ExchangeOutcome {
        let sent = match &outcome {
            Err(ExchangeError { sent: Some(sent), .. }) => *sent,
            Err(_) if !answered => Sent::Unanswered,
            _ => Sent::Answered,
        };
        let head = self.head.into_inner();
        let head_at = head.as_ref().map(|(_, at)| *at);
        ExchangeOutcome {
            result: outcome.map_err(|error| error.failure),
            head: head.map(|(head, _)| head),
            order: self.order.into_inner(),
            sent,
            first_byte: head_at.map(|at| at.since(deadlines.started())),
            body: head_at.map(|at| ended.since(at)),
            wire_bytes: deadlines.wire_bytes.get(),
            ended,
        }
    }
}

/// The error of an exchange: what failed, and what is known of the request.
pub(super) struct ExchangeError {
    pub(super) failure: Failure,
    pub(super) sent: Option<Sent>,
    /// The connection was ended, for something on it that need not be this exchange's.
    pub(super) ended_ours: bool,
}

impl ExchangeError {
    /// The request was not written: that much is known whatever the error says.
    pub(super) fn unwritten(mut self) -> Self {
        self.sent.get_or_insert(Sent::No);
        self
    }
}

impl From<Failure> for ExchangeError {
    fn from(failure: Failure) -> Self {
        Self { failure, sent: None, ended_ours: false }
    }
}

impl From<TransportError> for ExchangeError {
    fn from(mapped: TransportError) -> Self {
        Self { failure: mapped.failure, sent: mapped.sent, ended_ours: mapped.ended_ours }
    }
}

/// Waits for the response that `sending` brings, and receives its body.
pub(super) async fn exchange<C, B>(
    sending: impl Future<Output = Result<HttpResponse<B>, ExchangeError>>,
    method: &Method,
    context: &ExchangeContext<'_, C>,
    deadlines: &Deadlines<'_>,
    progress: &ExchangeProgress,
) -> Result<CompleteResponse, ExchangeError>
where
    C: Clock,
    B: Body<Data = Bytes, Error = TransportError> + Unpin,
{
    let response = sending.await?;
    let now = context.clock.now();
    deadlines.enter_body(now);
    let (head, incoming) = response.into_parts();
    let h2 = head.version == Version::HTTP_2;
    let size = if h2 { framing::check_size(&head.headers, context.body) } else { Ok(()) };
    let lines = progress.bytes_came(&head, method);
    // In HTTP/2 frames say where a body ends, and h2 never hands on a transfer-encoding.
    let ends = if h2 { framing::Framing::default() } else { framing::Framing::of(&head.headers) };
    progress.doubtful.set(ends.is_doubtful(&head, method));
    let framing = size.and_then(|()| ends.end(&head, method)).and_then(|end| lines.map(|()| end));
    let bodiless = h2 && framing::is_bodiless(&head, method);
    let followed = context.redirect_body.filter(|_| is_redirect(&head));
    if followed.is_some() {
        deadlines.end_by(now + UNWANTED);
    }
    let plan = BodyPlan::new(followed.unwrap_or(context.body), &head.headers);
    let (status, version) = (head.status.as_u16(), head.version);
    let body_use = match &framing {
        Ok(_) => context.recipient.head(&head, now.since(deadlines.started()), followed.is_some()),
        Err(_) => BodyUse::Collect,
    };
    progress.head_came(head, now);
    let end = framing?;
    let writer = match body_use {
        BodyUse::Collect => None,
        BodyUse::Stream(writer) => {
            Some(Box::new(BackpressureTracker { inner: writer, deadlines, clock: context.clock })
                as Box<dyn BodyWriter + '_>)
        }
        BodyUse::Refuse(message) => return Err(Failure::new(Phase::Head, FailureKind::Unwanted, message).into()),
    };
    let left = if let BodyEnd::After(length) = end { Some(length) } else { None };
    let chunks = (end == BodyEnd::Chunks).then_some((ChunkDecoder::START, Bytes::new()));
    let framed = FramedBody { incoming, deadlines, h2, bodiless, left, chunks };
    let reservation = plan.decodes().then(|| context.recipient.reservation()).flatten();
    let reservation = reservation.map(|inner| {
        Box::new(BackpressureTracker { inner, deadlines, clock: context.clock }) as Box<dyn MemoryReservation + '_>
    });
    let received =
        body::receive(framed, plan, writer, reservation, &deadlines.wire_bytes).await.map_err(|error| match error {
            BodyError::Transport(FramedBodyError::Transport(error)) => error.into(),
            BodyError::Transport(FramedBodyError::Incomplete) => {
                let message = match h2 {
                    true => "the stream ended without saying that the body was complete",
                    false => "the connection ended before the body did, by its length or its last chunk",
                };
                Failure::new(Phase::Body, FailureKind::Truncated, message).into()
            }
            BodyError::Transport(FramedBodyError::Extraneous) => {
                let message = format!("a response with status {status} has no body, and this one has");
                Failure::new(Phase::Body, FailureKind::Malformed, message).into()
            }
            BodyError::Refused(failure) => ExchangeError::from(failure),
        })?;
    Ok(CompleteResponse {
        status,
        version,
        headers: None,
        body: received.body,
        body_bytes: received.body_bytes,
        sha256: received.sha256,
        saved: received.saved,
        close_delimited: end == BodyEnd::Close,
    })
}

/// How long the body of a redirect that is followed is waited for, so that its connection can be used again.
const UNWANTED: Duration = Duration::from_secs(1);

/// Whether the response names another place to go to, by a status that is followed.
fn is_redirect(head: &Parts) -> bool {
    head.status.is_redirection()
        && redirect::is_redirect(head.status.as_u16(), head.headers.get_all(LOCATION).iter().map(HeaderValue::as_bytes))
}

/// A writer, or room for decoding, whose slowness is not held against the peer.
struct BackpressureTracker<'a, C, T: ?Sized> {
    inner: Box<T>,
    deadlines: &'a Deadlines<'a>,
    clock: &'a C,
}

impl<C: Clock, T: ?Sized> BackpressureTracker<'_, C, T> {
    /// Holds the deadlines while the other is not ready.
    fn hold<R>(&self, polled: Poll<R>) -> Poll<R> {
        self.deadlines.hold(polled.is_pending(), || self.clock.now());
        polled
    }
}

impl<C: Clock> MemoryReservation for BackpressureTracker<'_, C, dyn MemoryReservation> {
    fn poll_reserve(&mut self, bytes: u64, cx: &mut task::Context<'_>) -> Poll<()> {
        let polled = self.inner.poll_reserve(bytes, cx);
        self.hold(polled)
    }
}

impl<C: Clock> BodyWriter for BackpressureTracker<'_, C, dyn BodyWriter> {
    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Failure>> {
        let polled = self.inner.poll_ready(cx);
        self.hold(polled)
    }

    fn write(&mut self, piece: Bytes) {
        self.inner.write(piece);
    }

    fn poll_finish(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
        let polled = self.inner.poll_finish(cx);
        self.hold(polled)
    }
}

/// A response body that reports its progress.
struct FramedBody<'a, B> {
    incoming: B,
    deadlines: &'a Deadlines<'a>,
    h2: bool,
    /// No body may come: h2 itself sees to it only for HEAD.
    bodiless: bool,
    /// How many bytes are still to come, where hyper does not know it.
    left: Option<u64>,
    /// Where hyper hands on chunks as they are: how far they have come, and what has been received of them beyond that.
    chunks: Option<(ChunkDecoder, Bytes)>,
}

/// Why a body ended before its end.
enum FramedBodyError {
    /// By an error.
    Transport(TransportError),
    /// An HTTP/2 body stopped before END_STREAM: a stream that is reset with NO_ERROR looks like one that has ended. Or the
    /// connection ended before the length was reached, or the last chunk.
    Incomplete,
    /// There is one where there must be none (RFC 9113 §8.1.1).
    Extraneous,
}

impl<B: Body<Data = Bytes, Error = TransportError> + Unpin> Body for FramedBody<'_, B> {
    type Data = Bytes;
    type Error = FramedBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FramedBodyError>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        if self.chunks.is_some() {
            return self.poll_chunk(cx);
        }
        match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => {
                let frame = self.truncate(frame);
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                if self.bodiless && bytes > 0 {
                    return Poll::Ready(Some(Err(FramedBodyError::Extraneous)));
                }
                self.deadlines.progress();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(FramedBodyError::Transport(error)))),
            None if self.h2 && !self.incoming.is_end_stream() => Poll::Ready(Some(Err(FramedBodyError::Incomplete))),
            None if self.left.is_some() => Poll::Ready(Some(Err(FramedBodyError::Incomplete))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // The length in the head of a response to HEAD is another's.
        let known = if self.bodiless { Some(0) } else { self.left };
        known.map_or_else(|| self.incoming.size_hint(), SizeHint::with_exact)
    }
}

impl<B: Body<Data = Bytes, Error = TransportError> + Unpin> FramedBody<'_, B> {
    /// The next data of chunks that hyper has handed on as they are.
    fn poll_chunk(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Frame<Bytes>, FramedBodyError>>> {
        let Some((chunks, input)) = &mut self.chunks else { return Poll::Ready(None) };
        loop {
            match chunks.next(input) {
                Ok(Some(data)) => {
                    self.deadlines.progress();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(None) if *chunks == ChunkDecoder::Over => return Poll::Ready(None),
                Ok(None) => {}
                Err(ChunkError) => {
                    let message = "the body is said to be in chunks, and is not";
                    let failure = Failure::new(Phase::Body, FailureKind::Malformed, message);
                    return Poll::Ready(Some(Err(FramedBodyError::Transport(TransportError {
                        failure,
                        sent: None,
                        ended_ours: false,
                    }))));
                }
            }
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => *input = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(FramedBodyError::Transport(error)))),
                None => return Poll::Ready(Some(Err(FramedBodyError::Incomplete))),
            }
        }
    }

    /// A frame without what comes after the body's end.
    fn truncate(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some(left) = &mut self.left else { return frame };
        frame.map_data(|mut data| {
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= data.len() as u64;
            data
        })
    }
}
