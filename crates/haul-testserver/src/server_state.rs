//! What an origin's threads share.

use super::clock::StartClock;
use super::shelf::Shelf;
use super::stats::Counters;
use super::virtual_host::VirtualHosts;

/// Shared by all threads, and by the handle that reads the figures.
#[derive(Debug)]
pub(super) struct TestServerState {
    pub(super) counters: Counters,
    pub(super) sites: VirtualHosts,
    pub(super) shelf: Shelf,
    pub(super) clock: StartClock,
}

impl TestServerState {
    pub(super) fn new() -> Self {
        Self {
            counters: Counters::default(),
            sites: VirtualHosts::default(),
            shelf: Shelf::new(),
            clock: StartClock::start(),
        }
    }
}
