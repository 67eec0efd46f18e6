//! What is fetched while things go wrong.

use std::time::Duration;

use haul::config::Config;
use http::Method;

use crate::peer::Protocol;

/// A few requests to one address.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) tls: bool,
    /// The host is a name with two addresses, the first of which refuses.
    pub(crate) named: bool,
    pub(crate) method: Method,
    /// Bytes of the request's body.
    pub(crate) upload: usize,
    pub(crate) paths: Vec<&'static str>,
    pub(crate) per_host: u32,
}

impl Scenario {
    fn h1(name: &'static str, paths: &[&'static str]) -> Self {
        Self {
            name,
            protocol: Protocol::Http1,
            tls: false,
            named: false,
            method: Method::GET,
            upload: 0,
            paths: paths.to_vec(),
            per_host: 1,
        }
    }

    fn h2(name: &'static str, paths: &[&'static str]) -> Self {
        Self { protocol: Protocol::Http2, per_host: 8, ..Self::h1(name, paths) }
    }

    fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    fn uploading(self, method: Method, upload: usize) -> Self {
        Self { method, upload, ..self }
    }

    /// Whether a response of it may be shorter than it was and still be whole, as far as anyone can tell.
    pub(crate) fn ends_with_the_connection(&self) -> bool {
        !self.tls && self.paths.iter().any(|path| path.starts_with("/close"))
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.limits.shards = 1;
        config.limits.concurrency = 2000.try_into().expect("not zero");
        config.limits.per_host = self.per_host.try_into().expect("not zero");
        config.timeouts.connect = PATIENCE;
        config.timeouts.tls = PATIENCE;
        config.timeouts.first_byte = PATIENCE;
        config.timeouts.idle = PATIENCE;
        config.retries.retries = 4;
        config.retries.backoff_base = Duration::from_millis(10);
        config.pool.idle_timeout = Duration::from_millis(200);
        config.body.keep = true;
        config.tls.insecure = true;
        config.network.http1_only = self.protocol == Protocol::Http1;
        config.network.http2_prior_knowledge = self.protocol == Protocol::Http2;
        config
    }
}

/// How long each phase may stall: long beside what the whole run takes.
const PATIENCE: Duration = Duration::from_millis(700);

pub(crate) fn all() -> Vec<Scenario> {
    let many = ["/len/500", "/chunked", "/empty", "/len/0", "/gzip", "/len/20000"];
    let streams = ["/len/500", "/len/0", "/len/20000", "/len/70000", "/len/1", "/len/3000"];
    vec![
        Scenario::h1("a length", &["/len/3000"]),
        Scenario::h1("a large body", &["/len/300000"]),
        Scenario::h1("chunks", &["/chunked"]),
        Scenario::h1("trailers", &["/trailers"]),
        Scenario::h1("no content", &["/empty"]),
        Scenario::h1("an empty body", &["/len/0"]),
        Scenario::h1("gzip", &["/gzip"]),
        Scenario::h1("many small pieces", &["/pieces"]),
        Scenario::h1("answers before the answer", &["/early"]),
        Scenario::h1("a body that ends with the connection", &["/close"]),
        Scenario::h1("a last response", &["/shut", "/shut"]),
        Scenario { method: Method::HEAD, ..Scenario::h1("HEAD", &["/head"]) },
        Scenario::h1("one connection, six requests", &many),
        Scenario { per_host: 3, ..Scenario::h1("three connections, six requests", &many) },
        Scenario::h1("a server that hangs up after every second", &["/hangup"; 5]),
        Scenario::h1("a redirect", &["/redirect/len/300"]),
        Scenario::h1("three redirects", &["/redirect/redirect/redirect/chunked"]),
        Scenario::h1("a second try", &["/again"]),
        Scenario::h1("a push back", &["/push-back", "/len/10"]),
        Scenario { named: true, ..Scenario::h1("a name with a dead address", &["/len/300", "/len/300"]) },
        Scenario::h1("an upload that may be repeated", &["/upload"]).uploading(Method::PUT, 40_000),
        Scenario::h1("an upload that may not", &["/upload"]).uploading(Method::POST, 40_000),
        Scenario::h1("a short upload that may not", &["/upload"]).uploading(Method::POST, 10),
        Scenario::h1("an upload that is refused unread", &["/refuse-upload"]).uploading(Method::PUT, 200_000),
        Scenario::h1("a redirected upload", &["/redirect/upload"]).uploading(Method::PUT, 4_000),
        Scenario::h1("TLS", &["/len/3000"]).tls(),
        Scenario::h1("TLS, six requests", &many).tls(),
        Scenario::h1("TLS, a body that ends with the connection", &["/close"]).tls(),
        Scenario::h1("TLS, an upload", &["/upload"]).tls().uploading(Method::PUT, 40_000),
        Scenario::h2("HTTP/2", &["/len/3000"]),
        Scenario::h2("HTTP/2, six streams", &streams),
        Scenario::h2("HTTP/2, a redirect", &["/redirect/len/300"]),
        Scenario::h2("HTTP/2, a refused stream", &["/refused", "/len/10"]),
        Scenario::h2("HTTP/2, a server that goes away", &["/goaway", "/len/10", "/len/20"]),
        Scenario::h2("HTTP/2, an upload", &["/upload"]).uploading(Method::PUT, 100_000),
        Scenario::h2("HTTP/2, an upload that may not be repeated", &["/upload"]).uploading(Method::POST, 100_000),
        Scenario::h2("HTTP/2 over TLS, six streams", &streams).tls(),
    ]
}
