//! haul fetches a great many URLs as fast as the machine, the servers and good manners allow.
//!
//! It interleaves requests over their hosts under limits in all, per host, per address and per site; keeps its own
//! connections (HTTP/1.1, HTTP/2, TLS); looks names up itself; retries what may be repeated; and tells of each URL exactly
//! once how it ended. There are three ways in, over one engine:
//!
//! | you have | use | and get |
//! |---|---|---|
//! | a request, now and then or very often | [`Client::get`] and its like, or [`blocking::Client`] | a [`Response`], its body as it comes |
//! | a list of requests | [`Client::fetch_all`], [`Client::fetch_tagged`], [`Client::fetch_stream`] | a [`Batch`]: results as they complete, or in order |
//! | millions of URLs, in a file or from anywhere | [`engine::Engine::run`] | a record for each, in a file or wherever you want |
//!
//! # A request
//!
//! From any async runtime; [`blocking`] is the same without one.
//!
//! ```
//! # let server = haul_testserver::TestServer::start()?;
//! # let url = server.url("/json/3");
//! # futures::executor::block_on(async {
//! let client = haul::Client::builder().per_host(4).retries(3).build()?;
//! let items: Vec<serde_json::Value> = client.get(&url).send().await?.error_for_status()?.json().await?;
//! assert_eq!(items.len(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A batch
//!
//! One failed URL is one result that is an [`Error`]; the others go on.
//!
//! ```
//! # let server = haul_testserver::TestServer::start()?;
//! # let urls = [server.url("/bytes/10"), "not a url".to_owned(), server.url("/status/404")];
//! # futures::executor::block_on(async {
//! let client = haul::Client::new()?;
//! let mut batch = client.fetch_all(&urls);
//! while let Some(fetched) = batch.next().await {
//!     match fetched.result {
//!         Ok(response) => println!("{}: {}", fetched.url, response.status()),
//!         Err(error) => eprintln!("{error}"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A run
//!
//! From a [`Source`](model::Source) to a [`Sink`](model::Sink), in bounded memory however long the input is. [`source`] and
//! [`sink`] have those for files, iterators, streams and NDJSON; a [`Handle`](engine::Handle) watches, steers and stops the
//! run.
//!
//! ```
//! # let server = haul_testserver::TestServer::start()?;
//! # let (a, b) = (server.url("/bytes/10"), server.url("/gzip/1000"));
//! use haul::{config::Config, engine::Engine, sink::Ndjson, sink::RecordFields, source::Urls};
//!
//! let engine = Engine::new(Config::default())?;
//! let records = Ndjson::new(std::io::stdout(), "standard output", RecordFields::default());
//! let report = engine.run(Box::new(Urls::new([a, b])), Box::new(records));
//! assert_eq!(report.totals.succeeded, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # And beside these
//!
//! - Every setting, with its unit, default and cost: [`config::Config`].
//! - Code of your own in every exchange: [`model::Hooks`] (sign a request, keep cookies, refuse a body, take it as a stream),
//!   [`model::Resolve`], a TLS configuration, an address filter, a connector: [`engine::Extensions`], [`ClientBuilder`].
//! - Bodies into files: [`save::SaveBodies`].
//! - The scheduler alone, pure and without a network, the clock an argument: [`sched::Scheduler`].
//! - A test server of many hosts that misbehaves to order: the crate `haul-testserver`.
//! - A runnable program for each habit people bring from other tools, as one after the other, as completed, batches,
//!   time-outs and retries, streaming to disk, or under tower: the folder `examples/`.

pub(crate) use haul_core::{attempt, policy, pool, protocol, work};
#[doc(inline)]
pub use haul_core::{config, model, sched};
pub(crate) use haul_net::{body, conn, dial, dns, wait};

mod client;
pub mod engine;
pub mod save;
pub mod sink;
pub mod source;
mod spill;
mod text;

pub use client::{Batch, Body, Client, ClientBuilder, Error, Fetched, Request, Response, blocking};
/// The crates whose types stand in haul's signatures.
pub use {bytes, http};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The example of the page on the test origin, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide/ORIGIN.md")]
struct OriginPage;
