//! Keeps the progress line fresh, from a thread of its own.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use haul::engine::Handle;

use super::console::Console;
use super::status;

/// How often the line changes.
const TICK: Duration = Duration::from_millis(250);

/// Over how many ticks the rate is taken: 3 seconds.
const RATE_TICKS: usize = 12;

/// A running progress line. Dropping it takes the line away.
pub(super) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Shows how far the run of `handle` is, if `console` has a progress line.
    pub(super) fn start(console: &Console, handle: Handle) -> Self {
        let console = console.clone();
        Self(console.line().is_some().then(|| {
            let (stop, stopped) = mpsc::channel();
            let keep = move || {
                let mut snapshots = VecDeque::from([handle.progress()]);
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    snapshots.push_back(handle.progress());
                    if snapshots.len() > RATE_TICKS {
                        snapshots.pop_front();
                    }
                    if let (Some(line), Some(before), Some(now)) = (console.line(), snapshots.front(), snapshots.back())
                    {
                        line.set_message(status::line(now, before));
                    }
                }
            };
            (stop, thread::spawn(keep))
        }))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
