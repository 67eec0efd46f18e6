//! The source of an open loop: hands each request out when it is due, and those it could not as soon as it can.
//!
//! Requests that wait for the run are a number in the plan, not jobs: a server that stalls makes nothing grow.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use haul::model::{Job, More, Rejected, Source, Time};

use super::closed_loop::job;
use super::schedule::Schedule;
use crate::shared::experiment::Target;

/// Asks for its targets in turn, each at its planned time, which is the job's time.
#[derive(Debug)]
pub(super) struct OpenLoopSource {
    targets: Vec<Target>,
    schedule: Arc<Mutex<Schedule>>,
    /// Whether the reading thread sleeps precisely.
    is_precise: bool,
}

impl OpenLoopSource {
    /// `targets`: at least one. How far the plan was carried out can be read from `schedule`.
    pub(super) const fn new(targets: Vec<Target>, schedule: Arc<Mutex<Schedule>>) -> Self {
        Self { targets, schedule, is_precise: false }
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().expect("no holder of this lock panics")
    }

    /// Waits until the next request is due. Everything due by the time returned may be handed out.
    fn wait(&self, now: Time) -> Time {
        let next = self.schedule().next().unwrap_or(now);
        if next > now {
            std::thread::sleep(next.since(now));
        }
        next.max(now)
    }
}

impl Source for OpenLoopSource {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        if !self.is_precise {
            sleep_precisely();
            self.is_precise = true;
        }
        let until = self.wait(now);
        let mut schedule = self.schedule();
        while let Some(due) = schedule.next().filter(|due| *due <= until && into.len() < max) {
            into.push(Ok(job(&self.targets, schedule.take(), due)));
        }
        Ok(if schedule.next().is_none() { More::No } else { More::Yes })
    }

    fn sets_times(&self) -> bool {
        true
    }
}

/// From now on this thread's sleeps end when they should, as far as the machine can; else the system may add 50 us to save
/// power. A system that refuses makes requests that much later, which is measured.
fn sleep_precisely() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_timerslack(1);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul::config::Rate;

    use super::*;
    use crate::commands::bench::closed_loop::tests::targets;
    use crate::commands::bench::schedule::{Arrivals, BEGIN, RateStep};

    fn paced(rate: f64, requests: u64) -> OpenLoopSource {
        let step = RateStep { rate: Rate::new(rate).expect("a rate"), lasts: None };
        let schedule = Schedule::new(vec![step], Arrivals::Constant, 0, Some(requests));
        OpenLoopSource::new(targets(), Arc::new(Mutex::new(schedule)))
    }

    fn read(source: &mut OpenLoopSource, now: Time) -> (Vec<(u64, Duration)>, More) {
        let mut jobs = Vec::new();
        let more = source.read(256, now, &mut jobs).expect("can't fail");
        let job = |job: Result<Job, Rejected>| job.expect("a job");
        (jobs.into_iter().map(job).map(|job| (job.seq, job.accepted.since(BEGIN))).collect(), more)
    }

    #[test]
    fn what_is_overdue_comes_at_once_with_the_time_it_was_due() {
        let mut source = paced(100.0, 4);
        let ms = Duration::from_millis;
        assert_eq!(read(&mut source, BEGIN + ms(25)), (vec![(0, ms(0)), (1, ms(10)), (2, ms(20))], More::Yes));
        assert_eq!(read(&mut source, BEGIN + ms(29)), (vec![(3, ms(30))], More::No), "waits for the next");
    }

    #[test]
    fn a_batch_has_no_more_than_asked_for() {
        let mut source = paced(1000.0, 1000);
        assert_eq!(read(&mut source, BEGIN + Duration::from_secs(1)).0.len(), 256);
    }
}
