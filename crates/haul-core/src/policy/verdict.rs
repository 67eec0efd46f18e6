//! What the peer made of an attempt, and what that says about the host.
//!
//! One table over the failure kinds. It answers for the *host* only; whether the job is tried again is `retry`'s
//! question.

use std::time::Duration;

use crate::config::RetrySettings;
use crate::model::FailureKind;

/// What the peer made of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A response that says nothing against the host.
    Fine,
    /// A response that is tried again (408, 502, 503, 504), after `Retry-After` if given.
    Troubled(Option<Duration>),
    /// 429: the host asks for less, for `Retry-After` if given.
    PushedBack(Option<Duration>),
    /// No response, or none that can be used.
    Failed(FailureKind),
    /// The connection stood, and nothing came over it in time: the host is there.
    Stalled(FailureKind),
}

/// What an attempt's end says about its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: the cause lies with the input or with us.
    Nobody,
    /// The host is there: it sent something, however useless.
    Alive,
    /// The host is there and has too much to do, or is cutting responses off: go easier on it.
    Overloaded,
    /// The host can't be reached or did not answer: go easier on it, and one step nearer to calling it dead.
    Unreachable(FailureKind),
    /// The host's name has no address: dead at once.
    Gone(FailureKind),
}

impl Verdict {
    /// What a status says about its host. `pause`: its `Retry-After`.
    #[must_use]
    pub fn of_status(status: u16, pause: impl FnOnce() -> Option<Duration>, settings: &RetrySettings) -> Self {
        if status < 400 || !settings.retry_statuses.contains(&status) {
            Self::Fine
        } else if settings.hold_statuses.contains(&status) {
            Self::PushedBack(pause())
        } else {
            Self::Troubled(pause())
        }
    }

    /// Whether nothing came for as long as it was waited for. That time has been a rest for the host, and for the job.
    #[must_use]
    pub(crate) const fn is_timeout(self) -> bool {
        matches!(self, Self::Stalled(_) | Self::Failed(FailureKind::Timeout | FailureKind::TotalTimeout))
    }

    /// Whether the host answers, as far as this says so.
    #[must_use]
    pub(crate) const fn answers(self) -> Option<bool> {
        match self.blame() {
            Blame::Alive | Blame::Overloaded => Some(true),
            Blame::Unreachable(FailureKind::Timeout | FailureKind::TotalTimeout) => Some(false),
            Blame::Unreachable(_) | Blame::Gone(_) | Blame::Nobody => None,
        }
    }

    /// The `Retry-After` that came with it.
    #[must_use]
    pub const fn pause(self) -> Option<Duration> {
        match self {
            Self::Troubled(pause) | Self::PushedBack(pause) => pause,
            Self::Fine | Self::Failed(_) | Self::Stalled(_) => None,
        }
    }

    /// What this says about the host.
    ///
    /// Only what happens before a usable response counts towards a dead host. A response cut off or too slow proves
    /// the host alive and asks for less load. A bad certificate is final for its job and will hardly be another one the
    /// next time: after a few in a row the host's other jobs are told of it without a handshake of their own. A time-out
    /// can't say whether the head or the body was late; it counts as unreachable, and a single response in between
    /// starts the count afresh.
    #[must_use]
    #[doc(hidden)]
    pub const fn blame(self) -> Blame {
        match self {
            Self::Fine => Blame::Alive,
            Self::Troubled(_) | Self::PushedBack(_) => Blame::Overloaded,
            Self::Failed(kind) | Self::Stalled(kind) => blame_of(kind),
        }
    }
}

const fn blame_of(kind: FailureKind) -> Blame {
    use FailureKind as K;
    match kind {
        K::BadUrl | K::UnsupportedScheme | K::EmptyHost | K::BadPort | K::BadJson | K::BadRequest => Blame::Nobody,
        K::LineTooLong | K::InvalidUtf8 | K::HostDead | K::Cancelled | K::AddressRefused => Blame::Nobody,
        K::Unwanted | K::NotSaved | K::Status => Blame::Nobody,
        K::CertificateExpired | K::CertificateName | K::CertificateUntrusted => Blame::Unreachable(kind),
        K::NameNotFound | K::NoAddress => Blame::Gone(kind),
        K::ServerFailure | K::Timeout | K::TotalTimeout | K::Refused | K::Unreachable | K::NoPorts => {
            Blame::Unreachable(kind)
        }
        K::Reset | K::Closed | K::Io | K::Handshake | K::Protocol => Blame::Unreachable(kind),
        K::TooSlow | K::Truncated => Blame::Overloaded,
        K::Malformed | K::BadFraming | K::HeadTooLarge | K::TooLarge | K::ExpansionRatio | K::Corrupt => Blame::Alive,
        K::RedirectLimit | K::RedirectLoop | K::RedirectBadLocation => Blame::Alive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_of_blame() {
        let of = |kind: &FailureKind| Verdict::Failed(*kind).blame();
        let named = |wanted: fn(Blame) -> bool| {
            FailureKind::ALL
                .iter()
                .filter(|kind| wanted(of(kind)))
                .map(|kind| kind.name())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            named(|blame| blame == Blame::Nobody),
            "bad_url unsupported_scheme empty_host bad_port bad_json bad_request line_too_long invalid_utf8 host_dead \
             cancelled unwanted not_saved status address_refused"
        );
        assert_eq!(
            named(|blame| blame == Blame::Alive),
            "malformed bad_framing head_too_large too_large expansion_ratio corrupt redirect_limit redirect_loop \
             redirect_bad_location"
        );
        assert_eq!(named(|blame| blame == Blame::Overloaded), "too_slow truncated");
        assert_eq!(
            named(|blame| matches!(blame, Blame::Unreachable(_))),
            "servfail timeout total_timeout refused unreachable no_ports reset closed io certificate_expired \
             certificate_name certificate_untrusted handshake protocol"
        );
        assert_eq!(named(|blame| matches!(blame, Blame::Gone(_))), "nxdomain no_address");
        assert_eq!(Verdict::Fine.blame(), Blame::Alive);
        assert_eq!(Verdict::Troubled(None).blame(), Blame::Overloaded);
        assert_eq!(Verdict::PushedBack(None).blame(), Blame::Overloaded);
    }
}
