//! Happy eyeballs (RFC 8305 §4 and §5): in which order addresses are tried, and when the next one starts. Pure.
//!
//! Owns the order and the pace of one connect. Invariants: an address is started at most once; at most [`PENDING`]
//! are under way at a time; starts are `pace` apart unless an earlier attempt failed, which starts the next at once.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use haul_core::model::Time;

/// Attempts under way at a time: the descriptors one dial may hold.
const PENDING: usize = 4;

/// Addresses tried per dial: all that a look-up keeps of a name. Of a longer list the first of each family.
const TRIED: usize = 32;

/// Silent addresses get at least this part of the time each: distant ones need it.
const LEAST_SHARE: u32 = 4;

/// The order to try addresses in: families taken in turn, beginning with that of the first one; no address twice. Those of `last` come
/// after all others, in their own order.
pub(super) fn order(addresses: &[IpAddr], port: u16, last: &[IpAddr]) -> Vec<SocketAddr> {
    let mut ordered = in_turn(addresses, port);
    if !last.is_empty() {
        ordered.sort_by_key(|address| last.iter().position(|ip| *ip == address.ip()).map_or(0, |place| place + 1));
    }
    ordered
}

fn in_turn(addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let of_family = |v4: bool| addresses.iter().filter(move |ip| ip.is_ipv4() == v4);
    let (mut these, mut those) = (of_family(first_is_v4), of_family(!first_is_v4));
    let mut ordered: Vec<SocketAddr> = Vec::with_capacity(addresses.len().min(TRIED));
    loop {
        let pair = [these.next(), those.next()];
        for ip in pair.iter().flatten() {
            let address = SocketAddr::new(**ip, port);
            if ordered.len() < TRIED && !ordered.contains(&address) {
                ordered.push(address);
            }
        }
        if pair == [None, None] || ordered.len() == TRIED {
            return ordered;
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RaceAction {
    /// Start connecting to the address with this index.
    Start(usize),
    /// Stop waiting for this one: it had its share of the time and others wait.
    Abandon(usize),
    /// Wait until an attempt ends, at most until then.
    Wait(Time),
    /// All have failed.
    Exhausted,
    /// Time is up.
    TimedOut,
}

/// One race.
#[derive(Debug)]
pub(super) struct Race {
    count: usize,
    pace: Duration,
    end: Time,
    /// How long an attempt may hold its place while others wait for it.
    share: Duration,
    started: usize,
    /// Attempts under way with their start, oldest first.
    pending: Vec<(usize, Time)>,
    next_start: Time,
}

impl Race {
    /// A race of `count` addresses that starts now.
    pub(super) fn new(count: usize, pace: Duration, now: Time, end: Time) -> Self {
        let waves = u32::try_from(count.div_ceil(PENDING)).unwrap_or(u32::MAX);
        let share = end.since(now) / waves.clamp(1, LEAST_SHARE);
        Self { count, pace, end, share, started: 0, pending: Vec::with_capacity(count.min(PENDING)), next_start: now }
    }

    /// What to do now. Called again after each step was taken and after each event.
    pub(super) fn step(&mut self, now: Time) -> RaceAction {
        if now >= self.end {
            return RaceAction::TimedOut;
        }
        if self.started == self.count {
            return if self.pending.is_empty() { RaceAction::Exhausted } else { RaceAction::Wait(self.end) };
        }
        match self.pending.first().copied() {
            Some((oldest, since)) if self.pending.len() == PENDING => {
                let share_ends = since + self.share;
                if now < share_ends {
                    return RaceAction::Wait(share_ends.min(self.end));
                }
                self.failed(oldest, now);
                RaceAction::Abandon(oldest)
            }
            _ if now < self.next_start => RaceAction::Wait(self.next_start.min(self.end)),
            _ => self.start(now),
        }
    }

    fn start(&mut self, now: Time) -> RaceAction {
        let index = self.started;
        self.started += 1;
        self.pending.push((index, now));
        self.next_start = now + self.pace;
        RaceAction::Start(index)
    }

    /// The attempt with this index has failed: the next may start at once.
    pub(super) fn failed(&mut self, index: usize, now: Time) {
        self.pending.retain(|(pending, _)| *pending != index);
        self.next_start = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_of_no_use_comes_last_the_first_of_it_first() {
        let ips = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|text| text.parse().unwrap());
        let order = |last: &[usize]| -> Vec<_> {
            let last: Vec<IpAddr> = last.iter().map(|place| ips[*place]).collect();
            order(&ips, 80, &last).iter().map(|address| address.ip()).collect()
        };
        assert_eq!(order(&[]), ips);
        assert_eq!(order(&[0]), [ips[1], ips[2], ips[0]]);
        assert_eq!(order(&[2, 0, 1]), [ips[2], ips[0], ips[1]]);
    }

    const PACE: Duration = Duration::from_millis(250);
    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn ordered(texts: &[&str]) -> Vec<String> {
        let ips: Vec<IpAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
        order(&ips, 80, &[]).iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn families_take_turns_beginning_with_the_first() {
        assert_eq!(
            ordered(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]),
            ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]
        );
        assert_eq!(ordered(&["10.0.0.1", "10.0.0.2", "::1"]), ["10.0.0.1", "::1", "10.0.0.2"]);
        assert_eq!(ordered(&["10.0.0.1", "10.0.0.1"]), ["10.0.0.1"]);
        assert_eq!(ordered(&[]), [""; 0]);
    }

    #[test]
    fn a_long_list_is_cut_with_both_families_in_it() {
        let many: Vec<IpAddr> =
            (0..50u8).map(|n| IpAddr::from([10, 0, 0, n])).chain(["::1".parse().unwrap()]).collect();
        let cut = order(&many, 80, &[]);
        assert_eq!((cut.len(), cut[1].is_ipv6()), (TRIED, true));
    }

    #[test]
    fn the_next_address_waits_its_pace_and_not_longer() {
        let mut race = Race::new(2, PACE, at(0), at(10_000));
        assert_eq!(race.step(at(0)), RaceAction::Start(0));
        assert_eq!(race.step(at(0)), RaceAction::Wait(at(250)));
        assert_eq!(race.step(at(249)), RaceAction::Wait(at(250)));
        assert_eq!(race.step(at(250)), RaceAction::Start(1));
        assert_eq!(race.step(at(250)), RaceAction::Wait(at(10_000)));
    }

    #[test]
    fn a_failure_starts_the_next_at_once_and_the_last_failure_ends_it() {
        let mut race = Race::new(2, PACE, at(0), at(10_000));
        assert_eq!(race.step(at(0)), RaceAction::Start(0));
        race.failed(0, at(3));
        assert_eq!(race.step(at(3)), RaceAction::Start(1));
        race.failed(1, at(5));
        assert_eq!(race.step(at(5)), RaceAction::Exhausted);
    }

    #[test]
    fn time_up_ends_it_whatever_is_pending_or_waiting() {
        let mut race = Race::new(2, PACE, at(0), at(100));
        assert_eq!(race.step(at(0)), RaceAction::Start(0));
        assert_eq!(race.step(at(99)), RaceAction::Wait(at(100)));
        assert_eq!(race.step(at(100)), RaceAction::TimedOut);
    }

    #[test]
    fn black_holes_give_their_places_to_later_addresses_after_their_share() {
        let mut race = Race::new(6, PACE, at(0), at(10_000));
        for index in 0..4 {
            assert_eq!(race.step(at(250 * index)), RaceAction::Start(usize::try_from(index).unwrap()));
        }
        assert_eq!(race.step(at(1_000)), RaceAction::Wait(at(5_000)));
        assert_eq!(race.step(at(5_000)), RaceAction::Abandon(0));
        assert_eq!(race.step(at(5_000)), RaceAction::Start(4));
        assert_eq!(race.step(at(5_000)), RaceAction::Wait(at(5_250)));
        assert_eq!(race.step(at(5_250)), RaceAction::Abandon(1));
        assert_eq!(race.step(at(5_250)), RaceAction::Start(5));
        assert_eq!(race.step(at(5_250)), RaceAction::Wait(at(10_000)));
    }
}
