//! A request being answered: counted while this exists.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::server_state::TestServerState;
use super::virtual_host::VirtualHost;

/// Counts a request as in flight, for the origin and for its host, until it is dropped.
#[derive(Debug)]
pub(super) struct Flight {
    shared: Arc<TestServerState>,
    pub(super) site: Arc<VirtualHost>,
}

impl Flight {
    /// A request of this class for `site` begins.
    pub(super) fn begin(shared: &Arc<TestServerState>, site: Arc<VirtualHost>, class: Option<usize>) -> Self {
        shared.counters.count(class);
        shared.counters.in_flight.rise();
        site.requests.fetch_add(1, Relaxed);
        site.in_flight.rise();
        Self { shared: Arc::clone(shared), site }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.site.in_flight.fall();
        self.shared.counters.in_flight.fall();
    }
}
