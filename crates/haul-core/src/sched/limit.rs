//! Limits that several hosts share: groups and addresses.
//!
//! A permit is *in use* by a request in flight, or *reserved* for one next dispatch by a host that is ready. A host
//! that finds neither free waits in the limit's list. The invariant that rules out lost wake-ups:
//!
//! > hosts wait ⇒ in use + reserved ≥ limit
//!
//! so that for every waiting host there is a request that will end or a host that will be dispatched or stop being
//! ready, and each of these calls [`Limits::next_waiter`] again. A reservation is only held by a ready host, which
//! holds all it needs at once, so nothing waits in a circle. Counts only: knows no host but by its number.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::list::{Links, List, NONE};

#[derive(Debug)]
struct Limit {
    limit: u32,
    in_use: u32,
    reserved: u32,
    /// Hosts under this limit.
    members: u32,
    waiters: List,
    address: Option<IpAddr>,
}

#[derive(Debug, Default)]
pub(super) struct Limits {
    slots: Vec<Limit>,
    free: Vec<u32>,
    by_address: HashMap<IpAddr, u32, FixedState>,
}

impl Limits {
    /// A new limit without members.
    pub(super) fn add(&mut self, limit: u32, address: Option<IpAddr>) -> u32 {
        let slot = Limit { limit, in_use: 0, reserved: 0, members: 0, waiters: List::EMPTY, address };
        if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            return id;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("fewer limits than hosts, which have 32-bit numbers")
    }

    /// The limit of `address`, made if need be, and never higher than `limit` from now on. Lowering it breaks nothing:
    /// hosts that wait find it as full as before, or fuller.
    pub(super) fn of_address(&mut self, address: IpAddr, limit: u32) -> u32 {
        if let Some(id) = self.by_address.get(&address) {
            let slot = &mut self.slots[*id as usize];
            slot.limit = slot.limit.min(limit);
            return *id;
        }
        let id = self.add(limit, Some(address));
        self.by_address.insert(address, id);
        id
    }

    /// One more host under `id`, with that many requests in flight: they count here from now on, even past the limit.
    pub(super) fn join(&mut self, id: u32, in_flight: u32) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            slot.members += 1;
            slot.in_use += in_flight;
        }
    }

    /// The opposite. An address without hosts is forgotten.
    pub(super) fn leave(&mut self, id: u32, in_flight: u32) {
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        slot.members -= 1;
        slot.in_use -= in_flight;
        if let (0, Some(address)) = (slot.members, slot.address) {
            self.by_address.remove(&address);
            self.free.push(id);
        }
    }

    /// Drops a limit that has no members; says whether it did.
    pub(super) fn drop_empty(&mut self, id: u32) -> bool {
        let empty = self.slots.get(id as usize).is_some_and(|slot| slot.members == 0);
        if empty {
            self.free.push(id);
        }
        empty
    }

    /// Numbers given out so far.
    pub(super) const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Requests at once under `id`.
    pub(super) fn limit(&self, id: u32) -> u32 {
        self.slots[id as usize].limit
    }

    /// Whether a permit can be reserved. "No limit" always has room.
    pub(super) fn has_room(&self, id: u32) -> bool {
        self.slots.get(id as usize).is_none_or(|slot| slot.in_use + slot.reserved < slot.limit)
    }

    /// Whether all permits are in use (some may only be reserved where [`Self::has_room`] says no).
    pub(super) fn is_full(&self, id: u32) -> bool {
        self.slots.get(id as usize).is_some_and(|slot| slot.in_use >= slot.limit)
    }

    pub(super) fn reserve(&mut self, id: u32) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            slot.reserved += 1;
        }
    }

    pub(super) fn unreserve(&mut self, id: u32) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            slot.reserved -= 1;
        }
    }

    /// A reserved permit is taken into use.
    pub(super) fn commit(&mut self, id: u32) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            slot.reserved -= 1;
            slot.in_use += 1;
        }
    }

    /// A permit in use is given back.
    pub(super) fn release(&mut self, id: u32) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            slot.in_use -= 1;
        }
    }

    /// `host` waits for this limit.
    pub(super) fn park(&mut self, places: &mut Links, id: u32, host: u32) {
        self.slots[id as usize].waiters.push(places, host);
    }

    /// `host` waits no longer.
    pub(super) fn unpark(&mut self, places: &mut Links, id: u32, host: u32) {
        self.slots[id as usize].waiters.remove(places, host);
    }

    /// The host that waited longest, if there is room for it. It is taken off the list.
    pub(super) fn next_waiter(&mut self, places: &mut Links, id: u32) -> Option<u32> {
        if id == NONE || !self.has_room(id) {
            return None;
        }
        self.slots[id as usize].waiters.pop(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_used_permits_both_count_and_waiters_come_in_order() {
        let (mut limits, mut places) = (Limits::default(), Links::default());
        (0..4).for_each(|_| places.grow());
        let id = limits.add(2, None);
        (0..4).for_each(|_| limits.join(id, 0));
        limits.reserve(id);
        limits.reserve(id);
        assert!(!limits.has_room(id) && !limits.is_full(id));
        limits.park(&mut places, id, 3);
        limits.park(&mut places, id, 2);
        limits.commit(id);
        assert_eq!(limits.next_waiter(&mut places, id), None);
        limits.release(id);
        assert_eq!(limits.next_waiter(&mut places, id), Some(3));
        limits.unreserve(id);
        assert_eq!(limits.next_waiter(&mut places, id), Some(2));
        assert_eq!(limits.next_waiter(&mut places, id), None);
    }

    #[test]
    fn no_limit_always_has_room_and_needs_no_counting() {
        let (mut limits, mut places) = (Limits::default(), Links::default());
        limits.join(NONE, 3);
        limits.reserve(NONE);
        limits.commit(NONE);
        limits.release(NONE);
        assert!(limits.has_room(NONE) && !limits.is_full(NONE));
        assert_eq!(limits.next_waiter(&mut places, NONE), None);
        limits.leave(NONE, 3);
    }

    #[test]
    fn an_address_lives_as_long_as_its_hosts_and_moved_requests_move_with_them() {
        let mut limits = Limits::default();
        let [a, b] = [[127, 0, 0, 1], [127, 0, 0, 2]].map(IpAddr::from);
        let first = limits.of_address(a, 1);
        assert_eq!(limits.of_address(a, 1), first);
        limits.join(first, 0);
        let second = limits.of_address(b, 1);
        assert_ne!(first, second);
        limits.join(second, 2);
        assert!(limits.is_full(second));
        limits.leave(second, 2);
        assert_eq!(limits.of_address([127, 0, 0, 3].into(), 5), second);
        assert!(limits.has_room(second));
        assert_eq!(limits.of_address(a, 1), first);
        limits.of_address([127, 0, 0, 3].into(), 9);
        limits.join(second, 4);
        assert!(limits.has_room(second), "a higher limit changes nothing");
        limits.of_address([127, 0, 0, 3].into(), 3);
        assert!(limits.is_full(second), "a lower one holds");
        assert!(!limits.drop_empty(first));
        limits.leave(first, 0);
    }
}
