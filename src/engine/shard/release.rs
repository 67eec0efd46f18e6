//! A request has ended on its connection: what that takes next.

use std::net::SocketAddr;
use std::rc::Rc;

use super::Shard;
use super::connection_handle::LaneMessage;
use super::connections::PoolKey;
use super::flight::Flight;
use super::lane::Next;
use crate::attempt::{Sent, is_timeout};
use crate::conn::ExchangeOutcome;
use crate::engine::mailbox::Mailbox;
use crate::model::{CloseReason, Time};
use crate::policy::Verdict;
use crate::pool::{ConnId, Pool, Released};
use crate::sched::HostId;

/// What a lane does that has settled a request: what has come for it meanwhile, or else `next`.
fn next_of(mailbox: &Mailbox<LaneMessage>, next: Next) -> Next {
    match mailbox.take() {
        Some(LaneMessage::Flight(flight)) => Next::Flight(flight),
        Some(LaneMessage::Leave(why)) => Next::Close(why),
        None => next,
    }
}

impl Shard {
    /// Settles the job of a request whose slot on the connection is free again, and finds the lane's next, which without a job
    /// for it is `next`. `now` may be later than the exchange's end, and is not earlier than what the scheduler was told before.
    pub(super) fn ended(
        self: &Rc<Self>,
        next: Next,
        remote: Option<SocketAddr>,
        flight: Flight,
        exchanged: ExchangeOutcome,
        mailbox: &Mailbox<LaneMessage>,
        now: Time,
    ) -> Next {
        self.board_others(&flight);
        self.conclude(flight, remote, exchanged, now);
        self.turn(now);
        next_of(mailbox, next)
    }

    /// A request that its connection has no stream for goes back to its queue, for another one.
    #[cold]
    pub(super) fn sent_away(
        self: &Rc<Self>,
        next: Next,
        flight: Flight,
        mailbox: &Mailbox<LaneMessage>,
        now: Time,
    ) -> Next {
        self.board_others(&flight);
        self.take_back(flight, now);
        self.turn(now);
        next_of(mailbox, next)
    }

    /// Frees the slot of a request that ended on the connection, which takes no further one if it is `unusable`; what its lane does when
    /// there is nothing to carry.
    pub(super) fn release(
        &self,
        id: ConnId,
        flight: &Flight,
        unusable: Option<CloseReason>,
        exchanged: &ExchangeOutcome,
        now: Time,
    ) -> Next {
        if let Some(reason) = unusable {
            let why = if exchanged.result.is_err() { CloseReason::Failed } else { reason };
            self.connections.closed(id, why);
            return Next::Close(why);
        }
        let mut pool = self.connections.pool_mut();
        if self.answers_badly(&mut pool, id, flight.host, exchanged) {
            pool.drain(id, CloseReason::Suspect);
        }
        if exchanged.result.as_ref().is_err_and(is_timeout) {
            // Other streams may still get answers, but nothing new goes where one came too late.
            pool.drain(id, CloseReason::Failed);
        }
        if let Some(timeout) = exchanged.keep_alive_timeout() {
            pool.keep_alive_hint(id, timeout);
        }
        match pool.release(id, exchanged.sent != Sent::NoPlace, now) {
            Released::Parked { until } => Next::Park(until),
            Released::Shared => Next::Park(now + self.shared.config.pool.idle_timeout),
            Released::Spent { given } => {
                drop(pool);
                self.has_carried_all(flight.host, given);
                self.connections.dismiss(id, CloseReason::Spent);
                Next::Close(CloseReason::Spent)
            }
            Released::Close(why) => {
                drop(pool);
                self.connections.dismiss(id, why);
                Next::Close(why)
            }
        }
    }

    /// Whether what answers over this connection fails, by more than chance, while the host as a whole does not: one of many machines
    /// behind one address.
    fn answers_badly(&self, pool: &mut Pool<PoolKey>, id: ConnId, host: HostId, exchanged: &ExchangeOutcome) -> bool {
        let Some(head) = &exchanged.head else { return false };
        let verdict = || Verdict::of_status(head.status.as_u16(), || None, &self.shared.config.retries);
        let is_failing = head.status.is_server_error() && matches!(verdict(), Verdict::Troubled(_));
        let in_a_row = pool.answered(id, is_failing);
        is_failing && in_a_row >= self.sched.borrow().telling_run(host)
    }

    /// The peer may have changed how many streams it allows.
    pub(super) fn update_streams(self: &Rc<Self>, id: ConnId, allowed: usize, host: HostId, now: Time) {
        let slots = self.streams(allowed);
        self.connections.pool_mut().set_slots(id, slots);
        self.learn_capacity(host, self.host_streams(slots), now);
    }
}
