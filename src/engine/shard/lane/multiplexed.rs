//! A lane that shares its connection with others: HTTP/2.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;

use super::{Hold, Next, Seat};
use crate::attempt::Sent;
use crate::conn::{ExchangeOutcome, LazyTimer, MultiplexedConnection};
use crate::engine::shard::Shard;
use crate::engine::shard::connection_handle::{LaneMessage, Streams};
use crate::engine::shard::flight::Flight;
use crate::model::{Clock, CloseReason, Time};
use crate::policy::Fault;
use crate::pool::ConnId;

/// The hold of one of the lanes on a connection: over one stream after another.
pub(in crate::engine::shard) struct OneOfMany<C> {
    seat: Seat,
    connection: C,
    streams: Rc<RefCell<Streams<C>>>,
}

impl<C: MultiplexedConnection> OneOfMany<C> {
    /// One more lane on the connection of these streams.
    pub(in crate::engine::shard) fn new(id: ConnId, streams: Rc<RefCell<Streams<C>>>) -> Self {
        let (connection, remote) = {
            let streams = streams.borrow();
            (streams.connection.clone(), streams.remote)
        };
        Self { seat: Seat { id, remote, mailbox: Rc::default() }, connection, streams }
    }

    /// It waits no longer, or will not be there.
    fn is_not_idle(&self) {
        self.streams.borrow_mut().idle.retain(|other| !Rc::ptr_eq(other, &self.seat.mailbox));
    }
}

impl<C: MultiplexedConnection> Hold for OneOfMany<C> {
    type Connection = C;

    const SETTLES_APART: bool = true;

    fn seat(&self) -> &Seat {
        &self.seat
    }

    fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    fn take_note(&mut self, shard: &Rc<Shard>, flight: &Flight, exchanged: &ExchangeOutcome) -> Time {
        // Others may have told the scheduler of a later time than that of the exchange's end.
        let now = shard.clock.now();
        // One that goes says nothing of those that come after it.
        if self.connection.why_not_reusable().is_none() {
            shard.update_streams(self.seat.id, self.connection.streams_allowed(), flight.host, now);
        }
        if self.connection.has_stopped() {
            // It may never allow a stream again, and holds a place of its host's.
            shard.connections.pool_mut().drain(self.seat.id, CloseReason::Suspect);
        }
        let mut streams = self.streams.borrow_mut();
        streams.history.answered |= exchanged.head.is_some();
        streams.idle.push(Rc::clone(&self.seat.mailbox));
        if exchanged.sent == Sent::NoPlace {
            streams.history.refused += 1;
        } else if matches!(exchanged.sent, Sent::Unprocessed | Sent::Declined) {
            let has_ended = self.connection.why_not_reusable().is_some();
            shard.note_unprocessed(self.seat.id, flight, &mut streams.history, has_ended);
        } else if exchanged.result.is_err() {
            shard.note_unanswered(self.seat.id, flight, exchanged, Some(&mut streams.history));
        } else if exchanged.end(flight.dial.is_none()).fault() == Some(Fault::Misdirected) {
            shard.note_misdirected(self.seat.id, flight.host, false);
        }
        now
    }

    fn goes_on(&self, next: &Next) {
        // Whoever gave it a flight has taken it off the list.
        if matches!(next, Next::Close(_)) {
            self.is_not_idle();
        }
    }

    async fn park(&mut self, shard: &Rc<Shard>, until: Time, timer: &mut LazyTimer) -> Next {
        let parcel = std::future::poll_fn(|cx| match self.seat.mailbox.take() {
            Some(parcel) => Poll::Ready(Some(parcel)),
            None => {
                self.seat.mailbox.register(cx);
                timer.poll_due(cx, until, &shard.clock).map(|()| None)
            }
        });
        match parcel.await {
            Some(LaneMessage::Flight(flight)) => Next::Flight(flight),
            Some(LaneMessage::Leave(why)) => Next::Close(why),
            None => {
                self.is_not_idle();
                shard.connections.expire(self.seat.id, shard.clock.now());
                Next::Close(CloseReason::IdleTimeout)
            }
        }
    }
}
