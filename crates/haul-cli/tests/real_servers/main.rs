//! The command against servers nobody here wrote: nginx, nghttpd, httpbin. Each test starts what it needs and is
//! skipped, with a visible line, where that is not installed; in CI it fails then.

#[path = "../../../../tests/support"]
mod support {
    pub(crate) mod certs;
    pub(crate) mod haul;
    pub(crate) mod httpbin;
    pub(crate) mod nghttpd;
    pub(crate) mod nginx;
    pub(crate) mod python;
    pub(crate) mod record;
    pub(crate) mod server;
}

mod bodies;
mod connections;
mod experiments;
mod http2;
mod limits;
mod redirects;
mod requests;
mod tls;
