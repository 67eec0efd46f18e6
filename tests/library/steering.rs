//! A run that is steered while it goes on: paused, resumed, held to other limits; and rules for some hosts.

use std::io;
use std::num::NonZeroU32;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use haul::config::{Config, HostRule, Rate};
use haul::engine::{Bottleneck, Engine, Estimate, Handle, LiveLimits, RunReport};
use haul::model::{Record, Sink};
use haul::sched::HostBottleneck;
use haul::sink::Null;
use haul::source::Urls;
use haul_testsupport::origin::{Origin, Seen};

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

fn config(shards: usize) -> Config {
    let mut config = Config::default();
    config.limits.shards = shards;
    config
}

/// A run in a thread of its own, begun by `begin`.
fn start(
    config: Config,
    urls: impl IntoIterator<Item = String>,
    begin: impl FnOnce(&Handle),
) -> (Handle, JoinHandle<RunReport>) {
    let engine = Engine::new(config).expect("valid settings");
    let handle = engine.handle();
    begin(&handle);
    let urls = Box::new(Urls::new(urls.into_iter().collect::<Vec<_>>()));
    (handle, thread::spawn(move || engine.run(urls, Box::new(Null))))
}

fn run(config: Config, urls: impl IntoIterator<Item = String>) -> RunReport {
    start(config, urls, |_| {}).1.join().expect("no panic")
}

/// The report of a run that gave every URL a response.
fn all_good(run: JoinHandle<RunReport>, urls: u64) -> RunReport {
    let report = run.join().expect("no panic");
    assert_eq!((report.totals.succeeded, report.totals.failed), (urls, 0), "{report:?}");
    report
}

/// Waits until `what` holds: ten seconds at most.
fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain until {what}");
}

fn sleep(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

/// When the host was asked, in order.
fn times(origin: &Origin, host: &str) -> Vec<Instant> {
    let of_host = |seen: &&Seen| seen.headers.iter().any(|(name, value)| name == "host" && value.starts_with(host));
    let mut times: Vec<_> = origin.seen().iter().filter(of_host).map(|seen| seen.at).collect();
    times.sort_unstable();
    times
}

/// The least time between two requests to the host, as the origin saw them; its own scheduling may shorten it a little.
fn least_gap(times: &[Instant]) -> Duration {
    times.windows(2).map(|pair| pair[1] - pair[0]).min().expect("two at least") + Duration::from_millis(15)
}

#[test]
fn a_run_that_was_paused_before_it_began_starts_nothing_until_it_is_resumed() {
    let origin = Origin::start();
    for shards in [1, 2] {
        let before = origin.connections();
        let urls = (0..20).map(|n| origin.url_on(&format!("127.0.0.{}", 1 + n % 4), "/page"));
        let (handle, run) = start(config(shards), urls, Handle::pause);
        until("all is read", || handle.progress().queued == 20);
        sleep(100);
        assert_eq!(origin.connections(), before, "paused");
        handle.resume();
        all_good(run, 20);
    }
}

#[test]
fn a_pause_lets_what_is_in_flight_end_and_nothing_else_begin() {
    let origin = Origin::start();
    let urls = (0..40).map(|_| origin.url("/slow/50"));
    let (handle, run) = start(config(1), urls, |_| {});
    until("some are done", || handle.progress().succeeded > 4);
    handle.pause();
    until("nothing is in flight", || handle.progress().in_flight == 0);
    let seen = origin.seen().len();
    sleep(200);
    assert_eq!(origin.seen().len(), seen);
    handle.pause();
    handle.resume();
    all_good(run, 40);
}

#[test]
fn a_paused_run_can_be_stopped() {
    let origin = Origin::start();
    let (handle, run) = start(config(2), (0..50).map(|_| origin.url("/page")), Handle::pause);
    until("all is read", || handle.progress().queued == 50);
    handle.stop(Duration::from_secs(5));
    let report = run.join().expect("no panic");
    assert_eq!((report.left, report.totals.succeeded), (50, 0));
}

#[test]
fn the_limit_on_all_requests_moves_both_ways_below_the_number_of_shards_too() {
    let origin = Origin::start();
    for shards in [1, 2] {
        let mut config = config(shards);
        config.limits.concurrency = count(12);
        let urls: Vec<_> = (0..300).map(|n| origin.url_on(&format!("127.0.0.{}", 1 + n % 12), "/slow/30")).collect();
        let (handle, run) = start(config, urls, |_| {});
        let set = |n| handle.set_limits(LiveLimits { concurrency: count(n), ..handle.limits() });
        let in_flight = || handle.progress().in_flight;
        until("twelve are in flight", || in_flight() == 12);
        for limit in [5, 1, 3] {
            set(limit);
            until("it is no more than the limit", || in_flight() <= u64::from(limit));
            // Those that were under way have ended. From here the origin counts: the shards' own figures are read one after
            // the other, and may be of different moments.
            sleep(60);
            let done = handle.progress().succeeded;
            origin.most_in_flight();
            sleep(180);
            let most = origin.most_in_flight();
            assert!(most <= limit as usize, "{most} in flight, {limit} allowed, {shards} shards");
            assert!(handle.progress().succeeded > done, "work goes on");
        }
        set(24);
        until("twenty-four are in flight", || in_flight() == 24);
        all_good(run, 300);
    }
}

#[test]
fn limits_of_hosts_change_and_rules_stay() {
    let origin = Origin::start();
    let rule = |pattern: &str, concurrency| HostRule {
        pattern: pattern.to_owned(),
        concurrency: NonZeroU32::new(concurrency),
        ..HostRule::default()
    };
    let mut config = config(2);
    config.limits.per_host = count(2);
    let ruled = HostRule { delay: Some(Duration::from_millis(60)), ..rule("127.0.0.2", 0) };
    config.limits.rules = vec![ruled, rule("127.*", 2)];
    let urls = (0..10).flat_map(|_| [1, 2].map(|host| origin.url_on(&format!("127.0.0.{host}"), "/slow/20")));
    let (handle, run) = start(config, urls.collect::<Vec<_>>(), |_| {});
    until("a few are done", || handle.progress().succeeded > 4);
    handle.set_limits(LiveLimits { per_host: count(8), delay: Duration::from_millis(300), ..handle.limits() });
    sleep(100);
    let told = times(&origin, "127.0.0.1").len();
    all_good(run, 20);
    let since = &times(&origin, "127.0.0.1")[told - 1..];
    assert!(least_gap(since) >= Duration::from_millis(300), "the new delay");
    let second = least_gap(&times(&origin, "127.0.0.2"));
    assert!(second >= Duration::from_millis(60) && second < Duration::from_millis(300), "its own delay: {second:?}");
}

#[test]
fn the_first_rule_that_matches_holds_and_its_limit_per_address_too() {
    let origin = Origin::start();
    let mut config = config(0);
    let rule = |pattern: String, concurrency, per_address| HostRule {
        pattern,
        concurrency: NonZeroU32::new(concurrency),
        per_address: NonZeroU32::new(per_address),
        ..HostRule::default()
    };
    config.limits.rules = vec![rule(format!("a.test:{}", origin.port), 3, 0), rule("*.test".into(), 0, 2)];
    config.network.resolve = ["a.test", "b.test", "c.test"]
        .map(|host| haul::config::ResolveRule {
            host: Some(host.into()),
            port: origin.port,
            addresses: vec![[127, 0, 0, 9].into()],
        })
        .into();
    let urls =
        |hosts: &[&str]| -> Vec<_> { (0..24).map(|n| origin.url_on(hosts[n % hosts.len()], "/slow/30")).collect() };
    run(config.clone(), urls(&["b.test", "c.test"]));
    assert_eq!(origin.most_in_flight(), 2, "two hosts, one address");
    run(config, urls(&["a.test"]));
    assert_eq!(origin.most_in_flight(), 3, "its own rule came first");
}

#[test]
fn a_start_rate_can_be_set_changed_and_taken_away() {
    let origin = Origin::start();
    for shards in [1, 2] {
        let first = origin.seen().len();
        let urls = (0..200).map(|n| origin.url_on(&format!("127.0.0.{}", 1 + n % 8), "/page"));
        let (handle, run) = start(config(shards), urls, |handle| {
            handle.set_limits(LiveLimits { rate: Rate::new(20.0), ..handle.limits() });
        });
        until("a dozen was asked for", || origin.seen().len() >= first + 12);
        let seen: Vec<_> = origin.seen()[first..].iter().map(|seen| seen.at).collect();
        let span = seen[11] - seen[0] + Duration::from_millis(30);
        assert!(span >= Duration::from_millis(11 * 50), "{span:?} for twelve at 20/s, {shards} shards");
        assert!(handle.progress().succeeded < 40, "held back");
        handle.set_limits(LiveLimits { rate: None, ..handle.limits() });
        all_good(run, 200);
    }
}

/// What bounds the run, until it is as expected.
fn bound_is(handle: &Handle, expected: Bottleneck) -> Estimate {
    let estimate = || handle.estimate().filter(|estimate| estimate.bound == expected);
    until(&format!("the bound is {expected:?}, not {:?}", handle.estimate()), || estimate().is_some());
    estimate().or_else(|| handle.estimate()).expect("it was known before")
}

#[test]
fn what_bounds_the_run_is_named() {
    let origin = Origin::start();
    for shards in [1, 2] {
        let mut config = config(shards);
        config.limits.rules = vec![HostRule {
            pattern: "127.0.0.9".into(),
            delay: Some(Duration::from_millis(200)),
            ..HostRule::default()
        }];
        let hosts = |n: u32| if n < 20 { 9 } else { 1 + n % 8 };
        let urls = (0..1000).map(|n| origin.url_on(&format!("127.0.0.{}", hosts(n)), "/slow/20"));
        let (handle, run) = start(config, urls, Handle::pause);
        bound_is(&handle, Bottleneck::Paused);
        let all =
            |estimate: Estimate| (estimate.hosts_left, estimate.held.iter().sum()) == (9, 1000) && estimate.input_ended;
        until("all of the input is seen", || handle.estimate().is_some_and(all));
        handle.set_limits(LiveLimits { concurrency: count(3), ..handle.limits() });
        handle.resume();
        bound_is(&handle, Bottleneck::Concurrency);
        handle.set_limits(LiveLimits { concurrency: count(100), rate: Rate::new(10.0), ..handle.limits() });
        bound_is(&handle, Bottleneck::Rate);
        handle.set_limits(LiveLimits { rate: None, ..handle.limits() });
        let estimate = bound_is(&handle, Bottleneck::Hosts(HostBottleneck::Delay));
        let longest = estimate.longest.expect("work is left");
        assert_eq!(&*longest.origin, format!("http://127.0.0.9:{}", origin.port));
        assert_eq!((longest.rule.as_deref(), estimate.alike), (Some("127.0.0.9"), 1));
        assert!(longest.left <= Duration::from_millis(20 * 200 + 500), "{longest:?}");
        let report = all_good(run, 1000);
        assert_eq!(report.latest[0].origin, longest.origin, "it ended last");
        assert_eq!((report.latest[0].attempts, report.slowest.len()), (20, 5));
    }
}

/// Takes long over every record.
struct Slow;

impl Sink for Slow {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            sleep(1);
            safe.push(record.seq());
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_slow_sink_or_source_bounds_the_run() {
    let origin = Origin::start();
    let mut config = config(1);
    config.limits.sink_backlog = 1000;
    let engine = Engine::new(config.clone()).expect("valid settings");
    let handle = engine.handle();
    let urls = Box::new(Urls::new((0..3000).map(|_| origin.url("/page")).collect::<Vec<_>>()));
    let run = thread::spawn(move || engine.run(urls, Box::new(Slow)));
    bound_is(&handle, Bottleneck::Output);
    all_good(run, 3000);

    let url = origin.url("/page");
    let slowly = (0..100).map(move |_| {
        sleep(20);
        url.clone()
    });
    let engine = Engine::new(config).expect("valid settings");
    let handle = engine.handle();
    let run = thread::spawn(move || engine.run(Box::new(Urls::new(slowly)), Box::new(Null)));
    bound_is(&handle, Bottleneck::Input);
    all_good(run, 100);
}

#[test]
fn a_bad_pattern_and_several_shards_with_a_limit_per_address_are_refused() {
    let mut bad = config(1);
    bad.limits.rules = vec![HostRule { pattern: "a[".into(), ..HostRule::default() }];
    let message = Engine::new(bad).err().expect("refused").to_string();
    assert!(message.contains("'a['"), "{message}");
    let mut shards = config(2);
    shards.limits.rules = vec![HostRule { pattern: "*".into(), per_address: Some(count(1)), ..HostRule::default() }];
    let message = Engine::new(shards).err().expect("refused").to_string();
    assert!(message.contains("`limits.shards` to 1"), "{message}");
}
