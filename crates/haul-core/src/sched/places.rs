//! Places are earned by answers: hosts that have not answered hold few of them, so that hosts which accept everything and
//! answer nothing can't hold them all until their time-outs.
//!
//! With every few answers a host earns a place, and it has one in any case; requests beyond these hold *unearned* ones. While no more
//! than a quarter of all places are unearned, any host may have as many as its limits allow, and so may one that is alone: a run of a
//! few hosts is as quick as it would be without this. Every answer that comes in the run lends one more to hosts that answer, up to
//! just under half of all, and every time-out halves what was lent: hosts that are slow, and answer, soon have the places that they can
//! use. Beyond that a host has what it has earned, and waits here for more, those that answer before those that do not. Requests to
//! hosts that have not answered at all are *silent*, and never take a last part of the places while a host that does answer has work
//! besides others.
//!
//! The invariant that rules out lost wake-ups is that of [`super::limit`], for each of the two kinds: hosts of it wait ⇒ as many places
//! are unearned, or kept for ready hosts that want one more, as may be for this kind; each of these ends, starts, is given up or earned,
//! and then the first waiter is let in. The simulator looks after each step. Counts only: knows no host but by its number.

use super::host::Standing;
use super::list::{Links, List};

/// Unearned places that are few, if they are less than half of all.
const FEW: u32 = 8;

/// What requests in flight hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeldPlaces {
    /// Places of hosts that have not answered.
    pub(super) silent: u32,
    /// Places beyond the one that each host has, and those that it has earned.
    pub(super) unearned: u32,
}

#[derive(Debug)]
pub(super) struct Places {
    all: u32,
    held: HeldPlaces,
    /// Answers of the run since its last time-out, and half of those before: hosts that answer may hold so many more.
    lent: u32,
    /// The most that is lent: what brings unearned places to just under half of all.
    most_lent: u32,
    /// Ready hosts that want one more place than they have earned: each will start one.
    ready: u32,
    /// Hosts that have work, and those of them that answer.
    busy: u32,
    working: u32,
    /// Those that answer, and those that have not.
    waiters: List,
    silent_waiters: List,
}

impl Places {
    pub(super) fn new(all: u32) -> Self {
        let mut places = Self {
            all,
            held: HeldPlaces { silent: 0, unearned: 0 },
            lent: 0,
            most_lent: 0,
            ready: 0,
            busy: 0,
            working: 0,
            waiters: List::EMPTY,
            silent_waiters: List::EMPTY,
        };
        places.set_all(all);
        places
    }

    /// There are so many places from now on. What is held beyond their parts stays until it ends.
    pub(super) fn set_all(&mut self, all: u32) {
        self.all = all;
        self.most_lent = self.below_half().saturating_sub(self.for_anybody());
        self.lent = self.lent.min(self.most_lent);
    }

    /// Unearned places of which there are no more for who stands so.
    fn most_unearned(&self, standing: Standing) -> u32 {
        let lent = if standing.is_silent() { 0 } else { self.lent };
        if self.busy > 1 { (self.for_anybody() + lent).min(self.below_half()) } else { u32::MAX }
    }

    /// Unearned places that any host may have.
    fn for_anybody(&self) -> u32 {
        (self.all / 4).max(FEW)
    }

    const fn below_half(&self) -> u32 {
        (self.all - 1) / 2
    }

    /// Silent requests beyond which there are none.
    fn most_silent(&self) -> u32 {
        if self.working > 0 && self.busy > 1 { (self.all - (self.all / 8).max(1)).max(1) } else { u32::MAX }
    }

    /// Whether a host may become ready for one more place than it has earned.
    pub(super) fn has_room(&self, standing: Standing) -> bool {
        self.held.unearned + self.ready < self.most_unearned(standing)
    }

    /// Whether a host that is ready for one more place than it has earned may take it.
    pub(super) fn allows_more(&self, standing: Standing) -> bool {
        self.held.unearned < self.most_unearned(standing)
    }

    /// Whether a host that has not answered may start a request.
    pub(super) fn allows_silent(&self) -> bool {
        self.held.silent < self.most_silent()
    }

    /// A host that held `before` holds `after`. Says whether there may be room for others now.
    pub(super) const fn replace(&mut self, before: HeldPlaces, after: HeldPlaces) -> bool {
        self.held.silent = self.held.silent - before.silent + after.silent;
        self.held.unearned = self.held.unearned - before.unearned + after.unearned;
        after.unearned < before.unearned
    }

    /// A host has answered, or has not in time. Says whether there may be room for others now.
    pub(super) const fn note_answer(&mut self, answers: bool) -> bool {
        let lends = answers && self.lent < self.most_lent;
        if lends {
            self.lent += 1;
        } else if !answers {
            self.lent /= 2;
        }
        lends
    }

    /// A host that wants one more place than it has earned is ready, or is no longer.
    pub(super) const fn set_ready(&mut self, is_ready: bool) {
        if is_ready { self.ready += 1 } else { self.ready -= 1 }
    }

    /// A host has work, or has none any more.
    pub(super) const fn set_busy(&mut self, is_busy: bool) {
        if is_busy { self.busy += 1 } else { self.busy -= 1 }
    }

    /// A host that answers has work, or has none any more.
    pub(super) const fn set_working(&mut self, works: bool) {
        if works { self.working += 1 } else { self.working -= 1 }
    }

    /// `host`, which stands so, waits for one more place.
    pub(super) fn park(&mut self, links: &mut Links, host: u32, standing: Standing) {
        self.waiters_like(standing).push(links, host);
    }

    /// `host`, which stood so when it was parked, waits no longer.
    pub(super) fn unpark(&mut self, links: &mut Links, host: u32, standing: Standing) {
        self.waiters_like(standing).remove(links, host);
    }

    /// The host that waited longest, those that answer first, if there is room for it. It is taken off its list.
    pub(super) fn next_waiter(&mut self, links: &mut Links) -> Option<u32> {
        if !self.waiters.is_empty() && self.has_room(Standing::More) {
            self.waiters.pop(links)
        } else if !self.silent_waiters.is_empty() && self.has_room(Standing::SilentMore) {
            self.silent_waiters.pop(links)
        } else {
            None
        }
    }

    /// Whether hosts wait for whom there is room.
    #[cfg(test)]
    pub(super) fn keeps_out_for_nothing(&self) -> bool {
        (!self.waiters.is_empty() && self.has_room(Standing::More))
            || (!self.silent_waiters.is_empty() && self.has_room(Standing::SilentMore))
    }

    const fn waiters_like(&mut self, standing: Standing) -> &mut List {
        if standing.is_silent() { &mut self.silent_waiters } else { &mut self.waiters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: Standing = Standing::More;
    const SILENT: Standing = Standing::SilentMore;

    /// Two hosts with work, which hold so much.
    fn places(all: u32, silent: u32, unearned: u32) -> Places {
        let mut places = Places::new(all);
        (0..2).for_each(|_| places.set_busy(true));
        places.replace(HeldPlaces::default(), HeldPlaces { silent, unearned });
        places
    }

    #[test]
    fn a_quarter_of_the_places_is_for_anybody() {
        for (all, most) in [(1, 0), (2, 0), (3, 1), (8, 3), (15, 7), (32, 8), (256, 64)] {
            assert!(most == 0 || places(all, 0, most - 1).has_room(MORE), "{all}");
            let many = places(all, 0, most);
            assert!(!many.has_room(MORE) && !many.allows_more(MORE), "{all}");
        }
    }

    #[test]
    fn answers_lend_places_up_to_half_and_a_time_out_halves_what_they_lent() {
        for (answers, stalls, most) in
            [(0, 0, 64), (10, 0, 74), (63, 0, 127), (500, 0, 127), (500, 1, 95), (500, 2, 79), (500, 9, 64)]
        {
            let mut places = places(256, 0, most - 1);
            (0..answers).for_each(|n| assert_eq!(places.note_answer(true), n < 63, "more is lent"));
            (0..stalls).for_each(|_| assert!(!places.note_answer(false)));
            assert!(places.has_room(MORE), "{answers} answers, {stalls} time-outs");
            places.replace(HeldPlaces::default(), HeldPlaces { silent: 0, unearned: 1 });
            assert!(!places.has_room(MORE), "{answers} answers, {stalls} time-outs");
            assert!(most == 64 || !places.has_room(SILENT), "nothing is lent to who has not answered");
        }
    }

    #[test]
    fn the_last_unearned_place_is_kept_for_the_host_that_is_ready_for_it() {
        let mut places = places(256, 0, 63);
        places.set_ready(true);
        assert!(!places.has_room(MORE) && places.allows_more(MORE));
    }

    #[test]
    fn silent_requests_leave_a_part_to_hosts_that_answer_and_have_work() {
        for (all, most) in [(1, 1), (2, 1), (3, 2), (7, 6), (8, 7), (15, 14), (16, 14), (256, 224)] {
            let mut places = places(all, most, 0);
            assert!(places.allows_silent(), "{all}: nobody else wants it");
            places.set_working(true);
            assert!(!places.allows_silent(), "{all}");
            places.replace(HeldPlaces { silent: 1, unearned: 0 }, HeldPlaces::default());
            assert!(places.allows_silent(), "{all}");
        }
    }

    #[test]
    fn who_is_alone_has_all_places() {
        let mut places = places(256, 255, 255);
        places.set_working(true);
        places.set_busy(false);
        assert!(places.has_room(MORE) && places.allows_more(MORE) && places.allows_silent());
    }

    #[test]
    fn who_answers_is_let_in_before_who_does_not() {
        let (mut places, mut links) = (places(32, 0, 7), Links::default());
        (0..2).for_each(|_| links.grow());
        places.park(&mut links, 0, SILENT);
        places.park(&mut links, 1, MORE);
        assert_eq!(places.next_waiter(&mut links), Some(1));
        assert_eq!(places.next_waiter(&mut links), Some(0));
        places.park(&mut links, 0, SILENT);
        places.replace(HeldPlaces::default(), HeldPlaces { silent: 0, unearned: 1 });
        assert_eq!(places.next_waiter(&mut links), None, "there is no room for it");
    }

    #[test]
    fn who_waited_longest_is_let_in_first() {
        let (mut places, mut links) = (places(32, 0, 9), Links::default());
        (0..2).for_each(|_| links.grow());
        places.park(&mut links, 1, MORE);
        places.park(&mut links, 0, MORE);
        assert_eq!(places.next_waiter(&mut links), None);
        let is_less = places.replace(HeldPlaces { silent: 0, unearned: 4 }, HeldPlaces { silent: 0, unearned: 2 });
        assert!(is_less);
        assert_eq!(places.next_waiter(&mut links), Some(1));
        places.unpark(&mut links, 0, MORE);
        assert_eq!(places.next_waiter(&mut links), None);
    }
}
