//! The parts of haul that touch the network, one concern each: how a name becomes addresses ([`dns`]), an address a connection
//! ([`dial`]), a connection an exchange ([`conn`]), and what came on the wire a body ([`body`]).
//!
//! They know neither queues nor limits: who is asked next is decided elsewhere. Everything here runs on the thread that asks for it,
//! under tokio's current-thread runtime. The crate [haul](https://docs.rs/haul) is the library for users, and carries the promises;
//! this one has none.

pub mod body;
pub mod conn;
pub mod dial;
pub mod dns;
mod tls_words;
pub mod wait;
