//! The settings of a client, and the client made from them.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use super::Client;
use crate::config::Config;
use crate::engine::{Connect, Engine, Extensions, StartError};
use crate::model::{Hooks, Resolve};

/// The settings of a client: the common ones by name, all of them through [`Self::config`].
///
/// They are those of a run ([`Config`]) with one difference: the size of a body is limited (64 MiB) only where it is read
/// into one piece, not where it is read as it comes.
///
/// ```
/// # use std::time::Duration;
/// let client = haul::Client::builder()
///     .concurrency(100)
///     .per_host(4)
///     .timeout(Duration::from_secs(20))
///     .retries(3)
///     .config(|config| config.timeouts.connect = Duration::from_secs(3))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder makes no client until it is built"]
pub struct ClientBuilder {
    config: Config,
    extensions: Extensions,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        let mut config = Config::default();
        config.body.max_wire = u64::MAX;
        config.body.max_decoded = u64::MAX;
        Self { config, extensions: Extensions::default() }
    }
}

impl ClientBuilder {
    /// Requests in flight over all hosts, at least 1. Default 256.
    pub fn concurrency(self, requests: u32) -> Self {
        self.config(|config| config.limits.concurrency = at_least_one(requests))
    }

    /// Requests in flight per host, at least 1. Default 8.
    pub fn per_host(self, requests: u32) -> Self {
        self.config(|config| config.limits.per_host = at_least_one(requests))
    }

    /// The total time-out of an attempt: name, connection, request, response, body. Default 60 s.
    ///
    /// It is also the least that the response head may take, and the pause between two reads of the body, so that no
    /// shorter time-out ends what this one allows. For others among the phases' time-outs see [`Self::config`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.config(|config| config.timeouts = config.timeouts.within(timeout))
    }

    /// Retries after the first attempt, where repeating does no harm, with exponential back-off. Default 2.
    pub fn retries(self, retries: u32) -> Self {
        self.config(|config| config.retries.retries = retries)
    }

    /// Redirects followed. Default 10; 0 gives the redirect itself.
    pub fn max_redirects(self, redirects: u32) -> Self {
        self.config(|config| config.request.max_redirects = redirects)
    }

    /// A header sent with every request that does not set it itself.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.config(|config| {
            config.request.headers.insert(name, value);
        })
    }

    /// Changes any of the settings.
    ///
    /// ```
    /// use haul::{Client, model::FailureKind};
    ///
    /// let client = Client::builder().config(|config| config.network.public_only = true).build()?;
    /// // The address of many clouds' metadata service.
    /// let asked = futures::executor::block_on(client.get("http://169.254.169.254/").send());
    /// assert_eq!(asked.unwrap_err().kind(), FailureKind::AddressRefused);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Code of the caller's own in every exchange, called after that given before. A hook that takes a body as a stream takes it from the
    /// response.
    pub fn hooks(mut self, hooks: impl Hooks + Send + Sync + 'static) -> Self {
        self.extensions.add_hooks(hooks);
        self
    }

    /// The same, made by `make` for each thread that fetches; see [`Extensions::add_hooks_per_thread`].
    pub fn hooks_per_thread<H: Hooks + 'static>(mut self, make: impl Fn() -> H + Send + Sync + 'static) -> Self {
        self.extensions.add_hooks_per_thread(make);
        self
    }

    /// Looks names up; see [`Extensions::resolver`].
    pub fn resolver(mut self, resolver: impl Resolve + Send + Sync + 'static) -> Self {
        self.extensions.resolver = Some(Arc::new(resolver));
        self
    }

    /// A TLS configuration; see [`Extensions::tls`].
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.extensions.tls = Some(config);
        self
    }

    /// Connects only to addresses that `filter` lets pass; see [`Extensions::address_filter`]. To keep off everything that
    /// is not on the public internet, [`NetworkSettings::public_only`](crate::config::NetworkSettings::public_only) does.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use haul::engine::is_public;
    ///
    /// let staging = IpAddr::from([10, 1, 2, 3]);
    /// let client = haul::Client::builder()
    ///     .address_filter(move |address| is_public(address) || address == staging)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn address_filter(mut self, filter: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.extensions.address_filter = Some(Arc::new(filter));
        self
    }

    /// Opens byte streams in place of TCP connections; see [`Extensions::connector`].
    pub fn connector(mut self, connector: impl Connect + 'static) -> Self {
        self.extensions.connector = Some(Arc::new(connector));
        self
    }

    /// Starts the client's threads.
    ///
    /// # Errors
    /// Settings contradict each other, or a certificate file can't be used; the message says what to change.
    pub fn build(self) -> Result<Client, StartError> {
        let Self { mut config, extensions } = self;
        // Requests say these themselves.
        config.request.method = Method::GET;
        config.request.body = None;
        config.body.keep = true;
        let most = config.body.max_kept;
        let decodes = config.body.decode;
        let live = Engine::with(config, extensions)?.start();
        Ok(Client { live: Arc::new(live), most, decodes })
    }
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}
