//! Places for requests on an HTTP/2 connection: as many as its peer allows streams.
//!
//! h2 would take more, and hold them back: but it can't give one back unsent. A request whose time is up while h2 holds it back
//! is sent all the same, and reset at once. Here it waits in haul's hands, in order, and has cost the peer nothing.

use std::cell::Cell;

use tokio::sync::Semaphore;

/// More than any peer can use: the places of one that sets no limit.
const MOST: usize = 1 << 20;

/// The places of one connection.
#[derive(Debug)]
pub(super) struct Places {
    free: Semaphore,
    allowed: Cell<usize>,
    /// Taken beyond what is allowed now: so many go with those who leave.
    owed: Cell<usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Places);

impl Places {
    pub(super) fn new(allowed: usize) -> Self {
        let allowed = allowed.min(MOST);
        Self { free: Semaphore::new(allowed), allowed: Cell::new(allowed), owed: Cell::new(0) }
    }

    /// How many there are.
    pub(super) const fn allowed(&self) -> usize {
        self.allowed.get()
    }

    /// The peer allows so many from now on.
    pub(super) fn allow(&self, allowed: usize) {
        let allowed = allowed.min(MOST);
        let before = self.allowed.replace(allowed);
        if let Some(more) = allowed.checked_sub(before) {
            let paid = more.min(self.owed.get());
            self.owed.set(self.owed.get() - paid);
            self.free.add_permits(more - paid);
        } else {
            let less = before - allowed;
            self.owed.set(self.owed.get() + less - self.free.forget_permits(less));
        }
    }

    /// Nobody waits any longer: the connection has no use for the requests, and says so to each.
    pub(super) fn close(&self) {
        self.free.close();
    }

    /// A place that is free now.
    pub(super) fn try_take(&self) -> Option<Place<'_>> {
        self.free.try_acquire().ok().map(|permit| self.taken(permit))
    }

    /// A place as soon as there is one and nobody has waited longer; `None`: [`Self::close`].
    pub(super) async fn take(&self) -> Option<Place<'_>> {
        self.free.acquire().await.ok().map(|permit| self.taken(permit))
    }

    fn taken(&self, permit: tokio::sync::SemaphorePermit<'_>) -> Place<'_> {
        permit.forget();
        Place(self)
    }

    /// Whether the last place is taken.
    pub(super) fn is_full(&self) -> bool {
        self.free.available_permits() == 0
    }
}

impl Drop for Place<'_> {
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

    fn free(places: &Places) -> usize {
        let taken: Vec<_> = std::iter::from_fn(|| places.try_take()).take(1000).collect();
        taken.len()
    }

    #[test]
    fn there_are_as_many_as_allowed_however_that_changes() {
        let places = Places::new(1);
        assert_eq!(free(&places), 1);
        let first = places.try_take().expect("one");
        assert!(places.is_full() && places.try_take().is_none());
        places.allow(4);
        assert_eq!(free(&places), 3);
        let others: Vec<_> = std::iter::from_fn(|| places.try_take()).collect();
        places.allow(2);
        assert_eq!(free(&places), 0);
        drop(others);
        assert_eq!(free(&places), 1, "four less two, of which one is taken");
        places.allow(0);
        assert_eq!(free(&places), 0);
        places.allow(1);
        assert_eq!(free(&places), 0, "it is taken");
        drop(first);
        assert_eq!(free(&places), 1);
        places.allow(usize::MAX);
        assert!(places.allowed() == MOST && free(&places) == 1000);
    }

    #[test]
    fn who_waited_longest_is_next_and_who_stops_waiting_holds_nobody_up() {
        let mut cx = Context::from_waker(Waker::noop());
        let places = Places::new(1);
        let first = places.try_take().expect("one");
        let mut second = pin!(places.take());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        {
            let mut gone = pin!(places.take());
            assert!(gone.as_mut().poll(&mut cx).is_pending());
        }
        let mut third = pin!(places.take());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(places.try_take().is_none(), "it is the second one's");
        assert!(third.as_mut().poll(&mut cx).is_pending());
        let Poll::Ready(Some(place)) = second.as_mut().poll(&mut cx) else { panic!("it is its turn") };
        drop(place);
        let Poll::Ready(Some(_place)) = third.as_mut().poll(&mut cx) else { panic!("it is its turn") };
        let mut fourth = pin!(places.take());
        assert!(fourth.as_mut().poll(&mut cx).is_pending());
        places.close();
        assert!(matches!(fourth.as_mut().poll(&mut cx), Poll::Ready(None)));
    }
}
