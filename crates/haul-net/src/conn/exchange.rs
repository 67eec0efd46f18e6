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

use super::chunks::{Chunks, NoChunks};
use super::error::Mapped;
use super::framing::End;
use super::watch::Watch;
use super::wire::Tap;
use super::{LazyTimer, framing, head};
use crate::body::{self, BodyError, BodyPlan, Room};
use haul_core::attempt::{AttemptEnd, Sent};
use haul_core::config::{BodySettings, Timeouts};
use haul_core::model::{BodyUse, BodyWriter, Clock, Failure, FailureKind, Phase, Response, Time};
use haul_core::policy::redirect;

/// Whom a response is for.
pub trait Recipient {
    /// The head is here: says what becomes of the body. `followed`: of a redirect that is followed, whose body nobody gets.
    fn head(&self, head: &Parts, first_byte: Duration, followed: bool) -> BodyUse;

    /// Where the memory for decoding a body is asked for, where it is rationed. Asked after [`Self::head`].
    fn room(&self) -> Option<Box<dyn Room>> {
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
pub struct Context<'a, C> {
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

impl<C: Clock> Context<'_, C> {
    /// A watch over an exchange that starts now.
    pub(super) fn watch(&self, now: Time) -> Watch<'_> {
        Watch::new(&self.timeouts, self.total, now).patient(self.recipient.is_patient())
    }

    /// The failure that waiting has brought: time is up, or nobody waits any longer.
    pub(super) fn poll_ended(
        &self,
        cx: &mut task::Context<'_>,
        watch: &Watch<'_>,
        timer: &mut LazyTimer,
    ) -> Poll<Failure> {
        if self.recipient.poll_gone(cx).is_ready() {
            let message = "nobody waits for this response any longer";
            return Poll::Ready(Failure::new(watch.phase(), FailureKind::Cancelled, message));
        }
        watch.poll_timeout(cx, timer, self.clock)
    }
}

/// How an exchange ended.
#[derive(Debug)]
pub struct Exchanged {
    /// The complete response, or why there is none.
    pub result: Result<Response, Failure>,
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

impl Exchanged {
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
pub(super) struct Reached {
    head: RefCell<Option<(Parts, Time)>>,
    /// Where the head's bytes are collected (HTTP/1.x only).
    tap: Option<Rc<Tap>>,
    order_wanted: bool,
    order: RefCell<Option<Vec<HeaderName>>>,
    /// Where the body ended is in doubt.
    doubtful: Cell<bool>,
}

impl Reached {
    /// Looks at the head's bytes too, of which there are less than `most`, and keeps the order of the headers if it is wanted.
    pub(super) fn with_tap(tap: Rc<Tap>, order_wanted: bool, most: u64) -> Self {
        tap.collect_head(usize::try_from(most).unwrap_or(usize::MAX));
        Self { tap: Some(tap), order_wanted, ..Self::default() }
    }

    /// The bytes are those of a head and perhaps more: what comes now is body, and not collected. Checks that hyper has
    /// passed over no line of it that says where the body ends.
    fn bytes_came(&self, head: &Parts, method: &Method) -> Result<(), Failure> {
        let Some(tap) = &self.tap else { return Ok(()) };
        tap.show_head(|seen| {
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
    pub(super) fn exchanged(
        self,
        outcome: Result<Response, ExchangeError>,
        answered: bool,
        watch: &Watch<'_>,
        ended: Time,
    ) -> Exchanged {
        let sent = match &outcome {
            Err(ExchangeError { sent: Some(sent), .. }) => *sent,
            Err(_) if !answered => Sent::Unanswered,
            _ => Sent::Answered,
        };
        let head = self.head.into_inner();
        let head_at = head.as_ref().map(|(_, at)| *at);
        Exchanged {
            result: outcome.map_err(|error| error.failure),
            head: head.map(|(head, _)| head),
            order: self.order.into_inner(),
            sent,
            first_byte: head_at.map(|at| at.since(watch.started())),
            body: head_at.map(|at| ended.since(at)),
            wire_bytes: watch.wire_bytes.get(),
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

impl From<Mapped> for ExchangeError {
    fn from(mapped: Mapped) -> Self {
        Self { failure: mapped.failure, sent: mapped.sent, ended_ours: mapped.ended_ours }
    }
}

/// Waits for the response that `sending` brings, and receives its body.
pub(super) async fn exchange<C, B>(
    sending: impl Future<Output = Result<HttpResponse<B>, ExchangeError>>,
    method: &Method,
    context: &Context<'_, C>,
    watch: &Watch<'_>,
    reached: &Reached,
) -> Result<Response, ExchangeError>
where
    C: Clock,
    B: Body<Data = Bytes, Error = Mapped> + Unpin,
{
    let response = sending.await?;
    let now = context.clock.now();
    watch.enter_body(now);
    let (head, incoming) = response.into_parts();
    let h2 = head.version == Version::HTTP_2;
    let size = if h2 { framing::check_size(&head.headers, context.body) } else { Ok(()) };
    let lines = reached.bytes_came(&head, method);
    // In HTTP/2 frames say where a body ends, and h2 never hands on a transfer-encoding.
    let ends = if h2 { framing::Framing::default() } else { framing::Framing::of(&head.headers) };
    reached.doubtful.set(ends.is_doubtful(&head, method));
    let framing = size.and_then(|()| ends.end(&head, method)).and_then(|end| lines.map(|()| end));
    let bodiless = h2 && framing::is_bodiless(&head, method);
    let followed = context.redirect_body.filter(|_| is_redirect(&head));
    if followed.is_some() {
        watch.end_by(now + UNWANTED);
    }
    let plan = BodyPlan::new(followed.unwrap_or(context.body), &head.headers);
    let (status, version) = (head.status.as_u16(), head.version);
    let body_use = match &framing {
        Ok(_) => context.recipient.head(&head, now.since(watch.started()), followed.is_some()),
        Err(_) => BodyUse::Collect,
    };
    reached.head_came(head, now);
    let end = framing?;
    let writer = match body_use {
        BodyUse::Collect => None,
        BodyUse::Stream(writer) => {
            Some(Box::new(Held { inner: writer, watch, clock: context.clock }) as Box<dyn BodyWriter + '_>)
        }
        BodyUse::Refuse(message) => return Err(Failure::new(Phase::Head, FailureKind::Unwanted, message).into()),
    };
    let left = if let End::After(length) = end { Some(length) } else { None };
    let chunks = (end == End::Chunks).then_some((Chunks::START, Bytes::new()));
    let metered = Metered { incoming, watch, h2, bodiless, left, chunks };
    let room = plan.decodes().then(|| context.recipient.room()).flatten();
    let room = room.map(|inner| Box::new(Held { inner, watch, clock: context.clock }) as Box<dyn Room + '_>);
    let received =
        body::receive(metered, plan, writer, room, &watch.wire_bytes).await.map_err(|error| match error {
            BodyError::Transport(Cut::Broken(error)) => error.into(),
            BodyError::Transport(Cut::Short) => {
                let message = match h2 {
                    true => "the stream ended without saying that the body was complete",
                    false => "the connection ended before the body did, by its length or its last chunk",
                };
                Failure::new(Phase::Body, FailureKind::Truncated, message).into()
            }
            BodyError::Transport(Cut::Extraneous) => {
                let message = format!("a response with status {status} has no body, and this one has");
                Failure::new(Phase::Body, FailureKind::Malformed, message).into()
            }
            BodyError::Refused(failure) => ExchangeError::from(failure),
        })?;
    Ok(Response {
        status,
        version,
        headers: None,
        body: received.body,
        body_bytes: received.body_bytes,
        sha256: received.sha256,
        saved: received.saved,
        close_delimited: end == End::Close,
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
struct Held<'a, C, T: ?Sized> {
    inner: Box<T>,
    watch: &'a Watch<'a>,
    clock: &'a C,
}

impl<C: Clock, T: ?Sized> Held<'_, C, T> {
    /// Stops the watch while the other is not ready.
    fn hold<R>(&self, polled: Poll<R>) -> Poll<R> {
        self.watch.hold(polled.is_pending(), || self.clock.now());
        polled
    }
}

impl<C: Clock> Room for Held<'_, C, dyn Room> {
    fn poll_room(&mut self, bytes: u64, cx: &mut task::Context<'_>) -> Poll<()> {
        let polled = self.inner.poll_room(bytes, cx);
        self.hold(polled)
    }
}

impl<C: Clock> BodyWriter for Held<'_, C, dyn BodyWriter> {
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
struct Metered<'a, B> {
    incoming: B,
    watch: &'a Watch<'a>,
    h2: bool,
    /// No body may come: h2 itself sees to it only for HEAD.
    bodiless: bool,
    /// How many bytes are still to come, where hyper does not know it.
    left: Option<u64>,
    /// Where hyper hands on chunks as they are: how far they have come, and what has been received of them beyond that.
    chunks: Option<(Chunks, Bytes)>,
}

/// Why a body ended before its end.
enum Cut {
    /// By an error.
    Broken(Mapped),
    /// An HTTP/2 body stopped before END_STREAM: a stream that is reset with NO_ERROR looks like one that has ended. Or the
    /// connection ended before the length was reached, or the last chunk.
    Short,
    /// There is one where there must be none (RFC 9113 §8.1.1).
    Extraneous,
}

impl<B: Body<Data = Bytes, Error = Mapped> + Unpin> Body for Metered<'_, B> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        if self.chunks.is_some() {
            return self.poll_chunk(cx);
        }
        match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => {
                let frame = self.cut(frame);
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                if self.bodiless && bytes > 0 {
                    return Poll::Ready(Some(Err(Cut::Extraneous)));
                }
                self.watch.progress();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(Cut::Broken(error)))),
            None if self.h2 && !self.incoming.is_end_stream() => Poll::Ready(Some(Err(Cut::Short))),
            None if self.left.is_some() => Poll::Ready(Some(Err(Cut::Short))),
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

impl<B: Body<Data = Bytes, Error = Mapped> + Unpin> Metered<'_, B> {
    /// The next data of chunks that hyper has handed on as they are.
    fn poll_chunk(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some((chunks, input)) = &mut self.chunks else { return Poll::Ready(None) };
        loop {
            match chunks.next(input) {
                Ok(Some(data)) => {
                    self.watch.progress();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(None) if *chunks == Chunks::Over => return Poll::Ready(None),
                Ok(None) => {}
                Err(NoChunks) => {
                    let message = "the body is said to be in chunks, and is not";
                    let failure = Failure::new(Phase::Body, FailureKind::Malformed, message);
                    return Poll::Ready(Some(Err(Cut::Broken(Mapped { failure, sent: None, ended_ours: false }))));
                }
            }
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => *input = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(Cut::Broken(error)))),
                None => return Poll::Ready(Some(Err(Cut::Short))),
            }
        }
    }

    /// A frame without what comes after the body's end.
    fn cut(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some(left) = &mut self.left else { return frame };
        frame.map_data(|mut data| {
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= data.len() as u64;
            data
        })
    }
}
