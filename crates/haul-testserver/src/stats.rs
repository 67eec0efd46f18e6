//! What the origin counts, and the figures it gives out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::guide::PATHS;
use super::virtual_host::{Gauge, VirtualHost};

/// What an origin has served, as it saw it.
///
/// ```
/// let server = haul_testserver::TestServer::start()?;
/// # use std::io::{Read, Write};
/// let mut stream = std::net::TcpStream::connect(server.addr())?;
/// write!(stream, "GET /bytes/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
/// stream.read_to_end(&mut Vec::new())?;
/// assert_eq!(server.stats().by_path["/bytes"], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestServerStats {
    /// Requests whose head arrived.
    pub requests: u64,
    /// Connections accepted, on both ports.
    pub connections: u64,
    /// Of these, open now.
    pub open_connections: u64,
    /// Requests being answered now: from the head until the last byte of the answer is given to the connection.
    pub in_flight: u64,
    /// The most that were being answered at one time. An answer for which nothing has to be waited takes one turn of its
    /// thread, so a single thread never answers two of those at one time.
    pub most_in_flight: u64,
    /// Requests by the path's first segment, such as `/bytes`; those for no path that there is stand under `other`.
    pub by_path: BTreeMap<String, u64>,
}

/// What an origin has served for one virtual host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStats {
    /// Requests whose head arrived.
    pub requests: u64,
    /// The most that were being answered at one time, counted as in [`TestServerStats::most_in_flight`].
    pub most_in_flight: u64,
}

/// The counters, shared by the origin's threads.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) open: Gauge,
    pub(super) in_flight: Gauge,
    /// By place in [`PATHS`]; the last is for what is not there.
    by_path: [AtomicU64; PATHS.len() + 1],
}

impl Counters {
    /// Counts a request; `class` is its path's place in [`PATHS`].
    pub(super) fn count(&self, class: Option<usize>) {
        self.by_path[class.unwrap_or(PATHS.len())].fetch_add(1, Relaxed);
    }

    pub(super) fn stats(&self) -> TestServerStats {
        let names = PATHS.iter().map(|entry| format!("/{}", entry.name)).chain(["other".to_owned()]);
        let by_path: BTreeMap<String, u64> = names
            .zip(&self.by_path)
            .map(|(name, count)| (name, count.load(Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect();
        TestServerStats {
            requests: by_path.values().sum(),
            connections: self.connections.load(Relaxed),
            open_connections: self.open.now(),
            in_flight: self.in_flight.now(),
            most_in_flight: self.in_flight.most(),
            by_path,
        }
    }
}

impl From<&VirtualHost> for HostStats {
    fn from(site: &VirtualHost) -> Self {
        Self { requests: site.requests.load(Relaxed), most_in_flight: site.in_flight.most() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_path() {
        let counters = Counters::default();
        counters.count(Some(0));
        counters.count(Some(1));
        counters.count(Some(1));
        counters.count(None);
        let stats = counters.stats();
        let expected = [("/", 1), ("/bytes", 2), ("other", 1)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!((stats.requests, stats.by_path), (4, BTreeMap::from(expected)));
    }
}
