//! The sentences of a look-up that brought no address. Pure.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::families::LookupError;
use super::message::code_name;
use super::query_schedule::{NameServerError, ResourceShortage};
use super::search::SearchVerdict;
use haul_core::config::Setting;
use haul_core::model::FailureKind;

/// The name servers of a message, and where they are from.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookupContext<'a> {
    pub(super) name: &'a str,
    pub(super) servers: &'a [SocketAddr],
    /// Nobody named them: resolv.conf has none, so that this machine was asked.
    pub(super) unnamed: bool,
    /// How long the look-up might take.
    pub(super) within: Duration,
}

impl LookupContext<'_> {
    pub(super) fn no_name(&self, server: SocketAddr) -> LookupError {
        let message = format!("'{}' does not exist, says name server {server} (NXDOMAIN); check the name", self.name);
        LookupError::new(FailureKind::NameNotFound, message)
    }

    /// `dangling`: the name is another one's alias, and that one has no address.
    pub(super) fn no_address(&self, server: SocketAddr, dangling: bool) -> LookupError {
        let name = self.name;
        let (what, then) = match dangling {
            true => ("is an alias of a name without an address", SearchVerdict::Stop),
            false => ("has no address", SearchVerdict::Next),
        };
        let family = Setting::Family;
        let message = format!("'{name}' {what}, says name server {server} (NODATA); check the name, or `{family}`");
        LookupError { then, ..LookupError::new(FailureKind::NoAddress, message) }
    }

    /// Why no server was a help.
    pub(super) fn failed(&self, failures: &[(usize, NameServerError)], lack: Option<&ResourceShortage>) -> LookupError {
        // One that can't be reached from here, and one that could not be asked: neither has said anything of the name.
        let mute = |(_, failure): &(usize, NameServerError)| {
            matches!(failure, NameServerError::Silent | NameServerError::Unreachable(_))
        };
        if let Some(lack) = lack.filter(|_| failures.iter().all(mute)) {
            return self.lacking(lack);
        }
        let silent = |(_, failure): &(usize, NameServerError)| *failure == NameServerError::Silent;
        if failures.iter().all(silent) {
            return self.timed_out();
        }
        let mut message = format!("'{}' could not be looked up: name server ", self.name);
        for (at, (server, failure)) in failures.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let address = self.servers.get(*server).map_or_else(String::new, ToString::to_string);
            let _ = write!(message, "{comma}{address} {}", self.failure(failure));
        }
        if self.unnamed {
            message.push_str(" (/etc/resolv.conf names no server, so that this machine was asked)");
        }
        let _ = write!(message, "; try another server with `{}`", Setting::DnsServers);
        let then = match failures {
            _ if failures.iter().all(|(_, failure)| matches!(failure, NameServerError::Unreachable(_))) => {
                SearchVerdict::Stop
            }
            [.., (_, NameServerError::Code(2))] => SearchVerdict::Next,
            _ => SearchVerdict::AsIs,
        };
        let brief = brief(failures.iter().map(|(_, failure)| failure)).into();
        LookupError { then, brief, ..LookupError::new(FailureKind::ServerFailure, message) }
    }

    /// `name` is what somebody asked for, which may be another than the one that is no name.
    pub(super) fn unspeakable(&self, name: &str) -> LookupError {
        let what = if self.name == name.strip_suffix('.').unwrap_or(name) { "the URL" } else { "the search domains" };
        let message =
            format!("'{}' can't be a name in DNS: a part of it is empty or too long; check {what}", self.name);
        // glibc ends the list at such a name.
        let error = LookupError::new(FailureKind::NameNotFound, message);
        LookupError { then: SearchVerdict::AsIs, brief: "can't be a name".into(), ..error }
    }

    fn failure(&self, failure: &NameServerError) -> String {
        match failure {
            NameServerError::Silent => format!("did not answer within {:?}", self.within),
            NameServerError::Code(code) => format!("answered {}", code_name(*code)),
            NameServerError::Nonsense => "sent something that can't be read".to_owned(),
            NameServerError::Referral => "does not look up names for others".to_owned(),
            NameServerError::Unreachable(why) => format!("was no use: {why}"),
            NameServerError::Cut(None) => "has an answer too long for UDP, and did not give it over TCP".to_owned(),
            NameServerError::Cut(Some(why)) => format!("has an answer too long for UDP, but {why}"),
            NameServerError::Closed => "ended the connection over TCP without an answer".to_owned(),
        }
    }

    /// The error of a look-up that did not end in time.
    pub(super) fn timed_out(&self) -> LookupError {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        let servers = if servers.is_empty() {
            "the name server".to_owned()
        } else {
            format!("name server {}", servers.join(", "))
        };
        let message = format!(
            "no answer for '{}' from {servers} within {:?}; try another server with `{}`",
            self.name,
            self.within,
            Setting::DnsServers
        );
        LookupError::new(FailureKind::Timeout, message)
    }

    fn lacking(&self, lack: &ResourceShortage) -> LookupError {
        let name = self.name;
        let message = match lack {
            ResourceShortage::Descriptors => {
                let most = Setting::Concurrency;
                format!("no descriptor left to look up '{name}'; raise the limit (ulimit -n) or lower `{most}`")
            }
            ResourceShortage::Ports => {
                format!("this machine has no free port left to look up '{name}'; fewer look-ups at once need fewer")
            }
            ResourceShortage::Other(error) => {
                format!("this machine could not send the question for '{name}': {error}; no name server is to blame")
            }
        };
        LookupError { then: SearchVerdict::Stop, ..LookupError::new(FailureKind::Io, message) }
    }
}

/// What the servers did, in a word or two each; what several did once.
fn brief<'a>(failures: impl Iterator<Item = &'a NameServerError>) -> String {
    let mut words: Vec<Cow<'static, str>> = Vec::new();
    for failure in failures {
        let word = match failure {
            NameServerError::Silent => "no answer".into(),
            NameServerError::Code(code) => code_name(*code).into(),
            NameServerError::Nonsense => "an unreadable answer".into(),
            NameServerError::Referral => "a referral".into(),
            NameServerError::Unreachable(_) => "nobody could be asked".into(),
            NameServerError::Cut(_) | NameServerError::Closed => "no answer over TCP".into(),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

/// Names that a message says what became of: those of a usual search list.
const MOST_SHOWN: usize = 6;

/// `error` with what became of each name that was tried in its place. `left`: how many more there would have been.
pub(super) fn searched(error: LookupError, tried: &[(String, Cow<'static, str>)], left: usize) -> LookupError {
    if tried.len() + left < 2 {
        return error;
    }
    let mut message = format!("{} (the search list's names: ", error.message);
    for (at, (name, brief)) in tried.iter().take(MOST_SHOWN).enumerate() {
        let comma = if at == 0 { "" } else { "; " };
        let _ = write!(message, "{comma}{name}: {brief}");
    }
    if let Some(more @ 1..) = tried.len().checked_sub(MOST_SHOWN) {
        let _ = write!(message, "; {more} more tried");
    }
    if left > 0 {
        let _ = write!(message, "; {left} not asked for");
    }
    message.push(')');
    LookupError { message: message.into(), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_of_a_search_is_said_what_became_of() {
        let error = || LookupError::new(FailureKind::NameNotFound, "no.".to_owned());
        let says = |tried: &[(&str, &'static str)], left| {
            let tried: Vec<_> = tried.iter().map(|(name, brief)| ((*name).to_owned(), Cow::from(*brief))).collect();
            searched(error(), &tried, left).message.to_string()
        };
        assert_eq!(says(&[("a", "NXDOMAIN")], 0), "no.");
        assert_eq!(
            says(&[("a.b", "REFUSED"), ("a", "NXDOMAIN")], 1),
            "no. (the search list's names: a.b: REFUSED; a: NXDOMAIN; 1 not asked for)"
        );
        assert_eq!(
            says(&[("a.b", "no address")], 2),
            "no. (the search list's names: a.b: no address; 2 not asked for)"
        );
        let many = [("a.b", "NXDOMAIN"); MOST_SHOWN + 3];
        assert!(says(&many, 0).ends_with("a.b: NXDOMAIN; 3 more tried)"), "{}", says(&many, 0));
        assert!(says(&many[..MOST_SHOWN], 0).ends_with("a.b: NXDOMAIN)"));
    }

    #[test]
    fn what_servers_did_is_said_briefly() {
        for (failures, expected) in [
            (&[NameServerError::Code(2)][..], "SERVFAIL"),
            (&[NameServerError::Code(5), NameServerError::Code(5), NameServerError::Silent], "REFUSED, no answer"),
            (
                &[NameServerError::Unreachable("x".into()), NameServerError::Closed, NameServerError::Cut(None)],
                "nobody could be asked, no answer over TCP",
            ),
        ] {
            assert_eq!(brief(failures.iter()), expected);
        }
    }

    fn asked(servers: &[SocketAddr]) -> LookupContext<'_> {
        LookupContext { name: "a.test", servers, unnamed: false, within: Duration::from_secs(10) }
    }

    #[test]
    fn each_server_s_part_in_a_failure_is_named() {
        let servers: Vec<SocketAddr> = (1..=2).map(|port| ([127, 0, 0, 1], port).into()).collect();
        let asked = asked(&servers);
        let error = asked.failed(&[(0, NameServerError::Code(5)), (1, NameServerError::Silent)], None);
        assert_eq!((error.kind, error.then), (FailureKind::ServerFailure, SearchVerdict::AsIs));
        assert_eq!(
            &*error.message,
            "'a.test' could not be looked up: name server 127.0.0.1:1 answered REFUSED, \
             127.0.0.1:2 did not answer within 10s; try another server with `dns.servers`"
        );
    }

    #[test]
    fn kind_and_what_follows_for_each_trouble() {
        use FailureKind::{Io, ServerFailure, Timeout};
        let servers = [([127, 0, 0, 1], 53).into()];
        let asked = asked(&servers);
        let unreachable = || NameServerError::Unreachable("nobody listens at its port".into());
        for (failures, lack, kind, then) in [
            (vec![NameServerError::Silent], None, Timeout, SearchVerdict::AsIs),
            (vec![], None, Timeout, SearchVerdict::AsIs),
            (vec![NameServerError::Code(2)], None, ServerFailure, SearchVerdict::Next),
            (vec![NameServerError::Code(5)], None, ServerFailure, SearchVerdict::AsIs),
            (vec![NameServerError::Nonsense], None, ServerFailure, SearchVerdict::AsIs),
            (vec![NameServerError::Cut(None)], None, ServerFailure, SearchVerdict::AsIs),
            (vec![NameServerError::Closed], None, ServerFailure, SearchVerdict::AsIs),
            (vec![NameServerError::Referral], None, ServerFailure, SearchVerdict::AsIs),
            (vec![unreachable()], None, ServerFailure, SearchVerdict::Stop),
            (vec![unreachable(), NameServerError::Silent], None, ServerFailure, SearchVerdict::AsIs),
            (vec![NameServerError::Silent], Some(ResourceShortage::Descriptors), Io, SearchVerdict::Stop),
            (vec![], Some(ResourceShortage::Ports), Io, SearchVerdict::Stop),
            (vec![], Some(ResourceShortage::Other("no buffer space".into())), Io, SearchVerdict::Stop),
            (vec![unreachable()], Some(ResourceShortage::Ports), Io, SearchVerdict::Stop),
            (vec![NameServerError::Code(2)], Some(ResourceShortage::Ports), ServerFailure, SearchVerdict::Next),
        ] {
            let what = format!("{failures:?} {lack:?}");
            let failures: Vec<_> = failures.into_iter().map(|failure| (0, failure)).collect();
            let error = asked.failed(&failures, lack.as_ref());
            assert_eq!((error.kind, error.then), (kind, then), "{what}");
            assert!(error.message.contains("'a.test'"), "{what}: {}", error.message);
        }
    }

    #[test]
    fn a_machine_that_names_no_server_says_so() {
        let servers = [([127, 0, 0, 1], 53).into()];
        let asked = LookupContext { unnamed: true, ..asked(&servers) };
        let error = asked.failed(&[(0, NameServerError::Unreachable("nobody listens at its port".into()))], None);
        assert!(
            error.message.contains("/etc/resolv.conf") && error.message.contains("dns.servers"),
            "{}",
            error.message
        );
    }
}
