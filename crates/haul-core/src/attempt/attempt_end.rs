//! How an attempt ended, and what that says of its host and of its connection.

use std::time::Duration;

use http::{StatusCode, Version};

use crate::config::RetrySettings;
use crate::model::{Failure, FailureKind, Phase};
use crate::policy::{Fault, Verdict};

/// What the peer can have made of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing: it was never written.
    No,
    /// Nothing: the peer allows no more streams on the connection than it has. Another may carry it.
    NoPlace,
    /// Nothing: the peer says that it has not processed it (GOAWAY, REFUSED_STREAM).
    Unprocessed,
    /// Nothing: the peer says so, and that it is asked too much (GOAWAY with ENHANCE_YOUR_CALM).
    Declined,
    /// Nothing: the peer wants it over HTTP/1.1.
    Http11Required,
    /// It may have been processed, and no answer began: nothing came, or empty lines and informational heads at the most.
    Unanswered,
    /// An answer began, or the peer reset the stream.
    Answered,
}

impl Sent {
    /// Whether the peer has certainly not acted on it: sending it again is safe.
    #[must_use]
    pub const fn is_harmless(self) -> bool {
        !matches!(self, Self::Unanswered | Self::Answered)
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub struct AttemptEnd<'a> {
    /// The status of the response that came whole, and the protocol it came over; or why there is none.
    pub result: Result<(u16, Version), &'a Failure>,
    /// The status of its head, where one came.
    pub head: Option<u16>,
    /// What the peer can have made of the request.
    pub sent: Sent,
    /// Whether the connection had served a request before.
    pub reused: bool,
}

impl AttemptEnd<'_> {
    /// What it says about its host. `pause`: the response's `Retry-After`.
    pub fn verdict(&self, pause: impl FnOnce() -> Option<Duration>, settings: &RetrySettings) -> Verdict {
        let failure = self.result.err();
        let status = self.head.filter(|_| says_all(failure));
        let said = status.map_or(Verdict::Fine, |status| Verdict::of_status(status, pause, settings));
        match (failure, said) {
            (Some(failure), Verdict::Fine) if is_timeout(failure) && failure.kind != FailureKind::TooSlow => {
                Verdict::Stalled(failure.kind)
            }
            (Some(failure), Verdict::Fine) => Verdict::Failed(failure.kind),
            (_, said) => said,
        }
    }

    /// What the connection did to the request, if that is what its failure, or its status, comes from.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match self.result {
            Ok((status, version)) => fault_of_status(status, version, self.reused),
            Err(failure) => match self.sent {
                Sent::Http11Required => Some(Fault::Http11Required),
                Sent::Unprocessed => Some(Fault::Unprocessed),
                Sent::No if is_cut(failure) => Some(Fault::Unsent),
                Sent::Unanswered if self.reused && is_cut(failure) => Some(Fault::Stale),
                _ => None,
            },
        }
    }

    /// Whether it came to its end well, and the connection did not harm it either.
    #[must_use]
    pub fn is_well(&self, verdict: Verdict) -> bool {
        verdict == Verdict::Fine && self.fault().is_none()
    }

    /// Whether its head has said all that matters of a response whose body nobody gets: a redirect where to go, a 503 when to come
    /// again. What became of the body is nothing then.
    #[must_use]
    pub fn says_all(&self) -> bool {
        says_all(self.result.err())
    }

    /// Whether nothing came over a kept connection for as long as it was waited for: that one may be dead.
    #[must_use]
    pub fn has_timed_out_on_a_kept_connection(&self) -> bool {
        self.reused && self.result.err().is_some_and(is_timeout)
    }
}

/// Statuses that speak of the connection: 421, and the 408 with which a server ends one that was idle for too long for it, on
/// its way when the next request was written.
fn fault_of_status(status: u16, version: Version, reused: bool) -> Option<Fault> {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::MISDIRECTED_REQUEST) if reused => Some(Fault::Misdirected),
        Ok(StatusCode::REQUEST_TIMEOUT) if reused && version <= Version::HTTP_11 => Some(Fault::Stale),
        _ => None,
    }
}

fn says_all(failure: Option<&Failure>) -> bool {
    let of_body = |phase| matches!(phase, Phase::Body | Phase::Decode);
    failure.is_none_or(|failure| of_body(failure.phase) && failure.kind != FailureKind::Cancelled)
}

/// Whether a connection ended under the request, as kept-alive ones may.
#[must_use]
pub const fn is_cut(failure: &Failure) -> bool {
    matches!(failure.phase, Phase::Send | Phase::Head | Phase::Body)
        && matches!(failure.kind, FailureKind::Closed | FailureKind::Reset | FailureKind::Io)
}

/// Whether the answer, or the rest of it, was not here in time: the connection may be dead without anyone having said so.
#[must_use]
pub const fn is_timeout(failure: &Failure) -> bool {
    matches!(failure.phase, Phase::Head | Phase::Body)
        && matches!(failure.kind, FailureKind::Timeout | FailureKind::TotalTimeout | FailureKind::TooSlow)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_SENT: [Sent; 7] = [
        Sent::No,
        Sent::NoPlace,
        Sent::Unprocessed,
        Sent::Declined,
        Sent::Http11Required,
        Sent::Unanswered,
        Sent::Answered,
    ];

    /// What is expected of each way in which a request may have been sent, over a new and over a kept connection.
    fn faults(failure: &Failure) -> [[Option<Fault>; 2]; 7] {
        ALL_SENT.map(|sent| {
            [false, true].map(|reused| AttemptEnd { result: Err(failure), head: None, sent, reused }.fault())
        })
    }

    #[test]
    fn the_whole_table_of_faults() {
        use Fault as F;
        let told = [
            [None; 2],
            [None; 2],
            [Some(F::Unprocessed); 2],
            [None; 2],
            [Some(F::Http11Required); 2],
            [None; 2],
            [None; 2],
        ];
        let cut = {
            let mut table = told;
            (table[0], table[5]) = ([Some(F::Unsent); 2], [None, Some(F::Stale)]);
            table
        };
        for phase in Phase::ALL.iter().copied() {
            for kind in FailureKind::ALL.iter().copied() {
                use FailureKind::{Closed, Io, Reset};
                let is_cut =
                    matches!(phase, Phase::Send | Phase::Head | Phase::Body) && matches!(kind, Closed | Reset | Io);
                let expected = if is_cut { cut } else { told };
                assert_eq!(faults(&Failure::new(phase, kind, "")), expected, "{phase} {kind}");
            }
        }
    }

    #[test]
    fn of_all_statuses_two_speak_of_a_kept_connection() {
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            for (status, reused) in (100..1000).flat_map(|status| [(status, false), (status, true)]) {
                let ended =
                    AttemptEnd { result: Ok((status, version)), head: Some(status), sent: Sent::Answered, reused };
                let expected = match status {
                    421 if reused => Some(Fault::Misdirected),
                    408 if reused && version != Version::HTTP_2 => Some(Fault::Stale),
                    _ => None,
                };
                assert_eq!(ended.fault(), expected, "{status} {version:?} {reused}");
            }
        }
    }

    /// The verdict on an attempt with this head that failed like this, or did not.
    fn verdict(head: Option<u16>, failure: Option<(Phase, FailureKind)>) -> Verdict {
        let failure = failure.map(|(phase, kind)| Failure::new(phase, kind, ""));
        let result = failure.as_ref().map_or_else(|| Ok((head.unwrap_or_default(), Version::HTTP_11)), Err);
        let ended = AttemptEnd { result, head, sent: Sent::Answered, reused: false };
        ended.verdict(|| Some(Duration::from_secs(3)), &RetrySettings::default())
    }

    #[test]
    fn the_whole_table_of_verdicts() {
        use FailureKind as K;
        let three = Some(Duration::from_secs(3));
        let of_head = |status: u16| match status {
            408 | 502 | 503 | 504 => Verdict::Troubled(three),
            429 => Verdict::PushedBack(three),
            _ => Verdict::Fine,
        };
        let heads =
            [None, Some(200), Some(302), Some(404), Some(408), Some(429), Some(500), Some(502), Some(503), Some(504)];
        for head in heads {
            let said = head.map_or(Verdict::Fine, of_head);
            assert_eq!(verdict(head, None), said, "{head:?}");
            for phase in Phase::ALL.iter().copied() {
                for kind in K::ALL.iter().copied() {
                    let has_said_all = matches!(phase, Phase::Body | Phase::Decode) && kind != K::Cancelled;
                    let is_silent =
                        matches!(phase, Phase::Head | Phase::Body) && matches!(kind, K::Timeout | K::TotalTimeout);
                    let expected = match said {
                        Verdict::Troubled(_) | Verdict::PushedBack(_) if has_said_all => said,
                        _ if is_silent => Verdict::Stalled(kind),
                        _ => Verdict::Failed(kind),
                    };
                    assert_eq!(verdict(head, Some((phase, kind))), expected, "{head:?} {phase} {kind}");
                }
            }
        }
    }

    #[test]
    fn a_response_that_came_too_late_casts_doubt_on_a_kept_connection_alone() {
        let late = Failure::new(Phase::Head, FailureKind::Timeout, "");
        let ended = |reused| AttemptEnd { result: Err(&late), head: None, sent: Sent::Unanswered, reused };
        assert!(ended(true).has_timed_out_on_a_kept_connection() && !ended(false).has_timed_out_on_a_kept_connection());
    }
}
