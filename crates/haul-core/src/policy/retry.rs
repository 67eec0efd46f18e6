//! Should a failed job be tried again? First the one rule for what is the fault of a connection, then one table over the
//! failure kinds, then the job's own facts.
//!
//! Knows neither how long to wait (`backoff`) nor whether the host can afford it (`budget`).

use crate::config::RetrySettings;
use crate::model::{FailureKind, GiveUpReason, Repeats};

use super::Verdict;

/// What a connection did to a request. It says nothing about the host: whoever had been on another connection would have had
/// an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ended before the request was written.
    Unsent,
    /// The peer says that it has not processed the request: GOAWAY, REFUSED_STREAM (RFC 9113 §8.7).
    Unprocessed,
    /// The peer wants the request over HTTP/1.1: HTTP_1_1_REQUIRED (RFC 9113 §7).
    Http11Required,
    /// It had been kept, and the peer says that it is the wrong one for this: 421 (RFC 9110 §15.5.20).
    Misdirected,
    /// It had been kept, and ended under the request before a byte of an answer (RFC 9112 §9.3.1).
    Stale,
}

/// So many repeats in a row may be free though the host has answered nothing in between.
const BARREN: u8 = 3;

/// So many are free for one answer of the host's, to whomever, in between. Each one after them takes twice as many as the one
/// before.
const PLENTY: u32 = 64;

impl Fault {
    /// Whether the peer has certainly not acted on the request, whatever its method.
    #[must_use]
    pub const fn is_harmless(self) -> bool {
        !matches!(self, Self::Stale)
    }

    /// Whether only a new connection will do for the repeat: others that have been kept as long may be as dead.
    #[must_use]
    pub const fn wants_new(self) -> bool {
        matches!(self, Self::Unsent | Self::Misdirected | Self::Stale)
    }

    /// Whether one more repeat is free, of a job with these behind it whose host has by now `answered` so many requests: what
    /// the job has behind it then. `crowded`: the connection took other requests in its stead.
    ///
    /// Such repeats need no pause and no budget, because it is progress that bounds them: between two of them the host has
    /// answered a request or taken another, but for three at most in a row, so that a host which takes nothing is asked four
    /// times and then treated like any other that fails. Who is still refused after 64 of them has to see twice as many answers
    /// each time: at most 64 + log₂(requests the host has answered) in all. One is free for a 421: the second is an answer.
    #[must_use]
    pub const fn repeats(self, mut before: Repeats, answered: u32, crowded: bool) -> Option<Repeats> {
        let progress = answered.wrapping_sub(before.answered);
        let owed = match before.made.checked_sub(PLENTY) {
            None => 1,
            Some(over) if over < 31 => 2 << over,
            Some(_) => return None,
        };
        if before.made == 0 || progress >= owed || (crowded && before.made < PLENTY) {
            before.barren = 0;
        } else if before.barren >= BARREN || before.made >= PLENTY {
            return None;
        }
        if matches!(self, Self::Misdirected) {
            if before.misdirected {
                return None;
            }
            before.misdirected = true;
        }
        before.made += 1;
        before.barren += 1;
        before.answered = answered;
        Some(before)
    }
}

/// Attempts of a job that are not counted because its host had said to wait, and said so again.
const MOST_WAITS: u32 = 64;

/// Whether an attempt is not one of those that `retries` counts: it was refused for asking too much (429), of a host that has said
/// already that it is, so that nothing is learnt of the job. `waited`: attempts of the job that were not counted before.
///
/// Where no retry is wanted there is none to be saved. A host that says nothing else is dead after `outage`.
#[must_use]
pub const fn is_wait(verdict: Verdict, host_said_so: bool, waited: u32, settings: &RetrySettings) -> bool {
    matches!(verdict, Verdict::PushedBack(_)) && host_said_so && waited < MOST_WAITS && settings.retries > 0
}

/// What a failed attempt's job may still expect.
#[derive(Clone, Copy, Debug)]
pub struct RetryFacts {
    /// Attempts ended on this hop, this one included, free ones and those that were waits ([`is_wait`]) not: 1 after the first.
    pub attempt: u32,
    /// The request may be sent again without harm: idempotent method, or certain not to have been acted on.
    pub replayable: bool,
    /// The failure is the connection's fault, not the host's ([`Fault::repeats`]): a repeat that does no harm is immediate, costs no
    /// budget, and is made even where retries are off.
    pub fault: Option<Fault>,
}

impl RetryFacts {
    /// Those of an attempt that has come to its end well.
    pub const WELL: Self = Self { attempt: 1, replayable: true, fault: None };

    /// Whether nobody is to be blamed for this failure.
    #[must_use]
    pub const fn is_free(self) -> bool {
        self.fault.is_some()
    }
}

/// What becomes of a failed job, as far as the job itself decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// At once, for nothing.
    Free,
    /// Later, if the host's budget allows.
    Later,
    /// Never.
    GiveUp(GiveUpReason),
}

/// Decides on a job whose attempt ended with `verdict`. The first reason that applies is given, most lasting first.
#[must_use]
pub const fn decide(verdict: Verdict, facts: RetryFacts, settings: &RetrySettings) -> Decision {
    if facts.is_free() && facts.replayable {
        Decision::Free
    } else if !worth_repeating(verdict) {
        Decision::GiveUp(GiveUpReason::Final)
    } else if !(facts.replayable || settings.unsafe_methods) {
        Decision::GiveUp(GiveUpReason::Unsafe)
    } else if facts.attempt > settings.retries {
        Decision::GiveUp(GiveUpReason::RetriesUsed)
    } else {
        Decision::Later
    }
}

/// Whether the same request may well end otherwise next time.
const fn worth_repeating(verdict: Verdict) -> bool {
    use FailureKind as K;
    match verdict {
        Verdict::Fine => false,
        Verdict::Troubled(_) | Verdict::PushedBack(_) => true,
        Verdict::Failed(kind) | Verdict::Stalled(kind) => match kind {
            K::ServerFailure | K::Timeout | K::TotalTimeout | K::Refused | K::Unreachable | K::NoPorts => true,
            K::Reset | K::Closed | K::Io | K::Truncated | K::TooSlow => true,
            K::BadUrl | K::UnsupportedScheme | K::EmptyHost | K::BadPort | K::BadJson | K::BadRequest => false,
            K::LineTooLong | K::InvalidUtf8 | K::HostDead | K::Cancelled | K::Unwanted | K::NotSaved | K::Status => {
                false
            }
            K::NameNotFound | K::NoAddress | K::AddressRefused => false,
            K::CertificateExpired | K::CertificateName | K::CertificateUntrusted | K::Handshake => false,
            K::Protocol | K::Malformed | K::BadFraming | K::HeadTooLarge => false,
            K::TooLarge | K::ExpansionRatio | K::Corrupt => false,
            K::RedirectLimit | K::RedirectLoop | K::RedirectBadLocation => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: RetryFacts = RetryFacts { attempt: 1, replayable: true, fault: None };

    fn settings() -> RetrySettings {
        RetrySettings { retries: 2, ..RetrySettings::default() }
    }

    #[test]
    fn a_refusal_that_its_host_has_announced_is_a_wait_so_often() {
        let settings = |retries| RetrySettings { retries, ..RetrySettings::default() };
        for (verdict, host_said_so, waited, retries, is) in [
            (Verdict::PushedBack(None), true, 0, 2, true),
            (Verdict::PushedBack(None), true, 63, 2, true),
            (Verdict::PushedBack(None), true, 64, 2, false),
            (Verdict::PushedBack(None), false, 0, 2, false),
            (Verdict::PushedBack(None), true, 0, 0, false),
            (Verdict::Troubled(None), true, 0, 2, false),
        ] {
            assert_eq!(
                is_wait(verdict, host_said_so, waited, &settings(retries)),
                is,
                "{verdict:?} {waited} {retries}"
            );
        }
    }

    #[test]
    fn the_whole_table_of_kinds() {
        let again = |kind: &&FailureKind| decide(Verdict::Failed(**kind), PLAIN, &settings()) == Decision::Later;
        let named: Vec<_> = FailureKind::ALL.iter().filter(again).map(|kind| kind.name()).collect();
        assert_eq!(
            named.join(" "),
            "servfail timeout total_timeout refused unreachable no_ports reset closed io too_slow truncated"
        );
        for kind in FailureKind::ALL.iter().filter(|kind| !again(kind)) {
            assert_eq!(decide(Verdict::Failed(*kind), PLAIN, &settings()), Decision::GiveUp(GiveUpReason::Final));
        }
        assert_eq!(decide(Verdict::Fine, PLAIN, &settings()), Decision::GiveUp(GiveUpReason::Final));
        assert_eq!(decide(Verdict::Troubled(None), PLAIN, &settings()), Decision::Later);
        assert_eq!(decide(Verdict::PushedBack(None), PLAIN, &settings()), Decision::Later);
    }

    #[test]
    fn the_facts_of_the_job_can_forbid_it() {
        let on = |facts, settings: &RetrySettings| decide(Verdict::Failed(FailureKind::Reset), facts, settings);
        let harmful = RetryFacts { replayable: false, ..PLAIN };
        assert_eq!(on(harmful, &settings()), Decision::GiveUp(GiveUpReason::Unsafe));
        assert_eq!(on(harmful, &RetrySettings { unsafe_methods: true, ..settings() }), Decision::Later);
        assert_eq!(on(RetryFacts { attempt: 2, ..PLAIN }, &settings()), Decision::Later);
        assert_eq!(on(RetryFacts { attempt: 3, ..PLAIN }, &settings()), Decision::GiveUp(GiveUpReason::RetriesUsed));
        let none = RetrySettings { retries: 0, ..settings() };
        assert_eq!(on(PLAIN, &none), Decision::GiveUp(GiveUpReason::RetriesUsed));
    }

    #[test]
    fn what_is_the_connections_fault_is_free_even_without_retries_where_it_does_no_harm() {
        let none = RetrySettings { retries: 0, ..settings() };
        let on = |attempt, replayable| {
            decide(
                Verdict::Failed(FailureKind::Closed),
                RetryFacts { attempt, replayable, fault: Some(Fault::Stale) },
                &none,
            )
        };
        assert_eq!((on(1, true), on(9, true)), (Decision::Free, Decision::Free));
        assert_eq!(on(1, false), Decision::GiveUp(GiveUpReason::Unsafe));
        let misdirected = RetryFacts { attempt: 1, replayable: true, fault: Some(Fault::Misdirected) };
        assert_eq!(decide(Verdict::Fine, misdirected, &none), Decision::Free, "a 421 is a response like any other");
    }

    const FAULTS: [Fault; 5] =
        [Fault::Unsent, Fault::Unprocessed, Fault::Http11Required, Fault::Misdirected, Fault::Stale];

    #[test]
    fn the_whole_table_of_faults() {
        let rows = FAULTS.map(|fault| (fault.is_harmless(), fault.wants_new()));
        assert_eq!(rows, [(true, true), (true, false), (true, false), (true, true), (false, true)]);
    }

    /// How many repeats are free while the host answers so many requests before each of them.
    fn in_a_row(fault: Fault, answers: impl Fn(u32) -> u32) -> u32 {
        let (mut repeats, mut answered) = (Repeats::default(), u32::MAX - 1);
        loop {
            answered = answered.wrapping_add(answers(repeats.made));
            match fault.repeats(repeats, answered, false) {
                Some(more) => repeats = more,
                None => return repeats.made,
            }
        }
    }

    #[test]
    fn without_progress_free_repeats_end_and_with_progress_they_go_on() {
        assert_eq!(FAULTS.map(|fault| in_a_row(fault, |_| 0)), [3, 3, 3, 1, 3]);
        assert_eq!(FAULTS.map(|fault| in_a_row(fault, |_| 1)), [64, 64, 64, 1, 64]);
        assert_eq!(in_a_row(Fault::Unprocessed, |made| u32::from(made % 3 == 0)), 64, "a little is enough");
        assert_eq!(in_a_row(Fault::Unprocessed, |made| u32::from(made % 4 == 0)), 3);
        assert_eq!(in_a_row(Fault::Unprocessed, |_| 1 << 10), 64 + 10, "the logarithm of it");
        assert_eq!(in_a_row(Fault::Unprocessed, |_| 1 << 31), 64 + 31);
    }

    #[test]
    fn the_first_is_free_whatever_the_host_has_done_and_each_of_a_mixture_counts() {
        let first = Fault::Stale.repeats(Repeats::default(), 0, false).expect("the first");
        assert_eq!(first, Repeats { made: 1, barren: 1, answered: 0, ..Repeats::default() });
        let second = Fault::Misdirected.repeats(first, 0, false).expect("the second");
        let third = Fault::Unprocessed.repeats(second, 0, false).expect("the third");
        assert!(Fault::Unsent.repeats(third, 0, false).is_none());
        let fourth = Fault::Unsent.repeats(third, 1, false).expect("the host has answered");
        assert!(Fault::Misdirected.repeats(fourth, 2, false).is_none(), "once");
        assert!(Fault::Unprocessed.repeats(third, 0, true).is_some(), "others were taken");
        let many = Repeats { made: 64, ..third };
        assert!(Fault::Unprocessed.repeats(many, 1, true).is_none(), "in the end answers alone count");
    }
}
