//! The end of a job: its outcome goes where it is waited for.

use std::rc::Rc;
use std::time::Duration;

use super::Shard;
use super::host::Host;
use super::outbox::ShardReport;
use crate::attempt;
use crate::model::{Attempt, Failure, GiveUpReason, Job, Outcome};
use crate::sched::HostId;
use crate::work;

/// How long a record may wait for company.
const LINGER: Duration = Duration::from_millis(5);

impl Shard {
    /// The scheduler gives a job back: its last attempt is its result, or the reason is.
    pub(super) fn give_up(&self, host: HostId, mut job: Job, reason: GiveUpReason) {
        let attempts = work::attempts(&job);
        self.hosts.leaves(host);
        if job.extra.is_some() {
            work::of_mut(&mut job).gave_up = Some(reason);
        }
        if let Err(failure) = self.stowage.take(&mut job) {
            return self.deliver(Outcome { job, attempts, last: Attempt::unsent(failure) });
        }
        match self.redeem(&mut job) {
            // Whoever waits for a response would take one without its body for whole; a record says that it has none.
            Some(_) if job.is_body_dropped() && job.extra.as_ref().is_some_and(|extra| extra.reply.is_some()) => {
                let last = Attempt::unsent(self.untried(host, reason));
                self.deliver(Outcome { job, attempts, last });
            }
            Some(last) => self.deliver(Outcome { job, attempts, last }),
            None if reason == GiveUpReason::Stopped => self.outbox.cancelled(1),
            None => {
                let last = Attempt::unsent(self.untried(host, reason));
                self.deliver(Outcome { job, attempts, last });
            }
        }
    }

    /// What the job's last attempt brought, if it had any.
    fn redeem(&self, job: &mut Job) -> Option<Attempt> {
        job.extra.is_some().then(|| self.keepsakes.redeem(work::of_mut(job))).flatten()
    }

    /// The failure of a job that was given up without an attempt of its own.
    fn untried(&self, host: HostId, reason: GiveUpReason) -> Failure {
        let untried = |host: &Host| attempt::untried(host.trouble(), reason);
        self.hosts.with(host, untried).unwrap_or_else(|| attempt::untried(None, reason))
    }

    /// Counts an outcome, and hands it to the one it is for.
    pub(super) fn deliver(&self, outcome: Outcome) {
        self.outbox.count(&outcome);
        self.requests.hooks().outcome(&outcome);
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
        ShardReport { top_hosts: self.hosts.top_hosts(), ..self.outbox.report() }
    }
}
