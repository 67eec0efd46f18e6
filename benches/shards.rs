//! What more shards bring: the processor time of each thread for the same requests, with one shard, two and four, over a
//! network in memory.
//!
//! Where there are cores for all threads, a run takes as long as its busiest thread is busy. So the time of the busiest shard
//! says what a machine with more cores would do, and this machine's clock says only what this one does.

mod instant;

use std::fs;
use std::io;
use std::sync::{Arc, Mutex};

use haul::model::{Record, Sink};
use nix::time::ClockId;

/// The first is what the others are compared with.
const SHARDS: [usize; 3] = [1, 2, 4];
const HOSTS: usize = 1_000;
const REQUESTS: usize = 200_000;
/// More than the window are left then: every shard has work.
const LOOKED_AT: usize = 180_000;
const ROUNDS: usize = 15;

/// Nanoseconds on a processor, and who took them.
#[derive(Clone, Copy, Default)]
struct Busy {
    /// Shards seen.
    shards: usize,
    /// Requests done by then.
    requests: f64,
    busiest_shard: f64,
    all_shards: f64,
    /// Every thread there is or was.
    process: f64,
}

impl Busy {
    /// What this process has taken so far (Linux).
    fn now() -> io::Result<Self> {
        let mut busy = Self { process: processor_time(), ..Self::default() };
        for thread in fs::read_dir("/proc/self/task")? {
            let thread = thread?.path();
            if fs::read_to_string(thread.join("comm"))?.starts_with("haul-shard") {
                let times = fs::read_to_string(thread.join("schedstat"))?;
                let time: f64 = times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0.0);
                busy.busiest_shard = busy.busiest_shard.max(time);
                busy.all_shards += time;
                busy.shards += 1;
            }
        }
        Ok(busy)
    }
}

fn processor_time() -> f64 {
    let time = ClockId::CLOCK_PROCESS_CPUTIME_ID.now().expect("a clock every Linux has");
    std::time::Duration::from(time).as_nanos() as f64
}

/// Counts records and drops them. It looks at the threads once, while the shards still have work: after the last record they may
/// be gone, and what they took with them.
struct Looking {
    written: usize,
    busy: Arc<Mutex<Option<Busy>>>,
}

impl Sink for Looking {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        self.written += batch.len();
        safe.extend(batch.drain(..).map(|record| record.seq()));
        let mut busy = self.busy.lock().expect("no holder of this lock panics");
        if busy.is_none() && self.written >= LOOKED_AT {
            *busy = Some(Busy { requests: self.written as f64, ..Busy::now()? });
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One run: nanoseconds a request of the busiest shard, of all shards, of the other threads, and of the clock.
fn round(shards: usize) -> [f64; 4] {
    let busy = Arc::new(Mutex::new(None));
    let before = processor_time();
    let report = instant::run(HOSTS, shards, REQUESTS, Looking { written: 0, busy: Arc::clone(&busy) });
    let busy = busy.lock().expect("no holder of this lock panics").take().expect("looked at in the run");
    assert_eq!(busy.shards, shards, "all shards are there");
    let others = busy.process - before - busy.all_shards;
    let [busiest, all, others] = [busy.busiest_shard, busy.all_shards, others].map(|time| time / busy.requests);
    [busiest, all, others, report.totals.elapsed.as_nanos() as f64 / REQUESTS as f64]
}

fn main() {
    // `cargo test` and lists of benches run this too, and want nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("ns a request, medians of {ROUNDS} rounds: {HOSTS} hosts, {REQUESTS} requests, a network in memory\n");
    println!(
        "| shards | busiest shard | all shards | intake and outlet | clock | busiest of one / of these | clock of one / of these |"
    );
    println!("|---|---|---|---|---|---|---|");
    let rounds: Vec<[[f64; 4]; 3]> = (0..ROUNDS).map(|_| SHARDS.map(round)).collect();
    for (which, shards) in SHARDS.into_iter().enumerate() {
        let [busiest, all, others, clock] =
            [0, 1, 2, 3].map(|what| middle(rounds.iter().map(|round| round[which][what])).1);
        // Of the same round each, because the machine is not the same in the next one.
        let [gain, faster] = [0, 3].map(|what| {
            let (low, middle, high) = middle(rounds.iter().map(|round| round[0][what] / round[which][what]));
            format!("{middle:.2} ({low:.2} to {high:.2})")
        });
        println!("| {shards} | {busiest:.0} | {all:.0} | {others:.0} | {clock:.0} | {gain} | {faster} |");
    }
}

/// The lower quartile, the median and the upper one.
fn middle(figures: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let at = |quarter: usize| figures[(figures.len() - 1) * quarter / 4];
    (at(1), at(2), at(3))
}
