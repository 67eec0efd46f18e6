//! haul fetches a great many URLs as fast as the machine, the servers and good manners allow.
//!
//! Give [`engine::Engine`] a [`config::Config`], a [`model::Source`] of jobs and a [`model::Sink`] for records, and run it:
//! it interleaves the jobs over their hosts under the limits, over connections of its own, and writes exactly one
//! record per job, whatever happens.
//!
//! ```
//! use haul::config::Config;
//! use haul::engine::Engine;
//! use haul::sink::{Ndjson, RecordFields};
//! use haul::source::Urls;
//!
//! let mut config = Config::default();
//! config.retries.retries = 0;
//! let engine = Engine::new(config).expect("valid settings");
//! let urls = Urls::new(["http://127.0.0.1:1/", "not a url"]);
//! let records = Ndjson::new(std::io::stdout(), "standard output", RecordFields::default());
//! let report = engine.run(Box::new(urls), Box::new(records));
//! assert_eq!((report.totals.accepted, report.totals.failed), (2, 2));
//! ```
//!
//! The scheduler ([`sched::Scheduler`]) and the connection pool ([`pool::Pool`]) are pure and usable without a network:
//! time is an argument, and equal seeds give equal choices.
//!
//! Without the default features only the pure modules build: `model`, `config`, `policy`, `sched`, `pool`.

pub mod config;
pub mod model;
pub mod policy;
pub mod pool;
pub mod sched;

#[cfg(feature = "net")]
pub mod body;
#[cfg(feature = "net")]
mod client;
#[cfg(feature = "net")]
pub mod conn;
#[cfg(feature = "net")]
pub mod dial;
#[cfg(feature = "net")]
pub mod dns;
#[cfg(feature = "net")]
pub mod engine;
#[cfg(feature = "origin")]
pub mod origin;
#[cfg(feature = "net")]
pub mod save;
#[cfg(feature = "net")]
pub mod sink;
#[cfg(feature = "net")]
pub mod source;
#[cfg(feature = "net")]
mod wait;

#[cfg(feature = "net")]
pub use client::{Batch, Body, Client, ClientBuilder, Error, Fetched, Request, Response, blocking};

/// The README's example, compiled and run.
#[cfg(all(doctest, feature = "net"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The example of the page on the test origin, compiled and run.
#[cfg(all(doctest, feature = "origin"))]
#[doc = include_str!("../docs/ORIGIN.md")]
struct OriginPage;
