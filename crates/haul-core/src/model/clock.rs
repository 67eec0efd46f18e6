//! The clock as an argument.

use std::time::Instant;

use super::time::Time;

/// Tells the time. The engine has the one that reads the system's clock; tests have ones that stand still.
pub trait Clock {
    /// Now.
    fn now(&self) -> Time;
    /// The system's name for a point in time, for its timers.
    fn instant(&self, at: Time) -> Instant;
}
