//! Reasons, not booleans: why a connection was closed, a host has to wait, a job was given up.

use std::fmt;

use super::failure::{FailureKind, named};

named! {
    /// Why a connection was closed.
    pub enum CloseReason {
        /// The peer closed it while it was idle.
        PeerClosed = "peer_closed",
        /// The peer sent bytes nobody asked for.
        UnsolicitedBytes = "unsolicited_bytes",
        /// It was idle for longer than the idle time-out (or the peer's `Keep-Alive` hint).
        IdleTimeout = "idle_timeout",
        /// It reached its maximum age.
        MaxAge = "max_age",
        /// Its place was needed for another host.
        Evicted = "evicted",
        /// The exchange on it failed.
        Failed = "failed",
        /// One side asked not to keep it alive.
        NotKeptAlive = "not_kept_alive",
        /// The server has not taken all of a request that it answered: the next would wait behind the rest.
        RequestUnfinished = "request_unfinished",
        /// Where its last response ended is in doubt: by another reading of its head the next would begin elsewhere.
        DoubtfulEnd = "doubtful_end",
        /// The peer announced that it goes away (HTTP/2 GOAWAY).
        GoAway = "go_away",
        /// It has carried as many requests as the peer is known to take on one.
        Spent = "spent",
        /// What happened to another connection of its host says that it is of no use either, or what answers over it only fails.
        Suspect = "suspect",
        /// The run ended.
        Shutdown = "shutdown",
    }
}

named! {
    /// Why a host with work can't start a job right now.
    pub enum DeferReason {
        /// Its address is not known yet.
        Address = "address",
        /// What its robots.txt allows is not known yet.
        Robots = "robots",
        /// Its protocol is being probed by one connection.
        Protocol = "protocol",
        /// Its minimum delay or start rate says "not yet".
        Pace = "pace",
        /// It asked for a pause (`Retry-After`), or nothing of what it was asked lately came back well.
        BackOff = "back_off",
        /// It takes only so many requests per second, as its refusals showed.
        Throttle = "throttle",
        /// It is half-open: one probe is out.
        Probe = "probe",
        /// As many requests as allowed are in flight on the host.
        HostLimit = "host_limit",
        /// As many are in flight on the host as its answers showed that it takes.
        Adaptive = "adaptive",
        /// It has answered nothing, or too little for one more place, and hosts like it hold as many of all places as they may.
        Unanswered = "unanswered",
        /// Its group is full.
        GroupLimit = "group_limit",
        /// Its address is full.
        AddressLimit = "address_limit",
        /// The global limit is reached.
        GlobalLimit = "global_limit",
        /// The global start rate says "not yet".
        GlobalPace = "global_pace",
        /// The run is paused, by its user or because the sink is behind.
        Paused = "paused",
    }
}

/// Why the scheduler hands a job back for good after a failed attempt, or without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveUpReason {
    /// This kind of failure does not go away by trying again.
    Final,
    /// Repeating the request might do harm: the method is not idempotent and the peer may have acted on it.
    Unsafe,
    /// All retries are used up.
    RetriesUsed,
    /// The host's retry budget is empty.
    BudgetEmpty,
    /// `Retry-After` asks for a longer wait than the run is ready for.
    RetryAfter,
    /// The host is dead, for this cause; the job may never have been tried.
    HostDead(FailureKind),
    /// The run was stopped.
    Stopped,
}

impl GiveUpReason {
    /// The stable short text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Unsafe => "unsafe",
            Self::RetriesUsed => "retries_used",
            Self::BudgetEmpty => "budget_empty",
            Self::RetryAfter => "retry_after",
            Self::HostDead(_) => "host_dead",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
