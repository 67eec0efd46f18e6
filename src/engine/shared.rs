//! What the threads of a run share. Nothing here is touched per request; all of it per batch or per change.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use foldhash::fast::FixedState;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::error::SendError;

use super::Extensions;
use super::backlog::Backlog;
use super::clock::SystemClock;
use super::counters::{IntakeCounters, ShardCounters};
use super::estimate::ShardEstimate;
use super::memory_budget::MemoryBudget;
use super::message::{Message, ToOutlet};
use super::permit_pool::PermitPool;
use super::rules::Rules;
use super::sockets::Sockets;
use super::steering::Steering;
use super::window::Window;
use crate::config::Config;
use crate::dial::Tls;
use crate::model::{Record, Time, WebUrl, site_of};

/// What intake, shards, sink and handle share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) extensions: Extensions,
    pub(super) clock: SystemClock,
    pub(super) tls: Arc<Tls>,
    pub(super) shards: usize,
    pub(super) rules: Rules,
    /// Sockets for all shards together.
    pub(super) sockets: usize,
    /// Those that no shard has at the moment.
    pub(super) spare: Sockets,
    /// The memory for kept bodies, under a budget.
    pub(super) memory_budget: Option<Arc<MemoryBudget>>,
    /// Bytes of responses that wait for another try.
    pub(super) keepsakes: usize,
    /// Bytes over which a job is counted by its size.
    pub(super) small_job: usize,
    pub(super) window: Window,
    pub(super) backlog: Backlog,
    pub(super) permit_pool: PermitPool,
    pub(super) steering: Steering,
    pub(super) intake: IntakeCounters,
    pub(super) counters: Vec<ShardCounters>,
    /// What each shard saw when it was last asked to look.
    pub(super) estimates: Vec<Mutex<Option<ShardEstimate>>>,
    /// When shards were last asked to look, in nanoseconds of the run.
    pub(super) asked_to_look: AtomicU64,
    /// Jobs submitted one by one.
    pub(super) submitted: AtomicU64,
    /// Jobs sent to shards that had ended.
    pub(super) undeliverable: AtomicU64,
    /// When it was told to end.
    pub(super) stopped: OnceLock<Time>,
    /// Set when the run begins.
    pub(super) wiring: OnceLock<Wiring>,
}

/// The channels of a run.
pub(super) struct Wiring {
    pub(super) shards: Vec<UnboundedSender<Message>>,
    pub(super) outlet: Sender<ToOutlet>,
    /// Whether the source wants to know of each job that it is over.
    pub(super) settles: bool,
}

impl Shared {
    /// The shard that owns a URL's host. Hosts of one site are on one shard, so that site limits are exact.
    pub(super) fn shard_of(&self, url: &WebUrl) -> usize {
        if self.shards == 1 {
            return 0;
        }
        let hash = FixedState::default().hash_one(site_of(url.host()));
        usize::try_from(hash % self.shards as u64).unwrap_or(0)
    }

    /// Sends to a shard. Jobs for one that has ended, because the run was stopped, are counted as cancelled.
    pub(super) fn send(&self, shard: usize, message: Message) {
        let Some(wiring) = self.wiring.get() else { return };
        if let Err(SendError(message)) = wiring.shards[shard].send(message) {
            let jobs = message.jobs();
            self.undeliverable.fetch_add(jobs as u64, Ordering::AcqRel);
            self.window.cancelled(jobs);
        }
    }

    /// Sends to all shards but `except`.
    pub(super) fn send_all(&self, except: Option<usize>, message: impl Fn() -> Message) {
        for shard in (0..self.shards).filter(|shard| Some(*shard) != except) {
            self.send(shard, message());
        }
    }

    /// Hands records to the sink's thread, which outlives the shards.
    pub(super) fn deliver(&self, records: Vec<Record>) {
        self.tell_outlet(ToOutlet::Records(records));
    }

    pub(super) fn tell_outlet(&self, message: ToOutlet) {
        if let Some(wiring) = self.wiring.get() {
            let sent = wiring.outlet.send(message);
            debug_assert!(sent.is_ok(), "the outlet outlives everyone who delivers");
        }
    }

    /// Whether the source wants to know of each job that it is over.
    pub(super) fn settles(&self) -> bool {
        self.wiring.get().is_some_and(|wiring| wiring.settles)
    }

    /// The estimate of a shard.
    pub(super) fn estimate(&self, shard: usize) -> MutexGuard<'_, Option<ShardEstimate>> {
        self.estimates[shard].lock().expect("no holder of this lock panics")
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }
}
