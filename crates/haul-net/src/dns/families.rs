//! A and AAAA asked at once, and when to go with what is there (RFC 8305 §3). Pure.
//!
//! Owns one look-up's two answers. Invariant: it says [`LookupProgress::Partial`] at most once and [`LookupProgress::Whole`] as
//! soon as, and only when, no answer is awaited any more.
//!
//! One departure from the RFC: an AAAA answer alone also gives the A answer its 50 ms. The addresses are handed on as
//! one list that is used until its TTL ends, and a list without its fallback would be worse than that wait.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::search::SearchVerdict;
use haul_core::config::FamilyPreference;
use haul_core::model::{FailureKind, Time};

/// How long the second family may be late (the RFC's Resolution Delay).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How long a look-up goes on for the second family when the first has been handed on: a server that drops one kind of question would
/// hold up all names else, each for its whole time-out.
const LATE: Duration = Duration::from_secs(1);

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressFamily {
    V4,
    V6,
}

/// Addresses and how long they may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddressSet {
    /// Never empty.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

/// Why there are none. Cheap to clone: everyone who waits gets one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LookupError {
    pub(super) kind: FailureKind,
    pub(super) message: Arc<str>,
    /// The same in a word or two.
    pub(super) brief: Cow<'static, str>,
    /// What it means for the other names that may be asked for instead.
    pub(super) then: SearchVerdict,
}

impl LookupError {
    pub(super) fn new(kind: FailureKind, message: String) -> Self {
        let negative = matches!(kind, FailureKind::NameNotFound | FailureKind::NoAddress);
        let brief = match kind {
            FailureKind::NameNotFound => "NXDOMAIN",
            FailureKind::NoAddress => "no address",
            FailureKind::Timeout => "no answer",
            _ => "not looked up",
        };
        let then = if negative { SearchVerdict::Next } else { SearchVerdict::AsIs };
        Self { kind, message: message.into(), brief: brief.into(), then }
    }

    /// The name server has answered, and the answer is no.
    pub(super) fn is_negative(&self) -> bool {
        matches!(self.kind, FailureKind::NameNotFound | FailureKind::NoAddress)
    }
}

/// How far a look-up is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LookupProgress {
    /// Wait for an answer, at most until then.
    Wait(Time),
    /// Go with this; the other family is still awaited.
    Partial(AddressSet),
    /// That is all there will be. `Err(None)`: time was up before anything telling came.
    Whole(Result<AddressSet, Option<LookupError>>),
}

/// One family's answer.
#[derive(Debug)]
enum FamilyAnswer {
    Unused,
    Awaited,
    In(Result<AddressSet, LookupError>),
    Late,
}

/// The two answers of one look-up.
#[derive(Debug)]
pub(super) struct FamilyAnswers {
    v6: FamilyAnswer,
    v4: FamilyAnswer,
    /// When to go with one family's addresses; set when they come.
    go_at: Option<Time>,
    told_partial: bool,
    end: Time,
}

impl FamilyAnswers {
    /// A look-up that ends at `end` at the latest.
    pub(super) const fn new(preference: FamilyPreference, end: Time) -> Self {
        let (v6, v4) = match preference {
            FamilyPreference::Both => (FamilyAnswer::Awaited, FamilyAnswer::Awaited),
            FamilyPreference::Ipv4Only => (FamilyAnswer::Unused, FamilyAnswer::Awaited),
            FamilyPreference::Ipv6Only => (FamilyAnswer::Awaited, FamilyAnswer::Unused),
        };
        Self { v6, v4, go_at: None, told_partial: false, end }
    }

    /// Whether this family's answer is still awaited.
    pub(super) const fn awaits(&self, family: AddressFamily) -> bool {
        matches!(self.slot(family), FamilyAnswer::Awaited)
    }

    const fn slot(&self, family: AddressFamily) -> &FamilyAnswer {
        match family {
            AddressFamily::V4 => &self.v4,
            AddressFamily::V6 => &self.v6,
        }
    }

    /// This family's answer is in.
    pub(super) fn arrived(&mut self, family: AddressFamily, answer: Result<AddressSet, LookupError>, now: Time) {
        if answer.is_ok() && self.go_at.is_none() {
            self.go_at = Some(now + RESOLUTION_DELAY);
        }
        let slot = match family {
            AddressFamily::V4 => &mut self.v4,
            AddressFamily::V6 => &mut self.v6,
        };
        *slot = FamilyAnswer::In(answer);
    }

    /// How far it is now.
    pub(super) fn progress(&mut self, now: Time) -> LookupProgress {
        if now >= self.end {
            for slot in [&mut self.v6, &mut self.v4] {
                if matches!(slot, FamilyAnswer::Awaited) {
                    *slot = FamilyAnswer::Late;
                }
            }
        }
        if !self.awaits(AddressFamily::V6) && !self.awaits(AddressFamily::V4) {
            return LookupProgress::Whole(self.whole());
        }
        match self.go_at {
            Some(go_at) if !self.told_partial && now >= go_at => {
                self.told_partial = true;
                self.end = self.end.min(now + LATE);
                self.found().map_or(LookupProgress::Wait(self.end), LookupProgress::Partial)
            }
            Some(go_at) if !self.told_partial => LookupProgress::Wait(go_at.min(self.end)),
            _ => LookupProgress::Wait(self.end),
        }
    }

    /// The addresses there are, IPv6 first, with the shorter of the two TTLs.
    fn found(&self) -> Option<AddressSet> {
        let mut all: Option<AddressSet> = None;
        for slot in [&self.v6, &self.v4] {
            let FamilyAnswer::In(Ok(found)) = slot else { continue };
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

    /// All addresses; or else the error that tells most. Only if no family failed is the name known to have none.
    fn whole(&self) -> Result<AddressSet, Option<LookupError>> {
        if let Some(found) = self.found() {
            return Ok(found);
        }
        let slots = [&self.v6, &self.v4];
        let errors =
            || slots.iter().filter_map(|slot| if let FamilyAnswer::In(Err(error)) = slot { Some(error) } else { None });
        let failed = errors().filter(|error| !error.is_negative());
        // A server that says it failed tells more than one that was silent.
        if let Some(error) = failed.min_by_key(|error| error.kind == FailureKind::Timeout) {
            return Err(Some(error.clone()));
        }
        if slots.iter().any(|slot| matches!(slot, FamilyAnswer::Late)) {
            return Err(None);
        }
        Err(errors().min_by_key(|error| error.kind == FailureKind::NameNotFound).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn found(texts: &[&str], ttl: u64) -> AddressSet {
        AddressSet {
            addresses: texts.iter().map(|text| text.parse().unwrap()).collect(),
            ttl: Duration::from_secs(ttl),
        }
    }

    fn error(kind: FailureKind) -> LookupError {
        LookupError::new(kind, kind.name().to_owned())
    }

    fn both() -> FamilyAnswers {
        FamilyAnswers::new(FamilyPreference::Both, at(10_000))
    }

    #[test]
    fn both_in_time_make_one_list_with_ipv6_first() {
        let mut families = both();
        assert_eq!(families.progress(at(0)), LookupProgress::Wait(at(10_000)));
        families.arrived(AddressFamily::V4, Ok(found(&["10.0.0.1"], 60)), at(10));
        assert_eq!(families.progress(at(10)), LookupProgress::Wait(at(60)));
        families.arrived(AddressFamily::V6, Ok(found(&["::1"], 30)), at(20));
        assert_eq!(families.progress(at(20)), LookupProgress::Whole(Ok(found(&["::1", "10.0.0.1"], 30))));
    }

    #[test]
    fn a_late_family_is_not_waited_for_longer_than_the_resolution_delay() {
        let mut families = both();
        families.arrived(AddressFamily::V4, Ok(found(&["10.0.0.1"], 60)), at(10));
        assert_eq!(families.progress(at(59)), LookupProgress::Wait(at(60)));
        assert_eq!(families.progress(at(60)), LookupProgress::Partial(found(&["10.0.0.1"], 60)));
        assert_eq!(families.progress(at(61)), LookupProgress::Wait(at(1060)));
        families.arrived(AddressFamily::V6, Ok(found(&["::1"], 60)), at(900));
        assert_eq!(families.progress(at(900)), LookupProgress::Whole(Ok(found(&["::1", "10.0.0.1"], 60))));
    }

    #[test]
    fn a_late_family_that_never_comes_leaves_the_other() {
        let mut families = both();
        families.arrived(AddressFamily::V6, Ok(found(&["::1"], 60)), at(0));
        assert_eq!(families.progress(at(50)), LookupProgress::Partial(found(&["::1"], 60)));
        assert_eq!(families.progress(at(1049)), LookupProgress::Wait(at(1050)));
        assert_eq!(families.progress(at(1050)), LookupProgress::Whole(Ok(found(&["::1"], 60))));
    }

    #[test]
    fn one_family_failing_does_not_fail_the_other() {
        for kind in [FailureKind::ServerFailure, FailureKind::NoAddress, FailureKind::NameNotFound] {
            let mut families = both();
            families.arrived(AddressFamily::V6, Err(error(kind)), at(0));
            assert_eq!(families.progress(at(5_000)), LookupProgress::Wait(at(10_000)));
            families.arrived(AddressFamily::V4, Ok(found(&["10.0.0.1"], 60)), at(5_000));
            assert_eq!(families.progress(at(5_000)), LookupProgress::Whole(Ok(found(&["10.0.0.1"], 60))));
        }
    }

    #[test]
    fn only_two_negative_answers_make_a_negative_result() {
        use FailureKind::{NameNotFound, NoAddress, ServerFailure, Timeout};
        let result = |v6, v4| {
            let mut families = both();
            families.arrived(AddressFamily::V6, Err(error(v6)), at(0));
            families.arrived(AddressFamily::V4, Err(error(v4)), at(0));
            let LookupProgress::Whole(Err(Some(error))) = families.progress(at(0)) else { panic!("not whole") };
            error.kind
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
        families.arrived(AddressFamily::V6, Err(error(FailureKind::NoAddress)), at(0));
        assert_eq!(families.progress(at(10_000)), LookupProgress::Whole(Err(None)));
    }

    #[test]
    fn an_unused_family_is_not_waited_for() {
        let mut families = FamilyAnswers::new(FamilyPreference::Ipv4Only, at(100));
        assert!(!families.awaits(AddressFamily::V6));
        families.arrived(AddressFamily::V4, Err(error(FailureKind::NoAddress)), at(1));
        assert_eq!(families.progress(at(1)), LookupProgress::Whole(Err(Some(error(FailureKind::NoAddress)))));
    }
}
