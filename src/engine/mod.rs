//! A run, from a source to a sink. The only place where pure meets impure: shards, lanes, clock, shutdown.
//!
//! Four kinds of threads: one intake reads the source, one or more shards fetch, one outlet writes to the sink, and the
//! caller's waits for the end. They meet in `shared`, in batches.
//!
//! Owns the conservation law: accepted = succeeded + failed + cancelled, asserted at the end of each run. Must not know:
//! formats, flags, standard output.

mod backlog;
mod clock;
mod counters;
mod crew;
mod descriptors;
mod estimate;
mod extensions;
mod handle;
mod intake;
mod live;
mod mailbox;
mod memory_budget;
mod message;
mod outlet;
mod permit_pool;
mod rehearsal;
mod report;
mod rules;
mod shard;
mod shared;
mod sockets;
mod start_error;
mod steering;
mod template;
mod top_hosts;
mod unsettled;
mod window;

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

pub use self::descriptors::SocketBudget;
pub use self::estimate::{Bottleneck, Estimate, LongestHost};
pub use self::extensions::Extensions;
pub use self::handle::{Handle, Snapshot};
pub(crate) use self::live::Live;
pub use self::report::{Latency, RunReport};
pub use self::rules::{PatternError, Rules, check_pattern};
pub use self::start_error::StartError;
pub use self::steering::LiveLimits;
pub use self::top_hosts::HostSummary;
pub use crate::dial::{
    AddressFilter, ByteStream, Connect, Connecting, Destination, Endpoint, Target, TlsError, is_public,
};

use self::backlog::Backlog;
use self::clock::SystemClock;
use self::counters::{IntakeCounters, ShardCounters};
use self::crew::{Crew, joined, named};
use self::memory_budget::MemoryBudget;
use self::outlet::OutletReport;
use self::permit_pool::PermitPool;
use self::shard::ShardReport;
use self::shared::Shared;
use self::sockets::Sockets;
use self::steering::Steering;
use self::top_hosts::TopHosts;
use self::window::Window;
use crate::config::{Config, ConfigError, Setting, Shares};
use crate::dial::Tls;
use crate::model::{Sink, Source, Time};

/// A run, ready to go.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let urls: Vec<_> = (0..100).map(|n| server.url(&format!("/bytes/{n}"))).collect();
/// use haul::{config::Config, engine::Engine, sink::Ndjson, sink::RecordFields, source::Urls};
///
/// let mut config = Config::default();
/// config.limits.per_host = 2.try_into()?;
/// let engine = Engine::new(config)?;
/// let records = Ndjson::new(std::io::stdout(), "standard output", RecordFields::default());
/// let report = engine.run(Box::new(Urls::new(urls)), Box::new(records));
/// assert_eq!((report.totals.succeeded, report.totals.failed), (100, 0));
/// println!("half of them took less than {:?}", report.latency.p50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Checks the settings, reads the TLS material, raises the descriptor limit.
    ///
    /// # Errors
    /// When settings contradict each other, a certificate file can't be used, or the machine refuses what every run needs; the
    /// message says what to change.
    pub fn new(config: Config) -> Result<Self, StartError> {
        Self::with(config, Extensions::default())
    }

    /// The same with code of the user's own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(mut config: Config, extensions: Extensions) -> Result<Self, StartError> {
        config.check()?;
        extensions.check(&config.network)?;
        let shards = shards(&config)?;
        template::check(&config.request)?;
        if config.tls.insecure && extensions.tls.is_none() {
            tracing::warn!(
                "certificates are not checked: whoever is on the way can read and change everything fetched"
            );
        }
        let budget = config.memory_shares()?;
        if let Some(shares) = &budget {
            shares.apply(&mut config, shards);
        }
        if budget.is_some_and(|shares| shares.shards < config.limits.shards) {
            let wanted = config.limits.shards;
            tracing::warn!(
                wanted,
                most = shards,
                "fewer shards than asked for: each takes a part of the memory budget"
            );
        }
        // A budget has lowered what is claimed; and to claim it is to raise the limit that the rehearsal is up against.
        let sockets = SocketBudget::claim(config.pool.max_sockets, config.dns.max_lookups, shards);
        rehearsal::rehearse(shards)?;
        let rules = Rules::new(config.limits.rules.clone()).map_err(StartError::Rule)?;
        let http1_only = config.network.http1_only;
        let tls = match &extensions.tls {
            Some(own) => Tls::with(own, http1_only),
            None => Tls::new(&config.tls, http1_only).map_err(StartError::Tls)?,
        };
        config.dns.max_lookups = sockets.lookups;
        let most = u32::try_from(sockets.sockets).unwrap_or(u32::MAX).max(1);
        let wanted = config.limits.concurrency.get();
        if wanted > most {
            let memory = Setting::MaxMemory;
            tracing::warn!(
                wanted,
                most,
                "fewer requests at once than asked for: raise the descriptor limit (ulimit -n) or `{memory}`"
            );
        }
        let shared = Shared {
            clock: SystemClock::start(),
            tls: Arc::new(tls),
            shards,
            rules,
            sockets: sockets.sockets,
            spare: Sockets::new(sockets.sockets, shards),
            memory_budget: budget.map(|shares| MemoryBudget::new(shares.bodies, config.body.max_kept)),
            keepsakes: budget.map_or(KEEPSAKES, |shares| usize::try_from(shares.retries).unwrap_or(usize::MAX)),
            small_job: if budget.is_some() { Shares::SMALL } else { SMALL_JOB },
            window: Window::new(config.limits.window, config.limits.window_bytes),
            backlog: Backlog::new(config.limits.sink_backlog),
            permit_pool: PermitPool::new(wanted.min(most), shards, config.limits.rate),
            steering: Steering::new(LiveLimits::from(&config.limits)),
            intake: IntakeCounters::default(),
            counters: (0..shards).map(|_| ShardCounters::default()).collect(),
            submitted: AtomicU64::new(0),
            estimates: (0..shards).map(|_| Mutex::new(None)).collect(),
            asked_to_look: AtomicU64::new(0),
            undeliverable: AtomicU64::new(0),
            stopped: OnceLock::new(),
            wiring: OnceLock::new(),
            config,
            extensions,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The control handle of this run.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    /// Starts the run without a source: jobs are submitted one by one.
    pub(crate) fn start(self) -> Live {
        Live::start(self.shared)
    }

    /// Fetches everything `source` gives and writes everything to `sink`; blocks until all of it is done, or the run
    /// is stopped.
    ///
    /// # Panics
    /// When a job was lost or counted twice: that is a defect of haul, and no report would be true.
    #[must_use]
    pub fn run(self, mut source: Box<dyn Source>, sink: Box<dyn Sink>) -> RunReport {
        let shared = self.shared;
        let acknowledge = source.acknowledger();
        let crew = Crew::start(&shared, sink, acknowledge);
        let intake = {
            let shared = Arc::clone(&shared);
            named("haul-intake", move || {
                let read = intake::run(&shared, source);
                shared.window.close();
                read
            })
        };
        shared.window.wait_until_idle();
        let (shards, outlet) = crew.end(&shared);
        // After a stop the intake may still wait for a line that never comes; it is left to the process's end.
        let waits = shared.is_stopped() && !intake.is_finished();
        let read = if waits { Ok(()) } else { joined(intake) };
        conclude(&shared, shards, outlet, read.err())
    }
}

/// What a run with these settings may open where the descriptor limit, which [`Engine::new`] raises as far as the hard
/// limit allows, is `descriptors`.
///
/// # Errors
/// When settings contradict each other, as with [`Engine::new`].
pub fn socket_budget(config: &Config, descriptors: u64) -> Result<SocketBudget, StartError> {
    config.check()?;
    Ok(SocketBudget::divide(descriptors, config.pool.max_sockets, config.dns.max_lookups, shards(config)?))
}

/// Puts the report together and checks the books.
fn conclude(
    shared: &Shared,
    shards: Vec<ShardReport>,
    outlet: OutletReport,
    source_error: Option<io::Error>,
) -> RunReport {
    let totals = shared.snapshot();
    let ended = totals.succeeded + totals.failed + totals.cancelled;
    assert_eq!(
        totals.accepted, ended,
        "haul lost or doubled a job: accepted = succeeded + failed + cancelled is broken"
    );
    let mut failures = outlet.rejections;
    let mut latency = ShardReport::default().latency;
    let mut top_hosts = TopHosts::default();
    let mut cut_off = 0;
    let stopped_after = shared.stopped.get().map(|at| at.since(Time::ZERO));
    for shard in shards {
        cut_off += shard.cut_off;
        for (what, count) in shard.failures {
            *failures.entry(what).or_default() += count;
        }
        // Both histograms resize themselves and have the same precision, so that adding can't fail.
        let _ = latency.add(&shard.latency);
        top_hosts.merge(shard.top_hosts);
    }
    let (slowest, latest) = top_hosts.summaries();
    RunReport {
        totals,
        failures,
        latency: Latency::of(&latency),
        slowest,
        latest,
        stopped: stopped_after.is_some(),
        stopped_after,
        left: totals.cancelled,
        cut_off,
        unwritten: outlet.unwritten,
        source_error,
        sink_error: outlet.error,
    }
}

/// Jobs with as many bytes of URL and body count as one of many; the window's limit on their number bounds them.
const SMALL_JOB: usize = 1024;

/// Bytes of responses that wait for another try, where no budget says so.
const KEEPSAKES: usize = 32 << 20;

/// How many shards a run has.
fn shards(config: &Config) -> Result<usize, ConfigError> {
    let limits = &config.limits;
    let wanted = limits.shards;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let shards = if limits.has_per_address() {
        1
    } else if wanted == 0 {
        cores
    } else {
        wanted
    };
    let concurrency = usize::try_from(limits.concurrency.get()).unwrap_or(usize::MAX);
    let affordable = config.memory_shares()?.map_or(MAX_SHARDS, |shares| shares.shards);
    Ok(shards.min(concurrency).min(affordable).clamp(1, MAX_SHARDS))
}

/// More threads than this only cost memory.
const MAX_SHARDS: usize = 1024;
