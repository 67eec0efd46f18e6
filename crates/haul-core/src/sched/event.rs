//! The scheduler's whole vocabulary: what happened, and what to do.

use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::model::{FailureKind, GiveUpReason, Time};
use crate::policy::{RetryFacts, Verdict};

use super::settings::HostLimits;
use super::{Capacity, Gate};

/// A host (origin) as the scheduler knows it: an index, given out by [`super::Scheduler::add_host`] and used again
/// after [`Action::Forget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub u32);

/// A named group of hosts with a common limit (a registrable domain, later any user-named group).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(pub(super) u32);

/// How an attempt ended, as far as the host's limits and the retry policy care.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// When the attempt was dispatched. Failures of attempts begun before the host's last failure event belong to
    /// that event and don't count again.
    pub started: Time,
    /// What the peer made of it.
    pub verdict: Verdict,
    /// Which of the job's attempts here it was: 1 for the first.
    pub attempt: u32,
    /// When the first of the job's attempts here was dispatched that failed; `None`: none has failed before this one.
    pub failing_since: Option<Time>,
}

impl Report {
    /// Whether the job had failed here before: then a failure is the job's affair and says nothing new of the host.
    #[must_use]
    pub const fn is_again(self) -> bool {
        self.attempt > 1
    }
}

/// Something happened.
#[derive(Debug)]
pub enum Event<J> {
    /// A new job for the host.
    Arrived {
        /// The host.
        host: HostId,
        /// The job.
        job: J,
    },
    /// A job that was accepted earlier goes on here (a redirect's next hop): it goes to the head of the queue.
    Continued {
        /// The host.
        host: HostId,
        /// The job.
        job: J,
    },
    /// A gate of the host is open from now on, asked for or not.
    Opened {
        /// The host.
        host: HostId,
        /// The gate.
        gate: Gate,
    },
    /// The host's address is known (or has changed): [`Gate::Address`] opens, and its requests count on this address.
    Resolved {
        /// The host.
        host: HostId,
        /// The address its connections will go to first.
        address: Option<IpAddr>,
    },
    /// The host's address can't be found: its gate stays shut.
    Unresolved {
        /// The host.
        host: HostId,
        /// NXDOMAIN and "no address" make the host dead at once; others back it off, and it is asked for again.
        kind: FailureKind,
    },
    /// What is known of names has changed since the host was found dead of its own: it may be asked for again now.
    Renamed {
        /// The host.
        host: HostId,
    },
    /// How many requests the host's connections can carry at once is known, or has changed.
    Capacity {
        /// The host.
        host: HostId,
        /// What is known.
        capacity: Capacity,
    },
    /// Other limits hold for the host from now on. What is in flight goes on, whatever they are.
    Limits {
        /// The host.
        host: HostId,
        /// Its limits.
        limits: HostLimits,
    },
    /// The head of a response came whose body may take long. Matters only until [`super::Scheduler::host_answers`]; the
    /// attempt's end is reported as any other.
    Answers {
        /// The host.
        host: HostId,
    },
    /// An attempt ended and its job is done (or has moved to another host). Frees its permits.
    Done {
        /// The host.
        host: HostId,
        /// How.
        report: Report,
    },
    /// An attempt ended badly and its job may be tried again: the scheduler keeps it, or answers
    /// [`Action::GiveUp`]. Frees its permits.
    Failed {
        /// The host.
        host: HostId,
        /// The job, with its last result inside.
        job: J,
        /// How.
        report: Report,
        /// Whether to try again.
        facts: RetryFacts,
    },
    /// A started job could not be sent, for want of a descriptor or of a stream on its connection: it goes back to the head of its
    /// queue. Frees its permits; nobody is blamed. It is started again as soon as the limits allow: say
    /// [`Event::Concurrency`] first where that would only fail again.
    Returned {
        /// The host.
        host: HostId,
        /// The job.
        job: J,
    },
    /// The shard's share of the global in-flight limit. It may be less than what is in flight, or 0.
    Concurrency(u32),
    /// The places of the run that hosts of this scheduler have by right ([`super::SchedulerSettings::places`]), the run's limit having
    /// changed.
    Places(NonZeroU32),
    /// Start nothing before this time, whatever the own pace allows: a rest, or the time when a grant is asked for again. Takes the place
    /// of the one said before.
    NotBefore(Time),
    /// Whether each start needs a grant, because several schedulers share one rate. Revokes all grants.
    Paced(bool),
    /// Grants one start. Send it when [`super::Scheduler::could_start`] is true and [`super::Scheduler::next_action`] has returned nothing;
    /// if there is no grant yet, send [`Event::NotBefore`] with the time to ask again. `Paced(true)` revokes a grant that was not used.
    Granted,
    /// Start nothing until [`Event::Resumed`].
    Paused,
    /// Go on.
    Resumed,
    /// The run is being stopped: every waiting job is handed back with [`GiveUpReason::Stopped`], nothing is
    /// started, and failed jobs are not retried.
    Stopped,
    /// Time has passed; nothing else happened.
    Tick,
}

/// Something to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<J> {
    /// Find out what keeps this gate of the host shut, then say [`Event::Opened`]; for [`Gate::Address`], [`Event::Resolved`] or
    /// [`Event::Unresolved`]. Asked once until answered, and for one gate of a host at a time.
    Open {
        /// The host.
        host: HostId,
        /// The gate.
        gate: Gate,
    },
    /// Send the job. Its permits (global, group, address, host) are taken until the attempt is reported.
    Start {
        /// The host.
        host: HostId,
        /// The job.
        job: J,
    },
    /// The job is over: deliver its last result, or, when it has none, a failure that names the reason.
    GiveUp {
        /// The host.
        host: HostId,
        /// The job.
        job: J,
        /// Why.
        reason: GiveUpReason,
    },
    /// The host has been idle past its memory: drop what is kept of it. Its id may be used again.
    Forget {
        /// The host.
        host: HostId,
    },
}

/// Who asked for the next deadline.
///
/// There is none for a dead host: its jobs are given up at once, and the first that arrives when its time is over is
/// the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// A host's pace allows its next start.
    HostPace,
    /// A host's back-off ends.
    BackOff,
    /// A job's retry is due.
    Retry,
    /// The global start rate allows the next start.
    GlobalPace,
    /// An idle host's memory expires.
    Expiry,
}
