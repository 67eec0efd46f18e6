//! One exchange over a connection in memory that returns exactly the given pieces, one a read. The clock is tokio's, paused:
//! a wait that nothing ends runs out at once.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use haul::config::{BodySettings, Timeouts};
use haul::model::{BodyUse, Clock, Time};
use haul_net::conn::{
    Connection as _, ExchangeContext, ExchangeOutcome, ExclusiveConnection as _, H1, LazyTimer, Recipient,
};
use http::response::Parts;
use http::{Method, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use super::case::{Verdict, complete, failed, until_close};

/// What comes after the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Silence,
    Eof,
    Reset,
}

/// What is read from the connection.
#[derive(Clone, Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) pieces: Vec<&'a [u8]>,
    pub(crate) ending: Ending,
    /// Whether each piece is waited for, or is there already when the one before has been read.
    pub(crate) waits: bool,
    /// Whether it comes before the request has been written.
    pub(crate) early: bool,
}

/// All that haul made of it. The verdict, and what else must not depend on how the bytes came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    body: Option<Vec<u8>>,
    /// Of a success: the headers, and their names in the order they came.
    head: Option<String>,
    /// Whether the connection would be used again, once everything has been delivered.
    again: bool,
}

/// A runtime whose clock is paused.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("builds")
}

/// Sends a request of this method and receives what is delivered.
pub(crate) async fn exchange(method: &Method, delivery: &Delivery<'_>) -> Said {
    exchange_over(Pieces::new(delivery), method, delivery.pieces.len()).await
}

/// The same over any connection, which gives what it has in so many pieces.
pub(crate) async fn exchange_over<T>(io: T, method: &Method, pieces: usize) -> Said
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut h1 = open(io).await;
    let exchanged = ask(&mut h1, method).await;
    let mut again = h1.why_not_reusable().is_none();
    // What has not been read yet is noticed before the next request.
    for _ in 0..=pieces {
        again = again && poll_fn(|cx| Poll::Ready(h1.poll_idle(cx).is_pending())).await;
    }
    said(exchanged, again)
}

/// A connection over this one.
pub(crate) async fn open<T: AsyncRead + AsyncWrite + Unpin + 'static>(io: T) -> H1<T> {
    H1::new(io, &body()).await.expect("nothing to fail")
}

/// One request over it, and what came of it.
pub(crate) async fn ask<T>(h1: &mut H1<T>, method: &Method) -> ExchangeOutcome
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let clock = Paused::start();
    let mut request = Request::new(haul_net::conn::RequestBody::default());
    *request.method_mut() = method.clone();
    let context = ExchangeContext {
        clock: &clock,
        timeouts: Cow::Owned(Timeouts::default()),
        body: &body(),
        total: Time::ZERO + Duration::from_secs(60),
        redirect_body: None,
        recipient: &Anyone,
    };
    let mut timer = LazyTimer::new(&clock, context.total);
    h1.exchange(&mut request, method, &context, &mut timer).await
}

fn body() -> BodySettings {
    BodySettings { keep: true, keep_headers: true, ..BodySettings::default() }
}

fn said(exchanged: ExchangeOutcome, again: bool) -> Said {
    let order = exchanged.order;
    let head = exchanged.head;
    match exchanged.result {
        Ok(response) => Said {
            verdict: if response.close_delimited {
                until_close(response.status, response.body_bytes)
            } else {
                complete(response.status, response.body_bytes)
            },
            body: response.body.map(Into::into),
            head: Some(format!("{:?} {order:?}", head.expect("a response has one").headers)),
            again,
        },
        Err(failure) => Said { verdict: failed(failure.phase, failure.kind), body: None, head: None, again },
    }
}

/// A connection that gives the pieces once a request has been written, or earlier.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    ending: Ending,
    waits: bool,
    /// Whether the next piece has been waited for.
    waited: bool,
    asked: bool,
    reader: Option<Waker>,
}

impl Pieces {
    fn new(delivery: &Delivery<'_>) -> Self {
        let pieces = delivery.pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| piece.to_vec()).collect();
        Self {
            pieces,
            ending: delivery.ending,
            waits: delivery.waits,
            waited: false,
            asked: delivery.early,
            reader: None,
        }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.asked {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let waits = self.waits;
        if waits && !std::mem::replace(&mut self.waited, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(mut piece) = self.pieces.pop_front() else {
            return match self.ending {
                Ending::Silence => Poll::Pending,
                Ending::Eof => Poll::Ready(Ok(())),
                Ending::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            };
        };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if rest.is_empty() {
            self.waited = false;
        } else {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // hyper writes a request without a body at once.
        self.asked = true;
        self.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Takes every response.
struct Anyone;

impl Recipient for Anyone {
    fn head(&self, _: &Parts, _: Duration, _: bool) -> BodyUse {
        BodyUse::Collect
    }

    fn poll_gone(&self, _: &mut task::Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// tokio's paused clock.
struct Paused {
    start: tokio::time::Instant,
}

impl Paused {
    #[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
    fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Clock for Paused {
    fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    fn instant(&self, at: Time) -> Instant {
        (self.start + at.since(Time::ZERO).min(Duration::from_secs(86_400))).into_std()
    }
}
