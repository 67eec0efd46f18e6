//! nghttpd, nghttp2's server: HTTP/2 and nothing else.

use std::fs;
use std::process::Command;

use crate::certs::Authority;
use crate::server::Server;

/// A running nghttpd. It serves `/small` and `/large` (1 MiB).
pub struct Nghttpd {
    server: Server,
    scheme: &'static str,
    /// Who signed its certificate for `localhost`.
    pub authority: Authority,
    _files: tempfile::TempDir,
}

/// Bytes of `/large`.
pub const LARGE: usize = 1 << 20;

impl Nghttpd {
    /// Starts it without TLS (prior knowledge), with these further flags; `None` when it is not installed.
    pub fn plain(flags: &[&str]) -> Option<Self> {
        Self::start("http", flags)
    }

    /// Starts it with TLS.
    pub fn tls(flags: &[&str]) -> Option<Self> {
        Self::start("https", flags)
    }

    fn start(scheme: &'static str, flags: &[&str]) -> Option<Self> {
        let authority = Authority::new();
        let files = tempfile::tempdir().expect("a temporary directory");
        fs::write(files.path().join("small"), "small").expect("ours");
        fs::write(files.path().join("large"), vec![b'x'; LARGE]).expect("ours");
        let server = Server::start("nghttpd", |program, _, port| {
            let mut command = Command::new(program);
            command.args(["-a", "127.0.0.1", "-d"]).arg(files.path()).args(flags);
            if scheme == "http" {
                command.arg("--no-tls").arg(port.to_string());
            } else {
                let leaf = authority.issue(&["localhost"], |_| {});
                command.arg(port.to_string()).arg(leaf.key).arg(leaf.certificate);
            }
            command
        })?;
        Some(Self { server, scheme, authority, _files: files })
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.server.address.port())
    }
}
