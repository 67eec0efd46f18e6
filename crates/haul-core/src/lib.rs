//! haul's pure parts: everything it decides, and nothing that it does.
//!
//! Plain data, settings, one policy a file, the scheduler and the pool. No socket, no task, no thread, and no clock: the time is an
//! argument, and chance comes from a seed. So the simulator in [`sched`] plays months in milliseconds, and the same seed always
//! plays the same. The crate [haul](https://docs.rs/haul) is the library for users, and carries the promises; this one has none.

pub mod attempt;
pub mod config;
pub mod model;
pub mod policy;
pub mod pool;
pub mod protocol;
pub mod sched;
pub mod work;
