//! `haul demo`: a run of tens of thousands of URLs over hundreds of hosts, without a network.

mod kind_stats;
mod list;
mod story;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use haul::config::Config;
use haul::engine::Engine;
use haul::model::Sink;
use haul::sink::{Ndjson, Null, RecordFields};
use haul::source::Urls;
use haul_testserver::TestServer;
use tempfile::NamedTempFile;

use self::kind_stats::{CountingSink, StatsByKind};
use self::list::HostAddresses;
use crate::shared::console::{self, Console};
use crate::shared::exit::Exit;
use crate::shared::flags::values;
use crate::shared::log::{self, LogArgs};
use crate::shared::progress::Show;
use crate::shared::setting_names::flag;
use crate::shared::{address_space, drive, signals, summary};

/// The end of the command's help.
pub(super) const HELP: &str = "\
The demo starts a test server on loopback (see haul origin) with 303 virtual hosts: fast ones over HTTP/1.1 and over TLS
with HTTP/2, slow ones, ones that limit the rate, ones that fail, ones that are down. It fetches the URLs, sorted by host,
with the default settings, and says what was seen. It takes about 10 seconds and needs no network.

Examples:
  haul demo
  haul demo --urls 100000 -o records.ndjson";

/// How large the demo is.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// URLs to fetch, about [default: 30000]
    #[arg(short = 'n', long, value_name = "N", value_parser = values::count)]
    urls: Option<std::num::NonZeroU32>,
    /// Write the records to FILE, replacing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    log: LogArgs,
}

/// How many URLs there are unless said otherwise.
const URLS: u64 = 30_000;

/// What requests in flight are given to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the demo. Hosts that are down are part of it: their failures are no failure of the demo.
pub(super) fn run(args: &DemoArgs) -> Exit {
    log::start(false, args.log);
    match demonstrate(args) {
        Ok(exit) => exit,
        Err(message) => {
            console::tell(&format!("haul: {message}"));
            Exit::Usage
        }
    }
}

fn demonstrate(args: &DemoArgs) -> Result<Exit, String> {
    address_space::check(0)?;
    let origin = TestServer::start().map_err(|error| format!("can't start the demo's server: {error}"))?;
    let (nobody, closed) = closed_port().map_err(|error| format!("can't find a closed port: {error}"))?;
    let places = HostAddresses { plain: origin.addr(), tls: origin.tls_addr(), nobody };
    let (kinds, urls): (Vec<_>, Vec<_>) =
        list::urls(args.urls.map_or(URLS, |count| count.get().into()), places).into_iter().unzip();
    let trusted = trusted_file(origin.ca_pem()).map_err(|error| format!("can't write the certificate: {error}"))?;
    let mut config = Config::default();
    config.tls.ca_files = vec![trusted.path().to_owned()];
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    config.pool.max_sockets =
        connections(limit, descriptors_in_use(), std::thread::available_parallelism().map_or(1, usize::from))?;
    let per_host = config.limits.per_host.get();
    let engine = Engine::new(config).map_err(|error| error.to_string())?;
    let tally = Arc::new(Mutex::new(HashMap::new()));
    let onward = onward(args.output.as_deref())?;
    let hosts: u32 = list::Kind::ALL.iter().map(|kind| kind.hosts()).sum();
    console::tell(&format!(
        "haul demo: {} URLs on {hosts} hosts, all on this machine; Ctrl-C ends it\n",
        indicatif::HumanCount(urls.len() as u64)
    ));
    let show = if io::stderr().is_terminal() { Show::Line } else { Show::Messages };
    let console = Console::new(show == Show::Line);
    signals::watch(engine.handle(), GRACE).map_err(|error| format!("can't catch signals: {error}"))?;
    let sink = CountingSink { kinds, tally: Arc::clone(&tally), onward };
    let (report, bounds) = drive::watched(engine, (Box::new(Urls::new(urls)), Box::new(sink)), &console, show);
    drop(closed);
    console::tell(&summary::summary(&report, &bounds));
    drive::tell_trouble(&report);
    let tally: StatsByKind = std::mem::take(&mut *tally.lock().expect("no holder of this lock panics"));
    console::tell(&format!("\n{}", story::story(&tally, &report.totals, per_host)));
    Ok(match (report.stopped, report.sink_error) {
        (_, Some(_)) => Exit::SomeFailed,
        (true, None) => Exit::Interrupted,
        (false, None) => Exit::Complete,
    })
}

/// Descriptors of the demo's engine beside its connections: for each core, and beside them. And as many as the server, which
/// learns a moment later that a connection has been closed, may hold longer than the client.
const DESCRIPTORS_A_CORE: u64 = 4;
const DESCRIPTORS: u64 = 6 + 8;
/// Connections without which there is little to see.
const FEWEST: u64 = 8;

/// How many connections the demo may have at once: both ends of each are this process's.
fn connections(limit: u64, in_use: u64, cores: usize) -> Result<usize, String> {
    let beside = in_use + DESCRIPTORS + DESCRIPTORS_A_CORE * cores as u64;
    let connections = limit.saturating_sub(beside) / 2;
    if connections < FEWEST {
        return Err(format!(
            "the demo needs {} file descriptors, as its server is in the same process, and the limit (ulimit -n) is {limit}; \
             raise it",
            beside + 2 * FEWEST
        ));
    }
    Ok(usize::try_from(connections).unwrap_or(usize::MAX))
}

/// The descriptors that are open, or more where that can't be seen.
fn descriptors_in_use() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(32, |open| open.count() as u64)
}

/// A port that nobody listens on, and nobody else can take while the socket is held.
fn closed_port() -> io::Result<(SocketAddr, socket2::Socket)> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    Ok((address.expect("it was bound to an address"), socket))
}

fn trusted_file(pem: &str) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(pem.as_bytes())?;
    Ok(file)
}

/// Where the records go.
fn onward(file: Option<&Path>) -> Result<Box<dyn Sink>, String> {
    let Some(path) = file else { return Ok(Box::new(Null)) };
    let file = File::create(path).map_err(|error| format!("can't write {}: {error}", path.display()))?;
    Ok(Box::new(Ndjson::new(
        file,
        path.display().to_string(),
        RecordFields { setting_names: Some(flag), ..RecordFields::default() },
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_connection_are_counted() {
        assert_eq!(connections(1024, 16, 2), Ok((1024 - 16 - 14 - 8) / 2));
        assert_eq!(connections(54, 16, 2), Ok(8));
        let refused = connections(53, 16, 2).expect_err("too few");
        assert!(refused.contains("needs 54 file descriptors") && refused.contains("(ulimit -n) is 53"), "{refused}");
        assert!(connections(0, 16, 2).is_err());
    }
}
