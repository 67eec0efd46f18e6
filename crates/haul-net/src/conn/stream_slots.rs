//! Slots for requests on an HTTP/2 connection: as many as its peer allows streams.
//!
//! h2 would take more, and hold them back: but it can't give one back unsent. A request whose time is up while h2 holds it back
//! is sent all the same, and reset at once. Here it waits in haul's hands, in order, and has cost the peer nothing. Once the peer has
//! said how many streams it allows, a request that has no slot does not wait here any longer: another connection may take it sooner.

use std::cell::Cell;

use tokio::sync::{Notify, Semaphore};

/// More than any peer can use: the slots of one that sets no limit.
const MOST: usize = 1 << 20;

/// The slots of one connection.
#[derive(Debug)]
pub(super) struct StreamSlots {
    free: Semaphore,
    allowed: Cell<usize>,
    /// Taken beyond what is allowed now: so many go with those who leave.
    owed: Cell<usize>,
    /// The peer has said how many it allows, and that was not always none.
    is_known: Cell<bool>,
    was_open: Cell<bool>,
    /// It has just said so, and given slots to those who waited longest.
    given: Notify,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamSlotError {
    /// The connection has no use for requests any more.
    Closed,
    /// The peer allows no more than there are.
    Full,
}

/// A slot, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamSlot<'a>(&'a StreamSlots);

impl StreamSlots {
    pub(super) fn new(allowed: usize) -> Self {
        let allowed = allowed.min(MOST);
        Self {
            free: Semaphore::new(allowed),
            allowed: Cell::new(allowed),
            owed: Cell::new(0),
            is_known: Cell::new(false),
            was_open: Cell::new(false),
            given: Notify::new(),
        }
    }

    /// How many there are.
    pub(super) const fn allowed(&self) -> usize {
        self.allowed.get()
    }

    /// So many are allowed from now on. `known`: the peer has said so.
    pub(super) fn allow(&self, allowed: usize, known: bool) {
        let allowed = allowed.min(MOST);
        let before = self.allowed.replace(allowed);
        if before == allowed && self.is_known.get() == known {
            return;
        }
        self.is_known.set(known);
        self.was_open.set(self.was_open.get() || (known && allowed > 0));
        if let Some(more) = allowed.checked_sub(before) {
            let paid = more.min(self.owed.get());
            self.owed.set(self.owed.get() - paid);
            self.free.add_permits(more - paid);
        } else {
            let less = before - allowed;
            self.owed.set(self.owed.get() + less - self.free.forget_permits(less));
        }
        if self.is_full_for_good() {
            self.given.notify_waiters();
        }
    }

    /// Whether those who wait had better wait elsewhere. A peer that has allowed none so far will allow some yet; one that allows none any
    /// more may be on its way out.
    const fn is_full_for_good(&self) -> bool {
        self.is_known.get() && self.was_open.get()
    }

    /// Whether the peer allows none any more.
    pub(super) const fn have_ended(&self) -> bool {
        self.was_open.get() && self.allowed.get() == 0
    }

    /// Nobody waits any longer: the connection has no use for the requests, and says so to each.
    pub(super) fn close(&self) {
        self.free.close();
    }

    /// A slot that is free now.
    pub(super) fn try_take(&self) -> Option<StreamSlot<'_>> {
        self.free.try_acquire().ok().map(|permit| self.taken(permit))
    }

    /// A slot as soon as there is one and nobody has waited longer.
    ///
    /// # Errors
    /// There will be none soon: [`Self::close`], or the peer has said how many there are, and all are taken.
    pub(super) async fn take(&self) -> Result<StreamSlot<'_>, StreamSlotError> {
        if self.is_full_for_good() && !self.free.is_closed() {
            return self.try_take().ok_or(StreamSlotError::Full);
        }
        tokio::select! {
            biased;
            permit = self.free.acquire() => permit.map(|permit| self.taken(permit)).map_err(|_| StreamSlotError::Closed),
            () = self.given.notified() => Err(StreamSlotError::Full),
        }
    }

    fn taken(&self, permit: tokio::sync::SemaphorePermit<'_>) -> StreamSlot<'_> {
        permit.forget();
        StreamSlot(self)
    }

    /// Whether the last slot is taken.
    pub(super) fn is_full(&self) -> bool {
        self.free.available_permits() == 0
    }
}

impl Drop for StreamSlot<'_> {
    fn drop(&mut self) {
        match self.0.owed.get().checked_sub(1) {
            Some(owed) => self.0.owed.set(owed),
            None => self.0.free.add_permits(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn free(slots: &StreamSlots) -> usize {
        let taken: Vec<_> = std::iter::from_fn(|| slots.try_take()).take(1000).collect();
        taken.len()
    }

    #[test]
    fn there_are_as_many_as_allowed_however_that_changes() {
        let slots = StreamSlots::new(1);
        assert_eq!(free(&slots), 1);
        let first = slots.try_take().expect("one");
        assert!(slots.is_full() && slots.try_take().is_none());
        slots.allow(4, true);
        assert_eq!(free(&slots), 3);
        let others: Vec<_> = std::iter::from_fn(|| slots.try_take()).collect();
        slots.allow(2, true);
        assert_eq!(free(&slots), 0);
        drop(others);
        assert_eq!(free(&slots), 1, "four less two, of which one is taken");
        slots.allow(0, true);
        assert_eq!(free(&slots), 0);
        slots.allow(1, true);
        assert_eq!(free(&slots), 0, "it is taken");
        drop(first);
        assert_eq!(free(&slots), 1);
        slots.allow(usize::MAX, true);
        assert!(slots.allowed() == MOST && free(&slots) == 1000);
    }

    #[test]
    fn who_waited_longest_is_next_and_who_stops_waiting_holds_nobody_up() {
        let mut cx = Context::from_waker(Waker::noop());
        let slots = StreamSlots::new(1);
        let first = slots.try_take().expect("one");
        let mut second = pin!(slots.take());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        {
            let mut gone = pin!(slots.take());
            assert!(gone.as_mut().poll(&mut cx).is_pending());
        }
        let mut third = pin!(slots.take());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(slots.try_take().is_none(), "it is the second one's");
        assert!(third.as_mut().poll(&mut cx).is_pending());
        let Poll::Ready(Ok(place)) = second.as_mut().poll(&mut cx) else { panic!("it is its turn") };
        drop(place);
        let Poll::Ready(Ok(_place)) = third.as_mut().poll(&mut cx) else { panic!("it is its turn") };
        let mut fourth = pin!(slots.take());
        assert!(fourth.as_mut().poll(&mut cx).is_pending());
        slots.close();
        assert!(matches!(fourth.as_mut().poll(&mut cx), Poll::Ready(Err(StreamSlotError::Closed))));
    }

    #[test]
    fn who_has_none_when_the_peer_says_how_many_there_are_is_sent_away() {
        let mut cx = Context::from_waker(Waker::noop());
        for (allowed, served) in [(1, 0), (2, 1), (3, 2), (100, 3)] {
            let slots = StreamSlots::new(1);
            let _first = slots.try_take().expect("one");
            let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(slots.take())).collect();
            assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut cx).is_pending()));
            slots.allow(0, true);
            assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut cx).is_pending()), "there will be some");
            slots.allow(allowed, true);
            let got: Vec<_> = waiting.iter_mut().map(|one| one.as_mut().poll(&mut cx)).collect();
            for (nth, got) in got.iter().enumerate() {
                let Poll::Ready(got) = got else { panic!("waiter {nth} of {allowed} waits on") };
                assert_eq!(
                    got.as_ref().err(),
                    (nth >= served).then_some(&StreamSlotError::Full),
                    "waiter {nth} of {allowed}"
                );
            }
            let late = pin!(slots.take()).poll(&mut cx);
            assert!(matches!(late, Poll::Ready(Err(StreamSlotError::Full))) == (allowed < 100), "{late:?}");
            drop((late, got, waiting));
            slots.allow(0, true);
            let closed = pin!(slots.take()).poll(&mut cx);
            assert!(matches!(closed, Poll::Ready(Err(StreamSlotError::Full))), "it takes no more: {closed:?}");
        }
    }
}
