//! How a memory budget is divided, and what the settings become under it. Pure arithmetic.
//!
//! Each part has a bound of its own already; a budget lowers those that would be too much together, and never raises one.
//! What is not counted piece by piece (buffers, a job, a host) counts with what it was measured to take.

use super::Config;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The process before it has read a line: code, threads, trusted roots.
const BASE: u64 = 24 * MIB;
/// A job with up to [`Shares::SMALL`] bytes of URL and body, with its place in a queue and the allocator's share.
const JOB: u64 = 480;
/// A connection with a request in flight: its task, hyper's read buffer (grown), TLS, or an HTTP/2 stream's window.
const CONNECTION: u64 = 128 * KIB;
/// A head of this size is in it. A larger one is there twice: as it came, and as fields.
const HEAD: u64 = 64 * KIB;
const COPIES: u64 = 2;
/// What an HTTP/2 stream may send ahead under a budget.
const STREAM_WINDOW: u32 = 40 << 10;
/// What unread frames of an HTTP/2 connection may take beside their bytes: as much as those of eight streams' whole windows in
/// frames of 100 bytes, which is more than servers send at once. h2 takes about as much for them.
const FRAME_OVERHEAD: usize = 512 << 10;
/// A name's addresses in a cache: a long name, and as many addresses of both families as are kept.
const NAME: u64 = KIB;
/// The TLS session of a host: its ticket and the chain of certificates, each as large as TLS allows.
const SESSIONS: u64 = 128 * KIB;
/// A host with nothing to do, in all tables.
const HOST: u64 = 900;
/// What is there of a budget, beside [`BASE`], for each shard: a thread's heap takes up to 2.5 MiB beside what is counted, codecs
/// that are used again a part of that.
const SHARD: u64 = 12 * MIB;
/// No budget needs to allow more.
const MOST_SHARDS: u64 = 1 << 16;

/// A memory budget, divided.
///
/// ```
/// # extern crate haul_core as haul;
/// let shares = haul::config::Shares::of(256 << 20).expect("enough");
/// assert!(shares.largest_body < shares.bodies && shares.bodies < 256 << 20);
/// assert!(haul::config::Shares::of(1 << 20).is_none(), "less than 64 MB is too little");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Bytes of jobs read and not finished.
    pub jobs: u64,
    /// Bytes of connections and what is in their buffers.
    pub connections: u64,
    /// Bytes of kept bodies and decoders' windows at which reading further ones waits. One body may go on beyond it.
    pub bodies: u64,
    /// The largest body that is kept.
    pub largest_body: u64,
    /// Bytes of responses that wait for another try.
    pub retries: u64,
    /// Bytes of what is remembered: names, TLS sessions, idle hosts.
    pub memory: u64,
    /// Threads that fetch, at the most.
    pub shards: usize,
}

impl Shares {
    /// Jobs of more text than this are counted by their bytes, others by their number.
    pub const SMALL: usize = 256;

    /// The smallest budget: less leaves too little to fetch at any speed.
    pub const LEAST: u64 = 64_000_000;

    /// Divides `budget` bytes; `None` when that is less than 64 MB (64,000,000).
    #[must_use]
    pub const fn of(budget: u64) -> Option<Self> {
        if budget < Self::LEAST {
            return None;
        }
        let rest = budget - BASE;
        // A twentieth is left for records that wait for their turn (`--order input`). Of what bodies get, one half is the
        // mark at which reading waits; then one body in flight and one being written, which takes as much again as text,
        // each a sixth.
        let bodies = rest * 35 / 100;
        Some(Self {
            jobs: rest * 23 / 100,
            connections: rest * 24 / 100,
            bodies: bodies / 2,
            largest_body: bodies / 6,
            retries: rest * 3 / 100,
            memory: rest * 10 / 100,
            shards: if rest / SHARD < MOST_SHARDS { (rest / SHARD) as usize } else { MOST_SHARDS as usize },
        })
    }

    /// Lowers the settings of a run of so many shards to what these shares allow.
    pub fn apply(&self, config: &mut Config, shards: usize) {
        let shards = shards.max(1) as u64;
        let limits = &mut config.limits;
        lower(&mut limits.window, self.jobs * 3 / 4 / JOB);
        limits.window_bytes = limits.window_bytes.min(self.jobs / 4);
        lower(&mut limits.sink_backlog, self.bodies / 4);
        let heads = COPIES * (config.body.max_head as u64).saturating_sub(HEAD);
        let connections = self.connections / CONNECTION.saturating_add(heads);
        let pool = &mut config.pool;
        if pool.max_sockets == 0 {
            pool.max_sockets = usize::MAX;
        }
        lower(&mut pool.max_sockets, connections);
        config.body.h2_stream_window = config.body.h2_stream_window.min(STREAM_WINDOW);
        config.body.h2_frame_overhead.get_or_insert(FRAME_OVERHEAD);
        config.body.max_kept = config.body.max_kept.min(self.largest_body);
        lower(&mut config.dns.max_entries, self.memory * 3 / 10 / NAME / shards);
        lower(&mut config.tls.session_hosts, self.memory * 3 / 10 / SESSIONS);
        lower(&mut config.tls.session_tickets, 1);
        lower(&mut config.retries.max_idle_hosts, self.memory * 2 / 5 / HOST / shards);
    }
}

/// Lowers a setting to `most`, but not to nothing.
fn lower(setting: &mut usize, most: u64) {
    *setting = (*setting).min(usize::try_from(most).unwrap_or(usize::MAX).max(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_no_more_than_the_budget() {
        for mib in [64, 100, 256, 1 << 20] {
            let shares = Shares::of(mib * MIB).expect("enough");
            // A body that is being written is there twice: as bytes and as a line.
            let bodies = shares.bodies + 3 * shares.largest_body;
            let parts = shares.jobs + shares.connections + bodies + shares.retries + shares.memory;
            let all = BASE + parts + (mib * MIB - BASE) / 20;
            assert!(all <= mib * MIB && all > mib * MIB - MIB, "{mib}: {all}");
        }
        assert_eq!(Shares::of(Shares::LEAST - 1), None);
    }

    #[test]
    fn a_small_budget_has_few_shards() {
        let shards = |budget| Shares::of(budget).map(|shares| shares.shards);
        assert_eq!((shards(Shares::LEAST), shards(100_000_000), shards(200_000_000)), (Some(3), Some(5), Some(13)));
    }

    #[test]
    fn settings_are_lowered_and_never_raised() {
        let shares = Shares::of(Shares::LEAST).expect("enough");
        let mut config = Config::default();
        shares.apply(&mut config, 2);
        let defaults = Config::default();
        assert!(config.limits.window < defaults.limits.window && config.limits.window > 10_000);
        assert!(config.limits.window_bytes < defaults.limits.window_bytes);
        assert!(config.pool.max_sockets > 50 && config.pool.max_sockets < 200);
        assert!(config.body.max_kept < defaults.body.max_kept);
        assert!(config.tls.session_hosts < defaults.tls.session_hosts);
        let mut large_heads = Config::default();
        large_heads.body.max_head = 2 << 20;
        shares.apply(&mut large_heads, 2);
        assert!((1..5).contains(&large_heads.pool.max_sockets), "{}", large_heads.pool.max_sockets);
        let mut small = Config::default();
        small.limits.window = 7;
        small.pool.max_sockets = 3;
        Shares::of(1 << 40).expect("enough").apply(&mut small, 1);
        assert_eq!((small.limits.window, small.pool.max_sockets), (7, 3));
        assert_eq!(small.limits.window_bytes, defaults.limits.window_bytes);
    }
}
