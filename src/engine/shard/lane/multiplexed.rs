//! A lane that shares its connection with others: HTTP/2.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use super::{Hold, Next};
use crate::attempt::Sent;
use crate::conn::{Exchanged, LazyTimer, Multiplexed};
use crate::engine::mailbox::Mailbox;
use crate::engine::shard::Shard;
use crate::engine::shard::carrier::{Parcel, Streams};
use crate::engine::shard::flight::Flight;
use crate::model::{Clock, CloseReason, Time};
use crate::policy::Fault;
use crate::pool::ConnId;

/// The hold of one of the lanes on a connection: over one stream after another.
pub(in crate::engine::shard) struct OneOfMany<C> {
    id: ConnId,
    connection: C,
    remote: Option<SocketAddr>,
    streams: Rc<RefCell<Streams<C>>>,
    mailbox: Rc<Mailbox<Parcel>>,
}

impl<C: Multiplexed> OneOfMany<C> {
    /// One more lane on the connection of these streams.
    pub(in crate::engine::shard) fn new(id: ConnId, streams: Rc<RefCell<Streams<C>>>) -> Self {
        let (connection, remote) = {
            let streams = streams.borrow();
            (streams.connection.clone(), streams.remote)
        };
        Self { id, connection, remote, streams, mailbox: Rc::default() }
    }

    /// It waits no longer, or will not be there.
    fn is_not_idle(&self) {
        self.streams.borrow_mut().idle.retain(|other| !Rc::ptr_eq(other, &self.mailbox));
    }
}

impl<C: Multiplexed> Hold for OneOfMany<C> {
    type Connection = C;

    const SETTLES_APART: bool = true;

    fn id(&self) -> ConnId {
        self.id
    }

    fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    fn mailbox(&self) -> &Mailbox<Parcel> {
        &self.mailbox
    }

    fn take_note(&mut self, shard: &Rc<Shard>, flight: &Flight, exchanged: &Exchanged) -> Time {
        // Others may have told the scheduler of a later time than that of the exchange's end.
        let now = shard.clock.now();
        // One that goes says nothing of those that come after it.
        if self.connection.why_not_reusable().is_none() {
            shard.update_streams(self.id, self.connection.streams_allowed(), flight.host, now);
        }
        if self.connection.has_stopped() {
            // It may never allow a stream again, and holds a place of its host's.
            shard.connections.pool_mut().drain(self.id, CloseReason::Suspect);
        }
        let mut streams = self.streams.borrow_mut();
        streams.history.answered |= exchanged.head.is_some();
        streams.idle.push(Rc::clone(&self.mailbox));
        if exchanged.sent == Sent::NoPlace {
            streams.history.refused += 1;
        } else if matches!(exchanged.sent, Sent::Unprocessed | Sent::Declined) {
            let has_ended = self.connection.why_not_reusable().is_some();
            shard.note_unprocessed(self.id, flight, &mut streams.history, has_ended);
        } else if exchanged.result.is_err() {
            shard.note_unanswered(self.id, flight, exchanged, Some(&mut streams.history));
        } else if exchanged.end(flight.dial.is_none()).fault() == Some(Fault::Misdirected) {
            shard.note_misdirected(self.id, flight.host, false);
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
        let parcel = std::future::poll_fn(|cx| match self.mailbox.take() {
            Some(parcel) => Poll::Ready(Some(parcel)),
            None => {
                self.mailbox.register(cx);
                timer.poll_due(cx, until, &shard.clock).map(|()| None)
            }
        });
        match parcel.await {
            Some(Parcel::Flight(flight)) => Next::Flight(flight),
            Some(Parcel::Leave(why)) => Next::Close(why),
            None => {
                self.is_not_idle();
                shard.connections.expire(self.id, shard.clock.now());
                Next::Close(CloseReason::IdleTimeout)
            }
        }
    }
}
