//! hyper's helper futures run on the shard's own thread.

use std::future::Future;

use hyper::rt::Executor;

/// Spawns on the current `LocalSet`.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalSpawner;

impl<F: Future<Output = ()> + 'static> Executor<F> for LocalSpawner {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
