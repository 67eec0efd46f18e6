//! What one scheduler decision costs, by the number of hosts.
//!
//! `decision`: a request ends and the next one starts. All hosts have work, 256 requests are in flight, the clock moves
//! 10 µs a decision. `arrival`: a job arrives at a host drawn by lot, which at a million hosts is in no cache. The two
//! alternate in batches of 256, timed apart, so that queues neither drain nor grow.
//!
//! `same host`: a decision where one host is busy among idle ones: a connection that goes on with its host.
//!
//! `remaining_work`: the one pass over all hosts that says what is left; all have work.
//!
//! `paced`: every host has a delay of a second, so each decision takes a host off the timers and puts it back.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use haul::config::{Limits, RetrySettings};
use haul::model::Time;
use haul::sched::{Action, Event, Gates, HostId, HostRules, Report, Scheduler, SchedulerSettings, Verdict};

/// As large as the engine's job.
type Job = [u64; 5];

const SIZES: [usize; 4] = [1, 1_000, 100_000, 1_000_000];
const BATCH: usize = 256;
const TURN: Duration = Duration::from_micros(10);

struct Bench {
    scheduler: Scheduler<Job>,
    flying: VecDeque<(HostId, Time)>,
    busy: Vec<HostId>,
    lots: fastrand::Rng,
    now: Time,
}

impl Bench {
    /// So many hosts without jobs.
    fn new(hosts: usize, delay: Duration) -> Self {
        let retries = RetrySettings { host_memory: Duration::MAX, ..RetrySettings::default() };
        let settings = SchedulerSettings::new(&Limits::default(), &retries);
        let rules = HostRules { gates: Gates::NONE, delay, ..settings.host.clone() };
        let scheduler = Scheduler::new(settings, 0);
        let flying = VecDeque::with_capacity(256);
        let lots = fastrand::Rng::with_seed(0);
        let mut bench = Self { scheduler, flying, busy: Vec::new(), lots, now: Time::ZERO };
        bench.busy = (0..hosts).map(|_| bench.scheduler.add_host(&rules, bench.now)).collect();
        bench
    }

    /// So many of these have jobs.
    fn with_jobs(mut self, busy: usize) -> Self {
        self.busy.truncate(busy);
        let jobs = if busy == 1 { 1000 } else { 8 };
        for at in 0..busy * jobs {
            self.arrive(self.busy[at % busy]);
        }
        self.drain();
        self
    }

    fn arrive(&mut self, host: HostId) {
        self.scheduler.handle(Event::Arrived { host, job: [0; 5] }, self.now);
    }

    fn drain(&mut self) {
        while let Some(action) = self.scheduler.next_action(self.now) {
            if let Action::Start { host, job } = action {
                black_box(job);
                self.flying.push_back((host, self.now));
            }
        }
    }

    /// One request ends, one starts.
    fn decide(&mut self) {
        self.now = self.now + TURN;
        let (host, started) = self.flying.pop_front().expect("some are in flight");
        let report = Report { started, verdict: Verdict::Fine, attempt: 1, failing_since: None };
        self.scheduler.handle(Event::Done { host, report }, self.now);
        self.drain();
    }

    /// One job arrives somewhere.
    fn refill(&mut self) {
        let lot = self.lots.usize(..self.busy.len());
        self.arrive(self.busy[lot]);
    }

    /// The time that `count` decisions and as many arrivals take.
    fn run(&mut self, count: u64) -> [Duration; 2] {
        let mut spent = [Duration::ZERO; 2];
        for done in (0..count).step_by(BATCH) {
            let batch = (count - done).min(BATCH as u64);
            spent[0] += timed(|| (0..batch).for_each(|_| self.decide()));
            spent[1] += timed(|| (0..batch).for_each(|_| self.refill()));
        }
        spent
    }

    /// One host's delay of a second is over: its next request starts, and ends at once.
    fn paced_turn(&mut self) {
        self.now = self.now + Duration::from_nanos(1_000_000_000 / self.busy.len() as u64);
        black_box(self.scheduler.next_deadline());
        self.drain();
        while let Some((host, started)) = self.flying.pop_front() {
            let report = Report { started, verdict: Verdict::Fine, attempt: 1, failing_since: None };
            self.scheduler.handle(Event::Done { host, report }, self.now);
            self.arrive(host);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn scheduler(criterion: &mut Criterion) {
    for (name, part, spread) in [("decision", 0, true), ("arrival", 1, true), ("same host", 0, false)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let mut bench = Bench::new(size, Duration::ZERO).with_jobs(if spread { size } else { 1 });
            group.bench_function(BenchmarkId::from_parameter(size), |run| {
                run.iter_custom(|count| bench.run(count)[part]);
            });
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("remaining_work");
    for size in SIZES {
        let bench = Bench::new(size, Duration::ZERO).with_jobs(size);
        group.bench_function(BenchmarkId::from_parameter(size), |run| {
            run.iter(|| bench.scheduler.remaining_work(bench.now))
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("paced");
    for size in SIZES {
        let mut bench = Bench::new(size, Duration::from_secs(1));
        // The hosts' seconds end one after the other, as latencies would have it.
        for at in 0..size {
            let host = bench.busy[at];
            (0..4).for_each(|_| bench.arrive(host));
            bench.paced_turn();
        }
        group.bench_function(BenchmarkId::from_parameter(size), |run| run.iter(|| bench.paced_turn()));
    }
    group.finish();
}

criterion_group!(benches, scheduler);
criterion_main!(benches);
