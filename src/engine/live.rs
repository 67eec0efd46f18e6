//! A run without a source: jobs come one by one from any thread, each with a reply of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::conclude;
use super::crew::{Crew, named};
use super::handle::Handle;
use super::message::Message;
use super::shared::Shared;
use crate::model::{Clock, Extra, Job, WebUrl};
use crate::sink::Null;

/// An engine that takes jobs until it is dropped. Dropping it ends the run at once: what is under way is cancelled.
pub(crate) struct Live {
    shared: Arc<Shared>,
}

impl Live {
    /// Starts the threads.
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let crew = Crew::start(&shared, Box::new(Null), None);
        let own = Arc::clone(&shared);
        // Nobody waits for this thread: it ends soon after the run, and checks the books on its way.
        named("haul-live", move || {
            own.window.wait_until_idle();
            let (shards, outlet) = crew.end(&own);
            let report = conclude(&own, shards, outlet, None);
            tracing::debug!(totals = ?report.totals, "a client has ended");
        });
        Self { shared }
    }

    /// Takes jobs, whose extras hold their replies. When the run has been stopped they are dropped, which tells those
    /// who wait.
    pub(crate) fn submit(&self, jobs: impl IntoIterator<Item = (WebUrl, Box<Extra>), IntoIter: ExactSizeIterator>) {
        let (shared, jobs) = (&self.shared, jobs.into_iter());
        let count = jobs.len();
        if count == 0 || !shared.window.join(count) {
            return;
        }
        let first = shared.submitted.fetch_add(count as u64, Ordering::AcqRel);
        let accepted = shared.clock.now();
        let mut batches: Vec<Vec<Job>> = Vec::new();
        batches.resize_with(shared.shards, Vec::new);
        for (seq, (url, extra)) in (first..).zip(jobs) {
            batches[shared.shard_of(&url)].push(Job { seq, url, accepted, extra: Some(extra) });
        }
        for (shard, jobs) in batches.into_iter().enumerate().filter(|(_, jobs)| !jobs.is_empty()) {
            shared.send(shard, Message::Jobs(jobs));
        }
    }

    /// The control handle of this run.
    pub(crate) fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.stop_now();
    }
}
