//! What `remaining_work` says of runs whose end is known.

use std::time::Duration;

use crate::config::{Limits, Rate, RetrySettings};
use crate::model::{DeferReason, FailureKind};
use crate::sched::{Capacity, Event, Gate, HostBottleneck, HostId, HostRules, RemainingWork, Verdict};

use super::stories::{ONCE, Story, ms, some};

/// A story whose measured service time is 100 ms everywhere.
fn story(limits: Limits) -> Story {
    Story::new(limits, RetrySettings::default())
}

fn remaining_work(story: &Story) -> RemainingWork {
    story.scheduler.remaining_work(story.now)
}

fn longest(story: &Story) -> (HostId, u128, HostBottleneck, u32) {
    let longest = remaining_work(story).longest.expect("work is left");
    (longest.host, longest.left.as_millis(), longest.cause, longest.at_once)
}

/// A host with so many jobs.
fn busy(story: &mut Story, jobs: u32, rules: impl FnOnce(&mut HostRules)) -> HostId {
    let host = story.host(rules);
    story.arrive(host, 0..jobs);
    host
}

#[test]
fn nothing_left_is_nothing_said() {
    let mut story = story(Limits::default());
    story.host(|_| {});
    assert_eq!(remaining_work(&story), RemainingWork::default());
}

#[test]
fn what_makes_a_host_slow_is_named_with_its_time() {
    let mut story = story(Limits { concurrency: some(1000), ..Limits::default() });
    let host = busy(&mut story, 5, |_| {});
    assert_eq!(longest(&story), (host, 100, HostBottleneck::Service, 8), "all in flight");
    let host = busy(&mut story, 88, |_| {});
    assert_eq!(longest(&story), (host, 1100, HostBottleneck::Concurrency, 8));
    let host = busy(&mut story, 101, |rules| rules.capacity = Capacity::Streams(some(5)));
    assert_eq!(longest(&story), (host, 96 * 20 + 100, HostBottleneck::Connections, 5));
    let host = busy(&mut story, 11, |rules| rules.delay = Duration::from_millis(500));
    assert_eq!(longest(&story), (host, 10 * 500 + 100, HostBottleneck::Delay, 8));
    let host = busy(&mut story, 11, |rules| rules.rate = Rate::new(1.0));
    assert_eq!(longest(&story), (host, 10 * 1000 + 100, HostBottleneck::Rate, 8));
    let host = busy(&mut story, 1000, |rules| rules.gates = Gate::Address.into());
    assert_eq!(longest(&story), (host, 1000 * 100 / 8 + 100, HostBottleneck::Name, 8));
    let host = busy(&mut story, 1, |_| {});
    let pause = Verdict::PushedBack(Some(Duration::from_secs(60)));
    let report = story.report(pause);
    story.now = ms(1);
    story.tell(Event::Failed { host, job: 0, report, facts: ONCE });
    assert_eq!(longest(&story).2, HostBottleneck::BackOff);
    assert_eq!(remaining_work(&story).retrying, 1);
    assert_eq!(remaining_work(&story).unresolved, 1);
}

#[test]
fn a_probe_and_an_adaptive_limit_are_told_from_a_fixed_one() {
    let mut story = story(Limits { adaptive: true, ..Limits::default() });
    let host = busy(&mut story, 10, |_| {});
    assert_eq!(longest(&story), (host, 8 * 50 + 100, HostBottleneck::Adaptive, 2));
    let mut story = Story::new(
        Limits::default(),
        RetrySettings { dead_after: 1, host_memory: Duration::MAX, ..RetrySettings::default() },
    );
    let host = busy(&mut story, 1, |_| {});
    story.fail(host, 0, FailureKind::Refused, ONCE);
    story.at(ms(300_000));
    story.arrive(host, 1..5);
    assert_eq!(longest(&story).2, HostBottleneck::Probe);
}

#[test]
fn jobs_are_counted_by_what_holds_them_and_equals_together() {
    let mut story = story(Limits { concurrency: some(20), ..Limits::default() });
    busy(&mut story, 30, |_| {});
    busy(&mut story, 30, |_| {});
    busy(&mut story, 40, |_| {});
    let remaining_work = remaining_work(&story);
    assert_eq!((remaining_work.hosts_left, remaining_work.alike, remaining_work.work), (3, 3, Duration::from_secs(8)));
    assert_eq!(
        (remaining_work.held_for(DeferReason::HostLimit), remaining_work.held_for(DeferReason::GlobalLimit)),
        (44, 36)
    );
}

#[test]
fn a_shared_limit_that_needs_longer_than_any_host_is_named() {
    let mut story = story(Limits { concurrency: some(1000), ..Limits::default() });
    let group = story.scheduler.add_group(some(2));
    let hosts = [10, 12, 11].map(|jobs| busy(&mut story, jobs, |rules| rules.group = Some(group)));
    assert_eq!(longest(&story), (hosts[1], 31 * 100 / 2 + 100, HostBottleneck::Group, 2));
    assert_eq!(remaining_work(&story).alike, 3);
    let address = |rules: &mut HostRules| rules.per_address = Some(some(1));
    for _ in 0..2 {
        let host = story.host(address);
        story.tell(Event::Resolved { host, address: Some([10, 0, 0, 1].into()) });
        story.arrive(host, 0..20);
    }
    assert_eq!(longest(&story).1, 39 * 100 + 100);
    assert_eq!(longest(&story).2, HostBottleneck::Address);
}
