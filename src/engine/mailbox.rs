//! How a lane is told what to do next: a place for one parcel, on one thread.

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};

/// A place for one parcel. The receiver leaves its waker when it finds none.
pub(super) struct Mailbox<T> {
    parcel: Cell<Option<T>>,
    waker: RefCell<Option<Waker>>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { parcel: Cell::new(None), waker: RefCell::new(None) }
    }
}

impl<T> Mailbox<T> {
    /// Leaves a parcel and wakes the receiver if it waits. A parcel that is already there is returned: that is a
    /// mistake of the sender, who must not lose it.
    pub(super) fn put(&self, parcel: T) -> Option<T> {
        let earlier = self.parcel.replace(Some(parcel));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
        earlier
    }

    /// Takes the parcel, if there is one.
    pub(super) fn take(&self) -> Option<T> {
        self.parcel.take()
    }

    /// Asks to be woken by the next [`Self::put`].
    pub(super) fn register(&self, cx: &Context<'_>) {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
    }
}
