//! Places are earned by answers: hosts that have not answered hold few of them, so that hosts which accept everything and
//! answer nothing can't hold them all until their time-outs.
//!
//! A host earns a place with each answer; a request beyond those that its host has earned is *silent*. While few places are held by
//! silent requests, any host may have as many as its limits allow, and so may one that is alone: a run of a few hosts is as quick as
//! it would be without this. Beyond that a host has one more than it has earned, a newcomer one, and waits here for more. And a part of
//! all places is never taken by silent requests while a host that does answer has work besides others.
//!
//! The invariant that rules out lost wake-ups is that of [`super::limit`]: hosts wait ⇒ as many places are held by silent requests,
//! or kept for ready hosts that want one more, as may be; each of these ends or starts, and then the first waiter is let in. Counts only: knows
//! no host but by its number.

use super::list::{Links, List};

/// Silent requests that are always few.
const FEW: u32 = 8;

#[derive(Debug)]
pub(super) struct Places {
    all: u32,
    /// Silent requests in flight.
    silent: u32,
    /// Ready newcomers that want one more place: each will start one.
    ready: u32,
    /// Hosts that have work, and those of them that answer.
    busy: u32,
    working: u32,
    waiters: List,
}

impl Places {
    pub(super) const fn new(all: u32) -> Self {
        Self { all, silent: 0, ready: 0, busy: 0, working: 0, waiters: List::EMPTY }
    }

    /// Silent requests beyond which newcomers have one each.
    fn few(&self) -> u32 {
        if self.busy > 1 { (self.all / 4).max(FEW).min(self.most()) } else { u32::MAX }
    }

    /// Silent requests beyond which there are none.
    fn most(&self) -> u32 {
        if self.working > 0 && self.busy > 1 { (self.all - (self.all / 8).max(1)).max(1) } else { u32::MAX }
    }

    /// Whether a newcomer may become ready for one more place than it has.
    pub(super) fn has_room(&self) -> bool {
        self.silent + self.ready < self.few()
    }

    /// Whether a newcomer may start its first request, or one more.
    pub(super) fn may_start(&self, is_first: bool) -> bool {
        self.silent < if is_first { self.most() } else { self.few() }
    }

    /// So many silent requests more.
    pub(super) const fn fall_silent(&mut self, requests: u32) {
        self.silent += requests;
    }

    /// So many fewer.
    pub(super) const fn answer(&mut self, requests: u32) {
        self.silent -= requests;
    }

    /// A newcomer that wants one more place is ready, or is no longer.
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

    /// `host` waits for one more place.
    pub(super) fn park(&mut self, links: &mut Links, host: u32) {
        self.waiters.push(links, host);
    }

    /// `host` waits no longer.
    pub(super) fn unpark(&mut self, links: &mut Links, host: u32) {
        self.waiters.remove(links, host);
    }

    /// The host that waited longest, if there is room for it. It is taken off the list.
    pub(super) fn next_waiter(&mut self, links: &mut Links) -> Option<u32> {
        if self.has_room() { self.waiters.pop(links) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_silent_requests_leave_a_host_one_place_and_hosts_that_answer_their_part() {
        let mut places = Places::new(256);
        (0..2).for_each(|_| places.set_busy(true));
        places.fall_silent(63);
        assert!(places.has_room() && places.may_start(false));
        places.set_ready(true);
        assert!(!places.has_room() && places.may_start(false), "the last is kept for the ready one");
        places.fall_silent(192);
        assert!(places.may_start(true) && !places.may_start(false), "nobody else wants it");
        places.set_working(true);
        assert!(!places.may_start(true));
        places.answer(32);
        assert!(places.may_start(true));
    }

    #[test]
    fn of_a_few_places_one_is_for_hosts_that_answer() {
        for (all, most) in [(1, 1), (2, 1), (3, 2), (7, 6), (8, 7), (15, 14), (16, 14)] {
            let mut places = Places::new(all);
            (0..2).for_each(|_| places.set_busy(true));
            places.set_working(true);
            places.fall_silent(most - 1);
            assert!(places.may_start(true), "{all}");
            places.fall_silent(1);
            assert!(!places.may_start(true) && !places.may_start(false), "{all}");
        }
    }

    #[test]
    fn few_silent_requests_are_allowed_however_few_places_there_are() {
        for all in 1..=32 {
            let mut places = Places::new(all);
            (0..2).for_each(|_| places.set_busy(true));
            places.fall_silent(7);
            assert!(places.has_room(), "{all}");
        }
    }

    #[test]
    fn who_is_alone_has_all_places() {
        let mut places = Places::new(256);
        places.set_busy(true);
        places.fall_silent(255);
        assert!(places.has_room() && places.may_start(false));
    }

    #[test]
    fn who_waited_longest_is_let_in_first() {
        let (mut places, mut links) = (Places::new(32), Links::default());
        (0..2).for_each(|_| links.grow());
        (0..2).for_each(|_| places.set_busy(true));
        places.fall_silent(9);
        places.park(&mut links, 1);
        places.park(&mut links, 0);
        assert_eq!(places.next_waiter(&mut links), None);
        places.answer(2);
        assert_eq!(places.next_waiter(&mut links), Some(1));
        places.unpark(&mut links, 0);
        assert_eq!(places.next_waiter(&mut links), None);
    }
}
