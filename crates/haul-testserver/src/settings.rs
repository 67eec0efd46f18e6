//! Where the origin listens.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;

/// Where an [`TestServer`](super::TestServer) listens, and with how many threads. The default is two free ports on 127.0.0.1
/// and one thread.
///
/// ```
/// use haul_testserver::{TestServer, TestServerSettings};
///
/// let threads = 2.try_into()?;
/// let server = TestServer::start_with(&TestServerSettings { threads, ..TestServerSettings::default() })?;
/// assert_ne!(server.addr().port(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestServerSettings {
    /// The address; any but a loopback address needs [`expose`](Self::expose).
    pub address: IpAddr,
    /// The port for plain HTTP/1.1 and HTTP/2 (prior knowledge). 0 takes a free one.
    pub port: u16,
    /// The port for TLS, with HTTP/2 and HTTP/1.1 by ALPN. 0 takes a free one.
    pub tls_port: u16,
    /// Lets the address be one that others may reach. They can make the origin send as much as they like, so this is
    /// for closed networks.
    pub expose: bool,
    /// Threads that serve. Connections are dealt to them in turn.
    pub threads: NonZeroUsize,
}

impl Default for TestServerSettings {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            tls_port: 0,
            expose: false,
            threads: NonZeroUsize::MIN,
        }
    }
}
