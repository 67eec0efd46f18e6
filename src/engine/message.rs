//! What shards and the outlet are told.

use crate::model::{Job, Record};

/// A message to a shard.
///
/// The channels have no bound of their own: every job in them is held by the window, and the other messages are at
/// most one per shard and turn, or per call of the user's.
#[derive(Debug)]
pub(super) enum Message {
    /// New jobs of this shard's hosts.
    Jobs(Vec<Job>),
    /// A job whose redirect leads to a host of this shard.
    Continued(Job),
    /// Another shard wants permits, or has given some up.
    Traded,
    /// Limits were changed, or the run was paused or resumed: look at what holds now.
    Steered,
    /// Somebody wants to know what is left.
    Look,
    /// The sink has caught up: start requests again.
    SinkCaughtUp,
    /// Start nothing more; hand back what waits.
    Stop,
    /// End now; what is in flight is dropped and counted as cancelled.
    End,
}

impl Message {
    /// The jobs in it.
    pub(super) fn jobs(&self) -> usize {
        match self {
            Self::Jobs(jobs) => jobs.len(),
            Self::Continued(_) => 1,
            Self::Traded | Self::Steered | Self::Look | Self::SinkCaughtUp | Self::Stop | Self::End => 0,
        }
    }
}

/// A message to the outlet. Bounded by the window too: every record in it is held.
#[derive(Debug)]
pub(super) enum ToOutlet {
    /// The positions of jobs and lines that were taken in, before anything of them comes: for a source that wants to know.
    Admitted(Vec<u64>),
    /// Records to write.
    Records(Vec<Record>),
    /// The positions of jobs whose outcome went elsewhere, likewise.
    Replied(Vec<u64>),
    /// That was the last.
    End,
}
