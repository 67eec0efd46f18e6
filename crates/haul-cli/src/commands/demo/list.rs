//! The URLs of the demo: hosts of every kind, sorted by host, which is the worst order for a plain pool. Pure.

use std::net::SocketAddr;

/// A kind of host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Answers at once, over HTTP/1.1.
    Fast,
    /// Answers at once, over TLS and HTTP/2.
    Tls,
    /// Takes 200 to 800 ms.
    Slow,
    /// Answers 20 requests a second, and 429 to more.
    Limited,
    /// Answers 500, 503 or with a reset now and then.
    Failing,
    /// Answers 503 to one URL in ten, whenever it is asked.
    Partly,
    /// Refuses connections.
    Down,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::Fast, Self::Tls, Self::Slow, Self::Limited, Self::Failing, Self::Partly, Self::Down];

    /// How many hosts of the kind there are.
    pub(super) const fn hosts(self) -> u32 {
        match self {
            Self::Fast => 180,
            Self::Tls => 60,
            Self::Slow => 30,
            Self::Limited => 15,
            Self::Failing => 10,
            Self::Partly => 5,
            Self::Down => 3,
        }
    }

    /// The share of all URLs in thousandths.
    const fn share(self) -> u64 {
        match self {
            Self::Fast => 580,
            Self::Tls => 220,
            Self::Slow => 60,
            Self::Limited => 30,
            Self::Failing => 60,
            Self::Partly => 40,
            Self::Down => 10,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Fast | Self::Tls => "fast",
            Self::Slow => "slow",
            Self::Limited => "limited",
            Self::Failing => "failing",
            Self::Partly => "partly",
            Self::Down => "down",
        }
    }

    /// What it is called in the table.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Tls => "fast, TLS + HTTP/2",
            Self::Slow => "slow (200-800 ms)",
            Self::Limited => "limited (20/s)",
            Self::Failing => "failing (20 %)",
            Self::Partly => "1 URL in 10 fails",
            Self::Down => "down",
        }
    }
}

/// Where the hosts are.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostAddresses {
    pub(super) plain: SocketAddr,
    pub(super) tls: SocketAddr,
    /// Where nobody listens.
    pub(super) nobody: SocketAddr,
}

/// About `count` URLs and the kinds of their hosts.
pub(super) fn urls(count: u64, places: HostAddresses) -> Vec<(Kind, String)> {
    let mut list = Vec::new();
    for kind in Kind::ALL {
        let (scheme, port) = match kind {
            Kind::Tls => ("https", places.tls.port()),
            Kind::Down => ("http", places.nobody.port()),
            _ => ("http", places.plain.port()),
        };
        let each = (count * kind.share() / 1000 / u64::from(kind.hosts())).max(1);
        for host in 0..kind.hosts() {
            let label = kind.label();
            let url = |n| (kind, format!("{scheme}://{label}.{label}{host}.localhost:{port}{}", path(kind, n)));
            list.extend((0..each).map(url));
        }
    }
    list
}

/// A little of everything.
fn path(kind: Kind, n: u64) -> String {
    match (kind, n % 10) {
        (Kind::Fast | Kind::Tls, 0) => format!("/gzip/5000?n={n}"),
        (Kind::Fast | Kind::Tls, 1) => format!("/br/5000?n={n}"),
        (Kind::Fast | Kind::Tls, 2) => format!("/chunked/10000?n={n}"),
        (Kind::Fast | Kind::Tls, 3) => format!("/redirect/1?n={n}"),
        (Kind::Fast | Kind::Tls, 4) => format!("/json/20?n={n}"),
        (Kind::Partly, 0) => format!("/status/503?n={n}"),
        (_, 5) => format!("/html/{n}"),
        _ => format!("/bytes/1024?n={n}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_list_has_hundreds_of_hosts_and_about_the_count() {
        let place = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let places = HostAddresses { plain: place(1), tls: place(2), nobody: place(3) };
        for count in [0, 30_000, 100_000] {
            let list = urls(count, places);
            let urls: HashSet<_> = list.iter().map(|(_, url)| url).collect();
            let hosts: HashSet<_> = list.iter().map(|(_, url)| url.split('/').nth(2)).collect();
            assert_eq!(urls.len(), list.len(), "no URL twice");
            assert_eq!(hosts.len(), 303);
            assert!(count == 0 || list.len().abs_diff(usize::try_from(count).expect("small")) < 400, "{}", list.len());
        }
        let shares: u64 = Kind::ALL.iter().map(|kind| kind.share()).sum();
        assert_eq!(shares, 1000);
    }
}
