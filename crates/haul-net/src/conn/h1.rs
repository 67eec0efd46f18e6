//! An HTTP/1.1 connection without a task of its own: whoever waits for its response drives it.

use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{self, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::{self, Connection as _, ExclusiveConnection};
use super::drive::Driver;
use super::error::TransportError;
use super::exchange::{self, ExchangeContext, ExchangeError, ExchangeOutcome, ExchangeProgress};
use super::recording_io::{IoRecorder, RecordingIo};
use super::{LazyTimer, RequestBody, error, framing};
use haul_core::config::BodySettings;
use haul_core::model::{Clock, CloseReason, Failure, FailureKind, Phase};
use haul_core::protocol::Protocol;

/// One HTTP/1.1 connection, for one request at a time.
#[derive(Debug)]
pub struct H1<T: AsyncRead + AsyncWrite + Unpin> {
    state: H1State<T>,
    /// What hyper is set to, for when it is resumed.
    builder: http1::Builder,
    recorder: Rc<IoRecorder>,
    driver: Driver,
    /// Where the last response ended is in doubt.
    doubtful: bool,
}

/// Who has the stream.
#[derive(Debug)]
enum H1State<T: AsyncRead + AsyncWrite + Unpin> {
    /// hyper.
    Active(Box<HyperConnection<T>>),
    /// Nobody: it is idle. What hyper keeps for each connection, 26 KB, is given back, and it is cheaper to make it anew in memory
    /// that is in the cache than to find it again in memory that is not (docs/measured/COSTS.md).
    Idle(RecordingIo<T>),
    /// It is closed. hyper's connection is dropped then: a request that it has not looked at yet comes back when it is, and not
    /// before.
    Closed(CloseReason),
}

/// hyper's two ends of a connection.
#[derive(Debug)]
struct HyperConnection<T: AsyncRead + AsyncWrite + Unpin> {
    sender: SendRequest<RequestBody>,
    connection: Connection<TokioIo<RecordingIo<T>>, RequestBody>,
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> H1<T> {
    /// Wraps an open stream. Nothing is sent yet.
    ///
    /// # Errors
    /// None in practice: hyper's HTTP/1 handshake does no input or output.
    pub async fn new(io: T, body: &BodySettings) -> Result<Self, Failure> {
        let recorder = Rc::new(IoRecorder::default());
        let mut builder = http1::Builder::new();
        // Sloppy servers are many and harmless here: what matters for framing is checked apart.
        builder
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            // Heads and bodies are small and in one buffer each: a plain send does.
            .writev(false)
            .max_header_size(body.max_head)
            .max_buf_size(usize::try_from(framing::largest_head(body)).unwrap_or(usize::MAX));
        if body.max_headers != HYPER_MAX_HEADERS {
            builder.max_headers(body.max_headers);
        }
        let state = H1State::Idle(RecordingIo::new(io, Rc::clone(&recorder)));
        let mut h1 = Self { state, builder, recorder, driver: Driver::default(), doubtful: false };
        h1.resume().await?;
        Ok(h1)
    }

    async fn resume(&mut self) -> Result<(), Failure> {
        self.state = match mem::replace(&mut self.state, H1State::Closed(CloseReason::Failed)) {
            H1State::Idle(io) => {
                let hands = self.builder.handshake(TokioIo::new(io)).await;
                let (sender, connection) = hands.map_err(|error| error::map(&error, Phase::Connect).failure)?;
                H1State::Active(Box::new(HyperConnection { sender, connection }))
            }
            state => state,
        };
        Ok(())
    }

    fn is_ready(&self) -> bool {
        matches!(&self.state, H1State::Active(active) if active.sender.is_ready())
    }

    fn hibernate(&mut self) {
        self.state = match mem::replace(&mut self.state, H1State::Closed(CloseReason::Failed)) {
            H1State::Active(active) => {
                let parts = active.connection.into_parts();
                match parts.read_buf.is_empty() {
                    true => H1State::Idle(parts.io.into_inner()),
                    false => H1State::Closed(CloseReason::UnsolicitedBytes),
                }
            }
            state => state,
        };
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> connection::Connection for H1<T> {
    const PROTOCOL: Protocol = Protocol::Http1;

    /// Cancel-safe in the sense that dropping the future leaves a connection that [`Self::why_not_reusable`] has a reason against.
    async fn exchange<C: Clock>(
        &mut self,
        request: &mut Request<RequestBody>,
        method: &Method,
        context: &ExchangeContext<'_, C>,
        timer: &mut LazyTimer,
    ) -> ExchangeOutcome {
        if matches!(self.state, H1State::Idle(_)) {
            // Boxed: it would be room in each lane.
            if let Err(failure) = Box::pin(self.resume()).await {
                return ExchangeOutcome::unsent(failure, context.clock.now());
            }
        }
        let started = context.clock.now();
        let H1State::Active(active) = &mut self.state else {
            let failure = Failure::new(Phase::Send, FailureKind::Closed, "the idle connection was closed");
            return ExchangeOutcome::unsent(failure, started);
        };
        let deadlines = context.deadlines(started);
        let order_wanted = context.body.keep_headers;
        let most_before_head = framing::most_before_head(context.body);
        let most_heads = most_before_head.saturating_add(framing::largest_head(context.body));
        let progress = ExchangeProgress::with_recorder(Rc::clone(&self.recorder), order_wanted, most_heads);
        let received_before = self.recorder.received();
        let outcome = {
            self.driver.expect_poll();
            // Handed over now: the first look at the connection finds it.
            let sending = pin!(active.sender.try_send_request(mem::take(request)));
            let mut exchange = pin!(exchange::exchange(answer(sending), method, context, &deadlines, &progress));
            let (state, recorder) = (&mut self.state, &self.recorder);
            std::future::poll_fn(|cx| {
                let round = |cx: &mut task::Context<'_>| {
                    let _ = poll_connection(state, cx);
                    exchange.as_mut().poll(cx)
                };
                match self.driver.poll(cx, round) {
                    Poll::Ready(result) => Poll::Ready(result),
                    Poll::Pending => {
                        let body = progress.has_head().then(|| deadlines.wire_bytes.get());
                        match endless(recorder.received() - received_before, body, most_before_head) {
                            Some(failure) => Poll::Ready(Err(failure.into())),
                            None => context.poll_ended(cx, &deadlines, timer).map(|failure| Err(failure.into())),
                        }
                    }
                }
            })
            .await
        };
        if outcome.is_ok() && !self.is_ready() {
            // One more look lets hyper see the end of the message and become ready for the next request.
            std::future::poll_fn(|cx| Poll::Ready(poll_connection(&mut self.state, cx).is_ready())).await;
        }
        let answered = self.recorder.has_begun();
        self.doubtful = progress.is_doubtful();
        progress.into_outcome(outcome, answered, &deadlines, context.clock.now())
    }

    /// Why the connection can't take another request; `None`: it can, as the last response ended where its one framing said, and all of
    /// the request has been sent (hyper#4176): behind the rest of an upload that the server has answered early and reads no more, the
    /// next request would wait for ever.
    fn why_not_reusable(&self) -> Option<CloseReason> {
        match self.state {
            H1State::Idle(_) => None,
            H1State::Closed(reason) => Some(reason),
            H1State::Active(_) if self.recorder.is_broken() => Some(CloseReason::Failed),
            H1State::Active(_) if self.recorder.is_unsent() => Some(CloseReason::RequestUnfinished),
            H1State::Active(_) if self.doubtful => Some(CloseReason::DoubtfulEnd),
            H1State::Active(_) => (!self.is_ready()).then_some(CloseReason::NotKeptAlive),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> ExclusiveConnection for H1<T> {
    /// Polls the idle connection: ready when the peer has closed it or sent bytes nobody asked for. What hyper keeps for a
    /// connection in use is given back; the next exchange takes it anew.
    fn poll_idle(&mut self, cx: &mut task::Context<'_>) -> Poll<CloseReason> {
        self.recorder.open();
        if matches!(self.state, H1State::Active(_)) && self.why_not_reusable().is_none() {
            self.hibernate();
        }
        let reason = match &mut self.state {
            H1State::Idle(io) => ready!(poll_unasked(io, cx)),
            H1State::Active(_) => self.why_not_reusable().unwrap_or(CloseReason::NotKeptAlive),
            H1State::Closed(reason) => *reason,
        };
        self.state = H1State::Closed(reason);
        Poll::Ready(reason)
    }
}

/// Ready when the peer of an idle connection has closed it or sent something.
fn poll_unasked(io: &mut (impl AsyncRead + Unpin), cx: &mut task::Context<'_>) -> Poll<CloseReason> {
    let mut byte = [0];
    let mut byte = ReadBuf::new(&mut byte);
    let has_come = ready!(Pin::new(io).poll_read(cx, &mut byte)).is_ok() && !byte.filled().is_empty();
    Poll::Ready(if has_come { CloseReason::UnsolicitedBytes } else { CloseReason::PeerClosed })
}

/// Waits for the head of the response that `sending` brings.
async fn answer(
    sending: Pin<
        &mut impl Future<Output = Result<Response<hyper::body::Incoming>, TrySendError<Request<RequestBody>>>>,
    >,
) -> Result<Response<H1Body>, ExchangeError> {
    match sending.await {
        Ok(response) => Ok(response.map(H1Body)),
        Err(mut error) => {
            let is_unwritten = error.take_message().is_some();
            let error = ExchangeError::from(error::map(&error.into_error(), Phase::Head));
            Err(if is_unwritten { error.unwritten() } else { error })
        }
    }
}

/// A response's body.
struct H1Body(hyper::body::Incoming);

impl Body for H1Body {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(|error| error::map(&error, Phase::Body))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// hyper keeps up to this many headers on the stack; another cap costs an allocation a response.
const HYPER_MAX_HEADERS: usize = 100;

/// How many times its body's bytes a response may have: chunks of a byte each have six. What its heads may take comes on
/// top, and as much again for what has been read ahead, extensions and trailers.
const BYTES_A_BODY_BYTE: u64 = 8;

/// Why a response of so many bytes is not read on. `body`: the bytes of its body among them, once its head is complete.
fn endless(received: u64, body: Option<u64>, most_before_head: u64) -> Option<Failure> {
    let most = body.map_or(most_before_head, |body| {
        body.saturating_mul(BYTES_A_BODY_BYTE).saturating_add(most_before_head.saturating_mul(2))
    });
    (received > most).then(|| match body {
        None => framing::endless_heads(),
        Some(_) => {
            let message = "the chunks' sizes and line ends take more than eight times as many bytes as the body";
            Failure::new(Phase::Body, FailureKind::Malformed, message)
        }
    })
}

/// Lets hyper move the connection on. Ready when it ends, and after that.
fn poll_connection<T: AsyncRead + AsyncWrite + Unpin + 'static>(
    state: &mut H1State<T>,
    cx: &mut task::Context<'_>,
) -> Poll<()> {
    let H1State::Active(active) = state else { return Poll::Ready(()) };
    // How it ends is told to the exchange, and where that ended well the connection was not to be kept.
    let _ = ready!(Pin::new(&mut active.connection).poll(cx));
    *state = H1State::Closed(CloseReason::NotKeptAlive);
    Poll::Ready(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_of_framing_alone_ends() {
        let most = 1000;
        assert!(endless(1000, None, most).is_none());
        assert_eq!(endless(1001, None, most).expect("heads").kind, FailureKind::HeadTooLarge);
        assert!(endless(2000, Some(0), most).is_none());
        assert_eq!(endless(2001, Some(0), most).expect("framing").kind, FailureKind::Malformed);
        assert!(endless(6 * 1_000_000, Some(1_000_000), most).is_none(), "chunks of one byte");
        assert!(endless(u64::MAX, Some(u64::MAX), most).is_none());
    }
}
