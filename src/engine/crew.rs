//! The threads of a run: shards and outlet, from their start to their reports.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use super::message::{Message, ToOutlet};
use super::outlet::{self, OutletReport};
use super::shard::{self, ShardReport};
use super::shared::{Shared, Wiring};
use crate::model::{Acknowledge, Sink};

/// The threads that fetch and the one that writes.
pub(super) struct Crew {
    shards: Vec<JoinHandle<ShardReport>>,
    outlet: JoinHandle<OutletReport>,
    to_outlet: Sender<ToOutlet>,
}

impl Crew {
    /// Starts them, wired up.
    pub(super) fn start(shared: &Arc<Shared>, sink: Box<dyn Sink>, acknowledge: Option<Box<dyn Acknowledge>>) -> Self {
        let (inboxes, receivers): (Vec<_>, Vec<_>) =
            (0..shared.shards).map(|_| tokio::sync::mpsc::unbounded_channel()).unzip();
        let (to_outlet, outlet_inbox) = mpsc::channel();
        let wired =
            shared.wiring.set(Wiring { shards: inboxes, outlet: to_outlet.clone(), settles: acknowledge.is_some() });
        assert!(wired.is_ok(), "an engine runs once: starting consumes it");
        let outlet = {
            let shared = Arc::clone(shared);
            named("haul-outlet", move || outlet::run(shared, &outlet_inbox, sink, acknowledge))
        };
        let start_shard = |(index, inbox)| {
            let shared = Arc::clone(shared);
            named(&format!("haul-shard-{index}"), move || shard::run(index, &shared, inbox))
        };
        let shards = receivers.into_iter().enumerate().map(start_shard).collect();
        Self { shards, outlet, to_outlet }
    }

    /// Ends them, once nothing is under way any more or what is left is to be dropped.
    pub(super) fn end(self, shared: &Shared) -> (Vec<ShardReport>, OutletReport) {
        shared.send_all(None, || Message::End);
        let shards = self.shards.into_iter().map(joined).collect();
        // Nobody delivers any more: a stopped intake finds the window closed.
        let _ = self.to_outlet.send(ToOutlet::End);
        (shards, joined(self.outlet))
    }
}

/// A thread that a process list tells apart.
pub(super) fn named<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let thread = thread::Builder::new().name(name.into()).spawn(run);
    thread.expect("a run can't begin without its threads; the system refused one")
}

/// What a thread came to; its panic goes on here.
pub(super) fn joined<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
