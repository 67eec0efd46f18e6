//! The library as its users see it: the client, a run, what can be changed while it goes on, its records.

mod client;
mod engine;
mod records;
mod steering;
