//! From an origin to an open, negotiated connection: addresses, race, sockets, TLS.
//!
//! Owns the way from "connect to this origin" to a byte stream ready for HTTP, with a time-out per phase and the
//! time each phase took. One [`Dialer`] per shard; the TLS configuration ([`Tls`]) is shared by all of them.
//!
//! Invariant: an address that is known here is judged by family, publicity and filter right before it is connected to, whether it came from a
//! literal, a rule, a name server or a redirect.
//!
//! It must not know jobs, the scheduler, the pool or HTTP. Names become addresses through [`haul_core::model::Resolve`].

mod address_rules;
mod alt_names;
mod certificate;
mod connect;
mod connector;
mod deadline;
mod der;
mod endpoint;
mod error;
mod handshake;
mod identity;
mod io;
mod p521;
mod pem;
mod public;
mod race;
mod roots;
mod route;
mod rsa_pss;
mod session_cache;
mod sni_rewrite;
mod tcp;
mod tls;
mod verifier;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;

pub use self::address_rules::AddressFilter;
pub use self::connector::{ByteStream, Connect, Connecting, Destination};
pub use self::endpoint::Endpoint;
pub use self::error::{DialError, DialFailure};
pub use self::io::Io;
pub use self::public::is_public;
pub use self::roots::{TrustedRoots, trusted_roots};
pub use self::route::Route;
pub use self::tls::{Tls, TlsError};

use self::address_rules::AddressRules;
use self::connect::{HappyEyeballs, StreamOpener, TransportStream};
use self::connector::CustomStream;
use self::deadline::{DialClock, PhaseDeadline};
use self::error::{no_answer, unix_failure};
use self::route::RouteTable;
use self::sni_rewrite::SniRewriteStream;
use self::tcp::SocketOptions;
use haul_core::config::{Config, EgressSettings, Setting, Timeouts};
use haul_core::model::{Egress, Failure, FailureKind, Phase, Resolve, Scheme, Time, WebUrl};
use haul_core::protocol::Protocol;

/// What to connect to: an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Whether TLS is spoken.
    pub scheme: Scheme,
    /// A lower-case name, an IPv4 address, or an IPv6 address in brackets. With TLS, also the name (SNI) asked for
    /// and checked.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

impl<'a> Target<'a> {
    /// The origin of `url`.
    #[must_use]
    pub fn of(url: &'a WebUrl) -> Self {
        Self { scheme: url.scheme(), host: url.host(), port: url.port() }
    }
}

/// How long each phase of a dial took; `None` for phases that were not needed or not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DialTimes {
    /// Name resolution, cached or not.
    pub dns: Option<Duration>,
    /// TCP or Unix connect, over all addresses tried.
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
}

/// An open connection.
#[derive(Debug)]
pub struct DialedConnection {
    /// The byte stream.
    pub io: Io,
    /// The protocol that TLS negotiated (ALPN); HTTP/1.1 where nothing was.
    pub protocol: Protocol,
    /// Whether the TLS session was resumed.
    pub resumed: bool,
    /// The peer; `None` over a Unix socket, and where its name was looked up at the far end.
    pub remote: Option<SocketAddr>,
    /// How long it took.
    pub times: DialTimes,
}

/// Opens connections. Cheap to use from many tasks of one thread at once.
pub struct Dialer {
    routes: RouteTable,
    address_rules: AddressRules,
    egress: Vec<EgressSettings>,
    nodelay: bool,
    pace: Duration,
    timeouts: Timeouts,
    tls: Arc<Tls>,
    resolver: Rc<dyn Resolve>,
    connector: Option<Arc<dyn Connect>>,
    clock: DialClock,
}

impl Dialer {
    /// A dialer with the network settings and time-outs of `config`. `clock` is the run's clock; the time-outs
    /// themselves run on the tokio timer of the thread that calls [`Self::dial`].
    pub fn new(config: &Config, tls: Arc<Tls>, resolver: Rc<dyn Resolve>, clock: impl Fn() -> Time + 'static) -> Self {
        let network = &config.network;
        Self {
            routes: RouteTable::new(network),
            address_rules: AddressRules::new(network.family, network.public_only),
            egress: network.egress.clone(),
            nodelay: network.nodelay,
            pace: network.happy_eyeballs_delay,
            timeouts: config.timeouts.clone(),
            tls,
            resolver,
            connector: None,
            clock: DialClock::new(clock),
        }
    }

    /// Connects only to addresses that `filter` lets pass.
    #[must_use]
    pub fn with_filter(mut self, filter: AddressFilter) -> Self {
        self.address_rules.set_filter(filter);
        self
    }

    /// Has streams opened by `connector` in place of TCP.
    #[must_use]
    pub fn with_connector(mut self, connector: Arc<dyn Connect>) -> Self {
        self.connector = Some(connector);
        self
    }

    /// Where connections to `target` go, before any name is resolved: by an egress with remote DNS, or by one without. Only
    /// [`Route::Name`] needs DNS, and for the name in it, which need not be the target's.
    #[must_use]
    pub fn route<'a>(&'a self, target: &Target<'a>, remote_dns: bool) -> Route<'a> {
        self.routes.find(target.host, target.port, remote_dns)
    }

    /// Whether names are looked up at the far end of this egress.
    #[must_use]
    pub fn has_remote_dns(&self, egress: Egress) -> bool {
        self.settings_of(egress).is_some_and(|settings| settings.remote_dns)
    }

    fn settings_of(&self, egress: Egress) -> Option<&EgressSettings> {
        self.egress.get(usize::from(egress.0))
    }

    /// The local address that connections of this egress come from.
    fn local_address(&self, egress: Egress) -> Result<Option<IpAddr>, Failure> {
        let no_such = || {
            let message = format!(
                "the request asks for egress {}, counted from 0, and `{}` has {}",
                egress.0,
                Setting::Egress,
                self.egress.len()
            );
            Failure::new(Phase::Input, FailureKind::BadRequest, message)
        };
        self.settings_of(egress).map(|settings| settings.local_address).ok_or_else(no_such)
    }

    /// Opens a connection to `target` within `budget`, each phase within its own time-out too.
    ///
    /// Dropping the future closes whatever was half open.
    ///
    /// # Errors
    /// [`DialError`] with the cause, told apart into "our machine has no descriptor or port left" and a failure of
    /// the peer, its name or its certificate.
    pub async fn dial(
        &self,
        target: &Target<'_>,
        egress: Egress,
        budget: Duration,
    ) -> Result<DialedConnection, DialError> {
        self.dial_with(target, DialOptions { egress, ..DialOptions::default() }, budget).await
    }

    /// The same with all that can be asked for.
    ///
    /// # Errors
    /// As [`Self::dial`].
    pub async fn dial_with(
        &self,
        target: &Target<'_>,
        options: DialOptions<'_>,
        budget: Duration,
    ) -> Result<DialedConnection, DialError> {
        let end = self.clock.now() + budget;
        let mut dial = Dial { dialer: self, end, options, times: DialTimes::default(), remote: None };
        match dial.run(target).await {
            Ok(io) => {
                let (protocol, resumed) = (io.protocol(), io.resumed());
                Ok(DialedConnection { io, protocol, resumed, remote: dial.remote, times: dial.times })
            }
            Err(cause) => Err(DialError { cause, times: dial.times, remote: dial.remote }),
        }
    }
}

/// How a connection is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct DialOptions<'a> {
    /// The way out of this machine.
    pub egress: Egress,
    /// Whether it must not become HTTP/2: with TLS, only HTTP/1.1 is offered.
    pub http1: bool,
    /// Addresses that are tried after all others, the first of these first: what answered there was of no use.
    pub last: &'a [IpAddr],
}

/// The way out of a dial.
#[derive(Clone, Copy)]
struct EgressBinding {
    egress: Egress,
    local: Option<IpAddr>,
}

/// One dial under way, with what must be told even when it fails.
struct Dial<'d> {
    dialer: &'d Dialer,
    /// When the caller's budget is used up.
    end: Time,
    options: DialOptions<'d>,
    times: DialTimes,
    remote: Option<SocketAddr>,
}

impl Dial<'_> {
    async fn run(&mut self, target: &Target<'_>) -> Result<Io, DialFailure> {
        let (dialer, egress) = (self.dialer, self.options.egress);
        let way = EgressBinding { egress, local: dialer.local_address(egress)? };
        let stream = match dialer.route(target, dialer.has_remote_dns(egress)) {
            Route::Unix(path) => Io::Unix(self.unix(path).await?),
            Route::Name { host, port } => {
                let addresses = self.resolve(host).await?;
                self.connect(target, way, &addresses, port).await?
            }
            Route::Addresses { addresses, port } => self.connect(target, way, &addresses, port).await?,
            Route::Remote { host, port } => self.open(target, way, vec![Endpoint::Name { host, port }]).await?,
        };
        match target.scheme {
            Scheme::Http => Ok(stream),
            // A host whose name rustls takes only in another spelling: few, so their streams need no kind of their own.
            Scheme::Https if handshake::is_odd(target.host) => {
                let respelled = CustomStream::new(Box::new(SniRewriteStream::new(stream)));
                self.handshake(target, Io::Own(respelled)).await
            }
            Scheme::Https => self.handshake(target, stream).await,
        }
    }

    fn deadline(&self, phase: Phase, limit: Duration) -> PhaseDeadline {
        PhaseDeadline::new(phase, self.dialer.clock.now(), limit, self.end)
    }

    async fn resolve(&mut self, host: &str) -> Result<Arc<[IpAddr]>, DialFailure> {
        let deadline = self.deadline(Phase::Dns, self.dialer.timeouts.dns);
        let answer = tokio::time::timeout(deadline.left(), self.dialer.resolver.resolve(host)).await;
        self.times.dns = Some(self.dialer.clock.now().since(deadline.started));
        match answer {
            Ok(answer) => Ok(answer?.addresses),
            Err(_) => Err(no_answer(deadline, &format!("name server for '{host}'")).into()),
        }
    }

    async fn connect(
        &mut self,
        target: &Target<'_>,
        way: EgressBinding,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<Io, DialFailure> {
        let candidates = self.dialer.address_rules.choose(addresses, way.local, target.host)?;
        let candidates = race::order(&candidates, port, self.options.last).into_iter().map(Endpoint::Address).collect();
        self.open(target, way, candidates).await
    }

    /// A stream to the first of these that can be reached.
    async fn open(
        &mut self,
        target: &Target<'_>,
        way: EgressBinding,
        candidates: Vec<Endpoint<'_>>,
    ) -> Result<Io, DialFailure> {
        let dialer = self.dialer;
        let deadline = self.deadline(Phase::Connect, dialer.timeouts.connect);
        let race = HappyEyeballs {
            candidates,
            opener: match dialer.connector.as_deref() {
                Some(connector) => StreamOpener::Own(connector, *target, way.egress),
                None => StreamOpener::Tcp(SocketOptions { local: way.local, nodelay: dialer.nodelay }),
            },
            pace: dialer.pace,
            deadline,
            clock: &dialer.clock,
        };
        let opened = race.run().await;
        self.times.connect = Some(dialer.clock.now().since(deadline.started));
        let (stream, endpoint) = opened.map_err(|connect_errors| connect_errors.into_cause(target, deadline))?;
        self.remote = endpoint.address();
        Ok(match stream {
            TransportStream::Tcp(stream) => Io::Tcp(stream),
            TransportStream::Own(stream) => Io::Own(stream),
        })
    }

    async fn unix(&mut self, path: &std::path::Path) -> Result<UnixStream, DialFailure> {
        let deadline = self.deadline(Phase::Connect, self.dialer.timeouts.connect);
        let opened = tokio::time::timeout(deadline.left(), UnixStream::connect(path)).await;
        self.times.connect = Some(self.dialer.clock.now().since(deadline.started));
        match opened {
            Ok(opened) => opened.map_err(|error| unix_failure(path, &error)),
            Err(_) => Err(no_answer(deadline, &format!("socket {}", path.display())).into()),
        }
    }

    /// One layer of TLS more over `stream`.
    async fn handshake(&mut self, target: &Target<'_>, stream: Io) -> Result<Io, DialFailure> {
        let deadline = self.deadline(Phase::Tls, self.dialer.timeouts.tls);
        let config = self.dialer.tls.for_host(handshake::is_odd(target.host), self.options.http1);
        let done = tokio::time::timeout(deadline.left(), handshake::run(config, target.host, stream)).await;
        self.times.tls = Some(self.dialer.clock.now().since(deadline.started));
        match done {
            Ok(done) => Ok(Io::Tls(Box::new(done?))),
            Err(_) => Err(no_answer(deadline, &format!("handshake with {}", target.host)).into()),
        }
    }
}
