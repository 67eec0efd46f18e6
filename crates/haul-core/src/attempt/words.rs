//! What is wrong with a host, in the words that its jobs' records have.

use std::time::Duration;

use crate::config::Setting;
use crate::model::{Failure, FailureKind, GiveUpReason, Phase};
use crate::policy::{Blame, RetryFacts, Verdict};

/// What an attempt with this end shows to be wrong with its host, if anything. `longest`: the pause that is waited for.
#[must_use]
pub fn trouble(
    status: Result<u16, &Failure>,
    verdict: Verdict,
    facts: RetryFacts,
    longest: Duration,
) -> Option<Failure> {
    match (status, verdict) {
        _ if facts.is_free() || verdict.blame() == Blame::Nobody => None,
        (Err(failure), _) => Some(Failure::new(failure.phase, failure.kind, failure.message.clone())),
        (Ok(status), Verdict::Troubled(pause) | Verdict::PushedBack(pause)) => Some(refusal(status, pause, longest)),
        (Ok(_), Verdict::Fine | Verdict::Failed(_) | Verdict::Stalled(_)) => None,
    }
}

/// A response that asks to come again, as what is wrong with its host.
fn refusal(status: u16, pause: Option<Duration>, longest: Duration) -> Failure {
    let message = match pause {
        Some(pause) if pause > longest => {
            format!("it answered {status} and asks to come again in {pause:?}, longer than is waited for ({longest:?})")
        }
        Some(pause) => format!("it answered {status} and asked to come again in {pause:?}"),
        None => format!("it answered {status}"),
    };
    Failure::new(Phase::Head, FailureKind::Status, message)
}

/// The failure of a job that was given up without an attempt of its own. `trouble`: what was wrong with its host last.
#[must_use]
pub fn untried(trouble: Option<&Failure>, reason: GiveUpReason) -> Failure {
    match (trouble, reason) {
        // What is known of a name holds for every URL under it.
        (Some(trouble), GiveUpReason::HostDead(cause)) if trouble.phase == Phase::Dns && trouble.kind == cause => {
            Failure::new(trouble.phase, trouble.kind, trouble.message.clone())
        }
        // What is known of a certificate, too; but here something was tried, and may come out otherwise one day.
        (Some(trouble), GiveUpReason::HostDead(cause)) if trouble.phase == Phase::Tls && trouble.kind == cause => {
            let message = format!("not tried, as the same came of the host's others in a row: {}", trouble.message);
            Failure::new(trouble.phase, trouble.kind, message)
        }
        (Some(trouble), _) => {
            let message = format!(
                "not tried: the host failed too often in a row (`{}`); last: {}",
                Setting::DeadAfter,
                trouble.message
            );
            Failure::new(Phase::Queue, FailureKind::HostDead, message)
        }
        (None, reason) => {
            Failure::new(Phase::Queue, FailureKind::HostDead, format!("not tried: the host was given up ({reason})"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Fault;

    #[test]
    fn what_is_nobody_s_fault_is_no_trouble_of_the_host() {
        let (longest, closed) = (Duration::ZERO, Failure::new(Phase::Head, FailureKind::Closed, "why"));
        let facts = |fault| RetryFacts { attempt: 1, replayable: true, fault };
        for (status, verdict, fault, expected) in [
            (Ok(200), Verdict::Fine, None, None),
            (Ok(503), Verdict::Troubled(None), None, Some("it answered 503")),
            (Ok(429), Verdict::PushedBack(None), None, Some("it answered 429")),
            (Ok(408), Verdict::Troubled(None), Some(Fault::Stale), None),
            (Err(&closed), Verdict::Failed(FailureKind::Closed), None, Some("why")),
            (Err(&closed), Verdict::Failed(FailureKind::Closed), Some(Fault::Stale), None),
            (Err(&closed), Verdict::Failed(FailureKind::Cancelled), None, None),
        ] {
            let found = trouble(status, verdict, facts(fault), longest);
            assert_eq!(found.as_ref().map(|failure| &*failure.message), expected, "{status:?} {verdict:?} {fault:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_was_asked_and_whether_that_is_waited_for() {
        let longest = Duration::from_secs(300);
        for (pause, expected) in [
            (None, "it answered 503"),
            (Some(300), "it answered 503 and asked to come again in 300s"),
            (Some(301), "it answered 503 and asks to come again in 301s, longer than is waited for (300s)"),
        ] {
            let failure = refusal(503, pause.map(Duration::from_secs), longest);
            assert_eq!((failure.phase, failure.kind, &*failure.message), (Phase::Head, FailureKind::Status, expected));
        }
    }

    #[test]
    fn what_is_known_of_a_name_holds_for_all_its_urls_and_anything_else_is_said_of_the_host() {
        use FailureKind as K;
        let of = |phase, kind| Some(Failure::new(phase, kind, "why"));
        for (trouble, cause, phase, kind, expected) in [
            (of(Phase::Dns, K::NameNotFound), K::NameNotFound, Phase::Dns, K::NameNotFound, "why"),
            (of(Phase::Dns, K::NameNotFound), K::Timeout, Phase::Queue, K::HostDead, "not tried: the host failed"),
            (
                of(Phase::Tls, K::CertificateName),
                K::CertificateName,
                Phase::Tls,
                K::CertificateName,
                "not tried, as the same",
            ),
            (of(Phase::Connect, K::Refused), K::Refused, Phase::Queue, K::HostDead, "not tried: the host failed"),
            (None, K::Refused, Phase::Queue, K::HostDead, "not tried: the host was given up"),
        ] {
            let failure = untried(trouble.as_ref(), GiveUpReason::HostDead(cause));
            assert_eq!((failure.phase, failure.kind), (phase, kind), "{trouble:?} {cause}");
            assert!(failure.message.starts_with(expected), "{}", failure.message);
        }
    }
}
