//! Jobs that wait for their retry: by due time, and by host so that a dead host's can be given up at once.
//!
//! Each stands in a slot; a heap orders the slots by time, and the slots of one host form a list. A job taken by way
//! of its host leaves a dead heap entry behind, which is dropped when it comes up or swept out when the dead outnumber
//! the living by more than [`TOLERATED`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::Time;

use super::list::NONE;

/// Dead entries allowed beyond one per waiting job.
const TOLERATED: usize = 64;

/// The retries of one host: the head of its list.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfHost {
    head: u32,
    len: u32,
}

impl OfHost {
    pub(super) const NONE: Self = Self { head: NONE, len: 0 };

    pub(super) const fn len(self) -> u32 {
        self.len
    }
}

/// How a job comes back to its host when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comeback {
    /// Before those not yet tried, for nothing.
    First,
    /// Behind them, for nothing.
    Behind,
    /// Behind them, if the host can afford it by then. The last attempt was the job's one of this number.
    Paying { failed: u32 },
}

#[derive(Debug)]
struct RetrySlot<J> {
    comeback: Comeback,
    /// Empty while the slot is free.
    job: Option<J>,
    host: u32,
    /// Which heap entry is alive.
    stamp: u64,
    prev: u32,
    next: u32,
}

#[derive(Debug)]
pub(super) struct Retries<J> {
    slots: Vec<RetrySlot<J>>,
    free: Vec<u32>,
    /// Due time, stamp (first come first served among equals), slot.
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    stamps: u64,
}

impl<J> Retries<J> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), heap: BinaryHeap::new(), stamps: 0 }
    }

    /// Jobs waiting.
    pub(super) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Keeps `job` until `due`. `list` is the list of `host`.
    pub(super) fn insert(&mut self, host: u32, list: &mut OfHost, job: J, due: Time, comeback: Comeback) {
        self.stamps += 1;
        let slot = RetrySlot { comeback, job: Some(job), host, stamp: self.stamps, prev: NONE, next: list.head };
        let id = self.place(slot);
        if let Some(next) = self.slots.get_mut(list.head as usize) {
            next.prev = id;
        }
        *list = OfHost { head: id, len: list.len + 1 };
        self.heap.push(Reverse((due, self.stamps, id)));
        if self.heap.len() > 2 * self.len() + TOLERATED {
            self.sweep();
        }
    }

    /// When the next job is due, and whose it is.
    pub(super) fn first(&mut self) -> Option<(Time, u32)> {
        while let Some(Reverse((due, stamp, id))) = self.heap.peek() {
            let slot = &self.slots[*id as usize];
            if slot.stamp == *stamp {
                return Some((*due, slot.host));
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the next job. `list` is the list of the host that [`Self::first`] named.
    pub(super) fn take_first(&mut self, list: &mut OfHost) -> Option<(J, Comeback)> {
        self.first()?;
        let Reverse((_, _, id)) = self.heap.pop()?;
        let comeback = self.slots[id as usize].comeback;
        self.take(id, list).map(|job| (job, comeback))
    }

    /// Takes any job of a host.
    pub(super) fn take_of_host(&mut self, list: &mut OfHost) -> Option<J> {
        let head = list.head;
        if head == NONE { None } else { self.take(head, list) }
    }

    /// Heap entries kept, dead ones included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.heap.len()
    }

    fn place(&mut self, slot: RetrySlot<J>) -> u32 {
        if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            return id;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 jobs are in memory")
    }

    fn take(&mut self, id: u32, list: &mut OfHost) -> Option<J> {
        let slot = &mut self.slots[id as usize];
        let (prev, next) = (slot.prev, slot.next);
        slot.stamp = 0;
        let job = slot.job.take();
        self.free.push(id);
        list.len -= 1;
        match self.slots.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => list.head = next,
        }
        if let Some(next) = self.slots.get_mut(next as usize) {
            next.prev = prev;
        }
        job
    }

    fn sweep(&mut self) {
        let slots = &self.slots;
        self.heap.retain(|Reverse((_, stamp, id))| slots[*id as usize].stamp == *stamp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn jobs_come_when_due_and_in_order_of_failure_among_equals() {
        let mut retries = Retries::new();
        let mut list = OfHost::NONE;
        for (job, due) in [("late", 9), ("first", 3), ("second", 3)] {
            retries.insert(7, &mut list, job, ms(due), Comeback::Paying { failed: 1 });
        }
        assert_eq!(retries.first(), Some((ms(3), 7)));
        let mut seen = Vec::new();
        while let Some((job, _)) = retries.take_first(&mut list) {
            seen.push(job);
        }
        assert_eq!(seen, ["first", "second", "late"]);
        assert_eq!((list.len(), retries.len(), retries.entries()), (0, 0, 0));
    }

    #[test]
    fn a_dead_hosts_jobs_are_taken_at_once_and_leave_no_heap_behind() {
        let mut retries = Retries::new();
        let (mut dead, mut alive) = (OfHost::NONE, OfHost::NONE);
        for round in 0..10_000 {
            retries.insert(0, &mut dead, round, ms(round), Comeback::Behind);
            retries.insert(1, &mut alive, round, ms(round), Comeback::Behind);
            assert_eq!(retries.take_of_host(&mut dead), Some(round));
            assert_eq!(retries.take_of_host(&mut dead), None);
            assert_eq!(retries.take_first(&mut alive), Some((round, Comeback::Behind)));
            assert!(retries.entries() <= TOLERATED + 2);
        }
        assert_eq!(retries.first(), None);
    }

    #[test]
    fn the_list_of_a_host_survives_removal_anywhere() {
        for taken in 0..3_u64 {
            let mut retries = Retries::new();
            let mut list = OfHost::NONE;
            (0..3).for_each(|job| {
                retries.insert(0, &mut list, job, ms(if job == taken { 1 } else { 5 }), Comeback::First)
            });
            assert_eq!(retries.take_first(&mut list), Some((taken, Comeback::First)));
            let mut rest: Vec<_> = std::iter::from_fn(|| retries.take_of_host(&mut list)).collect();
            rest.sort_unstable();
            assert_eq!(rest, (0..3).filter(|job| *job != taken).collect::<Vec<_>>());
        }
    }
}
