//! Where the results of a batch meet its reader.
//!
//! Invariant: each request put under way ends in exactly one result here, and once the reader has gone, those in flight
//! are woken to see it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::batch::Slip;
use super::head::Head;
use crate::model::{BodyUse, Failure, FailureKind, Outcome, Phase, Reply, ResponseHead};

/// A request's end: its slip, attempts, and the response or why there is none.
pub(super) struct Completion<T> {
    pub(super) slip: Slip<T>,
    pub(super) attempts: u32,
    pub(super) result: Result<(Head, bytes::Bytes), Failure>,
}

/// The results that wait for their reader.
pub(super) struct Inbox<T> {
    state: Mutex<InboxState<T>>,
    gone: AtomicBool,
}

struct InboxState<T> {
    ended: VecDeque<Completion<T>>,
    reader: Option<Waker>,
    /// Who is in flight, by position: woken when the reader goes.
    in_flight: HashMap<usize, Waker>,
}

impl<T> Inbox<T> {
    pub(super) fn new() -> Arc<Self> {
        let state = InboxState { ended: VecDeque::new(), reader: None, in_flight: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state), gone: AtomicBool::new(false) })
    }

    fn state(&self) -> MutexGuard<'_, InboxState<T>> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Adds a result.
    pub(super) fn put(&self, ended: Completion<T>) {
        let mut state = self.state();
        state.in_flight.remove(&ended.slip.index);
        state.ended.push_back(ended);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Ready with a result.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Poll<Completion<T>> {
        let mut state = self.state();
        match state.ended.pop_front() {
            Some(ended) => Poll::Ready(ended),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Nobody reads any longer: what is in flight is cancelled, what has ended is dropped.
    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::SeqCst);
        let mut state = self.state();
        let (ended, in_flight) = (std::mem::take(&mut state.ended), std::mem::take(&mut state.in_flight));
        drop(state);
        drop(ended);
        in_flight.into_values().for_each(Waker::wake);
    }

    fn poll_gone(&self, index: usize, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        // Under the lock: whoever leaves either sees this waker or has been seen here.
        if self.gone.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        match state.in_flight.get_mut(&index) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => drop(state.in_flight.insert(index, cx.waker().clone())),
        }
        Poll::Pending
    }
}

/// The reply of one request of a batch.
pub(super) struct ToInbox<T> {
    inbox: Arc<Inbox<T>>,
    index: usize,
    /// Until its end.
    slip: Mutex<Option<Slip<T>>>,
}

impl<T> ToInbox<T> {
    pub(super) fn new(inbox: Arc<Inbox<T>>, slip: Slip<T>) -> Self {
        Self { inbox, index: slip.index, slip: Mutex::new(Some(slip)) }
    }

    fn take(&mut self) -> Option<Slip<T>> {
        self.slip.get_mut().expect("no holder of this lock panics").take()
    }
}

impl<T: Send> Reply for ToInbox<T> {
    fn head(&self, _: &ResponseHead<'_>) -> BodyUse {
        BodyUse::Collect
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.inbox.poll_gone(self.index, cx)
    }

    fn end(mut self: Box<Self>, outcome: Outcome) {
        if let Some(slip) = self.take() {
            let attempts = outcome.attempts;
            self.inbox.put(Completion { slip, attempts, result: Head::and_body(outcome) });
        }
    }
}

impl<T> Drop for ToInbox<T> {
    fn drop(&mut self) {
        if let Some(slip) = self.take() {
            let failure = Failure::new(Phase::Queue, FailureKind::Cancelled, "the client was stopped or dropped");
            self.inbox.put(Completion { slip, attempts: 0, result: Err(failure) });
        }
    }
}
