//! The only place where pure meets impure: shards, lanes, clock, shutdown.
