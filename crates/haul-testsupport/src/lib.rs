//! What several of haul's tests have in common: servers that nobody here wrote, run as processes of their own; peers that misbehave to
//! order; certificates; the command; a browser. For haul's own tests, without promises.

#![expect(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    reason = "for tests, which panic and say where"
)]

pub mod browser;
pub mod certs;
pub mod clock;
pub mod dialing;
pub mod fake_dns;
pub mod h2_origin;
pub mod haul;
pub mod hostile;
pub mod httpbin;
pub mod nghttpd;
pub mod nginx;
pub mod origin;
pub mod process;
pub mod python;
pub mod record;
pub mod responder;
pub mod server;
pub mod stub;
pub mod tap;
pub mod tls_server;
pub mod unbound;
