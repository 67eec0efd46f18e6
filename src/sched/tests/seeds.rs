//! A thousand plans and more: every invariant after every step, every reason reached, equal seeds equal traces.

use crate::model::{DeferReason, Time};

use super::ledger::Seen;
use super::ops::plan;
use super::sim::{Run, Sim};

const SEEDS: u64 = 5_000;
/// One in so many seeds is run twice.
const TWICE: u64 = 10;

fn run(seed: u64) -> Run {
    let run = || Sim::new(plan(seed), seed).run();
    std::panic::catch_unwind(run).unwrap_or_else(|_| panic!("seed {seed} broke an invariant, see above"))
}

#[test]
fn the_invariants_hold_after_every_step_of_every_seed() {
    let (mut steps, mut hours, mut seen) = (0, 0.0, Seen::default());
    for seed in 0..SEEDS {
        let mut first = run(seed);
        if seed.is_multiple_of(TWICE) {
            assert_eq!(run(seed).trace, first.trace, "seed {seed} took two ways");
        }
        steps += first.steps;
        hours += first.ended.since(Time::ZERO).as_secs_f64() / 3600.0;
        seen.deferrals.append(&mut first.ledger.seen.deferrals);
        seen.give_ups.append(&mut first.ledger.seen.give_ups);
        seen.wakes.append(&mut first.ledger.seen.wakes);
    }
    println!("{SEEDS} seeds, {steps} steps, {hours:.0} virtual hours");
    let deferrals: Vec<_> = DeferReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(seen.deferrals.len(), deferrals.len(), "of {deferrals:?} only {:?}", seen.deferrals);
    let reasons = ["budget_empty", "final", "host_dead", "retries_used", "stopped", "unsafe"];
    assert_eq!(seen.give_ups.into_iter().collect::<Vec<_>>(), reasons);
    let wakes = ["BackOff", "Expiry", "GlobalPace", "HostPace", "Retry"];
    assert_eq!(seen.wakes.into_iter().collect::<Vec<_>>(), wakes);
}

#[test]
fn different_seeds_take_different_ways() {
    let traces: std::collections::BTreeSet<_> = (0..50).map(|seed| run(seed).trace).collect();
    assert_eq!(traces.len(), 50);
}
