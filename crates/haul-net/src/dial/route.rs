//! Where a connection goes: `--unix-socket`, `--connect-to`, `--resolve`, literals, or a name to look up. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use haul_core::config::{ConnectTo, NetworkSettings};

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// To one of these addresses. No DNS needed.
    Addresses {
        /// The addresses, in the order to try them.
        addresses: Cow<'a, [IpAddr]>,
        /// The port.
        port: u16,
    },
    /// To an address of this name, which has to be looked up.
    Name {
        /// The name; with `--connect-to` not the target's own.
        host: &'a str,
        /// The port.
        port: u16,
    },
    /// To whatever this name means at the far end of the egress. No DNS here.
    Remote {
        /// The name, as above.
        host: &'a str,
        /// The port.
        port: u16,
    },
    /// To this Unix socket.
    Unix(&'a Path),
}

/// The rules, indexed so that finding a route does not depend on the number of `--resolve` rules.
pub(super) struct RouteTable {
    unix: Option<PathBuf>,
    /// Tried one by one: a handful in practice.
    connect_to: Vec<ConnectTo>,
    /// By port.
    resolve: HashMap<u16, PortRules>,
}

/// The `--resolve` rules of one port. Each has its position, because the first match wins.
#[derive(Default)]
struct PortRules {
    by_host: HashMap<Box<str>, StaticAddresses>,
    any_host: Option<StaticAddresses>,
}

struct StaticAddresses {
    position: usize,
    addresses: Box<[IpAddr]>,
}

impl RouteTable {
    pub(super) fn new(settings: &NetworkSettings) -> Self {
        let mut resolve: HashMap<u16, PortRules> = HashMap::new();
        for (position, rule) in settings.resolve.iter().enumerate() {
            let rules = resolve.entry(rule.port).or_default();
            let fixed = StaticAddresses { position, addresses: rule.addresses.as_slice().into() };
            match &rule.host {
                None => drop(rules.any_host.get_or_insert(fixed)),
                Some(host) => drop(rules.by_host.entry(bare(host).into()).or_insert(fixed)),
            }
        }
        Self { unix: settings.unix_socket.clone(), connect_to: settings.connect_to.clone(), resolve }
    }

    /// The route to `host` and `port`: a Unix socket before everything; then `--connect-to` changes host and port;
    /// then `--resolve` is looked at for the changed ones. `remote_dns`: names are looked up at the far end.
    pub(super) fn find<'a>(&'a self, host: &'a str, port: u16, remote_dns: bool) -> Route<'a> {
        if let Some(path) = &self.unix {
            return Route::Unix(path);
        }
        let (host, port) = self.redirected(bare(host), port);
        if let Some(addresses) = self.fixed(host, port) {
            return Route::Addresses { addresses: Cow::Borrowed(addresses), port };
        }
        match host.parse::<IpAddr>() {
            Ok(address) => Route::Addresses { addresses: Cow::Owned(vec![address]), port },
            Err(_) if remote_dns => Route::Remote { host, port },
            Err(_) => Route::Name { host, port },
        }
    }

    fn redirected<'a>(&'a self, host: &'a str, port: u16) -> (&'a str, u16) {
        let matching = self.connect_to.iter().find(|rule| {
            rule.from_host.as_deref().is_none_or(|from| bare(from) == host)
                && rule.from_port.is_none_or(|from| from == port)
        });
        matching.map_or((host, port), |rule| (rule.to_host.as_deref().map_or(host, bare), rule.to_port.unwrap_or(port)))
    }

    fn fixed(&self, host: &str, port: u16) -> Option<&[IpAddr]> {
        let rules = self.resolve.get(&port)?;
        let named = rules.by_host.get(host).into_iter();
        let first = named.chain(&rules.any_host).min_by_key(|fixed| fixed.position)?;
        Some(&first.addresses)
    }
}

/// The host without the brackets of an IPv6 literal.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul_core::config::ResolveRule;

    fn rule(host: Option<&str>, port: u16, address: &str) -> ResolveRule {
        ResolveRule { host: host.map(Into::into), port, addresses: vec![address.parse().unwrap()] }
    }

    fn to(address: &str, port: u16) -> Route<'static> {
        Route::Addresses { addresses: Cow::Owned(vec![address.parse().unwrap()]), port }
    }

    fn connect_to(from: (Option<&str>, Option<u16>), to: (Option<&str>, Option<u16>)) -> ConnectTo {
        ConnectTo { from_host: from.0.map(Into::into), from_port: from.1, to_host: to.0.map(Into::into), to_port: to.1 }
    }

    #[test]
    fn literals_need_no_name_and_names_do() {
        let routes = RouteTable::new(&NetworkSettings::default());
        assert_eq!(routes.find("192.0.2.1", 80, false), to("192.0.2.1", 80));
        assert_eq!(routes.find("[2001:db8::1]", 443, false), to("2001:db8::1", 443));
        assert_eq!(routes.find("a.example", 80, false), Route::Name { host: "a.example", port: 80 });
        assert_eq!(routes.find("a.example", 80, true), Route::Remote { host: "a.example", port: 80 });
        assert_eq!(routes.find("192.0.2.1", 80, true), to("192.0.2.1", 80));
    }

    #[test]
    fn the_first_resolve_rule_that_matches_wins() {
        let resolve = vec![
            rule(Some("a.example"), 80, "127.0.0.1"),
            rule(None, 80, "127.0.0.2"),
            rule(Some("b.example"), 80, "127.0.0.3"),
            rule(Some("a.example"), 80, "127.0.0.4"),
        ];
        let routes = RouteTable::new(&NetworkSettings { resolve, ..NetworkSettings::default() });
        assert_eq!(routes.find("a.example", 80, false), to("127.0.0.1", 80));
        assert_eq!(routes.find("b.example", 80, false), to("127.0.0.2", 80));
        assert_eq!(routes.find("192.0.2.1", 80, false), to("127.0.0.2", 80));
        assert_eq!(routes.find("a.example", 81, false), Route::Name { host: "a.example", port: 81 });
        assert_eq!(
            routes.find("a.example", 80, true),
            to("127.0.0.1", 80),
            "at the far end only what is not known here"
        );
    }

    #[test]
    fn connect_to_changes_what_resolve_is_asked_for() {
        let settings = NetworkSettings {
            connect_to: vec![
                connect_to((Some("a.example"), Some(80)), (Some("b.example"), Some(8080))),
                connect_to((None, Some(81)), (Some("[::1]"), None)),
                connect_to((None, None), (None, Some(9))),
            ],
            resolve: vec![rule(Some("b.example"), 8080, "127.0.0.9")],
            ..NetworkSettings::default()
        };
        let routes = RouteTable::new(&settings);
        assert_eq!(routes.find("a.example", 80, false), to("127.0.0.9", 8080));
        assert_eq!(routes.find("x.example", 81, false), to("::1", 81));
        assert_eq!(routes.find("x.example", 82, false), Route::Name { host: "x.example", port: 9 });
    }

    #[test]
    fn a_unix_socket_wins_over_everything() {
        let settings = NetworkSettings {
            unix_socket: Some("/run/x".into()),
            resolve: vec![rule(None, 80, "127.0.0.1")],
            ..NetworkSettings::default()
        };
        assert_eq!(RouteTable::new(&settings).find("127.0.0.1", 80, false), Route::Unix(Path::new("/run/x")));
    }
}
