//! Looks at the clocks of this process's threads while a load goes on: once they have ended, the system tells nothing of them.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use haul::engine::Handle;
use haul::model::Time;

use super::busy::{BusiestThread, ThreadSample, ThreadSamples};

/// How often: often enough for a load of a second, and under a thousandth of a core.
const EVERY: Duration = Duration::from_millis(250);

/// Threads being looked at.
pub(super) struct ThreadSampler {
    stop: Sender<()>,
    /// None where no thread was to be had for it.
    thread: Option<JoinHandle<ThreadSamples>>,
}

impl ThreadSampler {
    /// Looks at the threads of the run of `handle`, from now on.
    pub(super) fn at(handle: Handle, mut looks: ThreadSamples) -> Self {
        let (stop, stopped) = mpsc::channel();
        let look = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                looks.note(Time::ZERO + handle.progress().elapsed, threads());
            }
            looks
        };
        Self { stop, thread: thread::Builder::new().name("haul-looks".to_owned()).spawn(look).ok() }
    }

    /// Ends the looks; `None` where the system does not tell.
    pub(super) fn finish(self) -> Option<BusiestThread> {
        drop(self.stop);
        self.thread?.join().ok()?.busiest()
    }
}

/// The threads of this process, as far as the system tells of them.
#[cfg(target_os = "linux")]
fn threads() -> Vec<ThreadSample> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    // One that has ended meanwhile is left out.
    let thread = |task: std::fs::DirEntry| {
        let id = task.file_name().to_str()?.parse().ok()?;
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?.trim_end().to_owned();
        Some(ThreadSample { id, name, used: clock_of(id).now().ok()?.into() })
    };
    tasks.flatten().filter_map(thread).collect()
}

/// The processor time of a thread of this process. The number of its clock is made of its own, as the kernel's
/// `MAKE_THREAD_CPUCLOCK` does with `CPUCLOCK_SCHED`, and the C library's `pthread_getcpuclockid`.
#[cfg(target_os = "linux")]
fn clock_of(thread: i32) -> nix::time::ClockId {
    nix::time::ClockId::from_raw((!thread << 3) | 6)
}

#[cfg(not(target_os = "linux"))]
const fn threads() -> Vec<ThreadSample> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use nix::time::ClockId;
    use nix::unistd::gettid;

    use super::*;

    #[test]
    fn a_thread_is_seen_with_its_name_and_its_clock() {
        let seen = || {
            let now = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("a clock"));
            let before = now();
            let own = threads().into_iter().find(|thread| thread.id == gettid().as_raw()).expect("it lives");
            assert!((before..=now()).contains(&own.used), "{own:?}");
            own.name
        };
        let thread = thread::Builder::new().name("haul-shard-7".to_owned()).spawn(seen).expect("a thread");
        assert_eq!(thread.join().expect("no panic"), "haul-shard-7");
    }
}
