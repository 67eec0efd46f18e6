//! The memory that bodies share under a budget: those that are kept, and the decoders' windows of all.
//!
//! While the bodies in memory take less than the budget's mark, each grows as it comes. At the mark their peers wait, all
//! but one: the body that has waited longest goes on beyond the mark, to its end, so that one always comes to an end and
//! gives its memory back. Memory is given back when the body is dropped, which for a record is when it has been written.
//!
//! A body that comes whole within its first reservation costs a few atomic additions; the lock is for those that wait.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;

use crate::body::MemoryReservation;
use crate::config::Setting;
use crate::model::{BodyWriter, Failure, FailureKind, Phase};

/// What a body takes at a time: no piece is larger, as a rule.
const PIECE: usize = 64 << 10;

/// What decoders ask for before they take it. What a step took beyond that counts as soon as it is known.
const STEP: u64 = 2 * PIECE as u64;

/// The memory for bodies.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    /// Bytes at which bodies wait.
    mark: u64,
    /// The largest body.
    largest: usize,
    used: AtomicU64,
    /// Of these, what whole bodies hold until they are written.
    finished: AtomicU64,
    /// The last number given to a body.
    numbers: AtomicU64,
    /// How many wait; read without the lock.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// By number: who came first is first.
    waiting: BTreeMap<u64, Waker>,
    /// Who goes on beyond the mark.
    favoured: Option<u64>,
}

impl MemoryBudget {
    pub(super) fn new(mark: u64, largest: u64) -> Arc<Self> {
        Arc::new(Self {
            mark,
            largest: usize::try_from(largest).unwrap_or(usize::MAX),
            used: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
        })
    }

    /// A number for a body that comes now: who has come first is first. All it takes is taken under its one number.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock panics")
    }

    /// Takes `bytes` if that leads to no more than `most`.
    fn take(&self, bytes: u64, most: u64) -> bool {
        let taken = self
            .used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| (used + bytes <= most).then_some(used + bytes));
        taken.is_ok()
    }

    fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.wake();
        }
    }

    /// Wakes as many as there is room for, and one at least: those that came first.
    fn wake(&self) {
        let room = self.mark.saturating_sub(self.used.load(Ordering::SeqCst));
        let most = usize::try_from(room / PIECE as u64).unwrap_or(usize::MAX).max(1);
        let queue = self.queue();
        queue.waiting.values().take(most).for_each(Waker::wake_by_ref);
    }
}

/// What one body has taken; given back when dropped.
#[derive(Debug)]
struct Reservation {
    memory_budget: Arc<MemoryBudget>,
    number: u64,
    bytes: u64,
    /// The bytes at which it waits.
    most: u64,
    /// Whether it is in the queue.
    waits: bool,
    /// Whether it goes on beyond the mark.
    favoured: bool,
    /// Whether its body is whole.
    finished: bool,
}

impl Reservation {
    /// `is_small`: it will take no more than [`PIECE`]. The last fifth is for those, so that a few large bodies that come
    /// slowly do not keep many small ones waiting.
    fn new(memory_budget: Arc<MemoryBudget>, number: u64, is_small: bool) -> Self {
        let most = if is_small { memory_budget.mark + memory_budget.mark / 4 } else { memory_budget.mark };
        Self { memory_budget, number, bytes: 0, most, waits: false, favoured: false, finished: false }
    }

    /// Ready once `bytes` more are taken.
    fn poll_take(&mut self, bytes: u64, cx: &Context<'_>) -> Poll<()> {
        if self.memory_budget.take(bytes, self.most) {
            self.bytes += bytes;
            self.leave_queue();
            return Poll::Ready(());
        }
        let mut queue = self.memory_budget.queue();
        queue.waiting.insert(self.number, cx.waker().clone());
        self.memory_budget.waiting.store(queue.waiting.len(), Ordering::SeqCst);
        self.waits = true;
        // One at a time, and only when little of what others have left is still to be written. What unfinished bodies hold
        // does not count: they may all wait for this one.
        let unwritten = self.memory_budget.finished.load(Ordering::SeqCst);
        let vacant = queue.favoured.is_none() && unwritten <= self.memory_budget.largest as u64;
        if vacant && queue.waiting.first_key_value().is_some_and(|(first, _)| *first == self.number) {
            queue.favoured = Some(self.number);
        }
        self.favoured = queue.favoured == Some(self.number);
        drop(queue);
        if self.favoured {
            self.take_anyway(bytes);
            self.leave_queue();
            return Poll::Ready(());
        }
        // What was given back while this one was joining the queue found nobody to wake.
        if self.memory_budget.used.load(Ordering::SeqCst) + bytes <= self.most {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Takes `bytes` more whether there is room or not.
    fn take_anyway(&mut self, bytes: u64) {
        if bytes > 0 {
            self.memory_budget.used.fetch_add(bytes, Ordering::SeqCst);
            self.bytes += bytes;
        }
    }

    fn give(&mut self, bytes: u64) {
        self.bytes -= bytes;
        self.memory_budget.give(bytes);
    }

    fn leave_queue(&mut self) {
        if std::mem::take(&mut self.waits) {
            let mut queue = self.memory_budget.queue();
            queue.waiting.remove(&self.number);
            self.memory_budget.waiting.store(queue.waiting.len(), Ordering::SeqCst);
            drop(queue);
            // Those behind it may want less than it did.
            self.memory_budget.wake();
        }
    }

    /// It will take no more: another may go beyond the mark.
    fn settle(&mut self) {
        self.leave_queue();
        if std::mem::take(&mut self.favoured) {
            // What else the body has taken may have settled before.
            let mut queue = self.memory_budget.queue();
            queue.favoured.take_if(|favoured| *favoured == self.number);
            drop(queue);
            self.memory_budget.wake();
        }
    }

    /// Its body is whole, and is held until it has been written.
    fn finish(&mut self) {
        self.finished = true;
        self.memory_budget.finished.fetch_add(self.bytes, Ordering::SeqCst);
        self.settle();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.settle();
        if self.finished {
            self.memory_budget.finished.fetch_sub(self.bytes, Ordering::SeqCst);
        }
        if self.bytes > 0 {
            self.give(self.bytes);
        }
    }
}

/// A body in memory, and the reservation it has taken.
struct ReservedBody {
    bytes: Vec<u8>,
    _portion: Reservation,
}

impl AsRef<[u8]> for ReservedBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Where a whole body is put for whoever ends its attempt.
pub(super) type BodySlot = Rc<RefCell<Option<Bytes>>>;

/// Keeps a body in memory as far as the budget allows, and puts it on its slot when it is whole.
pub(super) struct BudgetedBody {
    reservation: Reservation,
    bytes: Vec<u8>,
    /// How long the body will be, as far as its head says so.
    promised: Option<usize>,
    slot: BodySlot,
}

impl BudgetedBody {
    /// A body of `promised` bytes, as far as its head says so.
    pub(super) fn new(memory_budget: &Arc<MemoryBudget>, number: u64, promised: Option<u64>, slot: BodySlot) -> Self {
        let promised = promised.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let is_small = promised.is_some_and(|promised| promised <= PIECE);
        Self {
            reservation: Reservation::new(Arc::clone(memory_budget), number, is_small),
            bytes: Vec::new(),
            promised,
            slot,
        }
    }

    /// The room that the next piece may need.
    fn next_piece(&self) -> usize {
        self.promised.map_or(PIECE, |promised| promised.saturating_sub(self.bytes.len()).min(PIECE))
    }

    fn too_large(&self) -> Failure {
        let largest = self.reservation.memory_budget.largest;
        let (kept, memory) = (Setting::MaxKept, Setting::MaxMemory);
        let message = format!("a body of more than {largest} bytes is not kept (`{kept}`, `{memory}`)");
        Failure::new(Phase::Body, FailureKind::TooLarge, message)
    }
}

impl BodyWriter for BudgetedBody {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        let largest = self.reservation.memory_budget.largest;
        if length > largest || self.promised.is_some_and(|promised| promised > largest) {
            return Poll::Ready(Err(self.too_large()));
        }
        let wanted = length + self.next_piece();
        if wanted > capacity {
            // While the bytes move, they are there twice.
            let grown = wanted.max(capacity + capacity / 2);
            ready!(self.reservation.poll_take(grown as u64, cx));
            self.bytes.reserve_exact(grown - length);
            self.reservation.give(capacity as u64);
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, piece: Bytes) {
        let before = self.bytes.capacity();
        self.bytes.extend_from_slice(&piece);
        // Only a piece beyond the usual size finds too little room.
        self.reservation.take_anyway((self.bytes.capacity() - before) as u64);
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
        if self.bytes.len() > self.reservation.memory_budget.largest {
            return Poll::Ready(Err(self.too_large()));
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        let before = bytes.capacity();
        bytes.shrink_to_fit();
        let successor = Reservation::new(Arc::clone(&self.reservation.memory_budget), self.reservation.number, false);
        let mut reservation = std::mem::replace(&mut self.reservation, successor);
        reservation.give((before - bytes.capacity()) as u64);
        reservation.finish();
        *self.slot.borrow_mut() = Some(Bytes::from_owner(ReservedBody { bytes, _portion: reservation }));
        Poll::Ready(Ok(None))
    }
}

/// What a body's decoders take of the budget.
pub(super) struct Workspace(Reservation);

impl Workspace {
    /// That of a body with this number.
    pub(super) fn new(memory_budget: &Arc<MemoryBudget>, number: u64) -> Self {
        Self(Reservation::new(Arc::clone(memory_budget), number, false))
    }
}

impl MemoryReservation for Workspace {
    fn poll_reserve(&mut self, bytes: u64, cx: &mut Context<'_>) -> Poll<()> {
        let reservation = &mut self.0;
        // Small steps would be an atomic addition each.
        let wanted = bytes.next_multiple_of(PIECE as u64);
        match wanted.checked_sub(reservation.bytes) {
            None => reservation.give(reservation.bytes - wanted),
            Some(0) => {}
            Some(more) if more <= STEP => return reservation.poll_take(more, cx),
            Some(more) => {
                // It is there already, all but the next piece.
                reservation.take_anyway(more - STEP);
                return reservation.poll_take(STEP, cx);
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicBool);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    impl Bell {
        fn rang(&self) -> bool {
            self.0.swap(false, Ordering::SeqCst)
        }
    }

    /// A body, and who waits for it.
    struct Body {
        rationed: BudgetedBody,
        slot: BodySlot,
        bell: Arc<Bell>,
    }

    impl Body {
        fn new(memory_budget: &Arc<MemoryBudget>, promised: Option<u64>) -> Self {
            let slot = BodySlot::default();
            let rationed = BudgetedBody::new(memory_budget, memory_budget.number(), promised, Rc::clone(&slot));
            Self { rationed, slot, bell: Arc::default() }
        }

        /// Takes a piece of this size, if it may.
        fn piece(&mut self, size: usize) -> bool {
            let waker = Waker::from(Arc::clone(&self.bell));
            match self.rationed.poll_ready(&mut Context::from_waker(&waker)) {
                Poll::Ready(taken) => {
                    taken.expect("not too large");
                    self.rationed.write(vec![1; size].into());
                    true
                }
                Poll::Pending => false,
            }
        }

        fn finish(mut self) -> Bytes {
            let done = self.rationed.poll_finish(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(done, Poll::Ready(Ok(None))));
            self.slot.take().expect("put there")
        }
    }

    fn used(memory_budget: &MemoryBudget) -> u64 {
        memory_budget.used.load(Ordering::SeqCst)
    }

    const P: u64 = PIECE as u64;

    #[test]
    fn a_short_body_takes_what_it_promises_and_gives_it_back_when_dropped() {
        let memory_budget = MemoryBudget::new(10 * P, 10 * P);
        let mut body = Body::new(&memory_budget, Some(1000));
        assert!(body.piece(600) && body.piece(400));
        let bytes = body.finish();
        assert_eq!((bytes.len(), used(&memory_budget)), (1000, 1000));
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(used(&memory_budget), 1000, "a part keeps the whole");
        drop(part);
        assert_eq!(used(&memory_budget), 0);
    }

    #[test]
    fn at_the_mark_all_wait_but_the_one_that_waits_longest() {
        let memory_budget = MemoryBudget::new(4 * P, 20 * P);
        let mut bodies: Vec<Body> = (0..4).map(|_| Body::new(&memory_budget, None)).collect();
        assert!(bodies.iter_mut().all(|body| body.piece(PIECE)), "four portions fill it");
        assert!(bodies[2].piece(PIECE), "the first that waits goes on beyond the mark");
        assert!(!bodies[0].piece(PIECE) && !bodies[1].piece(PIECE) && !bodies[3].piece(PIECE));
        assert!((0..5).all(|_| bodies[2].piece(PIECE)));
        let whole = bodies.remove(2).finish();
        assert_eq!(whole.len(), 7 * PIECE);
        assert!(bodies[0].bell.rang(), "another may go on");
        assert!(!bodies[1].piece(PIECE), "not the second");
        assert!(bodies[0].piece(PIECE));
        drop(whole);
        drop(bodies.remove(0));
        assert!(bodies[0].bell.rang());
        assert!(bodies[0].piece(PIECE) && bodies[1].piece(PIECE), "there is room again");
        drop(bodies);
        assert_eq!(used(&memory_budget), 0);
    }

    #[test]
    fn one_that_leaves_the_queue_wakes_the_next() {
        let memory_budget = MemoryBudget::new(P, 20 * P);
        let mut bodies: Vec<Body> = (0..4).map(|_| Body::new(&memory_budget, None)).collect();
        assert!(bodies[0].piece(PIECE));
        assert!(bodies[1].piece(PIECE), "beyond the mark");
        assert!(!bodies[2].piece(1) && !bodies[3].piece(1));
        drop(bodies.remove(1));
        assert!(bodies[1].bell.rang());
        drop(bodies.remove(1));
        assert!(bodies[1].bell.rang() && bodies[1].piece(1));
    }

    #[test]
    fn what_is_written_late_keeps_further_ones_waiting() {
        let memory_budget = MemoryBudget::new(2 * P, 3 * P);
        let full = |count| {
            let mut body = Body::new(&memory_budget, None);
            (0..count).all(|_| body.piece(PIECE)).then(|| body.finish())
        };
        let unwritten: Vec<Bytes> = std::iter::from_fn(|| full(2)).take(100).collect();
        assert!(used(&memory_budget) <= (2 + 3 + 3) * P, "{} bodies", unwritten.len());
        let mut waiting = Body::new(&memory_budget, None);
        assert!(!waiting.piece(1));
        drop(unwritten);
        assert!(waiting.bell.rang() && waiting.piece(1));
    }

    #[test]
    fn what_unfinished_bodies_hold_beyond_the_mark_blocks_nobody() {
        let memory_budget = MemoryBudget::new(2 * P, 3 * P);
        let mut bodies: Vec<Body> = (0..3).map(|_| Body::new(&memory_budget, None)).collect();
        assert!(bodies[0].piece(10 * PIECE), "a piece far larger than what was taken for it");
        assert!(used(&memory_budget) > (2 + 3) * P);
        assert!(bodies[1].piece(PIECE), "one goes on all the same");
        assert!(!bodies[2].piece(PIECE));
    }

    #[test]
    fn small_bodies_pass_large_ones_that_wait() {
        let memory_budget = MemoryBudget::new(8 * P, 20 * P);
        let mut large: Vec<Body> = (0..9).map(|_| Body::new(&memory_budget, None)).collect();
        assert!(large.iter_mut().take(8).all(|body| body.piece(PIECE)));
        assert!(large[0].piece(PIECE) && !large[8].piece(PIECE), "full, and one is favoured");
        let mut small = Body::new(&memory_budget, Some(1000));
        assert!(small.piece(1000));
        assert_eq!(small.finish().len(), 1000);
    }

    #[test]
    fn a_body_that_is_too_large_is_refused_at_once_where_its_head_says_so() {
        let memory_budget = MemoryBudget::new(10 * P, 2 * P);
        let poll = |body: &mut Body| body.rationed.poll_ready(&mut Context::from_waker(Waker::noop()));
        let mut body = Body::new(&memory_budget, Some(3 * P));
        assert!(matches!(poll(&mut body), Poll::Ready(Err(failure)) if failure.kind == FailureKind::TooLarge));
        let mut body = Body::new(&memory_budget, None);
        assert!(body.piece(PIECE) && body.piece(PIECE) && body.piece(1));
        assert!(matches!(poll(&mut body), Poll::Ready(Err(_))));
    }
}
