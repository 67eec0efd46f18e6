//! The scheduler.
mod event;
pub use event::{Action, Event, GroupId, HostId, Report, RetryFacts, Verdict, Wake};
