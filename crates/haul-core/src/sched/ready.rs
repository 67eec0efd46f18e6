//! Which ready host is next? The one that has just freed a permit, while it is among those with the most work left, in
//! time; else the first of these; and in an eighth of all cases the one that waited longest.
//!
//! Ready hosts stand in two lists each: one per power of two of remaining time, with a bitmap of those that are not
//! empty, and one in the order of their last turn. The host that freed the permit goes first among about
//! equals because it has a connection open: going round for each job would open one for nearly every job. For the same
//! reason a turn is up to [`STAY`] jobs long, and comes eight times as many dispatches after the one before.
//!
//! Newcomers, which have not answered yet, stand in lists of their own, because there are times when none of them may start. While
//! they may, a host that stays ready with `k` others before it in the order of turns is served within `128 · (k + 1)` dispatches
//! (twice a share of eight for each of [`STAY`] jobs), because whoever joins later stands behind it. All operations are O(1).
//! Owns no host and knows no limit.

use super::list::{Links, List};

/// Jobs a host may send one after the other when it has been served because it waited longest.
pub(super) const STAY: u8 = 8;

/// For each job of a turn this many dispatches pass until the next turn, so that turns make up an eighth. The rest go to
/// the longest remaining time: this shortens the tail of a run, because the host that bounds it starts first and never
/// idles. A larger share costs the tail, a smaller one lets small hosts wait longer for their first byte, and slow ones
/// longer until it is known that they are slow.
const SHARE: u32 = 8;

/// The next turn comes this many dispatches after the one before, at the latest.
#[cfg(test)]
pub(super) const LATEST_TURN: u32 = 2 * SHARE * STAY as u32;

/// A ready host that has just given a permit back.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreedPermit {
    pub(super) id: u32,
    pub(super) bucket: u8,
    /// It was served because it waited longest, and may stay for some more jobs.
    pub(super) stays: bool,
}

/// The next host, and whether it is so because it waited longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) id: u32,
    pub(super) in_turn: bool,
}

/// Newcomers, or the hosts that have answered.
#[derive(Debug)]
struct Class {
    buckets: [List; 64],
    filled: u64,
    /// In the order of their turns.
    order: List,
}

impl Class {
    const EMPTY: Self = Self { buckets: [List::EMPTY; 64], filled: 0, order: List::EMPTY };

    /// The fullest bucket.
    const fn most(&self) -> Option<u32> {
        63_u32.checked_sub(self.filled.leading_zeros())
    }
}

#[derive(Debug)]
pub(super) struct Ready {
    answering: Class,
    newcomers: Class,
    turns: Links,
    len: u32,
    /// Dispatches since the last turn.
    since_turn: u32,
    /// Dispatches after which it is the next one's turn.
    turn_after: u32,
    /// When each host last joined: so many had before.
    joined: Vec<u32>,
    joins: u32,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self {
            answering: Class::EMPTY,
            newcomers: Class::EMPTY,
            turns: Links::default(),
            len: 0,
            since_turn: 0,
            turn_after: SHARE,
            joined: Vec::new(),
            joins: 0,
        }
    }

    /// Makes room for one more host.
    pub(super) fn grow(&mut self) {
        self.turns.grow();
        self.joined.push(0);
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Whether any is ready, newcomers left out unless they are `welcome`.
    pub(super) const fn has_any(&self, welcome: bool) -> bool {
        self.answering.filled != 0 || (welcome && self.newcomers.filled != 0)
    }

    /// The bucket for that many nanoseconds of remaining work.
    pub(super) const fn bucket(remaining: u64) -> u8 {
        (63 - (remaining | 1).leading_zeros()) as u8
    }

    /// `id` has become ready. `places` are the links it shares with all lists a host may be in instead.
    pub(super) fn insert(&mut self, places: &mut Links, id: u32, bucket: u8, is_newcomer: bool) {
        self.file(places, id, bucket, is_newcomer);
        let turns = &mut self.turns;
        let class = if is_newcomer { &mut self.newcomers } else { &mut self.answering };
        class.order.push(turns, id);
        self.joined[id as usize] = self.joins;
        self.joins = self.joins.wrapping_add(1);
        self.len += 1;
    }

    /// `id` is no longer ready.
    pub(super) fn remove(&mut self, places: &mut Links, id: u32, bucket: u8, is_newcomer: bool) {
        self.unfile(places, id, bucket, is_newcomer);
        let turns = &mut self.turns;
        let class = if is_newcomer { &mut self.newcomers } else { &mut self.answering };
        class.order.remove(turns, id);
        self.len -= 1;
    }

    /// `id` has more or less to do than before. It keeps its turn.
    pub(super) fn refile(&mut self, places: &mut Links, id: u32, from: u8, to: u8, is_newcomer: bool) {
        self.unfile(places, id, from, is_newcomer);
        self.file(places, id, to, is_newcomer);
    }

    /// The next host; `freed` is the ready host that has just given its permit back, if any. Newcomers are left out unless
    /// they are `welcome`.
    pub(super) fn next(&self, freed: Option<FreedPermit>, welcome: bool) -> Option<Pick> {
        let newcomers = self.newcomers.most().filter(|_| welcome);
        let most = self.answering.most().max(newcomers)?;
        let keep = freed.filter(|freed| freed.stays || u32::from(freed.bucket) + 1 >= most);
        // A turn is put off, to twice its time, for a host with the most left and for one whose turn it still is: when many
        // requests end together and a big host's own come last, the next permit to become free is a whole round away.
        let may_put_off = freed.is_some_and(|freed| freed.stays || u32::from(freed.bucket) == most);
        let due = if may_put_off { 2 * self.turn_after } else { self.turn_after };
        if self.since_turn + 1 >= due {
            return self.turn(welcome).map(|id| Pick { id, in_turn: true });
        }
        let of = |class: &Class| class.buckets[most as usize].first();
        let first = || self.earlier(of(&self.newcomers).filter(|_| welcome), of(&self.answering));
        keep.map(|freed| freed.id).or_else(first).map(|id| Pick { id, in_turn: false })
    }

    /// The pick, still in, is being dispatched, and may stay for `jobs` jobs, this one included.
    pub(super) fn dispatched(&mut self, pick: Pick, jobs: u8) {
        if pick.in_turn || self.turn(true) == Some(pick.id) {
            self.since_turn = 0;
            self.turn_after = SHARE * u32::from(jobs);
        } else {
            self.since_turn += 1;
        }
    }

    /// Whose turn it is.
    fn turn(&self, welcome: bool) -> Option<u32> {
        self.earlier(self.newcomers.order.first().filter(|_| welcome), self.answering.order.first())
    }

    /// The one that joined first.
    fn earlier(&self, newcomer: Option<u32>, other: Option<u32>) -> Option<u32> {
        let (Some(new), Some(old)) = (newcomer, other) else { return newcomer.or(other) };
        // The counter may have begun anew between the two; they are never half of it apart.
        let is_before = self.joined[new as usize].wrapping_sub(self.joined[old as usize]) > u32::MAX / 2;
        if is_before { newcomer } else { other }
    }

    fn file(&mut self, places: &mut Links, id: u32, bucket: u8, is_newcomer: bool) {
        let class = if is_newcomer { &mut self.newcomers } else { &mut self.answering };
        class.buckets[bucket as usize].push(places, id);
        class.filled |= 1 << bucket;
    }

    fn unfile(&mut self, places: &mut Links, id: u32, bucket: u8, is_newcomer: bool) {
        let class = if is_newcomer { &mut self.newcomers } else { &mut self.answering };
        let list = &mut class.buckets[bucket as usize];
        list.remove(places, id);
        if list.is_empty() {
            class.filled &= !(1 << bucket);
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
            ready.insert(&mut places, id, *bucket, false);
        }
        (ready, places)
    }

    #[test]
    fn buckets_are_powers_of_two() {
        assert_eq!([0, 1, 2, 3, 4, 1023, 1024, u64::MAX].map(Ready::bucket), [0, 0, 1, 1, 2, 9, 10, 63]);
    }

    /// Serves `count` dispatches of hosts that stay ready. `freed` says which host gave the permit back.
    fn serve(buckets: &[u8], count: usize, freed: impl Fn(u32) -> Option<u32>) -> Vec<Pick> {
        let (mut ready, mut places) = ready(buckets);
        let mut last = None;
        let mut next = || {
            let freed = last.and_then(&freed).map(|id| FreedPermit { id, bucket: buckets[id as usize], stays: false });
            let pick = ready.next(freed, true).expect("never empty");
            ready.dispatched(pick, if pick.in_turn { STAY } else { 1 });
            let bucket = buckets[pick.id as usize];
            ready.remove(&mut places, pick.id, bucket, false);
            ready.insert(&mut places, pick.id, bucket, false);
            last = Some(pick.id);
            pick
        };
        (0..count).map(|_| next()).collect()
    }

    fn turns(picks: &[Pick]) -> Vec<(usize, u32)> {
        let turn = |(at, pick): (usize, &Pick)| pick.in_turn.then_some((at, pick.id));
        picks.iter().enumerate().filter_map(turn).collect()
    }

    #[test]
    fn most_remaining_first_and_regularly_in_turn() {
        let picks = serve(&[3, 63, 0, 60], 200, |_| None);
        assert_eq!(turns(&picks), [(7, 0), (71, 2), (135, 3), (199, 0)]);
        assert!(picks.iter().all(|pick| pick.in_turn || pick.id == 1));
    }

    #[test]
    fn among_about_equals_the_permit_stays_where_it_is() {
        let picks = serve(&[7, 8, 8, 6], 10, Some);
        assert!(picks.iter().all(|pick| pick.id == 1), "{picks:?}");
        let freed = |id, bucket, stays| {
            ready(&[7, 8, 8, 6]).0.next(Some(FreedPermit { id, bucket, stays }), true).map(|pick| pick.id)
        };
        assert_eq!(freed(0, 7, false), Some(0));
        assert_eq!(freed(3, 6, false), Some(1));
        assert_eq!(freed(3, 6, true), Some(3));
    }

    #[test]
    fn newcomers_have_their_turns_among_the_others_unless_they_are_not_welcome() {
        let (mut ready, mut places) = ready(&[63, 5, 5]);
        for id in 3..6 {
            ready.grow();
            places.grow();
            ready.insert(&mut places, id, 5, true);
        }
        let mut turns = Vec::new();
        for welcome in [true; 60].into_iter().chain([false; 40]) {
            let pick = ready.next(None, welcome).expect("never empty");
            ready.dispatched(pick, 1);
            let (is_newcomer, bucket) = (pick.id >= 3, if pick.id == 0 { 63 } else { 5 });
            assert!(welcome || !is_newcomer);
            ready.remove(&mut places, pick.id, bucket, is_newcomer);
            ready.insert(&mut places, pick.id, bucket, is_newcomer);
            turns.extend(pick.in_turn.then_some(pick.id));
        }
        assert_eq!(turns[..7], [1, 2, 3, 4, 5, 1, 2]);
        assert!(turns[8..].iter().all(|id| *id < 3), "{turns:?}");
    }

    #[test]
    fn the_fullest_host_puts_turns_off_but_not_for_ever() {
        let picks = serve(&[0, 63], 300, Some);
        // After its turn the one stands behind the other, which is served at once, for one job.
        assert_eq!(turns(&picks)[..3], [(15, 0), (32, 0), (49, 0)]);
    }

    #[test]
    fn a_refiled_host_keeps_its_turn_and_the_empty_set_has_no_next() {
        let next = |ready: &Ready| ready.next(None, true).map(|pick| pick.id);
        let (mut ready, mut places) = ready(&[5, 6]);
        ready.refile(&mut places, 0, 5, 7, false);
        assert_eq!(next(&ready), Some(0));
        ready.refile(&mut places, 0, 7, 0, false);
        assert_eq!(next(&ready), Some(1));
        (1..SHARE).for_each(|_| ready.dispatched(Pick { id: 1, in_turn: false }, 1));
        assert_eq!(next(&ready), Some(0));
        ready.remove(&mut places, 0, 0, false);
        ready.remove(&mut places, 1, 6, false);
        assert!(!ready.has_any(true) && next(&ready).is_none());
    }
}
