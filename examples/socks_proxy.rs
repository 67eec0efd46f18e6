//! Through a SOCKS5 proxy that looks the names up itself (curl's `socks5h://`): haul asks no name server.
//!
//! `cargo run --example socks_proxy -- 127.0.0.1:1080 http://example.com/`
//!
//! In Python: `requests` with `proxies={"http": "socks5h://…"}`, or `aiohttp-socks` with `rdns=True`.

#[path = "common/socks_server.rs"]
mod socks_server;

use std::env;
use std::error::Error;
use std::io;
use std::net::SocketAddr;

use haul::Client;
use haul::config::EgressSettings;
use haul::engine::{ByteStream, Connect, Connecting, Destination, Endpoint};
use haul_testserver::TestServer;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error as SocksError, TargetAddr};

/// Every stream goes through this proxy.
struct Socks {
    proxy: SocketAddr,
}

impl Connect for Socks {
    fn connect(&self, to: &Destination<'_>) -> Connecting {
        let proxy = self.proxy;
        let target = match to.endpoint {
            Endpoint::Address(address) => TargetAddr::Ip(address),
            Endpoint::Name { host, port } => TargetAddr::Domain(host.to_owned().into(), port),
        };
        Box::pin(async move {
            let stream = Socks5Stream::connect(proxy, target).await.map_err(failure)?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}

/// What the proxy says of the target, in the system's terms: haul knows from these what is worth another try.
fn failure(error: SocksError) -> io::Error {
    let kind = match &error {
        SocksError::Io(_) | SocksError::ProxyServerUnreachable => io::ErrorKind::NotConnected,
        SocksError::ConnectionRefused => io::ErrorKind::ConnectionRefused,
        SocksError::HostUnreachable | SocksError::NetworkUnreachable => io::ErrorKind::HostUnreachable,
        SocksError::TtlExpired => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, format!("SOCKS proxy: {error}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut given = env::args().skip(1);
    let (proxy, urls, _server) = if let Some(proxy) = given.next() {
        (proxy.parse()?, given.collect(), None)
    } else {
        // A name that only the proxy knows, and one that nobody knows.
        let server = TestServer::start()?;
        let urls = [("shop.internal", "/bytes/1000"), ("shop.internal", "/json/3"), ("nowhere.internal", "/")];
        let urls: Vec<_> = urls.iter().map(|(host, path)| server.url_on(host, path)).collect();
        (socks_server::start("shop.internal")?, urls, Some(server))
    };

    let through = EgressSettings { remote_dns: true, ..EgressSettings::default() };
    let client = Client::builder()
        .connector(Socks { proxy })
        .config(|config| config.network.egress = vec![through])
        .retries(0)
        .build()?;
    for url in &urls {
        match client.get(url).send().await {
            Ok(response) => println!("{url}: {}, {} bytes", response.status(), response.bytes().await?.len()),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
