//! The end of a job: its outcome goes where it is waited for.

use std::rc::Rc;
use std::time::Duration;

use super::Shard;
use super::outbox::ShardReport;
use crate::model::Outcome;

/// How long a record may wait for company.
const LINGER: Duration = Duration::from_millis(5);

impl Shard {
    /// Counts an outcome, and hands it to the one it is for.
    pub(super) fn deliver(&self, outcome: Outcome) {
        self.outbox.count(&outcome);
        self.requests.tell_hooks(&outcome);
        self.log_outcome(&outcome);
        self.outbox.put(outcome);
    }

    /// Hands records over soon after they came; runs for as long as the shard.
    pub(super) async fn delivery_loop(self: Rc<Self>) {
        loop {
            std::future::poll_fn(|cx| self.outbox.poll_waiting(cx)).await;
            tokio::time::sleep(LINGER).await;
            self.outbox.flush();
        }
    }

    /// What the shard has to tell at its end.
    pub(super) fn report(&self) -> ShardReport {
        self.hosts.tallies(|origin, tally| self.outbox.note_host(origin, tally));
        self.outbox.report()
    }
}
