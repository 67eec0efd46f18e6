//! An HTTP/2 connection: one driver task, any number of exchanges within the peer's stream limit.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::{Method, Request};
use hyper::client::conn::http2::{self, Connection, SendRequest};
use hyper::rt::bounds::Http2ClientConnExec;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::exchange::{self, Context, Exchanged, Reached};
use super::severable::{Severable, Shears};
use super::{LazyTimer, RequestBody, error};
use crate::config::BodySettings;
use crate::model::{Clock, Failure, Phase};

/// The sending side of one HTTP/2 connection; clones share it.
pub struct H2<T, E>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    E: Http2ClientConnExec<RequestBody, TokioIo<Severable<T>>> + Unpin,
{
    sender: SendRequest<RequestBody>,
    /// Shared with the driver task, to read the peer's settings from.
    connection: Rc<RefCell<Driven<T, E>>>,
}

/// hyper's half of the connection.
type Driven<T, E> = Connection<TokioIo<Severable<T>>, RequestBody, E>;

impl<T, E> Clone for H2<T, E>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    E: Http2ClientConnExec<RequestBody, TokioIo<Severable<T>>> + Unpin,
{
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), connection: Rc::clone(&self.connection) }
    }
}

impl<T, E> fmt::Debug for H2<T, E>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    E: Http2ClientConnExec<RequestBody, TokioIo<Severable<T>>> + Unpin,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2").field("closed", &self.sender.is_closed()).finish_non_exhaustive()
    }
}

impl<T, E> H2<T, E>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    E: Http2ClientConnExec<RequestBody, TokioIo<Severable<T>>> + Clone + Unpin + 'static,
{
    /// Speaks the preface on an open stream. The future returned drives the connection until it is closed: the caller
    /// runs it as a task of its own, on the same thread, and `executor` runs hyper's helper futures there too. It ends
    /// with the connection, or when nobody holds it any more; what is left then is its [`Goodbye`].
    ///
    /// # Errors
    /// When the preface can't be written.
    pub async fn new(
        io: T,
        executor: E,
        body: &BodySettings,
    ) -> Result<(Self, impl Future<Output = Goodbye<T>> + use<T, E> + 'static), Failure> {
        let (stream, shears) = Severable::new(io);
        let (sender, connection) = http2::Builder::new(executor)
            .timer(TokioTimer::new())
            // Until the peer has said how many streams it allows, more than one may be refused; the rest waits in h2.
            .initial_max_send_streams(1)
            .initial_stream_window_size(body.h2_stream_window)
            .initial_connection_window_size(body.h2_stream_window.saturating_mul(STREAMS_UNREAD).min(LARGEST_WINDOW))
            .max_header_list_size(u32::try_from(body.max_head).unwrap_or(u32::MAX))
            .max_frame_size(FRAME_SIZE)
            // Cancelled exchanges leave streams that the peer still writes to; too few places for them would turn
            // late frames into connection errors.
            .max_concurrent_reset_streams(1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error::map(&error, Phase::Connect).failure)?;
        let connection = Rc::new(RefCell::new(connection));
        let driven = Rc::clone(&connection);
        let driver = async move {
            // How the connection ended reaches every exchange on it; here it is only driven.
            let _ = std::future::poll_fn(|cx| Pin::new(&mut *driven.borrow_mut()).poll(cx)).await;
            Goodbye(shears)
        };
        Ok((Self { sender, connection }, driver))
    }

    /// Whether the connection is gone or going.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// How many streams the peer allows; 1 until its settings have arrived, which any response proves.
    #[must_use]
    pub fn streams_allowed(&self) -> usize {
        self.connection.borrow().current_max_send_streams()
    }

    /// Sends `request` on a stream of its own and receives its response, within the context's time-outs. Dropping the
    /// future resets the stream and leaves the connection as it is.
    pub async fn exchange<C: Clock>(
        &mut self,
        request: Request<RequestBody>,
        method: &Method,
        context: &Context<'_, C>,
        timer: &mut LazyTimer,
    ) -> Exchanged {
        let started = context.clock.now();
        let watch = context.watch(started);
        let reached = Reached::default();
        let outcome = {
            let sending = self.sender.try_send_request(request);
            let mut exchange = pin!(exchange::exchange(sending, method, context, &watch, &reached));
            std::future::poll_fn(|cx| match exchange.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => context.poll_ended(cx, &watch, timer).map(|failure| Err(failure.into())),
            })
            .await
        };
        let answered = reached.has_head();
        reached.exchanged(outcome, answered, &watch, started, context.clock.now())
    }
}

/// The end of a connection that takes no more requests.
#[must_use = "a peer that takes no more bytes keeps the socket until this has been awaited"]
pub struct Goodbye<T>(Shears<T>);

impl<T> Goodbye<T> {
    /// Lets hyper take leave of the peer, and closes the stream if that takes longer than a second.
    pub async fn say(self) {
        if !self.0.is_gone() {
            tokio::time::sleep(GOODBYE).await;
            self.0.cut();
        }
    }
}

/// How long a connection that nobody uses any more has to say goodbye to its peer.
const GOODBYE: Duration = Duration::from_secs(1);
/// A connection's window has room for as many full stream windows, so that bodies which their readers leave unread do not
/// hold up the others.
const STREAMS_UNREAD: u32 = 128;
/// RFC 9113 §6.9.1.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// Larger frames mean fewer of them; 16 KiB is the protocol's default.
const FRAME_SIZE: u32 = 64 << 10;
