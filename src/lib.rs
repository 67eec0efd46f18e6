//! haul fetches a great many URLs as fast as the machine, the servers and good manners allow.

pub mod config;
pub mod model;
pub mod policy;
pub mod pool;
pub mod sched;

#[cfg(feature = "net")]
pub mod body;
#[cfg(feature = "net")]
pub mod conn;
#[cfg(feature = "net")]
pub mod dial;
#[cfg(feature = "net")]
pub mod dns;
#[cfg(feature = "net")]
pub mod engine;
#[cfg(feature = "net")]
pub mod sink;
#[cfg(feature = "net")]
pub mod source;
