//! A and AAAA asked at once, and when to go with what is there (RFC 8305 §3). Pure.
//!
//! Owns one look-up's two answers. Invariant: it says [`Progress::Partial`] at most once and [`Progress::Whole`] as
//! soon as, and only when, no answer is awaited any more.
//!
//! One departure from the RFC: an AAAA answer alone also gives the A answer its 50 ms. The addresses are handed on as
//! one list that is used until its TTL ends, and a list without its fallback would be worse than that wait.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::search::Then;
use haul_core::config::FamilyPreference;
use haul_core::model::{FailureKind, Time};

/// How long the second family may be late (the RFC's Resolution Delay).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How long a look-up goes on for the second family when the first has been handed on: a server that drops one kind of question would
/// hold up all names else, each for its whole time-out.
const LATE: Duration = Duration::from_secs(1);

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// Addresses and how long they may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Never empty.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

/// Why there are none. Cheap to clone: everyone who waits gets one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FailureKind,
    pub(super) message: Arc<str>,
    /// The same in a word or two.
    pub(super) brief: Cow<'static, str>,
    /// What it means for the other names that may be asked for instead.
    pub(super) then: Then,
}

impl Fault {
    pub(super) fn new(kind: FailureKind, message: String) -> Self {
        let negative = matches!(kind, FailureKind::NameNotFound | FailureKind::NoAddress);
        let brief = match kind {
            FailureKind::NameNotFound => "NXDOMAIN",
            FailureKind::NoAddress => "no address",
            FailureKind::Timeout => "no answer",
            _ => "not looked up",
        };
        let then = if negative { Then::Next } else { Then::AsIs };
        Self { kind, message: message.into(), brief: brief.into(), then }
    }

    /// The name server has answered, and the answer is no.
    pub(super) fn is_negative(&self) -> bool {
        matches!(self.kind, FailureKind::NameNotFound | FailureKind::NoAddress)
    }
}

/// How far a look-up is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Wait for an answer, at most until then.
    Wait(Time),
    /// Go with this; the other family is still awaited.
    Partial(Found),
    /// That is all there will be. `Err(None)`: time was up before anything telling came.
    Whole(Result<Found, Option<Fault>>),
}

/// One family's answer.
#[derive(Debug)]
enum Slot {
    Unused,
    Awaited,
    In(Result<Found, Fault>),
    Late,
}

/// The two answers of one look-up.
#[derive(Debug)]
pub(super) struct Families {
    v6: Slot,
    v4: Slot,
    /// When to go with one family's addresses; set when they come.
    go_at: Option<Time>,
    told_partial: bool,
    end: Time,
}

impl Families {
    /// A look-up that ends at `end` at the latest.
    pub(super) const fn new(preference: FamilyPreference, end: Time) -> Self {
        let (v6, v4) = match preference {
            FamilyPreference::Both => (Slot::Awaited, Slot::Awaited),
            FamilyPreference::Ipv4Only => (Slot::Unused, Slot::Awaited),
            FamilyPreference::Ipv6Only => (Slot::Awaited, Slot::Unused),
        };
        Self { v6, v4, go_at: None, told_partial: false, end }
    }

    /// Whether this family's answer is still awaited.
    pub(super) const fn awaits(&self, family: Family) -> bool {
        matches!(self.slot(family), Slot::Awaited)
    }

    const fn slot(&self, family: Family) -> &Slot {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// This family's answer is in.
    pub(super) fn arrived(&mut self, family: Family, answer: Result<Found, Fault>, now: Time) {
        if answer.is_ok() && self.go_at.is_none() {
            self.go_at = Some(now + RESOLUTION_DELAY);
        }
        let slot = match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        *slot = Slot::In(answer);
    }

    /// How far it is now.
    pub(super) fn progress(&mut self, now: Time) -> Progress {
        if now >= self.end {
            for slot in [&mut self.v6, &mut self.v4] {
                if matches!(slot, Slot::Awaited) {
                    *slot = Slot::Late;
                }
            }
        }
        if !self.awaits(Family::V6) && !self.awaits(Family::V4) {
            return Progress::Whole(self.whole());
        }
        match self.go_at {
            Some(go_at) if !self.told_partial && now >= go_at => {
                self.told_partial = true;
                self.end = self.end.min(now + LATE);
                self.found().map_or(Progress::Wait(self.end), Progress::Partial)
            }
            Some(go_at) if !self.told_partial => Progress::Wait(go_at.min(self.end)),
            _ => Progress::Wait(self.end),
        }
    }

    /// The addresses there are, IPv6 first, with the shorter of the two TTLs.
    fn found(&self) -> Option<Found> {
        let mut all: Option<Found> = None;
        for slot in [&self.v6, &self.v4] {
            let Slot::In(Ok(found)) = slot else { continue };
            match &mut all {
                None => all = Some(found.clone()),
                Some(all) => {
                    all.addresses.extend(&found.addresses);
                    all.ttl = all.ttl.min(found.ttl);
                }
            }
        }
        all
    }

    /// All addresses; or else the fault that tells most. Only if no family failed is the name known to have none.
    fn whole(&self) -> Result<Found, Option<Fault>> {
        if let Some(found) = self.found() {
            return Ok(found);
        }
        let slots = [&self.v6, &self.v4];
        let faults =
            || slots.iter().filter_map(|slot| if let Slot::In(Err(fault)) = slot { Some(fault) } else { None });
        let failed = faults().filter(|fault| !fault.is_negative());
        // A server that says it failed tells more than one that was silent.
        if let Some(fault) = failed.min_by_key(|fault| fault.kind == FailureKind::Timeout) {
            return Err(Some(fault.clone()));
        }
        if slots.iter().any(|slot| matches!(slot, Slot::Late)) {
            return Err(None);
        }
        Err(faults().min_by_key(|fault| fault.kind == FailureKind::NameNotFound).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn found(texts: &[&str], ttl: u64) -> Found {
        Found { addresses: texts.iter().map(|text| text.parse().unwrap()).collect(), ttl: Duration::from_secs(ttl) }
    }

    fn fault(kind: FailureKind) -> Fault {
        Fault::new(kind, kind.name().to_owned())
    }

    fn both() -> Families {
        Families::new(FamilyPreference::Both, at(10_000))
    }

    #[test]
    fn both_in_time_make_one_list_with_ipv6_first() {
        let mut families = both();
        assert_eq!(families.progress(at(0)), Progress::Wait(at(10_000)));
        families.arrived(Family::V4, Ok(found(&["10.0.0.1"], 60)), at(10));
        assert_eq!(families.progress(at(10)), Progress::Wait(at(60)));
        families.arrived(Family::V6, Ok(found(&["::1"], 30)), at(20));
        assert_eq!(families.progress(at(20)), Progress::Whole(Ok(found(&["::1", "10.0.0.1"], 30))));
    }

    #[test]
    fn a_late_family_is_not_waited_for_longer_than_the_resolution_delay() {
        let mut families = both();
        families.arrived(Family::V4, Ok(found(&["10.0.0.1"], 60)), at(10));
        assert_eq!(families.progress(at(59)), Progress::Wait(at(60)));
        assert_eq!(families.progress(at(60)), Progress::Partial(found(&["10.0.0.1"], 60)));
        assert_eq!(families.progress(at(61)), Progress::Wait(at(1060)));
        families.arrived(Family::V6, Ok(found(&["::1"], 60)), at(900));
        assert_eq!(families.progress(at(900)), Progress::Whole(Ok(found(&["::1", "10.0.0.1"], 60))));
    }

    #[test]
    fn a_late_family_that_never_comes_leaves_the_other() {
        let mut families = both();
        families.arrived(Family::V6, Ok(found(&["::1"], 60)), at(0));
        assert_eq!(families.progress(at(50)), Progress::Partial(found(&["::1"], 60)));
        assert_eq!(families.progress(at(1049)), Progress::Wait(at(1050)));
        assert_eq!(families.progress(at(1050)), Progress::Whole(Ok(found(&["::1"], 60))));
    }

    #[test]
    fn one_family_failing_does_not_fail_the_other() {
        for kind in [FailureKind::ServerFailure, FailureKind::NoAddress, FailureKind::NameNotFound] {
            let mut families = both();
            families.arrived(Family::V6, Err(fault(kind)), at(0));
            assert_eq!(families.progress(at(5_000)), Progress::Wait(at(10_000)));
            families.arrived(Family::V4, Ok(found(&["10.0.0.1"], 60)), at(5_000));
            assert_eq!(families.progress(at(5_000)), Progress::Whole(Ok(found(&["10.0.0.1"], 60))));
        }
    }

    #[test]
    fn only_two_negative_answers_make_a_negative_result() {
        use FailureKind::{NameNotFound, NoAddress, ServerFailure, Timeout};
        let result = |v6, v4| {
            let mut families = both();
            families.arrived(Family::V6, Err(fault(v6)), at(0));
            families.arrived(Family::V4, Err(fault(v4)), at(0));
            let Progress::Whole(Err(Some(fault))) = families.progress(at(0)) else { panic!("not whole") };
            fault.kind
        };
        assert_eq!(result(NameNotFound, NameNotFound), NameNotFound);
        assert_eq!(result(NameNotFound, NoAddress), NoAddress);
        assert_eq!(result(NoAddress, NoAddress), NoAddress);
        assert_eq!(result(NameNotFound, ServerFailure), ServerFailure);
        assert_eq!(result(Timeout, NameNotFound), Timeout);
        assert_eq!(result(Timeout, ServerFailure), ServerFailure);
    }

    #[test]
    fn nothing_in_time_is_a_time_out_even_beside_a_negative_answer() {
        let mut families = both();
        families.arrived(Family::V6, Err(fault(FailureKind::NoAddress)), at(0));
        assert_eq!(families.progress(at(10_000)), Progress::Whole(Err(None)));
    }

    #[test]
    fn an_unused_family_is_not_waited_for() {
        let mut families = Families::new(FamilyPreference::Ipv4Only, at(100));
        assert!(!families.awaits(Family::V6));
        families.arrived(Family::V4, Err(fault(FailureKind::NoAddress)), at(1));
        assert_eq!(families.progress(at(1)), Progress::Whole(Err(Some(fault(FailureKind::NoAddress)))));
    }
}
