//! How long a run takes against how long it must take, in virtual time: the same figures on every machine.
//!
//! The bound is `sched::bound`. The table stands in docs/design/SCHEDULER.md; a test keeps it true. `HAUL_BLESS=1` writes it
//! anew.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::{Limits, Rate, RetrySettings};
use crate::model::Time;
use crate::sched::bound::{Bound, HostLoad, SharedLimits};
use crate::sched::{Action, Event, Gates, HostId, HostRules, Report, Scheduler, SchedulerSettings, Verdict};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/design/SCHEDULER.md");
const BEGIN: &str = "<!-- makespan: written by a test, HAUL_BLESS=1 renews it -->\n";
const END: &str = "<!-- makespan: end -->\n";

/// One kind of host: so many of them, each with so many jobs.
#[derive(Clone, Copy)]
struct Hosts {
    count: u32,
    jobs: u32,
    concurrency: u32,
    delay: Duration,
    service: Duration,
    grouped: bool,
}

struct Scenario {
    name: &'static str,
    slots: u32,
    rate: Option<f64>,
    group: Option<u32>,
    hosts: Vec<Hosts>,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn hosts(count: u32, jobs: u32, service: u64) -> Hosts {
    Hosts { count, jobs, concurrency: 8, delay: Duration::ZERO, service: ms(service), grouped: false }
}

fn scenario(name: &'static str, slots: u32, hosts: Vec<Hosts>) -> Scenario {
    Scenario { name, slots, rate: None, group: None, hosts }
}

/// Each near its own worst balance: what bounds it is almost matched by something else that wants the same slots.
fn scenarios() -> Vec<Scenario> {
    let zipf = |most: u32, service| (1..=1000).map(|rank| hosts(1, most / rank, service)).collect::<Vec<_>>();
    let spread = |at: u32| hosts(1, 40, 10 + 20 * u64::from(at));
    vec![
        scenario("uniform: 1,000 hosts of 100 jobs", 64, vec![hosts(1000, 100, 100)]),
        scenario("Zipf over 1,000 hosts, biggest first", 64, zipf(20_000, 100)),
        scenario("Zipf over 1,000 hosts, smallest first", 64, zipf(20_000, 100).into_iter().rev().collect()),
        scenario("one giant behind 2,000 small hosts", 64, vec![hosts(2000, 28, 50), hosts(1, 8000, 50)]),
        scenario(
            "one giant, one request at a time",
            8,
            vec![hosts(500, 16, 50), Hosts { concurrency: 1, ..hosts(1, 1000, 50) }],
        ),
        scenario("delay of 1 s on 500 hosts", 64, vec![Hosts { delay: ms(1000), ..hosts(500, 60, 100) }]),
        scenario(
            "one big host with a delay among many without",
            32,
            vec![hosts(800, 20, 100), Hosts { delay: ms(100), ..hosts(1, 600, 100) }],
        ),
        Scenario { rate: Some(500.0), ..scenario("global rate of 500/s", 64, vec![hosts(200, 100, 100)]) },
        scenario("50,000 hosts of one job", 256, vec![hosts(50_000, 1, 80)]),
        scenario("1,000 hosts, 10 ms to 20 s each", 256, (0..1000).map(spread).collect()),
        scenario(
            "one slow host among 1,000 quick ones",
            32,
            vec![hosts(1000, 50, 20), Hosts { concurrency: 2, ..hosts(1, 10, 5000) }],
        ),
        Scenario {
            group: Some(4),
            ..scenario(
                "ten hosts of one site with 4 permits, and others",
                32,
                vec![hosts(500, 28, 100), Hosts { grouped: true, ..hosts(10, 200, 100) }],
            )
        },
    ]
}

impl Scenario {
    /// Seconds no schedule can stay under.
    fn bound(&self) -> f64 {
        let count = |count| NonZeroU32::new(count).expect("not zero");
        let load = |kind: &Hosts| HostLoad {
            jobs: kind.jobs.into(),
            service: kind.service,
            concurrency: count(kind.concurrency),
            spacing: kind.delay,
            group: kind.grouped.then_some(0),
        };
        let loads = self.hosts.iter().flat_map(|kind| (0..kind.count).map(move |_| load(kind)));
        let shared = SharedLimits {
            concurrency: count(self.slots),
            interval: self.rate.and_then(Rate::new).map(Rate::interval),
            groups: self.group.map(count).into_iter().collect(),
        };
        Bound::of(loads, &shared).time().as_secs_f64()
    }

    /// Seconds the scheduler takes, and the share of jobs that took over the permit of one of the same host.
    fn run(&self) -> (f64, f64) {
        let limits = Limits {
            concurrency: NonZeroU32::new(self.slots).expect("not zero"),
            rate: self.rate.and_then(Rate::new),
            ..Limits::default()
        };
        let settings = SchedulerSettings::new(&limits, &RetrySettings::default());
        let mut services = Vec::new();
        let mut scheduler = Scheduler::new(settings.clone(), 0);
        let group = self.group.and_then(NonZeroU32::new).map(|limit| scheduler.add_group(limit));
        for kind in &self.hosts {
            let rules = HostRules {
                concurrency: NonZeroU32::new(kind.concurrency).expect("not zero"),
                delay: kind.delay,
                gates: Gates::NONE,
                group: group.filter(|_| kind.grouped),
                ..settings.host.clone()
            };
            for _ in 0..kind.count {
                let host = scheduler.add_host(&rules, Time::ZERO);
                services.push(kind.service);
                (0..kind.jobs).for_each(|job| scheduler.handle(Event::Arrived { host, job }, Time::ZERO));
            }
        }
        let jobs = scheduler.queued() as f64;
        let (ended, kept) = play(&mut scheduler, &services);
        (ended.as_nanos() as f64 / 1e9, f64::from(kept) / jobs)
    }
}

/// Runs everything that was accepted; says when the last job ended, and how many starts came right after the end of a
/// request of the same host.
fn play(scheduler: &mut Scheduler<u32>, services: &[Duration]) -> (Time, u32) {
    let mut flying: BinaryHeap<Reverse<(Time, HostId, Time)>> = BinaryHeap::new();
    let (mut now, mut ended, mut freed, mut kept) = (Time::ZERO, Time::ZERO, None, 0);
    loop {
        while let Some(action) = scheduler.next_action(now) {
            if let Action::Start { host, .. } = action {
                kept += u32::from(freed.take() == Some(host));
                flying.push(Reverse((now + services[host.0 as usize], host, now)));
            }
        }
        let end = flying.peek().map(|Reverse((at, ..))| *at);
        let deadline = scheduler.next_deadline().map(|(at, _)| at);
        now = match (end, deadline) {
            (Some(end), Some(deadline)) => end.min(deadline),
            (Some(end), None) => end,
            _ if scheduler.queued() == 0 => return (ended, kept),
            (None, at) => at.expect("jobs wait, so something must wake them"),
        };
        if end == Some(now) {
            let Reverse((_, host, started)) = flying.pop().expect("peeked");
            (ended, freed) = (now, Some(host));
            scheduler.handle(
                Event::Done {
                    host,
                    report: Report { started, verdict: Verdict::Fine, attempt: 1, failing_since: None },
                },
                now,
            );
        }
    }
}

fn table() -> String {
    let mut table = String::from("| scenario | bound | taken | bound / taken | kept |\n|---|---:|---:|---:|---:|\n");
    for scenario in scenarios() {
        let (bound, (taken, kept)) = (scenario.bound(), scenario.run());
        let efficiency = bound / taken;
        writeln!(table, "| {} | {bound:.2} s | {taken:.2} s | {efficiency:.3} | {kept:.2} |", scenario.name)
            .expect("a string");
        assert!(efficiency >= 0.95, "{}: {bound} s are enough, {taken} s were taken", scenario.name);
        assert!(efficiency <= 1.0 + 1e-9, "{}: the bound is wrong", scenario.name);
    }
    table
}

#[test]
fn makespan_is_near_its_bound_and_the_document_says_so() {
    let table = table();
    println!("{table}");
    keep_true(&table, BEGIN, END);
}

/// The table in docs/design/SCHEDULER.md between these marks is this one.
pub(super) fn keep_true(table: &str, begin: &str, end: &str) {
    let text = std::fs::read_to_string(DOCUMENT).expect("docs/design/SCHEDULER.md");
    let (before, rest) = text.split_once(begin).expect("the begin mark");
    let (committed, after) = rest.split_once(end).expect("the end mark");
    if blessed() {
        std::fs::write(DOCUMENT, format!("{before}{begin}{table}{end}{after}"))
            .expect("docs/design/SCHEDULER.md is writable");
    } else {
        assert_eq!(committed, table, "the table in docs/design/SCHEDULER.md is stale: run the test with HAUL_BLESS=1");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test that can renew the document it checks has to be told to")]
fn blessed() -> bool {
    std::env::var("HAUL_BLESS").is_ok()
}
