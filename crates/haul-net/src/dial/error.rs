//! How a dial can fail, and the sentences for it. Pure.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use nix::libc;

use super::deadline::PhaseDeadline;
use super::endpoint::Endpoint;
use super::{DialTimes, Target};
use haul_core::config::Setting;
use haul_core::model::{Failure, FailureKind, Phase};

/// Why a dial failed, with what is known of it up to then.
#[derive(Debug)]
pub struct DialError {
    /// Whose fault it is, and the failure.
    pub cause: DialFailure,
    /// How long the phases took, the failed one included.
    pub times: DialTimes,
    /// The peer, when the connection was open already (the handshake failed).
    pub remote: Option<SocketAddr>,
}

/// Whose fault it is. Only [`DialFailure::Peer`] says anything about the host.
#[derive(Debug)]
pub enum DialFailure {
    /// The process or the machine has no file descriptor left: open fewer sockets, try again later.
    NoDescriptors(Failure),
    /// No local port is left for this peer and local address: try again when connections have closed.
    NoPorts(Failure),
    /// The peer, its name, its address or its certificate.
    Peer(Failure),
}

impl DialFailure {
    /// The failure, whoever's fault it is.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::NoDescriptors(failure) | Self::NoPorts(failure) | Self::Peer(failure) => failure,
        }
    }
}

impl From<Failure> for DialFailure {
    fn from(failure: Failure) -> Self {
        Self::Peer(failure)
    }
}

/// The system's error numbers that say "no descriptor left": for the process, for the machine.
fn is_no_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// What an input/output error of a connect means. Least telling first: of several addresses' errors the last in this
/// order is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectErrorRank {
    TimedOut,
    Other,
    Unreachable,
    Reset,
    Refused,
    NoPorts,
    NoDescriptors,
}

impl ConnectErrorRank {
    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        if let Some((_, rank, _)) = by_number(error) {
            return *rank;
        }
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

/// What the system's error numbers say where a connection can't be opened, when that is not what their names say. Packets that
/// can't be sent or come back as ICMP errors have one each (Linux: ip-route(8), net/ipv4/icmp.c, net/ipv6/icmp.c).
const NUMBERS: &[(i32, ConnectErrorRank, &str)] = &[
    // IPv4's word for a blackhole route; IPv6's for an address of the link without the interface.
    (
        libc::EINVAL,
        ConnectErrorRank::Unreachable,
        "can't be reached: a route of this machine discards what is sent there (blackhole), or the address lacks its interface",
    ),
    (libc::EACCES, ConnectErrorRank::Unreachable, "can't be reached: a route (prohibit) or a router forbids it"),
    (libc::EPERM, ConnectErrorRank::Unreachable, "can't be reached: a firewall or a policy of this machine forbids it"),
    (libc::ENETDOWN, ConnectErrorRank::Unreachable, "can't be reached: the network interface is down"),
    (libc::ENODEV, ConnectErrorRank::Unreachable, "can't be reached: there is no such network interface"),
    (
        libc::EHOSTDOWN,
        ConnectErrorRank::Unreachable,
        "can't be reached: the last router knows no such host, or it is down",
    ),
    #[cfg(target_os = "linux")]
    (libc::ENONET, ConnectErrorRank::Unreachable, "can't be reached: the host is cut off from the network"),
    (
        libc::ENOPROTOOPT,
        ConnectErrorRank::Unreachable,
        "can't be reached: the host or a firewall before it takes no TCP",
    ),
    (libc::EPROTO, ConnectErrorRank::Unreachable, "can't be reached: the host or a firewall before it takes no TCP"),
    (libc::EOPNOTSUPP, ConnectErrorRank::Unreachable, "can't be reached: a router can't take the route asked for"),
    (libc::EMSGSIZE, ConnectErrorRank::Unreachable, "can't be reached: packets are too large for the way"),
    (
        libc::EAFNOSUPPORT,
        ConnectErrorRank::Unreachable,
        "can't be reached: this machine has no such protocol (IPv6 is off?)",
    ),
    (libc::ENOBUFS, ConnectErrorRank::Other, "not tried: the system has no memory left for connections"),
    (libc::ENOMEM, ConnectErrorRank::Other, "not tried: the system has no memory left for connections"),
    (libc::ETIMEDOUT, ConnectErrorRank::TimedOut, "no answer: the system gave up asking"),
    (libc::ECONNABORTED, ConnectErrorRank::Reset, "connection aborted by this machine"),
];

fn by_number(error: &io::Error) -> Option<&'static (i32, ConnectErrorRank, &'static str)> {
    let number = error.raw_os_error()?;
    NUMBERS.iter().find(|(known, ..)| *known == number)
}

/// The most addresses named in a message.
const NAMED: usize = 4;

/// The endpoints that did not connect, and why.
#[derive(Debug, Default)]
pub(super) struct ConnectErrors<'a> {
    /// One entry per endpoint tried; `None` for one that had not answered when time was up.
    pub(super) tried: Vec<(Endpoint<'a>, Option<io::Error>)>,
    /// Whether the phase's time was up, so that addresses may be left untried.
    pub(super) timed_out: bool,
}

impl ConnectErrors<'_> {
    /// One failure for all of them: the most telling kind, the first few addresses each with its error.
    pub(super) fn into_cause(self, target: &Target<'_>, deadline: PhaseDeadline) -> DialFailure {
        let rank = |error: Option<&io::Error>| error.map_or(ConnectErrorRank::TimedOut, ConnectErrorRank::of);
        let errors = self.tried.iter().map(|(_, error)| error.as_ref());
        let (worst, error) = errors
            .map(|error| (rank(error), error))
            .max_by_key(|(rank, _)| *rank)
            .unwrap_or((ConnectErrorRank::TimedOut, None));
        let kind =
            if self.timed_out && deadline.kind == FailureKind::TotalTimeout { deadline.kind } else { worst.kind() };
        let failure = Failure::new(Phase::Connect, kind, self.message(target, deadline, worst)).because_of(error);
        match worst {
            ConnectErrorRank::NoDescriptors => DialFailure::NoDescriptors(failure),
            ConnectErrorRank::NoPorts => DialFailure::NoPorts(failure),
            _ => DialFailure::Peer(failure),
        }
    }

    fn message(&self, target: &Target<'_>, deadline: PhaseDeadline, worst: ConnectErrorRank) -> String {
        let mut text = format!("can't connect to {}:{}: ", target.host, target.port);
        for (at, (endpoint, error)) in self.tried.iter().take(NAMED).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = match error {
                Some(error) => write!(text, "{comma}{endpoint} {}", reason(error)),
                None => write!(text, "{comma}{endpoint} no answer within {:?}", deadline.left()),
            };
        }
        if self.tried.len() > NAMED {
            let _ = write!(text, ", and {} more", self.tried.len() - NAMED);
        }
        let _ = match worst {
            ConnectErrorRank::NoDescriptors => {
                write!(text, "; raise the descriptor limit (ulimit -n) or lower `{}`", Setting::Concurrency)
            }
            ConnectErrorRank::NoPorts => {
                write!(text, "; all local ports to this address are in use: keep connections alive or lower the rate")
            }
            _ => Ok(()),
        };
        text
    }
}

/// What an error says: in our words, or the system's without its number.
fn reason(error: &io::Error) -> String {
    if let Some((.., text)) = by_number(error) {
        return (*text).to_owned();
    }
    words(error)
}

/// The system's words for an error.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

/// The failure of a phase whose time is up.
pub(super) fn no_answer(deadline: PhaseDeadline, who: &str) -> Failure {
    let limit =
        if deadline.kind == FailureKind::TotalTimeout { "what was left of the total time-out" } else { "its time-out" };
    Failure::new(deadline.phase, deadline.kind, format!("no answer from {who} within {:?}, {limit}", deadline.left()))
}

/// The failure to connect to a Unix socket.
pub(super) fn unix_failure(path: &Path, error: &io::Error) -> DialFailure {
    let rank = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => ConnectErrorRank::Other,
        _ => ConnectErrorRank::of(error),
    };
    let hint = match error.kind() {
        io::ErrorKind::NotFound => format!("; no such file: check the path given with `{}`", Setting::UnixSocket),
        io::ErrorKind::ConnectionRefused => "; the file is there but nothing listens on it".to_owned(),
        io::ErrorKind::PermissionDenied => "; this user may not write to it".to_owned(),
        _ => String::new(),
    };
    // The numbers mean other things for files.
    let message = format!("can't connect to socket {}: {}{hint}", path.display(), words(error));
    let failure = Failure::new(Phase::Connect, rank.kind(), message).because_of(error);
    if rank == ConnectErrorRank::NoDescriptors {
        DialFailure::NoDescriptors(failure)
    } else {
        DialFailure::Peer(failure)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use haul_core::model::{Scheme, Time};

    const TARGET: Target<'_> = Target { scheme: Scheme::Http, host: "a.test", port: 80 };

    fn connect_errors(errors: &[Option<i32>]) -> ConnectErrors<'static> {
        let address = Endpoint::Address("127.0.0.1:80".parse().unwrap());
        let tried = errors.iter().map(|code| (address, code.map(io::Error::from_raw_os_error))).collect();
        ConnectErrors { tried, timed_out: errors.contains(&None) }
    }

    fn deadline(total: Time) -> PhaseDeadline {
        PhaseDeadline::new(Phase::Connect, Time::ZERO, Duration::from_secs(10), total)
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
            let DialFailure::Peer(failure) = connect_errors(errors).into_cause(&TARGET, deadline(Time::NEVER)) else {
                panic!()
            };
            assert_eq!(failure.kind, kind, "{errors:?}");
        }
    }

    #[test]
    fn each_number_of_the_system_has_its_kind_and_words() {
        for (number, kind, words) in [
            (libc::EINVAL, FailureKind::Unreachable, "blackhole"),
            (libc::EACCES, FailureKind::Unreachable, "prohibit"),
            (libc::EPERM, FailureKind::Unreachable, "policy of this machine"),
            (libc::ENETUNREACH, FailureKind::Unreachable, "network is unreachable"),
            (libc::EHOSTUNREACH, FailureKind::Unreachable, "no route to host"),
            (libc::ENETDOWN, FailureKind::Unreachable, "interface is down"),
            (libc::ENODEV, FailureKind::Unreachable, "no such network interface"),
            (libc::EHOSTDOWN, FailureKind::Unreachable, "it is down"),
            #[cfg(target_os = "linux")]
            (libc::ENONET, FailureKind::Unreachable, "cut off"),
            (libc::ENOPROTOOPT, FailureKind::Unreachable, "takes no TCP"),
            (libc::EPROTO, FailureKind::Unreachable, "takes no TCP"),
            (libc::EOPNOTSUPP, FailureKind::Unreachable, "router"),
            (libc::EMSGSIZE, FailureKind::Unreachable, "too large"),
            (libc::EAFNOSUPPORT, FailureKind::Unreachable, "IPv6"),
            (libc::ECONNREFUSED, FailureKind::Refused, "connection refused"),
            (libc::ECONNRESET, FailureKind::Reset, "connection reset"),
            (libc::ECONNABORTED, FailureKind::Reset, "aborted"),
            (libc::ETIMEDOUT, FailureKind::Timeout, "no answer"),
            (libc::EADDRNOTAVAIL, FailureKind::NoPorts, "local ports"),
            (libc::EADDRINUSE, FailureKind::NoPorts, "local ports"),
            (libc::EMFILE, FailureKind::Io, "ulimit -n"),
            (libc::ENFILE, FailureKind::Io, "ulimit -n"),
            (libc::ENOBUFS, FailureKind::Io, "memory"),
            (libc::ENOMEM, FailureKind::Io, "memory"),
        ] {
            let failure = connect_errors(&[Some(number)]).into_cause(&TARGET, deadline(Time::NEVER)).into_failure();
            assert_eq!((failure.phase, failure.kind), (Phase::Connect, kind), "{number}: {failure}");
            assert!(failure.message.contains(words), "{number}: {failure}");
            assert!(
                !failure.message.contains("invalid argument") && !failure.message.contains("os error"),
                "{failure}"
            );
        }
    }

    #[test]
    fn a_total_time_out_is_one_whatever_was_tried() {
        let errors = [Some(libc::ECONNREFUSED), None];
        let failure = connect_errors(&errors).into_cause(&TARGET, deadline(Time::from_millis(5))).into_failure();
        assert_eq!(failure.kind, FailureKind::TotalTimeout);
    }

    #[test]
    fn what_our_machine_lacks_is_told_apart() {
        let cause =
            |code| connect_errors(&[Some(libc::ECONNREFUSED), Some(code)]).into_cause(&TARGET, deadline(Time::NEVER));
        assert!(matches!(cause(libc::EMFILE), DialFailure::NoDescriptors(_)));
        assert!(matches!(cause(libc::ENFILE), DialFailure::NoDescriptors(_)));
        assert!(matches!(cause(libc::EADDRNOTAVAIL), DialFailure::NoPorts(_)));
        assert!(matches!(cause(libc::EADDRINUSE), DialFailure::NoPorts(_)));
    }

    #[test]
    fn the_message_names_the_first_four_addresses() {
        let message =
            connect_errors(&[Some(libc::ECONNREFUSED); 6]).into_cause(&TARGET, deadline(Time::NEVER)).into_failure();
        assert_eq!(message.message.matches("connection refused").count(), 4);
        assert!(message.message.ends_with("and 2 more"), "{message}");
    }
}
