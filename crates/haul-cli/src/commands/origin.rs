//! `haul origin`: the test server alone, until Ctrl-C.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use haul_testserver::{TestServer, TestServerSettings};
use indicatif::HumanCount;
use serde_json::json;
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use crate::shared::exit::Exit;
use crate::shared::{address_space, console, signals};

/// Everything `haul origin` can be told.
#[derive(Debug, Args)]
pub(super) struct OriginArgs {
    /// The port for HTTP/1.1 and HTTP/2 (prior knowledge); 0 takes a free one
    #[arg(short, long, value_name = "N", default_value_t = 8080)]
    pub(super) port: u16,
    /// The port for TLS; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 8443)]
    pub(super) tls_port: u16,
    /// The address; any but a loopback address needs --expose too
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(super) listen: IpAddr,
    /// Let others reach it: they can make it send as much as they like, so only on closed networks
    #[arg(long)]
    pub(super) expose: bool,
    /// Write the certificate to trust (--cacert) to FILE [default: a temporary file]
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Threads that serve
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    pub(super) threads: NonZeroUsize,
    /// Print the URLs as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Nothing on standard error but errors
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// What the server serves, and how to use it.
pub(super) fn help() -> String {
    format!(
        "{}\n\
         Standard output has one line each: http URL, https URL, ca_file FILE.\n\
         Names that end in .localhost need no name server. Ctrl-C ends it.\n\n\
         Examples:\n  \
         haul origin\n  \
         haul get http://127.0.0.1:8080/gzip/1000 --body text\n  \
         haul get http://slow.h1.localhost:8080/json/10\n  \
         haul get 'http://localhost:8080/status/503?delay=1s'\n  \
         haul origin --ca-file ca.pem --quiet &\n  \
         haul get --cacert ca.pem https://h1.localhost:8443/echo --body text | jq -r .body\n  \
         curl --cacert ca.pem 'https://localhost:8443/drip?bytes=20&over=2s'",
        haul_testserver::guide()
    )
}

/// Serves until the first signal.
pub(super) fn run(args: &OriginArgs) -> Exit {
    match serve(args) {
        Ok(()) => Exit::Complete,
        Err(message) => {
            console::tell(&format!("haul: {message}"));
            Exit::Usage
        }
    }
}

fn serve(args: &OriginArgs) -> Result<(), String> {
    address_space::check(args.threads.get())?;
    // Caught before anyone is told that there is something to interrupt.
    let mut signals = Signals::new(signals::of_the_end()).map_err(|error| format!("can't catch signals: {error}"))?;
    let origin = TestServer::start_with(&settings(args)).map_err(|error| why_not(args, &error))?;
    let ca_file = CaFile::write(args.ca_file.as_deref(), origin.ca_pem())?;
    announce(args, &origin, &ca_file.path).map_err(|error| format!("can't write to standard output: {error}"))?;
    if !args.quiet {
        if !args.listen.is_loopback() {
            console::tell(&format!("warning: others may reach {} and make it send as much as they like", args.listen));
        }
        console::tell("serving until Ctrl-C; the first URL lists all paths");
    }
    signals.forever().next();
    if !args.quiet {
        console::tell(&summary(&origin));
    }
    Ok(())
}

fn settings(args: &OriginArgs) -> TestServerSettings {
    TestServerSettings {
        address: args.listen,
        port: args.port,
        tls_port: args.tls_port,
        expose: args.expose,
        threads: args.threads,
    }
}

/// What is wrong and how to fix it with this command's flags.
fn why_not(args: &OriginArgs, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{error}; give other ports with --port and --tls-port (0 takes a free one)")
        }
        io::ErrorKind::PermissionDenied => format!("{error}; ports below 1024 are the system's, so give others"),
        io::ErrorKind::InvalidInput if !args.listen.is_loopback() => format!("{error} (--expose)"),
        _ => format!("can't start: {error}"),
    }
}

/// Where the certificate stands. A directory of our own is removed at the end.
struct CaFile {
    path: PathBuf,
    _directory: Option<TempDir>,
}

impl CaFile {
    fn write(file: Option<&Path>, pem: &str) -> Result<Self, String> {
        let directory = match file {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(|error| format!("can't make a directory: {error}"))?),
        };
        let in_directory = directory.as_ref().map(|directory| directory.path().join("ca.pem"));
        let path = file.map(Path::to_owned).or(in_directory).unwrap_or_default();
        std::fs::write(&path, pem).map_err(|error| format!("can't write {}: {error}", path.display()))?;
        Ok(Self { path, _directory: directory })
    }
}

/// One line each, or one JSON object.
fn announce(args: &OriginArgs, origin: &TestServer, ca_file: &Path) -> io::Result<()> {
    let (http, https, ca_file) = (origin.url("/"), origin.https_url("/"), ca_file.display().to_string());
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", json!({ "http": http, "https": https, "ca_file": ca_file }))?;
    } else {
        writeln!(out, "http     {http}\nhttps    {https}\nca_file  {ca_file}")?;
    }
    out.flush()
}

fn summary(origin: &TestServer) -> String {
    let stats = origin.stats();
    format!("{} requests over {} connections", HumanCount(stats.requests), HumanCount(stats.connections))
}
