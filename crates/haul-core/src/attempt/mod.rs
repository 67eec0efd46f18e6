//! An attempt has ended. What does that say of its host, whose fault is it, and what may its job still expect?
//!
//! Decides from what an exchange brought, and from what is known beside it, without knowing who exchanged it: no connection, no queue.
//! Whether the job is tried again the scheduler says, which knows the host's account, its death and a stop besides.

mod attempt_end;
mod facts;
mod repeat;
mod words;

pub use attempt_end::{AttemptEnd, Sent, is_cut, is_timeout};
pub use facts::{Beside, facts};
pub use words::{trouble, untried};
