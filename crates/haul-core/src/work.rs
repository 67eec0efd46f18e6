//! Where the engine stands with a job: for the engine alone.

pub use crate::model::work::{AttemptCounts, Repeats, Work, attempts, counts, of, of_mut};
