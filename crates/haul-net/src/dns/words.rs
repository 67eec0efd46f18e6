//! The sentences of a look-up that brought no address. Pure.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::families::Fault;
use super::message::code_name;
use super::search::Then;
use super::tries::{Lack, Trouble};
use haul_core::config::Setting;
use haul_core::model::FailureKind;

/// The name servers of a message, and where they are from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) servers: &'a [SocketAddr],
    /// Nobody named them: resolv.conf has none, so that this machine was asked.
    pub(super) unnamed: bool,
    /// How long the look-up might take.
    pub(super) within: Duration,
}

impl Asked<'_> {
    pub(super) fn no_name(&self, server: SocketAddr) -> Fault {
        let message = format!("'{}' does not exist, says name server {server} (NXDOMAIN); check the name", self.name);
        Fault::new(FailureKind::NameNotFound, message)
    }

    /// `dangling`: the name is another one's alias, and that one has no address.
    pub(super) fn no_address(&self, server: SocketAddr, dangling: bool) -> Fault {
        let name = self.name;
        let (what, then) = match dangling {
            true => ("is an alias of a name without an address", Then::Stop),
            false => ("has no address", Then::Next),
        };
        let family = Setting::Family;
        let message = format!("'{name}' {what}, says name server {server} (NODATA); check the name, or `{family}`");
        Fault { then, ..Fault::new(FailureKind::NoAddress, message) }
    }

    /// Why no server was a help.
    pub(super) fn failed(&self, troubles: &[(usize, Trouble)], lack: Option<&Lack>) -> Fault {
        // One that can't be reached from here, and one that could not be asked: neither has said anything of the name.
        let mute = |(_, trouble): &(usize, Trouble)| matches!(trouble, Trouble::Silent | Trouble::Unreachable(_));
        if let Some(lack) = lack.filter(|_| troubles.iter().all(mute)) {
            return self.lacking(lack);
        }
        let silent = |(_, trouble): &(usize, Trouble)| *trouble == Trouble::Silent;
        if troubles.iter().all(silent) {
            return self.timed_out();
        }
        let mut message = format!("'{}' could not be looked up: name server ", self.name);
        for (at, (server, trouble)) in troubles.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let address = self.servers.get(*server).map_or_else(String::new, ToString::to_string);
            let _ = write!(message, "{comma}{address} {}", self.trouble(trouble));
        }
        if self.unnamed {
            message.push_str(" (/etc/resolv.conf names no server, so that this machine was asked)");
        }
        let _ = write!(message, "; try another server with `{}`", Setting::DnsServers);
        let then = match troubles {
            _ if troubles.iter().all(|(_, trouble)| matches!(trouble, Trouble::Unreachable(_))) => Then::Stop,
            [.., (_, Trouble::Code(2))] => Then::Next,
            _ => Then::AsIs,
        };
        let brief = brief(troubles.iter().map(|(_, trouble)| trouble)).into();
        Fault { then, brief, ..Fault::new(FailureKind::ServerFailure, message) }
    }

    /// `name` is what somebody asked for, which may be another than the one that is no name.
    pub(super) fn unspeakable(&self, name: &str) -> Fault {
        let what = if self.name == name.strip_suffix('.').unwrap_or(name) { "the URL" } else { "the search domains" };
        let message =
            format!("'{}' can't be a name in DNS: a part of it is empty or too long; check {what}", self.name);
        // glibc ends the list at such a name.
        let fault = Fault::new(FailureKind::NameNotFound, message);
        Fault { then: Then::AsIs, brief: "can't be a name".into(), ..fault }
    }

    fn trouble(&self, trouble: &Trouble) -> String {
        match trouble {
            Trouble::Silent => format!("did not answer within {:?}", self.within),
            Trouble::Code(code) => format!("answered {}", code_name(*code)),
            Trouble::Nonsense => "sent something that can't be read".to_owned(),
            Trouble::Referral => "does not look up names for others".to_owned(),
            Trouble::Unreachable(why) => format!("was no use: {why}"),
            Trouble::Cut(None) => "has an answer too long for UDP, and did not give it over TCP".to_owned(),
            Trouble::Cut(Some(why)) => format!("has an answer too long for UDP, but {why}"),
            Trouble::Closed => "ended the connection over TCP without an answer".to_owned(),
        }
    }

    /// The fault of a look-up that did not end in time.
    pub(super) fn timed_out(&self) -> Fault {
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
        Fault::new(FailureKind::Timeout, message)
    }

    fn lacking(&self, lack: &Lack) -> Fault {
        let name = self.name;
        let message = match lack {
            Lack::Descriptors => {
                let most = Setting::Concurrency;
                format!("no descriptor left to look up '{name}'; raise the limit (ulimit -n) or lower `{most}`")
            }
            Lack::Ports => {
                format!("this machine has no free port left to look up '{name}'; fewer look-ups at once need fewer")
            }
            Lack::Other(error) => {
                format!("this machine could not send the question for '{name}': {error}; no name server is to blame")
            }
        };
        Fault { then: Then::Stop, ..Fault::new(FailureKind::Io, message) }
    }
}

/// What the servers did, in a word or two each; what several did once.
fn brief<'a>(troubles: impl Iterator<Item = &'a Trouble>) -> String {
    let mut words: Vec<Cow<'static, str>> = Vec::new();
    for trouble in troubles {
        let word = match trouble {
            Trouble::Silent => "no answer".into(),
            Trouble::Code(code) => code_name(*code).into(),
            Trouble::Nonsense => "an unreadable answer".into(),
            Trouble::Referral => "a referral".into(),
            Trouble::Unreachable(_) => "nobody could be asked".into(),
            Trouble::Cut(_) | Trouble::Closed => "no answer over TCP".into(),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

/// Names that a message says what became of: those of a usual search list.
const MOST_SHOWN: usize = 6;

/// `fault` with what became of each name that was tried in its place. `left`: how many more there would have been.
pub(super) fn searched(fault: Fault, tried: &[(String, Cow<'static, str>)], left: usize) -> Fault {
    if tried.len() + left < 2 {
        return fault;
    }
    let mut message = format!("{} (the search list's names: ", fault.message);
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
    Fault { message: message.into(), ..fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_of_a_search_is_said_what_became_of() {
        let fault = || Fault::new(FailureKind::NameNotFound, "no.".to_owned());
        let says = |tried: &[(&str, &'static str)], left| {
            let tried: Vec<_> = tried.iter().map(|(name, brief)| ((*name).to_owned(), Cow::from(*brief))).collect();
            searched(fault(), &tried, left).message.to_string()
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
        for (troubles, expected) in [
            (&[Trouble::Code(2)][..], "SERVFAIL"),
            (&[Trouble::Code(5), Trouble::Code(5), Trouble::Silent], "REFUSED, no answer"),
            (
                &[Trouble::Unreachable("x".into()), Trouble::Closed, Trouble::Cut(None)],
                "nobody could be asked, no answer over TCP",
            ),
        ] {
            assert_eq!(brief(troubles.iter()), expected);
        }
    }

    fn asked(servers: &[SocketAddr]) -> Asked<'_> {
        Asked { name: "a.test", servers, unnamed: false, within: Duration::from_secs(10) }
    }

    #[test]
    fn each_server_s_part_in_a_failure_is_named() {
        let servers: Vec<SocketAddr> = (1..=2).map(|port| ([127, 0, 0, 1], port).into()).collect();
        let asked = asked(&servers);
        let fault = asked.failed(&[(0, Trouble::Code(5)), (1, Trouble::Silent)], None);
        assert_eq!((fault.kind, fault.then), (FailureKind::ServerFailure, Then::AsIs));
        assert_eq!(
            &*fault.message,
            "'a.test' could not be looked up: name server 127.0.0.1:1 answered REFUSED, \
             127.0.0.1:2 did not answer within 10s; try another server with `dns.servers`"
        );
    }

    #[test]
    fn kind_and_what_follows_for_each_trouble() {
        use FailureKind::{Io, ServerFailure, Timeout};
        let servers = [([127, 0, 0, 1], 53).into()];
        let asked = asked(&servers);
        let unreachable = || Trouble::Unreachable("nobody listens at its port".into());
        for (troubles, lack, kind, then) in [
            (vec![Trouble::Silent], None, Timeout, Then::AsIs),
            (vec![], None, Timeout, Then::AsIs),
            (vec![Trouble::Code(2)], None, ServerFailure, Then::Next),
            (vec![Trouble::Code(5)], None, ServerFailure, Then::AsIs),
            (vec![Trouble::Nonsense], None, ServerFailure, Then::AsIs),
            (vec![Trouble::Cut(None)], None, ServerFailure, Then::AsIs),
            (vec![Trouble::Closed], None, ServerFailure, Then::AsIs),
            (vec![Trouble::Referral], None, ServerFailure, Then::AsIs),
            (vec![unreachable()], None, ServerFailure, Then::Stop),
            (vec![unreachable(), Trouble::Silent], None, ServerFailure, Then::AsIs),
            (vec![Trouble::Silent], Some(Lack::Descriptors), Io, Then::Stop),
            (vec![], Some(Lack::Ports), Io, Then::Stop),
            (vec![], Some(Lack::Other("no buffer space".into())), Io, Then::Stop),
            (vec![unreachable()], Some(Lack::Ports), Io, Then::Stop),
            (vec![Trouble::Code(2)], Some(Lack::Ports), ServerFailure, Then::Next),
        ] {
            let what = format!("{troubles:?} {lack:?}");
            let troubles: Vec<_> = troubles.into_iter().map(|trouble| (0, trouble)).collect();
            let fault = asked.failed(&troubles, lack.as_ref());
            assert_eq!((fault.kind, fault.then), (kind, then), "{what}");
            assert!(fault.message.contains("'a.test'"), "{what}: {}", fault.message);
        }
    }

    #[test]
    fn a_machine_that_names_no_server_says_so() {
        let servers = [([127, 0, 0, 1], 53).into()];
        let asked = Asked { unnamed: true, ..asked(&servers) };
        let fault = asked.failed(&[(0, Trouble::Unreachable("nobody listens at its port".into()))], None);
        assert!(
            fault.message.contains("/etc/resolv.conf") && fault.message.contains("dns.servers"),
            "{}",
            fault.message
        );
    }
}
