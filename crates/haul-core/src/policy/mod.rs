//! One question per file, all pure: try again? when? can we afford it? how fast? how many? where next?
//!
//! Everything here is a few words of state or none; the time and the randomness are arguments. Nothing here knows
//! queues, sockets or threads.

mod attempts;
mod backoff;
mod breaker;
mod budget;
mod concurrency;
mod pace;
pub mod redirect;
mod retry;
pub mod retry_after;
pub mod share;
mod throttle;
mod verdict;

pub use attempts::Attempts;
pub use backoff::{Backoff, Jitter};
pub use breaker::Breaker;
pub use budget::Budget;
pub use concurrency::Adaptive;
pub use pace::Pace;
pub use retry::{Decision, Fault, RetryFacts, decide, is_wait};
pub use share::Share;
pub use throttle::{Allowance, Throttle};
pub use verdict::{Blame, Verdict};
