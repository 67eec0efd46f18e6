//! One limiter in front of many hosts, which none of them can know of: so many a second together, and `Retry-After` to the others, as a
//! CDN counts the requests of an address. Virtual time, the defaults.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::config::{Limits, RetrySettings};
use crate::model::Time;
use crate::policy::is_wait;
use crate::sched::{Action, Event, Gates, HostRules, Report, RetryFacts, Scheduler, SchedulerSettings, Verdict};

const SERVICE: Duration = Duration::from_millis(5);
/// A second, which is how much is served at once after a rest, too.
const RATE: f64 = 50.0;

/// A job: its attempts, the waits among them, and when it began to fail.
type Job = (u32, u32, Option<Time>);

/// How many of the jobs were lost of so many hosts, when the last one ended (seconds), and how many requests were made.
fn played(hosts: u32, urls: u32, refusal: Verdict) -> (u32, f64, u32) {
    let retries = RetrySettings::default();
    let settings = SchedulerSettings::new(&Limits::default(), &retries);
    let mut scheduler = Scheduler::<Job>::new(settings.clone(), 7);
    for _ in 0..hosts {
        let host = scheduler.add_host(&HostRules { gates: Gates::NONE, ..settings.host.clone() }, Time::ZERO);
        (0..urls).for_each(|_| scheduler.handle(Event::Arrived { host, job: (1, 0, None) }, Time::ZERO));
    }
    let (mut tokens, mut refilled) = (RATE, Time::ZERO);
    let (mut flying, mut number, mut lost) = (BinaryHeap::new(), 0, 0);
    let (mut now, mut last) = (Time::ZERO, Time::ZERO);
    loop {
        while let Some(action) = scheduler.next_action(now) {
            match action {
                Action::Start { host, job } => {
                    tokens = now.since(refilled).as_secs_f64().mul_add(RATE, tokens).min(RATE);
                    refilled = now;
                    let served = tokens >= 1.0;
                    tokens -= f64::from(u8::from(served));
                    number += 1;
                    flying.push(Reverse((now + SERVICE, number, host.0, job, served)));
                }
                Action::GiveUp { .. } => (lost, last) = (lost + 1, now),
                Action::Open { .. } | Action::Forget { .. } => {}
            }
        }
        let end = flying.peek().map(|Reverse((at, ..))| *at);
        let deadline = scheduler.next_deadline().map(|(at, _)| at).filter(|_| scheduler.queued() > 0);
        let Some(next) = end.into_iter().chain(deadline).min() else { break };
        now = next;
        if end != Some(now) {
            continue;
        }
        let Some(Reverse((_, _, id, (attempt, waits, failing_since), served))) = flying.pop() else { continue };
        let (host, started) = (crate::sched::HostId(id), Time::ZERO + (now.since(Time::ZERO) - SERVICE));
        let verdict = if served { Verdict::Fine } else { refusal };
        let report = Report { started, verdict, attempt, failing_since };
        if served {
            last = now;
            scheduler.handle(Event::Done { host, report }, now);
        } else {
            let of_host = scheduler.speaks_of_host(host, verdict, now);
            let waits = waits + u32::from(is_wait(verdict, of_host, waits, &retries));
            let facts = RetryFacts { attempt: attempt - waits, replayable: true, fault: None };
            let job = (attempt + 1, waits, failing_since.or(Some(started)));
            scheduler.handle(Event::Failed { host, job, report, facts }, now);
        }
    }
    (lost, last.as_nanos() as f64 / 1e9, number)
}

/// Each URL comes to its turn: who says when to come again is asked then, and that is none of a URL's few retries.
#[test]
fn nothing_is_lost_behind_a_limit_that_many_hosts_share() {
    let second = Some(Duration::from_secs(1));
    for (hosts, urls, refusal) in [
        (20, 50, Verdict::PushedBack(second)),
        (100, 10, Verdict::PushedBack(second)),
        (1000, 1, Verdict::PushedBack(second)),
        (100, 10, Verdict::Troubled(second)),
    ] {
        let (lost, seconds, requests) = played(hosts, urls, refusal);
        let what = format!("{hosts} hosts, {refusal:?}: {lost} lost, {seconds:.1} s, {requests} requests");
        // Twenty seconds at the least.
        assert!(lost == 0 && seconds < 60.0 && requests < 12_000, "{what}");
    }
}
