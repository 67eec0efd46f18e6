//! Lanes: the tasks that carry one request after another over a connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Shard;
use super::carrier::{Parcel, Streams};
use super::connections::PoolKey;
use super::flight::Flight;
use super::log::Ending;
use crate::attempt::Sent;
use crate::conn::{Exchanged, H1, LazyTimer};
use crate::engine::mailbox::Mailbox;
use crate::model::{Clock, CloseReason, Time};
use crate::policy::Fault;
use crate::pool::ConnId;

/// What a lane does after a request.
#[derive(Debug)]
pub(super) enum Next {
    /// Carry this.
    Flight(Flight),
    /// Wait, until the given time at most.
    Park(Time),
    /// Close, for this reason.
    Close(CloseReason),
}

/// With so many requests in flight a lane steps back before it goes on to the next part of its work. With fewer, hardly another
/// lane is ready, and the second look at the lane is all that it brings.
const CROWD: u32 = 32;

/// Lets the other lanes that are ready go first.
async fn step_back() {
    let mut has_waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Shard {
    /// Carries requests over an HTTP/1.1 connection until it closes.
    pub(super) async fn h1_lane<T>(
        self: &Rc<Self>,
        id: ConnId,
        mut h1: Box<H1<T>>,
        mailbox: &Mailbox<Parcel>,
        remote: Option<std::net::SocketAddr>,
        ending: Option<Rc<Ending>>,
        first: Flight,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut timer = LazyTimer::new(&self.clock, self.requests.due(&first));
        let addressee = self.requests.addressee(&first.job.url);
        let (key, host) = (self.pool_key(&first), first.host);
        let mut request = Request::default();
        let mut next = Next::Flight(first);
        loop {
            next = match next {
                Next::Flight(flight) => {
                    let exchanged = match self.requests.prepare(&mut request, &flight, &addressee, Version::HTTP_11) {
                        Ok(()) => {
                            // All that are ready take their responses, then all of them send: a server on the same machine
                            // wakes up once for all of them.
                            self.give_way().await;
                            let recipient = self.recipient(&flight, remote);
                            let context = self.requests.context(&flight, &self.clock, &recipient);
                            self.log_request(&flight, id, remote);
                            h1.exchange(&mut request, self.requests.method(&flight), &context, &mut timer).await
                        }
                        Err(failure) => Exchanged::unsent(failure, self.clock.now()),
                    };
                    self.log_exchange(&flight, id, remote, &exchanged);
                    let now = exchanged.ended;
                    let sound = h1.reusable();
                    if exchanged.result.is_err() {
                        self.note_unanswered(id, &flight, &exchanged, None);
                    } else if flight.dial.is_some() {
                        self.note_promise(flight.host, &exchanged);
                    } else if exchanged.end(true).fault() == Some(Fault::Misdirected) {
                        self.note_misdirected(id, flight.host, true);
                    }
                    let next = self.release(id, &flight, sound, &exchanged, now);
                    self.ended(next, remote, flight, exchanged, mailbox, now)
                }
                Next::Park(until) => {
                    let parked = std::future::poll_fn(|cx| self.poll_parked(cx, until, &mut h1, mailbox, &mut timer));
                    match parked.await {
                        Ok(parcel) => self.wake(id, key, &mut h1, parcel).await,
                        Err(reason) => {
                            self.note_end(id, key, host, reason, self.clock.now());
                            self.leave(id, mailbox, reason);
                            Next::Close(reason)
                        }
                    }
                }
                Next::Close(why) => return Ending::because(ending.as_ref(), why),
            };
        }
    }

    /// Steps back where others may be ready.
    async fn give_way(&self) {
        if self.sched.borrow().in_flight() >= CROWD {
            step_back().await;
        }
    }

    /// Waits for a parcel while watching the connection: a peer that closes it, or sends bytes nobody asked for, ends
    /// the lane at once, so that no half-closed socket lingers.
    fn poll_parked<T>(
        &self,
        cx: &mut TaskContext<'_>,
        until: Time,
        h1: &mut H1<T>,
        mailbox: &Mailbox<Parcel>,
        timer: &mut LazyTimer,
    ) -> Poll<Result<Parcel, CloseReason>>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        if let Some(parcel) = mailbox.take() {
            return Poll::Ready(Ok(parcel));
        }
        mailbox.register(cx);
        if let Poll::Ready(reason) = h1.poll_idle(cx) {
            return Poll::Ready(Err(reason));
        }
        timer.poll_due(cx, until, &self.clock).map(|()| Err(CloseReason::IdleTimeout))
    }

    /// Looks at the connection once more before a parked lane uses it: what the peer did while the parcel was on its way
    /// must not become the request's failure.
    async fn wake<T>(self: &Rc<Self>, id: ConnId, key: PoolKey, h1: &mut H1<T>, parcel: Parcel) -> Next
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let flight = match parcel {
            Parcel::Flight(flight) => flight,
            Parcel::Leave(why) => return Next::Close(why),
        };
        let looked = std::future::poll_fn(|cx| Poll::Ready(h1.poll_idle(cx))).await;
        let Poll::Ready(reason) = looked else { return Next::Flight(flight) };
        let now = self.clock.now();
        self.note_end(id, key, flight.host, reason, now);
        self.connections.closed(id, reason);
        self.start(flight, now);
        Next::Close(reason)
    }

    /// An idle lane gives up its connection. A flight that was handed to it in the same moment goes elsewhere.
    fn leave(self: &Rc<Self>, id: ConnId, mailbox: &Mailbox<Parcel>, why: CloseReason) {
        let parcel = mailbox.take();
        if !matches!(parcel, Some(Parcel::Leave(_))) {
            self.connections.closed(id, why);
        }
        if let Some(Parcel::Flight(flight)) = parcel {
            self.start(flight, self.clock.now());
        }
    }

    /// Carries requests over streams of an HTTP/2 connection, one at a time, until the lane has been idle for a while.
    pub(super) async fn stream_lane(self: Rc<Self>, id: ConnId, streams: Rc<RefCell<Streams>>, first: Flight) {
        let mailbox = Rc::new(Mailbox::default());
        let (mut h2, remote) = {
            let streams = streams.borrow();
            (streams.h2.clone(), streams.remote)
        };
        let mut timer = LazyTimer::new(&self.clock, self.requests.due(&first));
        let addressee = self.requests.addressee(&first.job.url);
        let mut request = Request::default();
        let mut next = Next::Flight(first);
        loop {
            next = match next {
                Next::Flight(flight) => {
                    let exchanged = match self.requests.prepare(&mut request, &flight, &addressee, Version::HTTP_2) {
                        Ok(()) => {
                            self.give_way().await;
                            let recipient = self.recipient(&flight, remote);
                            let context = self.requests.context(&flight, &self.clock, &recipient);
                            self.log_request(&flight, id, remote);
                            h2.exchange(&mut request, self.requests.method(&flight), &context, &mut timer).await
                        }
                        Err(failure) => Exchanged::unsent(failure, self.clock.now()),
                    };
                    self.log_exchange(&flight, id, remote, &exchanged);
                    // To receive, to settle and to send take more code together than a processor's first cache holds, and each
                    // less: so all that are ready do one of them, then the next (docs/PERFORMANCE.md has the figures).
                    self.give_way().await;
                    // Others may have told the scheduler of a later time than that of the exchange's end.
                    let now = self.clock.now();
                    self.update_streams(id, h2.streams_allowed(), flight.host, now);
                    if h2.has_stopped() {
                        // It may never allow a stream again, and holds a place of its host's.
                        self.connections.pool_mut().drain(id, CloseReason::Suspect);
                    }
                    {
                        let mut streams = streams.borrow_mut();
                        streams.answered |= exchanged.head.is_some();
                        streams.idle.push(Rc::clone(&mailbox));
                    }
                    if exchanged.sent == Sent::NoPlace {
                        streams.borrow_mut().refused += 1;
                        // Its headers and its body would wait in the lane for the next one.
                        request = Request::default();
                    } else if matches!(exchanged.sent, Sent::Unprocessed | Sent::Declined) {
                        self.note_unprocessed(id, &flight, &mut streams.borrow_mut(), h2.is_closed());
                    } else if exchanged.result.is_err() {
                        self.note_unanswered(id, &flight, &exchanged, Some(&mut streams.borrow_mut()));
                    } else if exchanged.end(flight.dial.is_none()).fault() == Some(Fault::Misdirected) {
                        self.note_misdirected(id, flight.host, false);
                    }
                    let next = self.release(id, &flight, !h2.is_closed(), &exchanged, now);
                    let next = if exchanged.sent == Sent::NoPlace {
                        self.sent_away(next, flight, &mailbox, now)
                    } else {
                        self.ended(next, remote, flight, exchanged, &mailbox, now)
                    };
                    if !matches!(next, Next::Park(_)) {
                        streams.borrow_mut().idle.retain(|other| !Rc::ptr_eq(other, &mailbox));
                    }
                    next
                }
                Next::Park(until) => {
                    let parcel = std::future::poll_fn(|cx| match mailbox.take() {
                        Some(parcel) => Poll::Ready(Some(parcel)),
                        None => {
                            mailbox.register(cx);
                            timer.poll_due(cx, until, &self.clock).map(|()| None)
                        }
                    })
                    .await;
                    match parcel {
                        Some(Parcel::Flight(flight)) => Next::Flight(flight),
                        Some(Parcel::Leave(why)) => Next::Close(why),
                        None => {
                            streams.borrow_mut().idle.retain(|other| !Rc::ptr_eq(other, &mailbox));
                            self.connections.expire(id, self.clock.now());
                            Next::Close(CloseReason::IdleTimeout)
                        }
                    }
                }
                Next::Close(_) => return,
            };
        }
    }
}
