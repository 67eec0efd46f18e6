//! Which ready host is next? The one with the most work left, in time; and now and then the one that waited longest.
//!
//! Ready hosts stand in two lists each: one per power of two of remaining time, with a bitmap of those that are not
//! empty, and one of all of them in the order of their last turn. Every eighth dispatch takes the head of the latter,
//! so a host that stays ready with `k` others before it in that order is served within `8 · (k + 1)` dispatches:
//! whoever joins later stands behind it. All operations are O(1). Owns no host and knows no limit.

use super::list::{Links, List};

/// One dispatch in this many goes round-robin. The rest go to the longest remaining time: this shortens the tail of a
/// run, because the host that bounds it starts first and never idles. More round-robin costs the tail, less lets small
/// hosts wait longer for their first byte.
pub(super) const ROUND_ROBIN: u32 = 8;

#[derive(Debug)]
pub(super) struct Ready {
    buckets: [List; 64],
    filled: u64,
    turns: Links,
    order: List,
    len: u32,
    dispatches: u32,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self {
            buckets: [List::EMPTY; 64],
            filled: 0,
            turns: Links::default(),
            order: List::EMPTY,
            len: 0,
            dispatches: 0,
        }
    }

    /// Makes room for one more host.
    pub(super) fn grow(&mut self) {
        self.turns.grow();
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bucket for that many nanoseconds of remaining work.
    pub(super) const fn bucket(remaining: u64) -> u8 {
        (63 - (remaining | 1).leading_zeros()) as u8
    }

    /// `id` has become ready. `places` are the links it shares with all lists a host may be in instead.
    pub(super) fn insert(&mut self, places: &mut Links, id: u32, bucket: u8) {
        self.file(places, id, bucket);
        self.order.push(&mut self.turns, id);
        self.len += 1;
    }

    /// `id` is no longer ready.
    pub(super) fn remove(&mut self, places: &mut Links, id: u32, bucket: u8) {
        self.unfile(places, id, bucket);
        self.order.remove(&mut self.turns, id);
        self.len -= 1;
    }

    /// `id` has more or less to do than before. It keeps its turn.
    pub(super) fn refile(&mut self, places: &mut Links, id: u32, from: u8, to: u8) {
        self.unfile(places, id, from);
        self.file(places, id, to);
    }

    /// The next host. Stays the same until it is removed or [`Self::dispatched`] is called.
    pub(super) fn next(&self) -> Option<u32> {
        if self.dispatches % ROUND_ROBIN == ROUND_ROBIN - 1 {
            return self.order.first();
        }
        let fullest = 63_u32.checked_sub(self.filled.leading_zeros())?;
        self.buckets[fullest as usize].first()
    }

    /// A dispatch was made.
    pub(super) const fn dispatched(&mut self) {
        self.dispatches = self.dispatches.wrapping_add(1);
    }

    fn file(&mut self, places: &mut Links, id: u32, bucket: u8) {
        self.buckets[bucket as usize].push(places, id);
        self.filled |= 1 << bucket;
    }

    fn unfile(&mut self, places: &mut Links, id: u32, bucket: u8) {
        let list = &mut self.buckets[bucket as usize];
        list.remove(places, id);
        if list.is_empty() {
            self.filled &= !(1 << bucket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(buckets: &[u8]) -> (Ready, Links) {
        let (mut ready, mut places) = (Ready::new(), Links::default());
        for (id, bucket) in (0..).zip(buckets) {
            ready.grow();
            places.grow();
            ready.insert(&mut places, id, *bucket);
        }
        (ready, places)
    }

    #[test]
    fn buckets_are_powers_of_two() {
        assert_eq!([0, 1, 2, 3, 4, 1023, 1024, u64::MAX].map(Ready::bucket), [0, 0, 1, 1, 2, 9, 10, 63]);
    }

    #[test]
    fn most_remaining_first_and_every_eighth_in_turn() {
        let (mut ready, mut places) = ready(&[3, 63, 0, 63]);
        let mut served = Vec::new();
        for _ in 0..16 {
            let id = ready.next().expect("never empty");
            ready.dispatched();
            served.push(id);
            let bucket = [3, 63, 0, 63][id as usize];
            ready.remove(&mut places, id, bucket);
            ready.insert(&mut places, id, bucket);
        }
        assert_eq!(served, [1, 3, 1, 3, 1, 3, 1, 0, 3, 1, 3, 1, 3, 1, 3, 2]);
    }

    #[test]
    fn a_refiled_host_keeps_its_turn_and_the_empty_set_has_no_next() {
        let (mut ready, mut places) = ready(&[5, 6]);
        ready.refile(&mut places, 0, 5, 7);
        assert_eq!(ready.next(), Some(0));
        (0..7).for_each(|_| ready.dispatched());
        assert_eq!(ready.next(), Some(0));
        ready.remove(&mut places, 0, 7);
        ready.remove(&mut places, 1, 6);
        assert!(ready.is_empty() && ready.next().is_none());
        ready.dispatched();
        assert_eq!(ready.next(), None);
    }
}
