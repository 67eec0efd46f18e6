//! Which addresses, by which names, and which protocol.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use haul::config::{ConnectTo, DnsSettings, EgressSettings, FamilyPreference, NetworkSettings, ResolveRule};

use super::values;

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Use fixed addresses, without DNS: HOST:PORT:ADDR[,ADDR]; HOST may be *; may be repeated
    #[arg(long, value_name = "RULE", value_parser = values::resolve)]
    pub(crate) resolve: Vec<ResolveRule>,
    /// Connect elsewhere: HOST1:PORT1:HOST2:PORT2; an empty part matches or keeps; may be repeated
    #[arg(long, value_name = "RULE", value_parser = values::connect_to)]
    pub(crate) connect_to: Vec<ConnectTo>,
    /// Ask this name server, ADDR or ADDR:PORT; may be repeated [default: the system's]
    #[arg(long, value_name = "ADDR", value_parser = values::dns_server)]
    pub(crate) dns_server: Vec<SocketAddr>,
    /// Connect only to addresses on the public internet, wherever they come from: a URL, a name, a redirect, a rule
    #[arg(long)]
    pub(crate) public_only: bool,
    /// Use IPv4 only
    #[arg(short = '4', long)]
    pub(crate) ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
    /// Connect from this local address [default: the system's choice]
    #[arg(long, value_name = "ADDR")]
    pub(crate) local_address: Option<IpAddr>,
    /// Connect to this Unix socket instead of any address
    #[arg(long, value_name = "FILE")]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Use HTTP/1.1 only
    #[arg(long = "http1.1")]
    pub(crate) http1: bool,
    /// Speak HTTP/2 to http:// hosts without asking
    #[arg(long)]
    pub(crate) http2_prior_knowledge: bool,
    /// Open a new connection for every request
    #[arg(long)]
    pub(crate) no_reuse: bool,
}

impl NetworkArgs {
    /// The network these flags ask for.
    pub(crate) fn settings(self) -> NetworkSettings {
        let family = match (self.ipv4, self.ipv6) {
            (true, _) => FamilyPreference::Ipv4Only,
            (_, true) => FamilyPreference::Ipv6Only,
            _ => FamilyPreference::Both,
        };
        NetworkSettings {
            family,
            public_only: self.public_only,
            egress: vec![EgressSettings { local_address: self.local_address, ..EgressSettings::default() }],
            unix_socket: self.unix_socket,
            resolve: self.resolve,
            connect_to: self.connect_to,
            http2_prior_knowledge: self.http2_prior_knowledge,
            http1_only: self.http1,
            ..NetworkSettings::default()
        }
    }
}

/// How names are looked up. The variables that say it to glibc say it of the machine's own name servers, not of others.
pub(crate) fn names(servers: &[SocketAddr]) -> DnsSettings {
    let variable = |name: &str| {
        let value = std::env::var_os(name).filter(|_| servers.is_empty());
        value.and_then(|value| value.into_string().ok())
    };
    DnsSettings {
        servers: servers.to_vec(),
        search: variable("LOCALDOMAIN").map(|domains| search_domains(&domains)).unwrap_or_default(),
        options: variable("RES_OPTIONS").unwrap_or_default(),
        ..DnsSettings::default()
    }
}

/// The domains that `LOCALDOMAIN` names. One that is set and empty names the root: nothing is added to a name.
fn search_domains(value: &str) -> Vec<String> {
    let domains: Vec<_> = value.split_ascii_whitespace().map(str::to_owned).collect();
    if domains.is_empty() { vec![String::new()] } else { domains }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_of_domains_is_a_list() {
        for (value, expected) in [("a.test b.test", &["a.test", "b.test"][..]), ("", &[""]), (" \t", &[""])] {
            assert_eq!(search_domains(value), expected, "{value:?}");
        }
    }
}
