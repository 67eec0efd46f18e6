//! Many hosts, some of which hang: when the last job of the others is done. Virtual time, the defaults: 256 at once, 8 a host.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::config::{Limits, RetrySettings};
use crate::model::{FailureKind, Time};
use crate::sched::{Action, Event, Gates, HostRules, Report, RetryFacts, Scheduler, SchedulerSettings, Verdict};

const SILENT: Verdict = Verdict::Stalled(FailureKind::Timeout);
const TIMEOUT: Duration = Duration::from_secs(30);
const SERVICE: Duration = Duration::from_millis(20);

/// A host's URLs, and how many answers it gives before it hangs.
#[derive(Clone, Copy)]
struct Host {
    urls: u32,
    answers: u32,
    /// How long each of its answers takes.
    service: Duration,
}

const GOOD: u32 = u32::MAX;

/// Seconds until the last job is done of those that hosts answer; their URLs are read host by host, in this order.
fn last_good(hosts: &[Host]) -> f64 {
    let settings = SchedulerSettings::new(&Limits::default(), &RetrySettings::default());
    let mut scheduler = Scheduler::new(settings.clone(), 7);
    for (number, host) in hosts.iter().enumerate() {
        let id = scheduler.add_host(&HostRules { gates: Gates::NONE, ..settings.host.clone() }, Time::ZERO);
        assert_eq!(id.0 as usize, number);
        (0..host.urls).for_each(|_| scheduler.handle(Event::Arrived { host: id, job: (1, None) }, Time::ZERO));
    }
    let mut answered = vec![0; hosts.len()];
    let (mut flying, mut now, mut number, mut last) = (BinaryHeap::new(), Time::ZERO, 0_u64, Time::ZERO);
    loop {
        while let Some(action) = scheduler.next_action(now) {
            if let Action::Start { host, job } = action {
                let of = host.0 as usize;
                answered[of] += 1;
                let took = if answered[of] <= hosts[of].answers { hosts[of].service } else { TIMEOUT };
                number += 1;
                flying.push(Reverse((now + took, number, host.0, job, now)));
            }
        }
        let end = flying.peek().map(|Reverse((at, ..))| *at);
        let deadline = scheduler.next_deadline().map(|(at, _)| at).filter(|_| scheduler.queued() > 0);
        let Some(next) = end.into_iter().chain(deadline).min() else { break };
        now = next;
        let Some(Reverse((_, _, id, (attempt, failing_since), started))) =
            flying.peek().copied().filter(|_| end == Some(now))
        else {
            continue;
        };
        flying.pop();
        let (host, good) = (crate::sched::HostId(id), now.since(started) < TIMEOUT);
        let report = Report { started, verdict: if good { Verdict::Fine } else { SILENT }, attempt, failing_since };
        if good {
            last = now;
            scheduler.handle(Event::Done { host, report }, now);
        } else {
            let facts = RetryFacts { attempt, replayable: true, fault: None };
            scheduler.handle(
                Event::Failed { host, job: (attempt + 1, failing_since.or(Some(started))), report, facts },
                now,
            );
        }
    }
    last.as_nanos() as f64 / 1e9
}

#[test]
fn hosts_that_hang_from_the_start_or_after_some_answers_hold_up_nobody() {
    let good = |urls| Host { urls, answers: GOOD, service: SERVICE };
    let hung = |answers, urls| Host { urls, answers, service: SERVICE };
    for (what, bad, hanging, others, each, most) in [
        ("31 hosts hang", 31, 0, 100, 50, 2.0),
        ("40 hosts hang", 40, 0, 100, 50, 2.0),
        ("100 of 1,000 hosts hang", 100, 0, 900, 8, 3.0),
        ("40 hosts answer once and hang then", 40, 1, 100, 50, 2.0),
        ("40 hosts answer three times and hang then", 40, 3, 100, 50, 2.0),
        ("100 of 1,000 hosts answer once and hang then", 100, 1, 900, 8, 5.0),
        ("40 hosts answer eight times and hang then", 40, 8, 100, 50, 2.0),
        ("100 hosts answer three times and hang then", 100, 3, 100, 50, 2.0),
        ("40 hosts answer fifteen times and hang then", 40, 15, 100, 50, 3.0),
        ("100 of 1,000 hosts answer five times and hang then", 100, 5, 900, 8, 5.0),
    ] {
        let (bad, rest) = (vec![hung(hanging, 40); bad], vec![good(each); others]);
        for (order, hosts) in [("first", [&bad[..], &rest].concat()), ("last", [&rest[..], &bad].concat())] {
            let seconds = last_good(&hosts);
            println!("{what}, {order} in the list: {seconds:.2} s");
            assert!(seconds < most, "{what}, {order} in the list: {seconds:.2} s");
        }
    }
}

#[test]
fn hosts_that_are_slow_to_answer_soon_have_the_places_they_can_use() {
    for (hosts, urls, millis, best) in [
        (30, 60, 500, 4.0),
        (100, 8, 100, 0.4),
        (20, 40, 100, 0.5),
        (32, 400, 200, 10.0),
        (1000, 4, 300, 4.8),
        (200, 10, 300, 2.4),
    ] {
        let host = Host { urls, answers: GOOD, service: Duration::from_millis(millis) };
        let seconds = last_good(&vec![host; hosts]);
        println!("{hosts} hosts, {urls} URLs each, {millis} ms: {seconds:.2} s, best {best} s");
        assert!(seconds <= 1.26 * best, "{hosts} hosts, {urls} URLs each, {millis} ms: {seconds:.2} s, best {best} s");
    }
}
