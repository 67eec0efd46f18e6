//! Thousands of plans: every invariant after every step, every reason reached, equal seeds equal traces. A plan that
//! fails is cut down and kept in `cases`; what is kept there is played with every `cargo test`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::model::{DeferReason, Time};

use super::ledger::Seen;
use super::ops::{Plan, plan};
use super::shrink::{play, shrink};
use super::sim::Run;

const SEEDS: u64 = 5_000;
/// One in so many seeds is run twice.
const TWICE: u64 = 10;
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sched/tests/cases");
/// Plans that last for longer are not added to the hours: they would be all of them.
const LONG: f64 = 1_000.0;

/// What many seeds add up to.
#[derive(Default)]
struct Sums {
    seeds: u64,
    jobs: usize,
    predicted: usize,
    steps: usize,
    hours: f64,
    years: u64,
    seen: Seen,
}

impl Sums {
    fn add(&mut self, mut run: Run) {
        self.seeds += 1;
        self.jobs += run.ledger.jobs.len();
        self.predicted += run.predicted;
        self.steps += run.steps;
        let hours = run.ended.since(Time::ZERO).as_secs_f64() / 3600.0;
        if hours < LONG {
            self.hours += hours;
        } else {
            self.years += 1;
        }
        self.seen.deferrals.append(&mut run.ledger.seen.deferrals);
        self.seen.give_ups.append(&mut run.ledger.seen.give_ups);
        self.seen.wakes.append(&mut run.ledger.seen.wakes);
        self.seen.forgotten.append(&mut run.ledger.seen.forgotten);
    }

    fn tell(&self) -> String {
        let share = 100 * self.predicted / self.jobs.max(1);
        format!(
            "{} seeds, {} jobs (the end of {share} % predicted from the plan alone), {} steps, {:.0} virtual hours, \
             and {} plans of months to centuries",
            self.seeds, self.jobs, self.steps, self.hours, self.years
        )
    }
}

/// Plays a seed; one that breaks an invariant is cut down, saved and told.
fn run(seed: u64) -> Run {
    let plan = plan(seed);
    play(&plan).unwrap_or_else(|message| {
        let file = save(seed, &plan, message);
        panic!("seed {seed} broke an invariant; cut down and kept: {}", file.display());
    })
}

fn save(seed: u64, plan: &Plan, message: String) -> PathBuf {
    let smallest = shrink(plan, message);
    let (before, after) = (plan.lines().len(), smallest.lines.len());
    let why: String = smallest.message.lines().map(|line| format!("# {line}\n")).collect();
    let facts = smallest.lines.join("\n");
    let text = format!("# Seed {seed}, {after} of {before} facts after {} tries:\n{why}{facts}\n", smallest.tries);
    println!("{text}");
    let file = Path::new(CASES).join(format!("seed-{seed}.txt"));
    std::fs::write(&file, text).expect("the folder of cases is writable");
    file
}

#[test]
fn the_invariants_hold_after_every_step_of_every_seed() {
    let mut sums = Sums::default();
    for seed in 0..SEEDS {
        let first = run(seed);
        if seed.is_multiple_of(TWICE) {
            assert_eq!(run(seed).trace, first.trace, "seed {seed} took two ways");
        }
        sums.add(first);
    }
    println!("{}", sums.tell());
    let deferrals: Vec<_> = DeferReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(sums.seen.deferrals.len(), deferrals.len(), "of {deferrals:?} only {:?}", sums.seen.deferrals);
    let reasons = ["budget_empty", "final", "host_dead", "retries_used", "retry_after", "stopped", "unsafe"];
    assert_eq!(sums.seen.give_ups.iter().copied().collect::<Vec<_>>(), reasons);
    let wakes = ["BackOff", "Expiry", "GlobalPace", "HostPace", "Retry"];
    assert_eq!(sums.seen.wakes.iter().collect::<Vec<_>>(), wakes);
    assert_eq!(sums.seen.forgotten.iter().copied().collect::<Vec<_>>(), ["a crowd", "idle for long"]);
    assert!(sums.predicted * 3 >= sums.jobs, "the oracle says too little: {}", sums.tell());
}

#[test]
fn different_seeds_take_different_ways() {
    let traces: BTreeSet<_> = (0..50).map(|seed| run(seed).trace).collect();
    assert_eq!(traces.len(), 50);
}

#[test]
fn what_failed_once_holds() {
    let mut played = 0;
    for entry in std::fs::read_dir(CASES).expect("the folder of cases") {
        let file = entry.expect("readable").path();
        let text = std::fs::read_to_string(&file).expect("text");
        let plan = Plan::read(text.lines()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        play(&plan).unwrap_or_else(|message| panic!("{}: {message}", file.display()));
        played += 1;
    }
    assert!(played > 0, "no case in {CASES}");
}

/// A number from the environment.
#[expect(clippy::disallowed_methods, reason = "who starts the long run says how long")]
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {text:?}")))
}

/// Plays seeds for as long as is asked for: `HAUL_SIM_SECONDS` (60 unless `HAUL_SIM_SEEDS` is given), at most
/// `HAUL_SIM_SEEDS` of them, from `HAUL_SIM_FROM` on (default: behind the seeds of the test above).
///
/// `HAUL_SIM_SECONDS=60 cargo test --release -p haul-core --lib sim_for -- --ignored --nocapture`
#[test]
#[ignore = "takes as long as it is asked to"]
#[expect(clippy::disallowed_methods, reason = "the run is bounded and measured in real time")]
fn sim_for() {
    let (seconds, seeds) = (asked("HAUL_SIM_SECONDS"), asked("HAUL_SIM_SEEDS"));
    let seconds = seconds.unwrap_or_else(|| if seeds.is_some() { u64::MAX } else { 60 });
    let from = asked("HAUL_SIM_FROM").unwrap_or(SEEDS);
    let (started, mut sums) = (std::time::Instant::now(), Sums::default());
    for seed in from..from.saturating_add(seeds.unwrap_or(u64::MAX)) {
        if started.elapsed().as_secs() >= seconds {
            break;
        }
        sums.add(run(seed));
    }
    let took = started.elapsed().as_secs_f64();
    println!("simulator: from seed {from}: {}", sums.tell());
    println!(
        "simulator: {took:.0} s, {:.0} seeds/s, {:.0} steps/s",
        sums.seeds as f64 / took,
        sums.steps as f64 / took
    );
}
