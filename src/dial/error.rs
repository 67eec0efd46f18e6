//! How a dial can fail, and the sentences for it. Pure.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::clock::Bound;
use super::{DialTimes, Target};
use crate::model::{Failure, FailureKind, Phase};

/// Why a dial failed, with what is known of it up to then.
#[derive(Debug)]
pub struct DialError {
    /// Whose fault it is, and the failure.
    pub cause: Cause,
    /// How long the phases took, the failed one included.
    pub times: DialTimes,
    /// The peer, when the connection was open already (the handshake failed).
    pub remote: Option<SocketAddr>,
}

/// Whose fault it is. Only [`Cause::Peer`] says anything about the host.
#[derive(Debug)]
pub enum Cause {
    /// The process or the machine has no file descriptor left: open fewer sockets, try again later.
    NoDescriptors(Failure),
    /// No local port is left for this peer and local address: try again when connections have closed.
    NoPorts(Failure),
    /// The peer, its name, its address or its certificate.
    Peer(Failure),
}

impl Cause {
    /// The failure, whoever's fault it is.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::NoDescriptors(failure) | Self::NoPorts(failure) | Self::Peer(failure) => failure,
        }
    }
}

impl From<Failure> for Cause {
    fn from(failure: Failure) -> Self {
        Self::Peer(failure)
    }
}

/// The system's error numbers that say "no descriptor left": for the process, for the machine.
fn is_no_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE))
}

/// What an input/output error of a connect means. Least telling first: of several addresses' errors the last in this
/// order is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Telling {
    TimedOut,
    Other,
    Unreachable,
    Reset,
    Refused,
    NoPorts,
    NoDescriptors,
}

impl Telling {
    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        if is_no_descriptors(error) {
            return Self::NoDescriptors;
        }
        match error.kind() {
            Kind::AddrNotAvailable | Kind::AddrInUse => Self::NoPorts,
            Kind::ConnectionRefused => Self::Refused,
            Kind::ConnectionReset | Kind::ConnectionAborted => Self::Reset,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Self::Unreachable,
            Kind::TimedOut => Self::TimedOut,
            _ => Self::Other,
        }
    }

    const fn kind(self) -> FailureKind {
        match self {
            Self::TimedOut => FailureKind::Timeout,
            Self::Other | Self::NoDescriptors => FailureKind::Io,
            Self::NoPorts => FailureKind::NoPorts,
            Self::Unreachable => FailureKind::Unreachable,
            Self::Reset => FailureKind::Reset,
            Self::Refused => FailureKind::Refused,
        }
    }
}

/// The most addresses named in a message.
const NAMED: usize = 4;

/// The addresses that did not connect, and why.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// One entry per address tried; `None` for one that had not answered when time was up.
    pub(super) tried: Vec<(SocketAddr, Option<io::Error>)>,
    /// Whether the phase's time was up, so that addresses may be left untried.
    pub(super) timed_out: bool,
}

impl Losses {
    /// One failure for all of them: the most telling kind, the first few addresses each with its error.
    pub(super) fn into_cause(self, target: &Target<'_>, bound: Bound) -> Cause {
        let worst = self.tried.iter().map(|(_, error)| error.as_ref().map_or(Telling::TimedOut, Telling::of)).max();
        let worst = worst.unwrap_or(Telling::TimedOut);
        let kind = if self.timed_out && bound.kind == FailureKind::TotalTimeout { bound.kind } else { worst.kind() };
        let failure = Failure::new(Phase::Connect, kind, self.message(target, bound, worst));
        match worst {
            Telling::NoDescriptors => Cause::NoDescriptors(failure),
            Telling::NoPorts => Cause::NoPorts(failure),
            _ => Cause::Peer(failure),
        }
    }

    fn message(&self, target: &Target<'_>, bound: Bound, worst: Telling) -> String {
        let mut text = format!("can't connect to {}:{}: ", target.host, target.port);
        for (at, (address, error)) in self.tried.iter().take(NAMED).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = match error {
                Some(error) => write!(text, "{comma}{address} {}", reason(error)),
                None => write!(text, "{comma}{address} no answer within {:?}", bound.left()),
            };
        }
        if self.tried.len() > NAMED {
            let _ = write!(text, ", and {} more", self.tried.len() - NAMED);
        }
        text.push_str(match worst {
            Telling::NoDescriptors => "; raise the descriptor limit (ulimit -n) or lower --concurrency",
            Telling::NoPorts => {
                "; all local ports to this address are in use: keep connections alive or lower the rate"
            }
            _ => "",
        });
        text
    }
}

/// The system's text for an error, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

/// The failure of a phase whose time is up.
pub(super) fn no_answer(bound: Bound, who: &str) -> Failure {
    let limit =
        if bound.kind == FailureKind::TotalTimeout { "what was left of the total time-out" } else { "its time-out" };
    Failure::new(bound.phase, bound.kind, format!("no answer from {who} within {:?}, {limit}", bound.left()))
}

/// The failure to connect to a Unix socket.
pub(super) fn unix_failure(path: &Path, error: &io::Error) -> Cause {
    let telling = Telling::of(error);
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "; no such file: check the path given with --unix-socket",
        io::ErrorKind::ConnectionRefused => "; the file is there but nothing listens on it",
        io::ErrorKind::PermissionDenied => "; this user may not write to it",
        _ => "",
    };
    let message = format!("can't connect to socket {}: {}{hint}", path.display(), reason(error));
    let failure = Failure::new(Phase::Connect, telling.kind(), message);
    if telling == Telling::NoDescriptors { Cause::NoDescriptors(failure) } else { Cause::Peer(failure) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::libc;

    use super::*;
    use crate::model::{Scheme, Time};

    const TARGET: Target<'_> = Target { scheme: Scheme::Http, host: "a.test", port: 80 };

    fn losses(errors: &[Option<i32>]) -> Losses {
        let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let tried = errors.iter().map(|code| (address, code.map(io::Error::from_raw_os_error))).collect();
        Losses { tried, timed_out: errors.contains(&None) }
    }

    fn bound(total: Time) -> Bound {
        Bound::new(Phase::Connect, Time::ZERO, Duration::from_secs(10), total)
    }

    #[test]
    fn the_most_telling_error_names_the_failure() {
        for (errors, kind) in [
            (&[Some(libc::ECONNREFUSED), None][..], FailureKind::Refused),
            (&[Some(libc::ENETUNREACH), Some(libc::ETIMEDOUT)], FailureKind::Unreachable),
            (&[Some(libc::ENETUNREACH), Some(libc::ECONNREFUSED)], FailureKind::Refused),
            (&[Some(libc::EHOSTUNREACH), Some(libc::ECONNRESET)], FailureKind::Reset),
            (&[None, None], FailureKind::Timeout),
            (&[], FailureKind::Timeout),
        ] {
            let Cause::Peer(failure) = losses(errors).into_cause(&TARGET, bound(Time::NEVER)) else { panic!() };
            assert_eq!(failure.kind, kind, "{errors:?}");
        }
    }

    #[test]
    fn a_total_time_out_is_one_whatever_was_tried() {
        let errors = [Some(libc::ECONNREFUSED), None];
        let failure = losses(&errors).into_cause(&TARGET, bound(Time::from_millis(5))).into_failure();
        assert_eq!(failure.kind, FailureKind::TotalTimeout);
    }

    #[test]
    fn what_our_machine_lacks_is_told_apart() {
        let cause = |code| losses(&[Some(libc::ECONNREFUSED), Some(code)]).into_cause(&TARGET, bound(Time::NEVER));
        assert!(matches!(cause(libc::EMFILE), Cause::NoDescriptors(_)));
        assert!(matches!(cause(libc::ENFILE), Cause::NoDescriptors(_)));
        assert!(matches!(cause(libc::EADDRNOTAVAIL), Cause::NoPorts(_)));
        assert!(matches!(cause(libc::EADDRINUSE), Cause::NoPorts(_)));
    }

    #[test]
    fn the_message_names_the_first_four_addresses() {
        let message = losses(&[Some(libc::ECONNREFUSED); 6]).into_cause(&TARGET, bound(Time::NEVER)).into_failure();
        assert_eq!(message.message.matches("connection refused").count(), 4);
        assert!(message.message.ends_with("and 2 more"), "{message}");
    }
}
