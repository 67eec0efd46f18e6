//! A lane that has its connection for itself: HTTP/1.1.

use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Hold, Next, Seat};
use crate::conn::{ExchangeOutcome, ExclusiveConnection, LazyTimer};
use crate::engine::shard::Shard;
use crate::engine::shard::connection_handle::LaneMessage;
use crate::engine::shard::connections::PoolKey;
use crate::engine::shard::flight::Flight;
use crate::model::{Clock, CloseReason, Time};
use crate::policy::Fault;
use crate::sched::HostId;

/// The hold of the one lane on a connection.
pub(in crate::engine::shard) struct Alone<C> {
    pub(in crate::engine::shard) seat: Seat,
    pub(in crate::engine::shard) key: PoolKey,
    pub(in crate::engine::shard) host: HostId,
    /// Boxed: the task keeps the room of what it held before, and the connection would be moved within it.
    pub(in crate::engine::shard) connection: Box<C>,
}

impl<C: ExclusiveConnection> Hold for Alone<C> {
    type Connection = C;

    const SETTLES_APART: bool = false;

    fn seat(&self) -> &Seat {
        &self.seat
    }

    fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    fn take_note(&mut self, shard: &Rc<Shard>, flight: &Flight, exchanged: &ExchangeOutcome) -> Time {
        if exchanged.result.is_err() {
            shard.note_unanswered(self.seat.id, flight, exchanged, None);
        } else if flight.dial.is_some() {
            shard.note_promise(flight.host, exchanged);
        } else if exchanged.end(true).fault() == Some(Fault::Misdirected) {
            shard.note_misdirected(self.seat.id, flight.host, true);
        }
        exchanged.ended
    }

    fn goes_on(&self, _: &Next) {}

    async fn park(&mut self, shard: &Rc<Shard>, until: Time, timer: &mut LazyTimer) -> Next {
        match std::future::poll_fn(|cx| self.poll_parked(cx, shard, until, timer)).await {
            Ok(parcel) => self.wake(shard, parcel).await,
            Err(reason) => {
                shard.note_end(self.seat.id, self.key, self.host, reason, shard.clock.now());
                self.leave(shard, reason);
                Next::Close(reason)
            }
        }
    }
}

impl<C: ExclusiveConnection> Alone<C> {
    /// Waits for a parcel while watching the connection: a peer that closes it, or sends bytes nobody asked for, ends
    /// the lane at once, so that no half-closed socket lingers.
    fn poll_parked(
        &mut self,
        cx: &mut Context<'_>,
        shard: &Shard,
        until: Time,
        timer: &mut LazyTimer,
    ) -> Poll<Result<LaneMessage, CloseReason>> {
        if let Some(parcel) = self.seat.mailbox.take() {
            return Poll::Ready(Ok(parcel));
        }
        self.seat.mailbox.register(cx);
        if let Poll::Ready(reason) = self.connection.poll_idle(cx) {
            return Poll::Ready(Err(reason));
        }
        timer.poll_due(cx, until, &shard.clock).map(|()| Err(CloseReason::IdleTimeout))
    }

    /// Looks at the connection once more before a parked lane uses it: what the peer did while the parcel was on its way
    /// must not become the request's failure.
    async fn wake(&mut self, shard: &Rc<Shard>, parcel: LaneMessage) -> Next {
        let flight = match parcel {
            LaneMessage::Flight(flight) => flight,
            LaneMessage::Leave(why) => return Next::Close(why),
        };
        let looked = std::future::poll_fn(|cx| Poll::Ready(self.connection.poll_idle(cx))).await;
        let Poll::Ready(reason) = looked else { return Next::Flight(flight) };
        let now = shard.clock.now();
        shard.note_end(self.seat.id, self.key, flight.host, reason, now);
        shard.connections.closed(self.seat.id, reason);
        shard.start(flight, now);
        Next::Close(reason)
    }

    /// An idle lane gives up its connection. A flight that was handed to it in the same moment goes elsewhere.
    fn leave(&self, shard: &Rc<Shard>, why: CloseReason) {
        let parcel = self.seat.mailbox.take();
        if !matches!(parcel, Some(LaneMessage::Leave(_))) {
            shard.connections.closed(self.seat.id, why);
        }
        if let Some(LaneMessage::Flight(flight)) = parcel {
            shard.start(flight, shard.clock.now());
        }
    }
}
