//! The command against servers nobody here wrote: nginx, nghttpd, httpbin. Each test starts what it needs and is
//! skipped, with a visible line, where that is not installed; in CI it fails then.

mod bodies;
mod connections;
mod experiments;
mod http2;
mod limits;
mod redirects;
mod requests;
mod tls;
