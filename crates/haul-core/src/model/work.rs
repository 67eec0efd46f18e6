//! Where the engine stands with a job: the redirects behind it, its attempts, what it weighs, what it has brought so far.
//!
//! It travels with the job, in the part that most jobs don't have, so that a job which goes through at once costs nothing for it. It is
//! nobody's business but the engine's: a user of the library reads a few of its facts from the job, and changes none.

use super::job::{Hop, Job};
use super::outcome::Attempt;
use super::reason::GiveUpReason;
use super::time::Time;

/// What the engine has done with a job, and knows of it.
#[derive(Debug, Default)]
pub struct Work {
    /// The job's bytes as the window counts them, for jobs too large to count as one of many: those it came with and those that
    /// redirects have added.
    pub held_bytes: u64,
    /// Of these, the ones that redirects have added.
    pub grown_bytes: u64,
    /// Redirects followed so far.
    pub hops: Vec<Hop>,
    /// The attempts that it has had so far.
    pub counts: AttemptCounts,
    /// Why it was not tried again, once that is so.
    pub gave_up: Option<GiveUpReason>,
    /// What the last attempt brought, kept until another has ended.
    pub last: Option<Box<Attempt>>,
    /// Where its URL, the one given and the redirects are while they wait outside of memory.
    pub stowed: Option<usize>,
    /// The bytes of [`Self::last`] that are counted while the job waits for another.
    pub kept_bytes: u64,
    /// Its body was not kept, for want of room.
    pub body_dropped: bool,
}

/// A job's attempts that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// Those that were not final, over all hops.
    pub all: u32,
    /// Of these, the ones on the current hop that were not free: retries are counted per hop.
    pub on_hop: u32,
    /// And of these, the ones that are not counted as retries: the host asked to wait, and not for this job alone.
    pub waits: u32,
    /// When the first of those on the current hop that were not free was dispatched.
    pub failing_since: Option<Time>,
    /// What connections did to it on the current hop.
    pub repeats: Repeats,
}

/// Attempts that came to nothing by the fault of a connection, and were made again for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// How many.
    pub made: u32,
    /// Of these, the last ones between which the host answered no request at all.
    pub barren: u8,
    /// How many requests the host had answered when the last one was made.
    pub answered: u32,
    /// Whether one was for a 421 (Misdirected Request).
    pub misdirected: bool,
    /// Connections opened before this one are not used for it: a count of the pool's.
    pub not_before: u64,
}

/// Where the engine stands with `job`; `None`: it has done nothing yet, and knows nothing.
#[must_use]
pub fn of(job: &Job) -> Option<&Work> {
    job.extra.as_ref().map(|extra| &extra.work)
}

/// The same, made on first use.
pub fn of_mut(job: &mut Job) -> &mut Work {
    &mut job.extra_mut().work
}

/// The attempts that `job` has had so far.
#[must_use]
pub fn counts(job: &Job) -> AttemptCounts {
    of(job).map(|work| work.counts).unwrap_or_default()
}

/// Its attempts that ended without being final, over all hops.
#[must_use]
pub fn attempts(job: &Job) -> u32 {
    of(job).map_or(0, |work| work.counts.all)
}
