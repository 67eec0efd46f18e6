//! The name servers, asked through hickory.
//!
//! Everything is set up when the first name is asked for: a run over addresses needs no name server.

use std::cell::OnceCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};

use super::families::{Family, Fault, Found};
use crate::config::{DnsSettings, FamilyPreference};
use crate::model::FailureKind;

/// The name servers and the hosts file.
pub(super) struct Upstream {
    servers: Vec<SocketAddr>,
    query_timeout: Duration,
    /// How long an entry of the hosts file is used: it has no TTL.
    hosts_ttl: Duration,
    client: OnceCell<Client>,
    hosts: OnceCell<Hosts>,
}

/// hickory, set up.
struct Client {
    resolver: TokioResolver,
    /// The servers as messages name them.
    servers: Box<str>,
}

impl Upstream {
    pub(super) fn new(settings: &DnsSettings) -> Self {
        Self {
            servers: settings.servers.clone(),
            query_timeout: settings.query_timeout,
            hosts_ttl: settings.max_ttl,
            client: OnceCell::new(),
            hosts: OnceCell::new(),
        }
    }

    /// What the hosts file says of `name`. A file that can't be read says nothing.
    pub(super) fn known_locally(&self, name: &str, family: FamilyPreference) -> Option<Found> {
        let hosts = self.hosts.get_or_init(|| Hosts::from_system().unwrap_or_default());
        let name = Name::from_ascii(name).ok()?;
        let addresses: Vec<_> = [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|lookup| lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .filter(|ip| family.allows(*ip))
            .collect();
        (!addresses.is_empty()).then_some(Found { addresses, ttl: self.hosts_ttl })
    }

    /// Asks for one family's addresses of `name`.
    pub(super) async fn ask(&self, name: &str, family: Family) -> Result<Found, Fault> {
        let client = self.client(name)?;
        let absolute = absolute(name)?;
        let answer = match family {
            Family::V4 => client.resolver.ipv4_lookup(absolute).await,
            Family::V6 => client.resolver.ipv6_lookup(absolute).await,
        };
        let lookup = answer.map_err(|error| client.fault(name, &error))?;
        let addresses: Vec<_> = lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
        if addresses.is_empty() {
            return Err(client.no_address(name));
        }
        let ttl = lookup.answers().iter().map(|record: &Record| record.ttl).min().unwrap_or_default();
        Ok(Found { addresses, ttl: Duration::from_secs(ttl.into()) })
    }

    /// The fault of a look-up that did not end in time.
    pub(super) fn timed_out(&self, name: &str, after: Duration) -> Fault {
        let servers = self.client.get().map_or("the name server", |client| &client.servers);
        Fault::new(
            FailureKind::Timeout,
            format!("no answer for '{name}' from {servers} within {after:?}; try another server with --dns-server"),
        )
    }

    fn client(&self, name: &str) -> Result<&Client, Fault> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.set_up().map_err(|error| no_server(name, &error))?;
        Ok(self.client.get_or_init(|| client))
    }

    fn set_up(&self) -> Result<Client, NetError> {
        let (config, options) = if self.servers.is_empty() {
            read_system_conf()?
        } else {
            let servers = self.servers.iter().map(|server| name_server(*server)).collect();
            (ResolverConfig::from_parts(None, Vec::new(), servers), ResolverOpts::default())
        };
        let servers = describe(&config);
        let count = config.name_servers().len();
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = self.options(options, count);
        Ok(Client { resolver: builder.build()?, servers: servers.into() })
    }

    /// hickory's options for asking a great many names once each.
    fn options(&self, mut options: ResolverOpts, servers: usize) -> ResolverOpts {
        options.timeout = self.query_timeout;
        // One server a question, the next one when it fails: turns rather than statistics, so that a server that
        // answers SERVFAIL at once does not win every time.
        options.num_concurrent_reqs = 1;
        options.server_ordering_strategy = ServerOrderingStrategy::RoundRobin;
        options.attempts = servers.clamp(1, 3);
        // Only names without a dot go through the search list.
        options.ndots = 1;
        // The cache in front remembers addresses; this one would copy whole messages.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        // For answers too long for UDP: all look-ups may share one TCP connection.
        options.max_active_requests = 1024;
        options
    }
}

/// The name servers that this machine names (`/etc/resolv.conf`), in its order.
///
/// # Errors
/// It names none, or what names them can't be read.
pub fn system_servers() -> io::Result<Vec<SocketAddr>> {
    let (config, _) = read_system_conf().map_err(io::Error::other)?;
    Ok(addresses(&config).collect())
}

/// The fault of a look-up on a machine that names no server.
fn no_server(name: &str, error: &NetError) -> Fault {
    let message = format!(
        "can't look up '{name}': no name server found in /etc/resolv.conf ({error}); name one with --dns-server"
    );
    Fault::new(FailureKind::ServerFailure, message)
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

/// The name with its final dot, so that no search list is tried; names without a dot keep their chance of one.
fn absolute(name: &str) -> Result<Name, Fault> {
    let mut parsed = Name::from_ascii(name).map_err(|error| {
        Fault::new(FailureKind::NameNotFound, format!("'{name}' can't be a name in DNS ({error}); check the URL"))
    })?;
    if name.contains('.') {
        parsed.set_fqdn(true);
    }
    Ok(parsed)
}

/// The servers as messages name them: `127.0.0.1:53, 127.0.0.2:53`.
fn describe(config: &ResolverConfig) -> String {
    let named: Vec<String> = addresses(config).map(|address| address.to_string()).collect();
    format!("name server {}", named.join(", "))
}

/// The servers' addresses.
fn addresses(config: &ResolverConfig) -> impl Iterator<Item = SocketAddr> {
    config.name_servers().iter().map(|server| {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        SocketAddr::new(server.ip, port)
    })
}

impl Client {
    fn no_address(&self, name: &str) -> Fault {
        let message =
            format!("'{name}' has no address, says {} (NODATA); check the name, or --ipv4/--ipv6", self.servers);
        Fault::new(FailureKind::NoAddress, message)
    }

    /// What an error of hickory means for us.
    fn fault(&self, name: &str, error: &NetError) -> Fault {
        let servers = &self.servers;
        match error {
            NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match *response_code {
                ResponseCode::NXDomain => Fault::new(
                    FailureKind::NameNotFound,
                    format!("'{name}' does not exist, says {servers} (NXDOMAIN); check the name"),
                ),
                ResponseCode::NoError => self.no_address(name),
                code => self.server_failure(name, &code.to_string()),
            },
            NetError::Dns(DnsError::ResponseCode(code)) => self.server_failure(name, &code.to_string()),
            NetError::Timeout => Fault::new(
                FailureKind::Timeout,
                format!("no answer for '{name}' from {servers}; try another server with --dns-server"),
            ),
            NetError::NoConnections | NetError::Io(_) if no_descriptors() => Fault::new(
                FailureKind::Io,
                format!("no descriptor left to look up '{name}'; raise the limit (ulimit -n) or lower --concurrency"),
            ),
            NetError::NoConnections => self.server_failure(name, "it can't be reached"),
            other => self.server_failure(name, &other.to_string()),
        }
    }

    fn server_failure(&self, name: &str, what: &str) -> Fault {
        let message =
            format!("{} could not look up '{name}': {what}; try another server with --dns-server", self.servers);
        Fault::new(FailureKind::ServerFailure, message)
    }
}

/// Whether a socket can't be had right now. hickory does not hand on the system's error of its own socket.
fn no_descriptors() -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    socket.is_err_and(|error| matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_dot_are_absolute_and_others_may_be_searched_for() {
        assert!(absolute("a.test").unwrap().is_fqdn());
        assert!(!absolute("printer").unwrap().is_fqdn());
        assert!(absolute("under_score.test").is_ok());
        assert_eq!(absolute(&"x".repeat(64)).unwrap_err().kind, FailureKind::NameNotFound);
    }

    #[test]
    fn a_machine_without_a_name_server_is_told_how_to_name_one() {
        let error = NetError::from(io::Error::from(io::ErrorKind::NotFound));
        let fault = no_server("a.test", &error);
        assert_eq!(fault.kind, FailureKind::ServerFailure);
        assert!(fault.message.contains("/etc/resolv.conf") && fault.message.contains("--dns-server"));
    }
}
