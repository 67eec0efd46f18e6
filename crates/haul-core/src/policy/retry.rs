//! Should a failed job be tried again? First what is the fault of a connection, which is free (how often, `attempt::repeat` says), then
//! one table over the failure kinds, then the job's own facts.
//!
//! Knows neither how long to wait (`backoff`) nor whether the host can afford it (`budget`).

use crate::config::RetrySettings;
use crate::model::{FailureKind, GiveUpReason};

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
}

/// Attempts of a job that are not counted because they were refused for what its host is asked in all.
const MOST_WAITS: u32 = 64;

/// Whether an attempt is not one of those that `retries` counts: it was refused because the host is asked too much (429, or with a
/// `Retry-After`), so that nothing is learnt of the job. `of_host`: as far as is known this is not the answer of some of its URLs.
/// `waited`: attempts of the job that were not counted before.
///
/// Where no retry is wanted there is none to be saved. A host that says nothing else is dead after `outage`.
#[must_use]
pub const fn is_wait(verdict: Verdict, of_host: bool, waited: u32, settings: &RetrySettings) -> bool {
    matches!(verdict, Verdict::PushedBack(_) | Verdict::Troubled(Some(_)))
        && of_host
        && waited < MOST_WAITS
        && settings.retries > 0
}

/// What a failed attempt's job may still expect.
#[derive(Clone, Copy, Debug)]
pub struct RetryFacts {
    /// Attempts ended on this hop, this one included, free ones and those that were waits ([`is_wait`]) not: 1 after the first.
    pub attempt: u32,
    /// The request may be sent again without harm: idempotent method, or certain not to have been acted on.
    pub replayable: bool,
    /// The failure is the connection's fault, not the host's (`attempt::repeat`): a repeat that does no harm is immediate, costs no
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
    fn a_refusal_that_speaks_of_the_host_is_a_wait_so_often() {
        let settings = |retries| RetrySettings { retries, ..RetrySettings::default() };
        for (verdict, of_host, waited, retries, is) in [
            (Verdict::PushedBack(None), true, 0, 2, true),
            (Verdict::PushedBack(None), true, 63, 2, true),
            (Verdict::PushedBack(None), true, 64, 2, false),
            (Verdict::PushedBack(None), false, 0, 2, false),
            (Verdict::PushedBack(None), true, 0, 0, false),
            (Verdict::Troubled(None), true, 0, 2, false),
            (Verdict::Troubled(Some(std::time::Duration::ZERO)), true, 0, 2, true),
            (Verdict::Fine, true, 0, 2, false),
        ] {
            assert_eq!(is_wait(verdict, of_host, waited, &settings(retries)), is, "{verdict:?} {waited} {retries}");
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
}
