//! Code of the user's own that a run is given beside its settings.

use std::fmt;
use std::sync::Arc;

use super::start_error::StartError;
use crate::config::NetworkSettings;
use crate::dial::{AddressFilter, Connect};
use crate::model::{Hooks, Resolve};

/// Code of the user's own that a run is given beside its settings. By default there is none.
///
/// ```
/// use std::sync::Arc;
/// use haul::{config::Config, engine::Engine, engine::Extensions, sink::Null, source::Urls};
///
/// let mut extensions = Extensions::default();
/// // Whatever a URL or a redirect says, nothing on this machine is connected to.
/// extensions.address_filter = Some(Arc::new(|address| !address.is_loopback()));
/// let engine = Engine::with(Config::default(), extensions)?;
/// let report = engine.run(Box::new(Urls::new(["http://127.0.0.1/admin"])), Box::new(Null));
/// assert_eq!(report.totals.failed, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Extensions {
    hooks: Vec<MakeHooks>,
    /// Looks names up instead of the system's name servers, the hosts file and `localhost`. What it answers is remembered
    /// as [`crate::config::DnsSettings`] says; it is called on the threads that fetch, inside a tokio runtime.
    pub resolver: Option<Arc<dyn Resolve + Send + Sync>>,
    /// The TLS configuration instead of one made from [`crate::config::TlsSettings`]. Its ALPN protocols are replaced by
    /// those that the network settings ask for.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Judges each address right before it is connected to, wherever it came from: a literal, a rule, a name server, a
    /// redirect. Addresses refused fail with kind `address_refused`. IPv4 addresses written as IPv6 (`::ffff:1.2.3.4`) are
    /// shown as the IPv4 addresses they are.
    pub address_filter: Option<AddressFilter>,
    /// Opens byte streams in place of TCP connections, by any egress: tunnels through proxies, peers in this process. What local address
    /// they come from, and `TCP_NODELAY`, are then its own affair. Where the egress has
    /// [`remote_dns`](crate::config::EgressSettings::remote_dns) it is given names, else addresses, each as one of several that race
    /// (RFC 8305). `examples/socks_proxy.rs` goes through a SOCKS proxy.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use haul::engine::{ByteStream, Connect, Connecting, Destination, Engine, Extensions};
    /// use haul::{config::Config, sink::Null, source::Urls};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// /// Every address is a server in this process that says `hi` once.
    /// struct Hi;
    ///
    /// impl Connect for Hi {
    ///     fn connect(&self, _: &Destination<'_>) -> Connecting {
    ///         let (ours, mut theirs) = tokio::io::duplex(1024);
    ///         tokio::task::spawn_local(async move {
    ///             let _ = theirs.read(&mut [0; 1024]).await;
    ///             let _ = theirs.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    ///         });
    ///         Box::pin(async { Ok(Box::new(ours) as Box<dyn ByteStream>) })
    ///     }
    /// }
    ///
    /// let mut extensions = Extensions::default();
    /// extensions.connector = Some(Arc::new(Hi));
    /// let engine = Engine::with(Config::default(), extensions)?;
    /// let report = engine.run(Box::new(Urls::new(["http://192.0.2.1/"])), Box::new(Null));
    /// assert_eq!(report.totals.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub connector: Option<Arc<dyn Connect>>,
}

/// Makes the hooks of one thread, on that thread.
pub(crate) type MakeHooks = Arc<dyn Fn() -> Box<dyn Hooks> + Send + Sync>;

impl Extensions {
    /// Adds hooks behind those added before: one for all threads.
    pub fn add_hooks(&mut self, hooks: impl Hooks + Send + Sync + 'static) {
        let hooks = Arc::new(hooks);
        self.add_hooks_per_thread(move || Arc::clone(&hooks));
    }

    /// Adds hooks behind those added before: `make` is called on each thread that fetches, for its own, whose state needs no lock.
    /// A registrable domain belongs to one thread for the whole run. `examples/cookie_jar.rs` has a jar on each thread.
    pub fn add_hooks_per_thread<H: Hooks + 'static>(&mut self, make: impl Fn() -> H + Send + Sync + 'static) {
        self.hooks.push(Arc::new(move || Box::new(make())));
    }

    pub(super) fn hooks(&self) -> &[MakeHooks] {
        &self.hooks
    }

    /// Whether they go together with these settings.
    pub(super) fn check(&self, network: &NetworkSettings) -> Result<(), StartError> {
        let remote_dns = network.egress.iter().any(|egress| egress.remote_dns);
        match (&self.connector, &self.address_filter) {
            (None, _) if remote_dns => Err(StartError::RemoteDnsNeedsConnector),
            (_, Some(_)) if remote_dns => Err(StartError::RemoteDnsEvadesFilter),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("hooks", &self.hooks.len())
            .field("resolver", &self.resolver.is_some())
            .field("tls", &self.tls.is_some())
            .field("address_filter", &self.address_filter.is_some())
            .field("connector", &self.connector.is_some())
            .finish()
    }
}
