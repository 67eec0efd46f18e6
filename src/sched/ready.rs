//! Which ready host is next? The one with the most work left, in time; and now and then the one that waited longest.
//!
//! Ready hosts stand in two lists each: one per power of two of remaining time, with a bitmap of those that are not
//! empty, and one of all of them in the order of their last turn. About every eighth dispatch takes the head of the
//! latter, at the latest every sixteenth: a host that stays ready with `k` others before it in that order is served
//! within `16 · (k + 1)` dispatches, because whoever joins later stands behind it. All operations are O(1). Owns no host
//! and knows no limit.

use super::list::{Links, List};

/// After this many dispatches less one it is the turn of the host that waited longest. The rest go to the longest
/// remaining time: this shortens the tail of a run, because the host that bounds it starts first and never idles. A
/// smaller number costs the tail, a larger one lets small hosts wait longer for their first byte.
const TURN: u32 = 8;

/// The turn is put off this far while the host with the longest remaining time has itself just freed the permit. When
/// many requests end together and its own come last, the next permit to become free would be a whole round away.
pub(super) const LATEST_TURN: u32 = 2 * TURN;

#[derive(Debug)]
pub(super) struct Ready {
    buckets: [List; 64],
    filled: u64,
    turns: Links,
    order: List,
    len: u32,
    /// Dispatches since the head of `order` was last served.
    since_turn: u32,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self {
            buckets: [List::EMPTY; 64],
            filled: 0,
            turns: Links::default(),
            order: List::EMPTY,
            len: 0,
            since_turn: 0,
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

    /// The next host; `freed` is the host that has just given its permit back, if any.
    pub(super) fn next(&self, freed: Option<u32>) -> Option<u32> {
        let fullest = 63_u32.checked_sub(self.filled.leading_zeros())?;
        let fullest = self.buckets[fullest as usize].first();
        let dispatch = self.since_turn + 1;
        if dispatch < TURN || (dispatch < LATEST_TURN && fullest == freed) { fullest } else { self.order.first() }
    }

    /// `id`, still in, is being dispatched.
    pub(super) fn dispatched(&mut self, id: u32) {
        self.since_turn = if self.order.first() == Some(id) { 0 } else { self.since_turn + 1 };
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

    /// Serves `turns` dispatches of hosts that stay ready.
    fn serve(buckets: &[u8], turns: usize, freed: impl Fn(u32) -> Option<u32>) -> Vec<u32> {
        let (mut ready, mut places) = ready(buckets);
        let mut last = u32::MAX;
        (0..turns)
            .map(|_| {
                last = ready.next(freed(last)).expect("never empty");
                ready.dispatched(last);
                let bucket = buckets[last as usize];
                ready.remove(&mut places, last, bucket);
                ready.insert(&mut places, last, bucket);
                last
            })
            .collect()
    }

    #[test]
    fn most_remaining_first_and_every_eighth_in_turn() {
        let served = serve(&[3, 63, 0, 60], 24, |_| None);
        assert_eq!(served, [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 3]);
    }

    #[test]
    fn the_fullest_host_replaces_itself_but_not_for_ever() {
        let served = serve(&[0, 63], 40, Some);
        let turns: Vec<_> = (0..40).filter(|at| served[*at] == 0).collect();
        // After its turn it stands behind the other, which is served at once: 1 + 16.
        assert_eq!(turns, [15, 32]);
    }

    #[test]
    fn a_refiled_host_keeps_its_turn_and_the_empty_set_has_no_next() {
        let (mut ready, mut places) = ready(&[5, 6]);
        ready.refile(&mut places, 0, 5, 7);
        assert_eq!(ready.next(None), Some(0));
        ready.refile(&mut places, 0, 7, 0);
        assert_eq!(ready.next(None), Some(1));
        (0..7).for_each(|_| ready.dispatched(1));
        assert_eq!(ready.next(None), Some(0));
        ready.remove(&mut places, 0, 0);
        ready.remove(&mut places, 1, 6);
        assert!(ready.is_empty() && ready.next(None).is_none());
    }
}
