//! What an origin's threads share.

use super::clock::StartClock;
use super::shelf::Shelf;
use super::site::Sites;
use super::stats::Counters;

/// Shared by all threads, and by the handle that reads the figures.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) counters: Counters,
    pub(super) sites: Sites,
    pub(super) shelf: Shelf,
    pub(super) clock: StartClock,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { counters: Counters::default(), sites: Sites::default(), shelf: Shelf::new(), clock: StartClock::start() }
    }
}
