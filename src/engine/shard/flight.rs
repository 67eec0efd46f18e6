//! A job on its way.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::dial::DialTimes;
use crate::engine::memory_budget::BodySlot;
use crate::model::{Failure, FailureKind, Job, Phase, Reply, Time, Timings};
use crate::sched::HostId;

/// A job on its way: dispatched, its permits taken.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) host: HostId,
    pub(super) job: Job,
    /// When it was dispatched.
    pub(super) dispatched: Time,
    /// How long its host's last rest held it up, in milliseconds: a lane holds flights several times over, and there is room for
    /// four bytes.
    backed_off: u32,
    /// How long its own connection took to open; `None` on one that was open already.
    pub(super) dial: Option<DialTimes>,
    /// Whether the response's body goes to the one who asked for it as it comes: there is no second try then.
    pub(super) handed_over: Cell<bool>,
    /// Whether its connection took other requests and not this one.
    pub(super) crowded: Cell<bool>,
    /// Where its body is put when memory is rationed.
    pub(super) slot: RefCell<Option<BodySlot>>,
}

impl Flight {
    pub(super) fn new(host: HostId, job: Job, dispatched: Time, backed_off: Duration) -> Self {
        let (handed_over, crowded) = (Cell::new(false), Cell::new(false));
        let backed_off = u32::try_from(backed_off.as_millis()).unwrap_or(u32::MAX);
        Self { host, job, dispatched, backed_off, dial: None, handed_over, crowded, slot: RefCell::new(None) }
    }

    /// How long its host's last rest held it up, if it did.
    pub(super) fn backed_off(&self) -> Option<Duration> {
        (self.backed_off > 0).then(|| Duration::from_millis(self.backed_off.into()))
    }

    /// The job's own total time-out.
    pub(super) fn own_timeout(&self) -> Option<Duration> {
        self.job.overrides()?.timeout
    }

    /// The times of the attempt, as far as they are known.
    pub(super) fn timings(&self, first_byte: Option<Duration>, body: Option<Duration>, total: Duration) -> Timings {
        let dial = self.dial.unwrap_or_default();
        Timings {
            queued: self.dispatched.since(self.job.accepted),
            backed_off: self.backed_off(),
            dns: dial.dns,
            connect: dial.connect,
            tls: dial.tls,
            first_byte,
            body,
            total,
        }
    }

    /// Whom the job is done for, when it is not the sink.
    pub(super) fn reply(&self) -> Option<&dyn Reply> {
        self.job.extra.as_ref()?.reply.as_deref()
    }

    /// Ready when the one it is done for has gone.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.reply().map_or(Poll::Pending, |reply| reply.poll_gone(cx))
    }

    /// Whether the one it is done for has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.poll_gone(&mut Context::from_waker(Waker::noop())).is_ready()
    }
}

/// The failure of a job that nobody waits for any longer, when its turn comes.
pub(super) fn abandoned() -> Failure {
    Failure::new(Phase::Queue, FailureKind::Cancelled, "nobody waits for this response any longer")
}
