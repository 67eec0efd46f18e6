//! Should a failed job be tried again? One table over the failure kinds, then the job's own facts.
//!
//! Knows neither how long to wait (`backoff`) nor whether the host can afford it (`budget`).

use crate::config::RetrySettings;
use crate::model::{FailureKind, GiveUpReason};

use super::Verdict;

/// What a failed attempt's job may still expect.
#[derive(Clone, Copy, Debug)]
pub struct RetryFacts {
    /// Attempts ended on this hop, this one included: 1 after the first.
    pub attempt: u32,
    /// The request may be sent again without harm: idempotent method, or certain not to have been acted on.
    pub replayable: bool,
    /// The failure is the connection's fault, not the host's (a kept-alive connection closed under the request, GOAWAY
    /// before it was processed): one such retry, after the first attempt, is immediate, costs no budget, says nothing
    /// about the host, and is made even where retries are off.
    pub free: bool,
}

impl RetryFacts {
    /// Whether this failure earns the one free retry.
    #[must_use]
    pub const fn is_free(self) -> bool {
        self.free && self.attempt <= 1
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
    if facts.is_free() {
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
        Verdict::Failed(kind) => match kind {
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

    const PLAIN: RetryFacts = RetryFacts { attempt: 1, replayable: true, free: false };

    fn settings() -> RetrySettings {
        RetrySettings { retries: 2, ..RetrySettings::default() }
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
    fn one_retry_is_free_even_without_retries() {
        let none = RetrySettings { retries: 0, ..settings() };
        let on = |attempt| {
            decide(Verdict::Failed(FailureKind::Closed), RetryFacts { attempt, replayable: false, free: true }, &none)
        };
        assert_eq!(on(1), Decision::Free);
        assert_eq!(on(2), Decision::GiveUp(GiveUpReason::Unsafe));
    }
}
