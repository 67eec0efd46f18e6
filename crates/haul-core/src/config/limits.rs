//! How much at once, how often, and how much is held in memory.

use std::num::NonZeroU32;
use std::time::Duration;

/// Limits on requests in flight and on their starts.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests in flight over all hosts. Default 256. Each costs about 40 KiB (a connection's buffers) plus the
    /// body as far as it is kept. Clamped to the socket budget.
    pub concurrency: NonZeroU32,
    /// Requests in flight per host (origin). Default 8. More than a server likes earns 429s, resets or bans.
    pub per_host: NonZeroU32,
    /// Requests in flight per address, over all hosts on it that have such a limit; where they differ, the lowest holds.
    /// Default: no limit. Exact only with one shard.
    pub per_address: Option<NonZeroU32>,
    /// Requests in flight per registrable domain. Default: no limit.
    pub per_site: Option<NonZeroU32>,
    /// Starts per second over all hosts. Default: no limit.
    pub rate: Option<Rate>,
    /// Starts per second per host. Default: no limit.
    pub host_rate: Option<Rate>,
    /// The least time between two starts on a host. Default 0. Strict: never shortened, whatever happens.
    pub delay: Duration,
    /// Whether each host's concurrency follows what the host stands: it starts low, rises by one per round of
    /// successes and halves on overload. Default off: the per-host limit holds from the start.
    pub adaptive: bool,
    /// Threads that fetch. 0, the default, means one per core (one in all with a limit per address).
    pub shards: usize,
    /// Jobs read but not yet finished: the look-ahead that lets hosts interleave when the input is sorted by host.
    /// Default 1,000,000. Each costs 48 to 60 bytes plus its URL plus an allocation's overhead: about 170 MB at the
    /// default with 90-byte URLs (docs/measured/COSTS.md). Less than the biggest host's share of a sorted input costs throughput.
    pub window: usize,
    /// Bytes of large jobs (URL and body over 1 KiB) read but not yet finished, over which no more input is read.
    /// Default 512 MiB. Less than one job's size lets one through at a time.
    pub window_bytes: u64,
    /// Bytes of records finished but not yet written, over which no new request is started. Default 64 MiB.
    pub sink_backlog: usize,
    /// Bytes of memory that the whole run may take. Lowers, and never raises, the other bounds: the window, the sockets and
    /// with them the concurrency, the largest body kept, what is remembered ([`crate::config::Shares`]). While bodies that
    /// are kept take their share, the peers of further ones wait. At least 64,000,000. Bodies that a `Client` has handed
    /// out are their owner's and do not count. Default: none but the bounds of each part.
    pub max_memory: Option<u64>,
    /// What holds for some hosts instead of the above. The first rule that matches a host counts, and no other. Looked
    /// at once per host, when it is first seen. Default: none.
    pub rules: Vec<HostRule>,
}

/// What holds for the hosts whose name matches a pattern. Where it says nothing, the general limits hold.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::config::{Config, HostRule, Rate};
///
/// let mut config = Config::default();
/// config.limits.rules = vec![HostRule {
///     pattern: "*.shop.example".into(),
///     concurrency: 2.try_into().ok(),
///     rate: Rate::new(0.5),
///     ..HostRule::default()
/// }];
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostRule {
    /// Which hosts: a glob on the host's name as URLs have it (lower case, punycode, IPv6 in brackets), or on name and
    /// port. `*` stands for any characters, dots included, `?` for one, `[ab]` for one of these, `{a,b}` for either.
    /// `*.example.com` is each name under example.com but not example.com itself; `example.com:8080` is one port only.
    pub pattern: String,
    /// Requests in flight per host.
    pub concurrency: Option<NonZeroU32>,
    /// Starts per second per host.
    pub rate: Option<Rate>,
    /// The least time between two starts on a host.
    pub delay: Option<Duration>,
    /// Requests in flight per address, over all hosts on it that have such a limit. Needs one shard.
    pub per_address: Option<NonZeroU32>,
}

impl Limits {
    /// Whether any host has a limit per address: then one shard has to do.
    #[must_use]
    pub fn has_per_address(&self) -> bool {
        self.per_address.is_some() || self.rules.iter().any(|rule| rule.per_address.is_some())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: NonZeroU32::new(256).expect("not zero"),
            per_host: NonZeroU32::new(8).expect("not zero"),
            per_address: None,
            per_site: None,
            rate: None,
            host_rate: None,
            delay: Duration::ZERO,
            adaptive: false,
            shards: 0,
            window: 1_000_000,
            window_bytes: 512 << 20,
            sink_backlog: 64 << 20,
            max_memory: None,
            rules: Vec::new(),
        }
    }
}

/// A start rate: so many per second.
///
/// ```
/// # extern crate haul_core as haul;
/// let rate = haul::config::Rate::new(0.5).expect("positive and finite");
/// assert_eq!(rate.interval(), std::time::Duration::from_secs(2));
/// assert!(haul::config::Rate::new(-1.0).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// `per_second` starts per second; `None` unless it is a positive, finite number.
    #[must_use]
    pub fn new(per_second: f64) -> Option<Self> {
        (per_second.is_finite() && per_second > 0.0).then_some(Self(per_second))
    }

    /// Starts per second.
    #[must_use]
    pub const fn per_second(self) -> f64 {
        self.0
    }

    /// The mean time between two starts.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.0).unwrap_or(Duration::MAX)
    }
}
