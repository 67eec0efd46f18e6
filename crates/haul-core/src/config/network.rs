//! Addresses, sockets, names, TLS and the connections that are kept.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::EgressSettings;
use crate::model::Scheme;

/// Which address families are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FamilyPreference {
    /// Both, raced (RFC 8305).
    #[default]
    Both,
    /// IPv4 only: A records and IPv4 literals.
    Ipv4Only,
    /// IPv6 only.
    Ipv6Only,
}

impl FamilyPreference {
    /// Whether `address` may be used.
    #[must_use]
    pub const fn allows(self, address: IpAddr) -> bool {
        matches!((self, address), (Self::Both, _) | (Self::Ipv4Only, IpAddr::V4(_)) | (Self::Ipv6Only, IpAddr::V6(_)))
    }
}

/// `HOST:PORT:ADDR`: connections to host and port go to these addresses, without DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveRule {
    /// The host, lower-case; `None` (written `*`) matches every host.
    pub host: Option<Box<str>>,
    /// The port.
    pub port: u16,
    /// Where to connect, on the same port.
    pub addresses: Vec<IpAddr>,
}

/// `HOST1:PORT1:HOST2:PORT2`: connections meant for the first go to the second; `Host`, SNI and the URL stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    /// The host to match; `None` matches every host.
    pub from_host: Option<Box<str>>,
    /// The port to match; `None` matches every port.
    pub from_port: Option<u16>,
    /// Where to connect instead; `None` keeps the host.
    pub to_host: Option<Box<str>>,
    /// The port instead; `None` keeps the port.
    pub to_port: Option<u16>,
}

/// Sockets and protocols.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// Address families used. Default both.
    pub family: FamilyPreference,
    /// Connect only to addresses on the public internet, whatever a URL, a name, a redirect or a rule below says: not to
    /// loopback, private, link-local, shared, multicast or reserved ones (`haul::engine::is_public` has the exact rule).
    /// Judged on each address right before it is connected to, so that a name can't change its mind in between. Others fail
    /// with kind `address_refused`. Goes together with an address filter: both must let an address pass. Excludes
    /// `unix_socket`, and an egress whose names are looked up at the far end: nobody here sees the address. Default false.
    pub public_only: bool,
    /// The ways out of this machine. A request takes the one that
    /// [`RequestOverrides::egress`](crate::model::RequestOverrides::egress) names, by its place in this list; by default the
    /// first. Limits of a host hold over all of them together. Default: one, as
    /// [`EgressSettings`] is by default. An empty list is an error.
    pub egress: Vec<EgressSettings>,
    /// A Unix socket to connect to instead of any address. Default none.
    pub unix_socket: Option<PathBuf>,
    /// Fixed addresses, first match wins.
    pub resolve: Vec<ResolveRule>,
    /// Redirected connections, first match wins.
    pub connect_to: Vec<ConnectTo>,
    /// Speak HTTP/2 to `http:` origins without asking (prior knowledge). Default false.
    pub http2_prior_knowledge: bool,
    /// Offer only HTTP/1.1. Default false.
    pub http1_only: bool,
    /// The wait before the next address is tried while earlier ones are still pending (RFC 8305 §5). Default 250 ms.
    pub happy_eyeballs_delay: Duration,
    /// Send `TCP_NODELAY`. Default true.
    pub nodelay: bool,
}

impl NetworkSettings {
    /// Whether connections to this scheme may become HTTP/2, so that one probe must find out first.
    #[must_use]
    pub const fn may_be_h2(&self, scheme: Scheme) -> bool {
        match scheme {
            Scheme::Http => self.http2_prior_knowledge,
            Scheme::Https => !self.http1_only,
        }
    }
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            family: FamilyPreference::Both,
            public_only: false,
            egress: vec![EgressSettings::default()],
            unix_socket: None,
            resolve: Vec::new(),
            connect_to: Vec::new(),
            http2_prior_knowledge: false,
            http1_only: false,
            happy_eyeballs_delay: Duration::from_millis(250),
            nodelay: true,
        }
    }
}

/// Connections kept and closed.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// How long an unused connection is kept. Default 15 s; a server's shorter `Keep-Alive: timeout` wins, less 1 s.
    pub idle_timeout: Duration,
    /// The longest life of a connection, shortened at random by up to a tenth. Default 10 minutes.
    pub max_age: Duration,
    /// Open sockets over all hosts. Default 0: derived from the descriptor limit.
    pub max_sockets: usize,
    /// HTTP/2 connections per origin, not counting those that take nothing new. Default 1,024: another one is opened only when the
    /// streams that the peer allows on those that there are don't suffice for what the host's limit lets be in flight. A server
    /// that takes fewer requests on a connection than streams at once is given as many as its requests need.
    pub max_h2_connections: u32,
    /// HTTP/2 streams in use per connection, whatever the peer allows. Default 100.
    pub max_h2_streams: u32,
    /// Whether connections are used again. Default true.
    pub reuse: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(15),
            max_age: Duration::from_secs(600),
            max_sockets: 0,
            max_h2_connections: 1024,
            max_h2_streams: 100,
            reuse: true,
        }
    }
}

/// Names.
#[derive(Clone, Debug)]
pub struct DnsSettings {
    /// Name servers, asked in turns. Default empty: the system's (`/etc/resolv.conf`), in its order.
    pub servers: Vec<SocketAddr>,
    /// A file in the form of `/etc/resolv.conf` to read name servers, search domains and options from; its name servers
    /// are not used beside [`Self::servers`]. Default none: `/etc/resolv.conf` where `servers` is empty, nothing where it is not.
    /// Read again when it changes.
    pub resolv_conf: Option<PathBuf>,
    /// Search domains instead of those of the file, as `LOCALDOMAIN` gives them to glibc (the command takes that variable).
    /// An empty domain is the root: the name as it is. Default none: the file's.
    pub search: Vec<String>,
    /// Options beside those of the file and in its form (`ndots:2 rotate`), as `RES_OPTIONS` gives them to glibc (the command takes
    /// that variable). Default empty.
    pub options: String,
    /// How long a server is given before the next one is asked, or the same one again; twice as long in the next round. One that has
    /// answered sooner so far is asked again sooner, for messages get lost. Answers of those asked before are still taken until
    /// [`crate::config::Timeouts::dns`] is over, which alone ends a look-up. Default 1 s.
    pub query_timeout: Duration,
    /// The shortest time an answer is used, whatever its TTL. Default 30 s.
    pub min_ttl: Duration,
    /// The longest. Default 1 hour.
    pub max_ttl: Duration,
    /// How long NXDOMAIN and "no address" are remembered. Default 60 s.
    pub negative_ttl: Duration,
    /// How long other failures and time-outs are remembered: so that those who wait together are answered together. Default 0.2 s.
    pub failure_ttl: Duration,
    /// How long after its end an answer may still be used while a fresh one is fetched. Default 1 minute.
    pub stale_for: Duration,
    /// Look-ups in flight per shard. Default 256; fewer where the descriptor limit is small. Each holds a socket per family,
    /// and one more per family for each further server that it has had to ask.
    pub max_lookups: usize,
    /// Names remembered per shard. Default 100,000: about 300 bytes each.
    pub max_entries: usize,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            resolv_conf: None,
            search: Vec::new(),
            options: String::new(),
            query_timeout: Duration::from_secs(1),
            min_ttl: Duration::from_secs(30),
            max_ttl: Duration::from_secs(3600),
            negative_ttl: Duration::from_secs(60),
            failure_ttl: Duration::from_millis(200),
            stale_for: Duration::from_secs(60),
            max_lookups: 256,
            max_entries: 100_000,
        }
    }
}

/// TLS.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Files of roots (`--cacert`), PEM or DER: they replace the platform's. A server that shows one of these certificates itself is
    /// trusted, too, whoever issued it, as long as its name and its dates are right.
    pub ca_files: Vec<PathBuf>,
    /// File of the client certificate chain, PEM or DER.
    pub client_certificate: Option<PathBuf>,
    /// File of the client certificate's key, without a passphrase. Default: the certificate's file.
    pub client_key: Option<PathBuf>,
    /// Accept any certificate (`--insecure`). Default false.
    pub insecure: bool,
    /// Server names whose sessions are remembered for resumption. Default 10,000. Each costs 4 KiB after one
    /// connection to a server that gives two tickets, 7 KiB at the most (eight tickets), and the size of the chain
    /// above the leaf. Over the limit the name that was remembered first is forgotten. 0 remembers none.
    pub session_hosts: usize,
    /// TLS 1.3 tickets remembered of each name; every new connection takes one. Default 8. A server may make a ticket, and the
    /// chain that is kept with it, up to 64 KiB each.
    pub session_tickets: usize,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            ca_files: Vec::new(),
            client_certificate: None,
            client_key: None,
            insecure: false,
            session_hosts: 10_000,
            session_tickets: 8,
        }
    }
}
