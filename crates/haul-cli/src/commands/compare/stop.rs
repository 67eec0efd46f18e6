//! The end that a user asks for: whatever goes on at that moment is told.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use signal_hook::iterator::Signals;

use crate::shared::console;
use crate::shared::exit::Exit;
use crate::shared::signals;

/// How to end something.
pub(super) type StopCallback = Box<dyn Fn() + Send>;

/// Whether the comparison has been asked to end, and what has to be ended then.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<StopState>);

#[derive(Default)]
struct StopState {
    asked: AtomicBool,
    under_way: Mutex<Vec<StopCallback>>,
}

impl Stop {
    /// Watches for the signals that ask for an end until the process ends: the first ends what goes on, the second the process. What goes on
    /// then has been ended with the first.
    ///
    /// # Errors
    /// The signals can't be caught.
    pub(super) fn watch(&self) -> io::Result<()> {
        let mut signals = Signals::new(signals::of_the_end())?;
        let stop = self.clone();
        thread::spawn(move || {
            for _ in signals.forever() {
                if stop.is_asked() {
                    std::process::exit(Exit::Interrupted.code().into());
                }
                console::tell("haul: stopping; the answer is that of the rounds that are complete");
                stop.ask();
            }
        });
        Ok(())
    }

    /// Ends what goes on, and lets nothing more begin.
    pub(super) fn ask(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.under_way().iter().for_each(|end| end());
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Does `work`; `ends` are how to end it before its time.
    pub(super) fn during<T>(&self, ends: Vec<StopCallback>, work: impl FnOnce() -> T) -> T {
        *self.under_way() = ends;
        if self.is_asked() {
            // Asked just before: nobody was there to be told.
            self.ask();
        }
        let done = work();
        self.under_way().clear();
        done
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, Vec<StopCallback>> {
        self.0.under_way.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn what_goes_on_is_ended_even_if_it_was_asked_for_just_before() {
        let ended = Arc::new(AtomicUsize::new(0));
        let end = || -> Vec<StopCallback> {
            let ended = Arc::clone(&ended);
            vec![Box::new(move || {
                ended.fetch_add(1, Ordering::SeqCst);
            })]
        };
        let stop = Stop::default();
        stop.during(end(), || assert_eq!(ended.load(Ordering::SeqCst), 0));
        stop.during(end(), || stop.ask());
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        stop.during(end(), || assert_eq!(ended.load(Ordering::SeqCst), 2));
    }
}
