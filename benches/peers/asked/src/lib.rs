//! What the Rust contenders are asked on the command line: `URL|@FILE COUNT CONNECTIONS [STREAMS]`.
//!
//! FILE has a URL a line. STREAMS, where it is given, means HTTP/2 with prior knowledge. Each contender prints how many
//! responses of status 200 it read to their end; nothing is tried again.

use std::cell::Cell;
use std::error::Error;
use std::sync::Arc;
use std::{env, fs};

use rustls::{ClientConfig, RootCertStore};

/// The command line, read.
pub struct Asked {
    urls: Vec<String>,
    /// Requests to make.
    pub count: usize,
    /// Connections, or requests at once.
    pub connections: usize,
    /// Requests at once on each connection, over HTTP/2.
    pub streams: Option<usize>,
    next: Cell<usize>,
}

impl Asked {
    /// # Errors
    /// When it is not as said above, or the file can't be read.
    pub fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let (url, count, connections, streams) = match &arguments[..] {
            [url, count, connections] => (url, count, connections, None),
            [url, count, connections, streams] => (url, count, connections, Some(streams.parse()?)),
            _ => return Err("usage: URL|@FILE COUNT CONNECTIONS [STREAMS]".into()),
        };
        let urls: Vec<String> = match url.strip_prefix('@') {
            Some(file) => fs::read_to_string(file)?.lines().map(str::to_owned).collect(),
            None => vec![url.clone()],
        };
        if urls.is_empty() {
            return Err("the file has no URL".into());
        }
        let (count, connections) = (count.parse()?, connections.parse()?);
        Ok(Self { urls, count, connections, streams, next: Cell::new(0) })
    }

    /// The next request's URL, until `count` were given out; the list starts over where it ends before.
    pub fn next(&self) -> Option<&str> {
        let number = self.next.get();
        self.next.set(number + 1);
        (number < self.count).then(|| self.urls[number % self.urls.len()].as_str())
    }

    /// Idle connections to keep for each host: of many hosts one, because descriptors are limited.
    pub fn idle_per_host(&self) -> usize {
        if self.urls.len() > 1 { 1 } else { self.connections }
    }

    /// The first URL.
    pub fn url(&self) -> &str {
        &self.urls[0]
    }
}

/// TLS that trusts what `SSL_CERT_FILE` names, and resumes sessions where the server lets it.
///
/// # Errors
/// When a certificate is none.
pub fn tls() -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
