//! The running origin, as its user holds it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::certificate;
use super::serve::{Listener, Threads, listen};
use super::server_state::TestServerState;
use super::settings::TestServerSettings;
use super::stats::{HostStats, TestServerStats};

/// A running test server of many hosts. It stops, and closes all connections, when dropped.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
///
/// use haul_testserver::TestServer;
///
/// let server = TestServer::start()?;
/// let mut stream = TcpStream::connect(server.addr())?;
/// write!(stream, "GET /status/404 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
/// let mut response = String::new();
/// stream.read_to_string(&mut response)?;
/// assert!(response.starts_with("HTTP/1.1 404 Not Found\r\n"));
/// assert_eq!(server.stats().requests, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TestServer {
    addr: SocketAddr,
    tls_addr: SocketAddr,
    ca_pem: String,
    shared: Arc<TestServerState>,
    _threads: Threads,
}

impl TestServer {
    /// Starts an origin on two free ports of 127.0.0.1, with one thread.
    ///
    /// # Errors
    /// There is no port, no descriptor or no thread to be had.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&TestServerSettings::default())
    }

    /// Starts an origin where `settings` say.
    ///
    /// # Errors
    /// A port is taken, the address is not this machine's or may not be listened on, or there is no descriptor or thread
    /// to be had.
    pub fn start_with(settings: &TestServerSettings) -> io::Result<Self> {
        if !settings.address.is_loopback() && !settings.expose {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, not_loopback(settings.address)));
        }
        let bind = |port| {
            let address = SocketAddr::new(settings.address, port);
            listen(address).map_err(|error| io::Error::new(error.kind(), format!("can't listen on {address}: {error}")))
        };
        let (plain, secure) = (bind(settings.port)?, bind(settings.tls_port)?);
        let (addr, tls_addr) = (plain.local_addr()?, secure.local_addr()?);
        let (tls, ca_pem) = certificate::tls(settings.address)?;
        let shared = Arc::new(TestServerState::new());
        let listeners = vec![Listener { listener: plain, tls: false }, Listener { listener: secure, tls: true }];
        let threads = Threads::start(&shared, &tls, listeners, settings.threads.get())?;
        Ok(Self { addr, tls_addr, ca_pem, shared, _threads: threads })
    }

    /// Where it speaks plain HTTP/1.1 and, with prior knowledge, HTTP/2.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it speaks TLS, and within it HTTP/2 or HTTP/1.1 by ALPN.
    #[must_use]
    pub const fn tls_addr(&self) -> SocketAddr {
        self.tls_addr
    }

    /// `http://`, the address and port, and `path`, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", reachable(self.addr))
    }

    /// The same with TLS.
    #[must_use]
    pub fn https_url(&self, path: &str) -> String {
        format!("https://{}{path}", reachable(self.tls_addr))
    }

    /// `http://`, a virtual host and the port, and `path`. A name that ends in `.localhost` is found without a name
    /// server; for any other the client needs a fixed address.
    #[must_use]
    pub fn url_on(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.addr.port())
    }

    /// The same with TLS. Names that end in `.localhost` or `.test` get a certificate when first asked for.
    #[must_use]
    pub fn https_url_on(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.tls_addr.port())
    }

    /// The certificate, in PEM, of the authority that signs this origin's certificates. It is another one each time.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What it has served so far.
    #[must_use]
    pub fn stats(&self) -> TestServerStats {
        self.shared.counters.stats()
    }

    /// What it has served so far for each virtual host, by name in lower case and without a port.
    #[must_use]
    pub fn hosts(&self) -> BTreeMap<String, HostStats> {
        let sites = self.shared.sites.all();
        sites.iter().map(|site| (site.name.to_string(), HostStats::from(&**site))).collect()
    }
}

/// An address to connect to: one that stands for all is replaced by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn not_loopback(address: IpAddr) -> String {
    format!(
        "{address} is not a loopback address: whoever reaches it can make this server send as much as they like; \
         listen on 127.0.0.1, or expose it if that is wanted"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_stand_for_all_are_reached_by_loopback() {
        for (listening, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("127.0.0.2:80", "127.0.0.2:80")]
        {
            assert_eq!(reachable(listening.parse().expect("an address")).to_string(), reached);
        }
    }
}
