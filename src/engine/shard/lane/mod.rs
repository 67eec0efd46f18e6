//! Lanes: the tasks that carry one request after another over a connection.
//!
//! What they do is the same whichever protocol it speaks: take, exchange, take note, do as told. What a lane learns of its connection,
//! and how it waits, is [`exclusive`]'s for those that carry a request at a time, [`multiplexed`]'s for those that carry several.

mod exclusive;
#[cfg(test)]
mod fake;
mod multiplexed;

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use http::Request;

use super::Shard;
use super::connection_handle::LaneMessage;
use super::flight::Flight;
use crate::attempt::Sent;
use crate::conn::{Connection, ExchangeOutcome, LazyTimer};
use crate::engine::mailbox::Mailbox;
use crate::model::{Clock, CloseReason, Time};
use crate::pool::ConnId;

pub(super) use self::exclusive::Alone;
pub(super) use self::multiplexed::OneOfMany;

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

/// Where a lane sits.
pub(super) struct Seat {
    /// The connection's number in the pool.
    pub(super) id: ConnId,
    /// Its peer.
    pub(super) remote: Option<SocketAddr>,
    /// Where the next flight is put while the lane waits.
    pub(super) mailbox: Rc<Mailbox<LaneMessage>>,
}

/// A lane's hold on its connection.
pub(super) trait Hold {
    type Connection: Connection;

    /// Whether to send and to settle take more code than a processor's first cache holds, so that all lanes that are ready had better do
    /// the one, then the other (docs/measured/PERFORMANCE.md has the figures).
    const SETTLES_APART: bool;

    fn seat(&self) -> &Seat;

    fn connection(&mut self) -> &mut Self::Connection;

    /// Takes note of what an exchange says of the connection. Says when it is settled, no earlier than what the scheduler knows.
    fn take_note(&mut self, shard: &Rc<Shard>, flight: &Flight, exchanged: &ExchangeOutcome) -> Time;

    /// The lane goes on with this.
    fn goes_on(&self, next: &Next);

    /// Waits for something to do, until the given time at most.
    async fn park(&mut self, shard: &Rc<Shard>, until: Time, timer: &mut LazyTimer) -> Next;
}

impl Shard {
    /// Carries requests over a connection, until it closes or the lane is not needed any longer.
    pub(super) async fn lane<H: Hold>(self: &Rc<Self>, hold: &mut H, first: Flight) -> CloseReason {
        let mut timer = LazyTimer::new(&self.clock, self.requests.due(&first));
        let authority = self.requests.authority(&first.job.url);
        let Seat { id, remote, .. } = *hold.seat();
        let mut request = Request::default();
        let mut next = Next::Flight(first);
        loop {
            next = match next {
                Next::Flight(flight) => {
                    let version = H::Connection::PROTOCOL.version();
                    let exchanged = match self.requests.prepare(&mut request, &flight, &authority, version, remote) {
                        Ok(()) => {
                            // All that are ready take their responses, then all of them send: a server on the same machine
                            // wakes up once for all of them.
                            self.give_way().await;
                            let recipient = self.recipient(&flight, remote);
                            let context = self.requests.context(&flight, &self.clock, &recipient);
                            self.log_request(&flight, id, remote);
                            let method = self.requests.method(&flight);
                            hold.connection().exchange(&mut request, method, &context, &mut timer).await
                        }
                        Err(failure) => ExchangeOutcome::unsent(failure, self.clock.now()),
                    };
                    self.log_exchange(&flight, id, remote, &exchanged);
                    if H::SETTLES_APART {
                        self.give_way().await;
                    }
                    let now = hold.take_note(self, &flight, &exchanged);
                    let next = self.release(id, &flight, hold.connection().why_not_reusable(), &exchanged, now);
                    let next = if exchanged.sent == Sent::NoPlace {
                        // Its headers and its body would wait in the lane for the next one.
                        request = Request::default();
                        self.sent_away(next, flight, &hold.seat().mailbox, now)
                    } else {
                        self.ended(next, remote, flight, exchanged, &hold.seat().mailbox, now)
                    };
                    hold.goes_on(&next);
                    next
                }
                Next::Park(until) => hold.park(self, until, &mut timer).await,
                Next::Close(why) => return why,
            };
        }
    }

    /// Steps back where others may be ready.
    async fn give_way(&self) {
        if self.sched.borrow().in_flight() >= CROWD {
            step_back().await;
        }
    }
}
