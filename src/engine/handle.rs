//! The control handle of a run: how far it is, how to slow it down or let it go, and how to end it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::counters::ShardCounters;
use super::estimate::{Estimate, RunFacts};
use super::message::Message;
use super::shared::Shared;
use super::steering::LiveLimits;
use crate::config::Rate;
use crate::model::{Clock, Time};

/// How often shards are asked to look, at most: they themselves look less often, and this bounds what is in their inbox.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Watches, steers and stops a run from any thread.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let urls: Vec<_> = (0..500).map(|n| server.url(&format!("/delay/1s?n={n}"))).collect();
/// use std::time::Duration;
/// use haul::{config::Config, engine::Engine, sink::Null, source::Urls};
///
/// let engine = Engine::new(Config::default())?;
/// let handle = engine.handle();
/// std::thread::spawn(move || {
///     while handle.progress().in_flight == 0 {
///         std::thread::sleep(Duration::from_millis(10));
///     }
///     // Nothing more is started; what is in flight has five seconds to end.
///     handle.stop(Duration::from_secs(5));
/// });
/// let report = engine.run(Box::new(Urls::new(urls)), Box::new(Null));
/// assert!(report.stopped && report.totals.failed == 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Ends the run in good order: no more input is read, nothing more is started, what is in flight may finish
    /// within `grace`, and its records are written. Waiting jobs are counted as cancelled.
    pub fn stop(&self, grace: Duration) {
        self.shared.stop();
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            std::thread::sleep(grace);
            shared.stop_now();
        });
    }

    /// Ends the run at once: what is in flight is dropped and counted as cancelled.
    pub fn stop_now(&self) {
        self.shared.stop_now();
    }

    /// Whether the run has been told to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.is_stopped()
    }

    /// Starts no request until [`Self::resume`]. What is in flight goes on, and input is read until the window is full.
    /// May be called before the run.
    pub fn pause(&self) {
        self.set_paused(true);
    }

    /// Lets requests start again. The run goes on being held while the sink is behind.
    pub fn resume(&self) {
        self.set_paused(false);
    }

    fn set_paused(&self, paused: bool) {
        if self.shared.steering.set_paused(paused) {
            self.shared.send_all(None, || Message::Steered);
        }
    }

    /// The limits as last set.
    #[must_use]
    pub fn limits(&self) -> LiveLimits {
        *self.shared.steering.limits()
    }

    /// Other limits from now on. Nothing in flight is ended: where a limit is lowered below that, nothing is started until
    /// enough has ended. Delays and rates count from the last start. Hosts with a rule of their own
    /// ([`crate::config::HostRule`]) keep what it says. A change of what holds per host looks at every host once.
    pub fn set_limits(&self, limits: LiveLimits) {
        let shared = &self.shared;
        let mut held = shared.steering.limits();
        if held.concurrency != limits.concurrency {
            let most = u32::try_from(shared.sockets).unwrap_or(u32::MAX);
            shared.permit_pool.set_limit(limits.concurrency.get().min(most));
        }
        if held.rate != limits.rate {
            shared.permit_pool.set_rate(limits.rate);
        }
        *held = limits;
        drop(held);
        shared.send_all(None, || Message::Steered);
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// What is left and what bounds the run. `None` until each shard has looked for the first time, which it does soon
    /// after it was first asked to.
    ///
    /// Asking makes the shards look at their hosts, each at most once a second and never for more than 1 % of its time
    /// (16 ms every two seconds with a million hosts); what is said of hosts may be as old as that. Nobody who does not ask
    /// pays for it.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        let shared = &self.shared;
        let looked: Option<Vec<_>> = (0..shared.shards).map(|shard| shared.estimate(shard).clone()).collect();
        let now = shared.clock.now();
        shared.ask_to_look(now);
        let progress = shared.snapshot();
        let (input_ended, window_is_full) = shared.window.is_closed_or_full();
        let LiveLimits { concurrency, rate, .. } = self.limits();
        let facts = RunFacts {
            now,
            paused: shared.steering.is_paused(),
            sink_is_behind: shared.backlog.is_waited_for(),
            input_ended,
            window_is_full,
            sockets_are_short: shared.permit_pool.has_free(),
            queued: progress.queued,
            in_flight: progress.in_flight,
            concurrency: concurrency.get(),
            interval: rate.map(Rate::interval),
        };
        looked.map(|looked| Estimate::of(looked, facts))
    }
}

/// The counts of a run at one moment.
///
/// ```
/// let client = haul::Client::new()?;
/// let now = client.handle().progress();
/// assert_eq!((now.accepted, now.in_flight), (0, 0));
/// # Ok::<(), haul::engine::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Lines read: jobs and rejected ones.
    pub accepted: u64,
    /// Lines that could not become jobs; they are among the failed.
    pub rejected: u64,
    /// Jobs that ended with a response.
    pub succeeded: u64,
    /// Jobs that ended with a failure.
    pub failed: u64,
    /// Jobs that ended without a record because the run was stopped.
    pub cancelled: u64,
    /// Jobs waiting to be dispatched.
    pub queued: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// Hosts known.
    pub hosts: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Requests sent on a connection that was open already.
    pub connections_reused: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Redirects followed.
    pub redirects: u64,
    /// Body bytes received, before decoding.
    pub wire_bytes: u64,
    /// Body bytes after decoding, of the responses delivered.
    pub body_bytes: u64,
    /// Responses delivered by their status's first digit.
    pub status: [u64; 6],
    /// Since the run's start.
    pub elapsed: Duration,
}

impl Snapshot {
    /// Records written or to be written.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.succeeded + self.failed
    }

    fn add(&mut self, shard: &ShardCounters) {
        self.succeeded += shard.succeeded.get();
        self.failed += shard.failed.get();
        self.cancelled += shard.cancelled.get();
        self.queued += shard.queued.get();
        self.in_flight += shard.in_flight.get();
        self.hosts += shard.hosts.get();
        self.connections_opened += shard.connections_opened.get();
        self.connections_reused += shard.reused.get();
        self.retries += shard.retries.get();
        self.redirects += shard.redirects.get();
        self.wire_bytes += shard.wire_bytes.get();
        self.body_bytes += shard.body_bytes.get();
        for (total, count) in self.status.iter_mut().zip(&shard.status) {
            *total += count.get();
        }
    }
}

impl Shared {
    fn stop(&self) {
        if self.stopped.set(self.clock.now()).is_ok() {
            self.window.close();
            self.send_all(None, || Message::Stop);
        }
    }

    pub(super) fn stop_now(&self) {
        self.stop();
        self.send_all(None, || Message::End);
    }

    /// Asks the shards to look, unless they were asked just now.
    fn ask_to_look(&self, now: Time) {
        let last = Time::from_nanos(self.asked_to_look.load(Ordering::Relaxed));
        if last == Time::ZERO || now.since(last) >= ASK_EVERY {
            self.asked_to_look.store(now.as_nanos(), Ordering::Relaxed);
            self.send_all(None, || Message::Look);
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            accepted: self.intake.accepted.get() + self.submitted.load(Ordering::Acquire),
            rejected: self.intake.rejected.get(),
            failed: self.intake.rejected.get(),
            cancelled: self.undeliverable.load(Ordering::Acquire),
            elapsed: self.clock.now().since(Time::ZERO),
            ..Snapshot::default()
        };
        self.counters.iter().for_each(|shard| snapshot.add(shard));
        snapshot
    }
}
