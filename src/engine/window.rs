//! How much work is under way, and who has to wait: the one bound on everything between source and sink.
//!
//! The intake waits while too many jobs, or too many bytes of large ones, are *held* (read, and their record not yet safe
//! with the sink). Every queue in
//! the engine holds only such jobs, so this bounds them all. A run is over when no job is *active* (read, and neither
//! ended nor cancelled) and none can come.

use std::sync::{Condvar, Mutex, MutexGuard};

use crate::model::Job;
use crate::work;

#[derive(Debug, Default)]
struct WindowCounts {
    active: u64,
    held: u64,
    /// Bytes of the large ones among the active.
    bytes: u64,
    /// Of these, what redirects have added.
    grown: u64,
    /// No more jobs will be admitted.
    closed: bool,
    /// The intake waits for room.
    awaited: bool,
}

/// The bytes of large jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LargeBytes {
    /// All of them.
    pub(super) bytes: u64,
    /// Of these, what redirects have added.
    pub(super) grown: u64,
}

impl LargeBytes {
    /// Those of one job, as they were counted.
    pub(super) fn by(job: &Job) -> Self {
        work::of(job).map_or_else(Self::default, |work| Self { bytes: work.held_bytes, grown: work.grown_bytes })
    }

    /// Adds those of another.
    pub(super) const fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.grown += other.grown;
    }
}

/// The count of jobs under way, shared by intake, shards and sink, which touch it once per batch.
#[derive(Debug)]
pub(super) struct Window {
    limit: u64,
    byte_limit: u64,
    state: Mutex<WindowCounts>,
    /// There is room for more than a few, or the window is closed.
    room: Condvar,
    /// Nothing is active, and nothing more will be admitted.
    idle: Condvar,
}

/// So many jobs must have ended before a waiting intake goes on, or a quarter of a small window: to wake it for each batch of
/// records costs a change of threads each time.
const SLACK: u64 = 1024;

impl Window {
    pub(super) fn new(limit: usize, byte_limit: u64) -> Self {
        Self {
            limit: limit.max(1) as u64,
            byte_limit: byte_limit.max(1),
            state: Mutex::default(),
            room: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, WindowCounts> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn is_full(&self, state: &WindowCounts) -> bool {
        state.held >= self.limit || state.bytes >= self.byte_limit
    }

    /// Whether a waiting intake may go on.
    fn has_ample_room(&self, state: &WindowCounts) -> bool {
        state.held <= self.limit - self.limit.div_ceil(4).min(SLACK) && state.bytes < self.byte_limit
    }

    /// Takes `jobs` more in, `bytes` of them in large ones, once there is room; false when the window is closed.
    pub(super) fn admit(&self, jobs: usize, bytes: u64) -> bool {
        let mut state = self.state();
        state.awaited = self.is_full(&state);
        while state.awaited && !state.closed {
            state = self.room.wait(state).expect("no holder of this lock panics");
        }
        if state.closed {
            return false;
        }
        state.active += jobs as u64;
        state.held += jobs as u64;
        state.bytes += bytes;
        true
    }

    /// Takes `jobs` more in, room or not: someone waits for each of them, and that bounds them. False when the window is
    /// closed.
    pub(super) fn join(&self, jobs: usize) -> bool {
        let mut state = self.state();
        if !state.closed {
            state.active += jobs as u64;
            state.held += jobs as u64;
        }
        !state.closed
    }

    /// Whether redirects may add `bytes` to a job, which then count until it has ended: with what they have added to others no
    /// more than a quarter of the bytes that jobs may have.
    pub(super) fn may_grow(&self, bytes: u64) -> bool {
        let mut state = self.state();
        let fits = state.grown + bytes <= self.byte_limit / 4;
        if fits {
            state.bytes += bytes;
            state.grown += bytes;
        }
        fits
    }

    /// Redirects have added `bytes` to a job, room or not.
    pub(super) fn grow(&self, bytes: u64) {
        let mut state = self.state();
        state.bytes += bytes;
        state.grown += bytes;
    }

    /// Of what redirects have added, `bytes` are no longer in memory.
    pub(super) fn shrink(&self, bytes: u64) {
        self.ended(0, LargeBytes { bytes, grown: bytes });
    }

    /// `jobs` have ended: delivered or cancelled.
    pub(super) fn ended(&self, jobs: usize, LargeBytes { bytes, grown }: LargeBytes) {
        let mut state = self.state();
        state.active -= jobs as u64;
        state.bytes = state.bytes.saturating_sub(bytes);
        state.grown = state.grown.saturating_sub(grown);
        self.let_intake_go_on(&mut state);
        if state.active == 0 && state.closed {
            self.idle.notify_all();
        }
    }

    /// `jobs` have ended without a record, which happens only once the window is closed: their bytes keep nobody waiting.
    pub(super) fn cancelled(&self, jobs: usize) {
        self.ended(jobs, LargeBytes::default());
        self.safe(jobs);
    }

    /// The records of `jobs` are safe, or will never be written.
    pub(super) fn safe(&self, jobs: usize) {
        let mut state = self.state();
        state.held -= jobs as u64;
        self.let_intake_go_on(&mut state);
    }

    fn let_intake_go_on(&self, state: &mut WindowCounts) {
        if state.awaited && self.has_ample_room(state) {
            state.awaited = false;
            self.room.notify_all();
        }
    }

    /// Admits nothing more: the input has ended, or the run is being stopped.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.room.notify_all();
        self.idle.notify_all();
    }

    /// Whether nothing more will be admitted, and whether there is no room now.
    pub(super) fn is_closed_or_full(&self) -> (bool, bool) {
        let state = self.state();
        (state.closed, self.is_full(&state))
    }

    /// Waits until the window is closed and nothing is active.
    pub(super) fn wait_until_idle(&self) {
        let mut state = self.state();
        while !(state.closed && state.active == 0) {
            state = self.idle.wait(state).expect("no holder of this lock panics");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_full_window_makes_the_intake_wait_until_records_are_safe() {
        let window = Arc::new(Window::new(2, 1000));
        assert!(window.admit(2, 0));
        let waiting = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.admit(1, 0))
        };
        window.ended(2, LargeBytes::default());
        assert!(!waiting.is_finished(), "ended is not yet safe");
        window.safe(1);
        assert!(waiting.join().expect("no panic"));
        window.close();
        assert!(!window.admit(1, 0), "closed");
        window.ended(1, LargeBytes::default());
        window.wait_until_idle();
    }

    #[test]
    fn a_full_window_wakes_the_intake_for_a_quarter_of_it() {
        let window = Arc::new(Window::new(8, 1000));
        assert!(window.admit(8, 0));
        let waiting = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.admit(1, 0))
        };
        while !window.state().awaited {
            thread::yield_now();
        }
        window.ended(8, LargeBytes::default());
        window.safe(1);
        assert!(window.state().awaited, "one is too few to wake a thread for");
        window.safe(1);
        assert!(waiting.join().expect("no panic"));
    }

    #[test]
    fn large_jobs_fill_the_window_by_their_bytes() {
        let window = Arc::new(Window::new(100, 1000));
        assert!(window.admit(1, 600) && window.admit(1, 600));
        let waiting = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.admit(1, 1))
        };
        thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished(), "1200 bytes are more than 1000");
        window.ended(1, LargeBytes { bytes: 600, grown: 0 });
        assert!(waiting.join().expect("no panic"));
    }

    #[test]
    fn what_redirects_add_counts_until_its_job_has_ended() {
        let window = Window::new(100, 1000);
        assert!(window.admit(2, 0));
        assert!(window.may_grow(250) && !window.may_grow(1));
        window.grow(850);
        assert!(window.is_closed_or_full().1);
        window.ended(1, LargeBytes { bytes: 1100, grown: 1100 });
        assert!(window.may_grow(1));
        assert!(!window.is_closed_or_full().1);
    }

    #[test]
    fn closing_frees_a_waiting_intake() {
        let window = Arc::new(Window::new(1, 1000));
        assert!(window.admit(1, 0));
        let waiting = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.admit(1, 0))
        };
        window.close();
        assert!(!waiting.join().expect("no panic"));
    }
}
