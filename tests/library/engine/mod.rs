//! The engine as a library, against an origin that misbehaves to order.

mod addresses;
mod egress;
mod exchanges;
mod settled;

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use std::error::Error as _;

use haul::config::{Config, ConfigError, Rate, Shares, Timeouts};
use haul::engine::{Engine, Extensions, Handle, RunReport, StartError};
use haul::model::{
    FailureKind, Job, More, Outcome, Phase, Record, Rejected, RequestOverrides, Sink, Source, Time, WebUrl,
};
use haul::save::{Naming, SaveBodies};
use haul::sink::Null;
use haul::source::Urls;

use haul_testsupport::origin::Origin;
use haul_testsupport::tap::Tap;

/// Jobs from a list.
struct List {
    urls: Vec<String>,
    overrides: Option<RequestOverrides>,
    next: u64,
}

impl List {
    fn of(urls: impl IntoIterator<Item = String>) -> Box<Self> {
        Box::new(Self { urls: urls.into_iter().collect(), overrides: None, next: 0 })
    }
}

impl Source for List {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        for _ in 0..max {
            let Some(url) = self.urls.get(usize::try_from(self.next).expect("small")) else { return Ok(More::No) };
            let mut job = Job::new(self.next, WebUrl::parse(url).expect("valid").0, now);
            if let Some(overrides) = &self.overrides {
                job.extra_mut().overrides = Some(overrides.clone().into());
            }
            into.push(Ok(job));
            self.next += 1;
        }
        Ok(More::Yes)
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.limits.shards = 1;
    config.retries.backoff_base = Duration::from_millis(20);
    config
}

/// An HTTP/2 origin that misbehaves to order, and settings for it, without retries.
fn http2() -> (SocketAddr, Config) {
    let mut config = config();
    config.network.http2_prior_knowledge = true;
    config.retries.retries = 0;
    (haul_testsupport::h2_origin::start(), config)
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

/// Is long in coming with its only job, whose time of reading is the call's.
struct Late(Option<String>);

impl Source for Late {
    fn read(&mut self, _: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let Some(url) = self.0.take() else { return Ok(More::No) };
        std::thread::sleep(Duration::from_secs(2));
        into.push(Ok(Job::new(0, WebUrl::parse(&url).expect("valid").0, now)));
        Ok(More::Yes)
    }
}

/// Gives a job that was due at the run's start a while later.
struct Overdue(Option<String>);

impl Source for Overdue {
    fn read(&mut self, _: usize, _: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let Some(url) = self.0.take() else { return Ok(More::No) };
        std::thread::sleep(Duration::from_millis(300));
        into.push(Ok(Job::new(0, WebUrl::parse(&url).expect("valid").0, Time::ZERO)));
        Ok(More::Yes)
    }

    fn sets_times(&self) -> bool {
        true
    }
}

/// Runs `source` to its end; the outcomes come in input order.
fn run_source(config: Config, source: Box<dyn Source>) -> (Vec<Outcome>, RunReport) {
    let (sender, receiver) = channel();
    let report = Engine::new(config).expect("valid settings").run(source, Box::new(Tap(sender)));
    let mut outcomes: Vec<_> = receiver.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.job.seq);
    (outcomes, report)
}

fn run(config: Config, urls: impl IntoIterator<Item = String>) -> (Vec<Outcome>, RunReport) {
    run_source(config, List::of(urls))
}

fn one(config: Config, url: String) -> Outcome {
    run(config, [url]).0.pop().expect("one record")
}

fn status(outcome: &Outcome) -> Option<u16> {
    outcome.last.result.as_ref().ok().map(|response| response.status)
}

fn failure(outcome: &Outcome) -> Option<(Phase, FailureKind)> {
    outcome.last.result.as_ref().err().map(|failure| (failure.phase, failure.kind))
}

#[test]
fn every_job_has_one_record_and_connections_are_used_again() {
    let origin = Origin::start();
    let hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "localhost"];
    let urls = (0..2000).map(|n| origin.url_on(hosts[n % hosts.len()], &format!("/page/{n}")));
    let (outcomes, report) = run(config(), urls);
    let seqs: HashSet<_> = outcomes.iter().map(|outcome| outcome.job.seq).collect();
    assert_eq!((outcomes.len(), seqs.len()), (2000, 2000));
    assert!(outcomes.iter().all(|outcome| status(outcome) == Some(200) && outcome.attempts == 1));
    assert!(origin.connections() <= 4 * 8, "{} connections for 4 hosts of 8", origin.connections());
    assert_eq!(report.totals.connections_opened + report.totals.connections_reused, 2000);
    let fresh = outcomes.iter().filter(|outcome| !outcome.last.reused).count() as u64;
    assert_eq!(fresh, report.totals.connections_opened);
}

#[test]
fn the_wait_for_a_slow_source_is_not_time_in_a_queue() {
    let origin = Origin::start();
    let (outcomes, _) = run_source(config(), Box::new(Late(Some(origin.url("/")))));
    let queued = outcomes[0].last.timings.queued;
    assert!(queued < Duration::from_secs(2), "{queued:?}");
}

#[test]
fn each_misbehaviour_has_its_phase_and_kind() {
    let origin = Origin::start();
    let mut config = config();
    config.retries.retries = 0;
    config.retries.dead_after = 0;
    config.timeouts.first_byte = Duration::from_millis(300);
    config.timeouts.idle = Duration::from_millis(300);
    config.body.max_wire = 5000;
    let cases = [
        ("/drop/99", Phase::Head, FailureKind::Closed),
        ("/partial", Phase::Body, FailureKind::Truncated),
        ("/badchunk", Phase::Body, FailureKind::Malformed),
        ("/cutchunk", Phase::Body, FailureKind::Truncated),
        ("/te", Phase::Head, FailureKind::BadFraming),
        ("/switch", Phase::Head, FailureKind::Protocol),
        ("/garbage", Phase::Head, FailureKind::Malformed),
        ("/bighead", Phase::Head, FailureKind::HeadTooLarge),
        ("/slow/900", Phase::Head, FailureKind::Timeout),
        ("/stall", Phase::Body, FailureKind::Timeout),
        ("/bytes/5001", Phase::Body, FailureKind::TooLarge),
        ("/redirect/302?ftp://x/", Phase::Head, FailureKind::RedirectBadLocation),
        ("/redirect/302?/redirect/302?/redirect/302", Phase::Head, FailureKind::RedirectLoop),
    ];
    let (outcomes, report) = run(config, cases.iter().map(|(path, ..)| origin.url(path)));
    let got: Vec<_> = outcomes.iter().map(failure).collect();
    for ((path, phase, kind), got) in cases.iter().zip(got) {
        if *path != "/redirect/302?/redirect/302?/redirect/302" {
            assert_eq!(got, Some((*phase, *kind)), "{path}");
        }
    }
    assert_eq!(report.totals.accepted, cases.len() as u64);
}

#[test]
fn an_http2_body_is_complete_only_if_its_stream_said_so() {
    let (address, mut config) = http2();
    config.body.keep = true;
    let url = |path: &str| format!("http://{address}{path}");
    let paths = ["/ok", "/cut", "/cut-without-length", "/reset", "/trailers"];
    let (outcomes, _) = run(config, paths.map(url));
    assert_eq!(status(&outcomes[0]), Some(200), "{:?}", outcomes[0]);
    for (at, kind) in [(1, FailureKind::Truncated), (2, FailureKind::Truncated), (3, FailureKind::Reset)] {
        assert_eq!(failure(&outcomes[at]).map(|(_, kind)| kind), Some(kind), "{}", paths[at]);
    }
    let trailers = outcomes[4].last.result.as_ref().expect("a response");
    assert_eq!(trailers.body.as_deref(), Some(&b"all of it"[..]));
}

#[test]
fn no_request_goes_where_nothing_comes_back_from() {
    let (address, mut config) = http2();
    config.limits.per_host = count(1);
    let soon = Duration::from_millis(200);
    let timeouts = config.timeouts.clone();
    for (timeouts, kind) in [
        (Timeouts { idle: soon, ..timeouts.clone() }, FailureKind::Timeout),
        (Timeouts { total: soon, ..timeouts.clone() }, FailureKind::TotalTimeout),
        (Timeouts { min_rate: 1000, min_rate_after: soon, ..timeouts }, FailureKind::TooSlow),
    ] {
        config.timeouts = timeouts;
        let url = |path: &str| format!("http://{address}{path}");
        let (outcomes, _) = run(config.clone(), ["/ok", "/reset", "/ok", "/stall", "/ok"].map(url));
        let kinds: Vec<_> = outcomes.iter().map(failure).collect();
        assert_eq!((kinds[3], kinds[4]), (Some((Phase::Body, kind)), None), "{outcomes:?}");
        let reused: Vec<_> = outcomes.iter().map(|outcome| outcome.last.reused).collect();
        let expected = [false, true, true, true, false];
        assert_eq!(reused, expected, "{kind}: a stream that is reset says that the connection lives");
    }
}

#[test]
fn a_refused_stream_is_asked_again_without_being_asked_to() {
    let (address, config) = http2();
    let outcome = one(config, format!("http://{address}/refused"));
    assert!(outcome.attempts > 1, "{outcome:?}");
    assert!(failure(&outcome).is_some());
}

#[test]
fn a_connection_that_never_opens_gets_no_free_retries() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let mut config = config();
    config.retries.retries = 0;
    let outcome = one(config, format!("https://127.0.0.1:{port}/"));
    assert_eq!(outcome.attempts, 1, "{outcome:?}");
    assert_eq!(failure(&outcome).map(|(phase, _)| phase), Some(Phase::Tls));
}

#[test]
fn the_runs_own_headers_stay_behind_like_a_jobs_when_a_redirect_leaves_the_origin() {
    let origin = Origin::start();
    let mut config = config();
    config.body.keep = true;
    for (name, value) in [("authorization", "Basic eA=="), ("cookie", "a=1"), ("x-kept", "1")] {
        config.request.headers.insert(name, http::HeaderValue::from_static(value));
    }
    let target = origin.url_on("127.0.0.2", "/echo");
    let outcome = one(config, origin.url(&format!("/redirect/302?{target}")));
    let body = outcome.last.result.expect("a response").body.expect("kept");
    let echoed = String::from_utf8_lossy(&body).into_owned();
    assert!(echoed.contains("x-kept") && !echoed.contains("authorization") && !echoed.contains("cookie"), "{echoed}");
    assert!(origin.seen()[0].headers.iter().any(|(name, _)| name == "authorization"), "it was sent at first");
}

#[test]
fn a_status_that_is_not_followed_keeps_its_body() {
    let origin = Origin::start();
    let mut config = config();
    config.body.keep = true;
    let outcome = one(config, origin.url("/redirect/300?/page"));
    assert_eq!(outcome.last.result.expect("a response").body.as_deref(), Some(&b"gone"[..]));
}

#[test]
fn well_framed_bodies_of_every_form_are_complete() {
    let origin = Origin::start();
    let mut config = config();
    config.body.keep = true;
    let cases = [("/chunks", "wikipedia"), ("/eof", "until the end"), ("/close", "ok"), ("/bytes/3", "xxx")];
    let (outcomes, _) = run(config, cases.iter().map(|(path, _)| origin.url(path)));
    for ((path, body), outcome) in cases.iter().zip(&outcomes) {
        let response = outcome.last.result.as_ref().expect(path);
        assert_eq!(response.body.as_deref(), Some(body.as_bytes()), "{path}");
        assert_eq!(response.close_delimited, *path == "/eof");
    }
}

#[test]
fn a_connection_that_the_server_closes_silently_costs_no_request() {
    let origin = Origin::start();
    let mut config = config();
    config.retries.retries = 0;
    config.limits.per_host = count(4);
    let (outcomes, _) = run(config, (0..300).map(|n| origin.url(&format!("/hangup/{n}"))));
    let failed: Vec<_> = outcomes.iter().filter_map(failure).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn bytes_nobody_asked_for_are_never_taken_for_the_next_response() {
    let origin = Origin::start();
    let mut config = config();
    config.limits.per_host = count(1);
    config.body.keep = true;
    let paths = (0..40).map(|n| origin.url(&if n % 2 == 0 { format!("/extra/{n}") } else { format!("/page/{n}") }));
    let (outcomes, _) = run(config, paths);
    for outcome in &outcomes {
        let response = outcome.last.result.as_ref().expect("a response");
        assert_eq!(response.body.as_deref(), Some(&b"ok"[..]), "seq {}", outcome.job.seq);
    }
}

#[test]
fn redirects_are_followed_over_hosts_and_recorded() {
    let origin = Origin::start();
    let last = origin.url_on("127.0.0.3", "/page");
    let middle = origin.url_on("127.0.0.2", &format!("/redirect/307?{last}"));
    let first = origin.url(&format!("/redirect/301?{middle}"));
    let outcome = one(config(), first.clone());
    assert_eq!(status(&outcome), Some(200));
    assert_eq!(outcome.job.url.as_str(), last);
    assert_eq!(outcome.job.given(), first);
    let hops: Vec<_> = outcome.job.hops().iter().map(|hop| (hop.status, hop.url.as_str())).collect();
    assert_eq!(hops, [(301, &*first), (307, &*middle)]);
    assert_eq!(outcome.attempts, 3);

    let mut stay = config();
    stay.request.max_redirects = 0;
    let outcome = one(stay, first.clone());
    assert_eq!((status(&outcome), outcome.attempts), (Some(301), 1));

    let mut short = config();
    short.request.max_redirects = 1;
    assert_eq!(failure(&one(short, first)), Some((Phase::Head, FailureKind::RedirectLimit)));
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_do_harm_is_not() {
    let origin = Origin::start();
    let outcome = one(config(), origin.url("/retry/503/2"));
    assert_eq!((status(&outcome), outcome.attempts), (Some(200), 3));
    let outcome = one(config(), origin.url("/retry/502/9"));
    assert_eq!((status(&outcome), outcome.attempts), (Some(502), 3), "the last response is the record");
    let outcome = one(config(), origin.url("/drop/1"));
    assert_eq!((status(&outcome), outcome.attempts), (Some(200), 2));
    let mut posting = List::of([origin.url("/drop/1?post")]);
    posting.overrides = Some(RequestOverrides { method: Some(http::Method::POST), ..RequestOverrides::default() });
    let (outcomes, _) = run_source(config(), posting);
    assert_eq!((failure(&outcomes[0]), outcomes[0].attempts), (Some((Phase::Head, FailureKind::Closed)), 1));
}

#[test]
fn retry_after_holds_the_whole_host_back() {
    let origin = Origin::start();
    let mut config = config();
    config.limits.per_host = count(1);
    let mut urls = vec![origin.url("/retry/429/1?Retry-After:%201").replace("%20", "")];
    urls.extend((0..5).map(|n| origin.url(&format!("/page/{n}"))));
    let (outcomes, _) = run(config, urls);
    assert!(outcomes.iter().all(|outcome| status(outcome) == Some(200)));
    let seen = origin.seen();
    let pushed_back = seen.iter().position(|seen| seen.target.starts_with("/retry")).expect("asked");
    let pause = seen[pushed_back + 1].at - seen[pushed_back].at;
    assert!(pause >= Duration::from_millis(990), "the next request came after {pause:?}");
    // All were read before it.
    let held = |outcome: &Outcome| outcome.last.timings.backed_off.expect("the host was left alone meanwhile");
    assert!(outcomes.iter().all(|outcome| held(outcome) >= Duration::from_millis(900)), "{outcomes:?}");
}

/// Gives one job.
struct Once(Option<Job>);

impl Source for Once {
    fn read(&mut self, _: usize, _: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        into.extend(self.0.take().map(Ok));
        Ok(More::No)
    }
}

#[test]
fn a_job_that_has_been_through_a_run_begins_anew_in_the_next() {
    let origin = Origin::start();
    let mut config = config();
    config.request.max_redirects = 1;
    let url = origin.url("/redirect/302?/page");
    let first = one(config.clone(), url.clone());
    assert_eq!((status(&first), first.job.hops().len(), first.attempts), (Some(200), 1, 2));
    let mut again = first.job;
    again.url = WebUrl::parse(&url).expect("valid").0;
    let (outcomes, _) = run_source(config, Box::new(Once(Some(again))));
    assert_eq!(
        outcomes.iter().map(|second| (status(second), second.job.hops().len(), second.attempts)).collect::<Vec<_>>(),
        [(Some(200), 1, 2)],
        "redirects and attempts of another run are not its own"
    );
}

/// A server that refuses each request with a body of so many bytes, and asks for a pause that nobody waits for.
fn refusing(bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            while stream.read(&mut head).is_ok_and(|read| read > 0) {
                let answer = format!("HTTP/1.1 503 No\r\nRetry-After: 86400\r\nContent-Length: {bytes}\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&vec![b'n'; bytes]));
            }
        }
    });
    address
}

#[test]
fn the_body_of_a_refusal_that_is_not_tried_again_is_kept_though_there_is_no_room_for_those_that_are() {
    let mut config = config();
    config.body.keep = true;
    config.limits.max_memory = Some(Shares::LEAST);
    let shares = Shares::of(Shares::LEAST).expect("the least is enough");
    let bytes = usize::try_from(shares.retries.midpoint(shares.largest_body)).expect("small");
    assert!(shares.retries < bytes as u64);
    let outcome = one(config, format!("http://{}/", refusing(bytes)));
    let response = outcome.last.result.as_ref().expect("a response");
    assert_eq!(response.status, 503);
    assert_eq!(response.body.as_ref().map(bytes::Bytes::len), Some(bytes));
}

#[test]
fn limits_hold_as_the_origin_sees_them() {
    let origin = Origin::start();
    let mut limited = config();
    limited.limits.concurrency = count(5);
    let urls = |millis: u32| {
        let hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
        (0..60).map(move |n| (hosts[n % 4], format!("/slow/{millis}/{n}")))
    };
    run(limited, urls(10).map(|(host, path)| origin.url_on(host, &path)));
    assert_eq!(origin.most_in_flight(), 5, "global");

    let origin = Origin::start();
    let mut limited = config();
    limited.limits.per_host = count(2);
    run(limited, urls(10).map(|(host, path)| origin.url_on(host, &path)));
    assert_eq!(origin.most_in_flight(), 4 * 2, "per host");

    let origin = Origin::start();
    let mut limited = config();
    limited.limits.shards = 0;
    limited.limits.per_address = Some(count(3));
    run(
        limited,
        (0..40).map(|n| origin.url_on(["localhost", "a.localhost", "127.0.0.1"][n % 3], &format!("/slow/10/{n}"))),
    );
    assert!(origin.most_in_flight() <= 6, "per address: {}", origin.most_in_flight());
}

#[test]
fn several_shards_keep_one_global_limit_and_lose_nothing() {
    let origin = Origin::start();
    let mut sharded = config();
    sharded.limits.shards = 3;
    sharded.limits.concurrency = count(7);
    let urls = (0..600).map(|n| origin.url_on(&format!("127.0.1.{}", n % 23 + 1), &format!("/slow/2/{n}")));
    let (outcomes, _) = run(sharded, urls);
    assert_eq!(outcomes.iter().filter(|outcome| status(outcome) == Some(200)).count(), 600);
    assert!(origin.most_in_flight() <= 7, "{}", origin.most_in_flight());
}

#[test]
fn redirects_cross_shards() {
    let origin = Origin::start();
    let mut sharded = config();
    sharded.limits.shards = 4;
    let urls = (0..100).map(|n| {
        let target = origin.url_on(&format!("127.0.2.{}", n % 17 + 1), "/page");
        origin.url_on(&format!("127.0.1.{}", n % 13 + 1), &format!("/redirect/302?{target}"))
    });
    let (outcomes, report) = run(sharded, urls);
    assert!(outcomes.iter().all(|outcome| status(outcome) == Some(200)));
    assert_eq!(report.totals.redirects, 100);
}

#[test]
fn starts_on_a_host_are_the_delay_apart() {
    let origin = Origin::start();
    let mut paced = config();
    paced.limits.delay = Duration::from_millis(30);
    run(paced, (0..10).map(|n| origin.url(&format!("/page/{n}"))));
    let mut at: Vec<_> = origin.seen().iter().map(|seen| seen.at).collect();
    at.sort();
    let gaps: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The origin's clock is read after its thread woke up: the gap it sees may be off by that.
    let whole = *at.last().expect("ten") - at[0];
    assert!(whole >= Duration::from_millis(9 * 30 - 15), "{gaps:?}");
}

#[test]
fn the_global_rate_is_shared_by_all_shards() {
    let origin = Origin::start();
    let mut paced = config();
    paced.limits.shards = 2;
    paced.limits.rate = Rate::new(100.0);
    run(paced, (0..60).map(|n| origin.url_on(&format!("127.0.3.{}", n % 7 + 1), "/page")));
    let mut at: Vec<_> = origin.seen().iter().map(|seen| seen.at).collect();
    at.sort();
    let whole = *at.last().expect("sixty") - at[0];
    assert!(whole >= Duration::from_millis(500), "60 starts at 100/s took {whole:?}");
}

#[test]
fn a_drip_ends_at_the_total_time_out_or_the_minimum_rate() {
    let origin = Origin::start();
    let mut total = config();
    total.retries.retries = 0;
    total.timeouts.total = Duration::from_millis(400);
    assert_eq!(failure(&one(total, origin.url("/drip/20/1000"))), Some((Phase::Body, FailureKind::TotalTimeout)));
    let mut rate = config();
    rate.retries.retries = 0;
    rate.timeouts.min_rate = 1000;
    rate.timeouts.min_rate_after = Duration::from_millis(200);
    assert_eq!(failure(&one(rate, origin.url("/drip/20/1000"))), Some((Phase::Body, FailureKind::TooSlow)));
}

#[test]
fn headers_come_in_wire_order() {
    let origin = Origin::start();
    let mut keeping = config();
    keeping.body.keep_headers = true;
    let (outcomes, _) = run(keeping, [origin.url("/order"), origin.url("/order")]);
    for outcome in outcomes {
        let headers = outcome.last.result.expect("a response").headers.expect("kept");
        let pairs: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        let expected = [("set-cookie", "a"), ("b", "1"), ("set-cookie", "b"), ("a", "2"), ("content-length", "0")];
        assert_eq!(pairs, expected);
    }
}

#[test]
fn a_dead_host_is_given_up_and_the_rest_is_not_delayed() {
    let origin = Origin::start();
    let mut config = config();
    config.limits.concurrency = count(8);
    config.retries.dead_after = 3;
    let dead = (0..200).map(|n| format!("http://127.0.0.9:1/{n}"));
    let alive = (0..200).map(|n| origin.url(&format!("/page/{n}")));
    let (outcomes, report) = run(config, dead.chain(alive));
    let mut kinds: BTreeMap<_, usize> = BTreeMap::new();
    for outcome in &outcomes[..200] {
        *kinds.entry(failure(outcome).expect("dead")).or_default() += 1;
    }
    assert!(
        kinds
            .keys()
            .all(|kind| matches!(kind, (Phase::Connect, FailureKind::Refused) | (Phase::Queue, FailureKind::HostDead)))
    );
    assert!(kinds[&(Phase::Queue, FailureKind::HostDead)] > 100, "{kinds:?}");
    assert!(outcomes[200..].iter().all(|outcome| status(outcome) == Some(200)));
    assert_eq!(report.totals.failed, 200);
}

#[test]
fn large_jobs_pass_through_a_window_of_few_bytes() {
    let origin = Origin::start();
    let mut config = config();
    config.limits.shards = 2;
    config.limits.window_bytes = 150_000;
    let mut posting = List::of((0..60).map(|n| origin.url_on(&format!("127.0.6.{}", n % 5 + 1), "/page")));
    let body = bytes::Bytes::from(vec![b'x'; 100_000]);
    posting.overrides =
        Some(RequestOverrides { method: Some(http::Method::POST), body: Some(body), ..RequestOverrides::default() });
    let (outcomes, _) = run_source(config, posting);
    assert_eq!(outcomes.iter().filter(|outcome| status(outcome) == Some(200)).count(), 60);
    assert!(origin.seen().iter().all(|seen| seen.body.len() == 100_000));
}

/// Stops a run once the first record is there.
struct StopAtFirst {
    handle: Handle,
    grace: Option<Duration>,
    records: Sender<u64>,
}

impl Sink for StopAtFirst {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        match self.grace {
            Some(grace) => self.handle.stop(grace),
            None => self.handle.stop_now(),
        }
        for record in batch.drain(..) {
            safe.push(record.seq());
            let _ = self.records.send(record.seq());
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stopped_run(grace: Option<Duration>) -> (Vec<u64>, RunReport) {
    let origin = Origin::start();
    let mut config = config();
    config.limits.shards = 2;
    config.limits.window = 3000;
    let engine = Engine::new(config).expect("valid");
    let (records, seqs) = channel();
    let sink = StopAtFirst { handle: engine.handle(), grace, records };
    let urls = (0..5000).map(|n| origin.url_on(&format!("127.0.4.{}", n % 9 + 1), &format!("/slow/20/{n}")));
    let report = engine.run(List::of(urls), Box::new(sink));
    (seqs.iter().collect(), report)
}

#[test]
fn a_graceful_stop_finishes_what_is_in_flight_and_counts_the_rest() {
    let (seqs, report) = stopped_run(Some(Duration::from_secs(10)));
    assert!(report.stopped);
    assert_eq!(report.totals.succeeded, seqs.len() as u64);
    assert_eq!(report.left, report.totals.accepted - report.totals.succeeded);
    assert!(report.left > 1000 && report.totals.failed == 0, "{report:?}");
}

#[test]
fn an_abrupt_stop_loses_no_count() {
    let (seqs, report) = stopped_run(None);
    assert!(report.stopped);
    assert_eq!(report.totals.succeeded, seqs.len() as u64);
    assert_eq!(report.left + report.totals.succeeded, report.totals.accepted);
}

/// A sink that breaks after some records.
struct Breaks(usize);

impl Sink for Breaks {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        if self.0 < batch.len() {
            return Err(io::Error::other("the disk is full"));
        }
        self.0 -= batch.len();
        safe.extend(batch.drain(..).map(|record| record.seq()));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_sink_ends_the_run_with_its_error() {
    let origin = Origin::start();
    let urls = (0..2000).map(|n| origin.url(&format!("/page/{n}")));
    let mut small = config();
    small.limits.window = 500;
    let report = Engine::new(small).expect("valid").run(List::of(urls), Box::new(Breaks(100)));
    assert_eq!(report.sink_error.map(|error| error.to_string()).as_deref(), Some("the disk is full"));
    assert!(report.stopped);
}

#[test]
fn a_sink_that_is_behind_holds_the_run_back_and_lets_it_go_on() {
    struct Slow(Tap);
    impl Sink for Slow {
        fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
            std::thread::sleep(Duration::from_millis(5));
            self.0.write(batch, safe)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let origin = Origin::start();
    let mut config = config();
    config.limits.shards = 2;
    config.limits.sink_backlog = 20_000;
    config.body.keep = true;
    let (sender, receiver) = channel();
    let urls = (0..300).map(|n| origin.url_on(&format!("127.0.5.{}", n % 5 + 1), "/bytes/3000"));
    let report = Engine::new(config).expect("valid").run(List::of(urls), Box::new(Slow(Tap(sender))));
    assert_eq!(receiver.iter().count(), 300);
    assert_eq!(report.totals.succeeded, 300);
}

#[test]
fn what_the_system_says_is_the_source_of_an_error_that_can_be_matched() {
    let mut config = config();
    config.tls.ca_files = vec!["/no/such/file".into()];
    let error = Engine::new(config).err().expect("refused");
    assert!(matches!(error, StartError::Tls(_)), "{error:?}");
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotFound), "{error}");
}

#[test]
fn contradictory_settings_are_refused_with_a_way_out() {
    let mut config = config();
    config.limits.shards = 2;
    config.limits.per_address = Some(count(1));
    let error = Engine::new(config).err().expect("refused");
    assert!(matches!(error, StartError::Config(ConfigError::PerAddressOverShards)), "{error:?}");
    assert!(error.to_string().contains("`limits.shards` to 1"), "{error}");
}

#[test]
fn a_job_with_a_time_of_its_own_is_queued_from_then() {
    let origin = Origin::start();
    let (outcomes, _) = run_source(config(), Box::new(Overdue(Some(origin.url("/page")))));
    assert_eq!(outcomes[0].job.accepted, Time::ZERO);
    assert!(outcomes[0].last.timings.queued >= Duration::from_millis(300), "{outcomes:?}");
}

#[test]
fn shards_that_take_turns_keep_one_rate() {
    /// Gives a job at a time, each to another host, so that each finds its shard idle.
    struct Slowly(Box<List>);
    impl Source for Slowly {
        fn read(&mut self, _: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
            std::thread::sleep(Duration::from_millis(2));
            self.0.read(1, now, into)
        }
    }
    let origin = Origin::start();
    let mut paced = config();
    paced.limits.shards = 4;
    paced.limits.rate = Rate::new(100.0);
    let urls = (0..60).map(|n| origin.url_on(&format!("127.0.6.{}", n + 1), "/page"));
    run_source(paced, Box::new(Slowly(List::of(urls))));
    let mut at: Vec<_> = origin.seen().iter().map(|seen| seen.at).collect();
    at.sort();
    let whole = *at.last().expect("sixty") - at[0];
    assert!(whole >= Duration::from_millis(570), "60 starts at 100/s took {whole:?}");
}

/// Runs the named test of this file again where there are three local ports. `None` in that run itself, and where the
/// system lets nobody make such a place.
fn with_three_ports(test: &str) -> Option<std::process::Output> {
    const INSIDE: &str = "HAUL_TEST_THREE_PORTS";
    let prepare = "ip link set lo up && echo 40000 40002 > /proc/sys/net/ipv4/ip_local_port_range";
    let unshare = |script: String| {
        let me = std::env::current_exe().expect("known");
        let mut command = std::process::Command::new("unshare");
        command.args(["-rn", "timeout", "60", "sh", "-c", &script]).arg(me).args(["--exact", test]).env(INSIDE, "1");
        command.output().ok()
    };
    if std::env::var_os(INSIDE).is_some() || !unshare(prepare.to_owned())?.status.success() {
        return None;
    }
    unshare(format!("{prepare} && exec \"$0\" \"$@\""))
}

#[test]
fn used_up_ports_are_a_failed_attempt() {
    if let Some(output) = with_three_ports("used_up_ports_are_a_failed_attempt") {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    if std::env::var_os("HAUL_TEST_THREE_PORTS").is_none() {
        eprintln!("not tested: no network namespace to be had");
        return;
    }
    let origin = Origin::start();
    let mut config = config();
    config.retries.retries = 0;
    let (outcomes, _) = run(config, (0..8).map(|n| origin.url(&format!("/slow/300/{n}"))));
    let failures: Vec<_> = outcomes.iter().filter_map(failure).collect();
    assert!(!failures.is_empty() && failures.len() < 8, "{failures:?}");
    assert!(failures.iter().all(|failure| *failure == (Phase::Connect, FailureKind::NoPorts)), "{failures:?}");
}

#[test]
fn an_http2_body_that_is_cut_off_leaves_no_file() {
    let address = haul_testsupport::h2_origin::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let save = Arc::new(SaveBodies::into(directory.path(), Naming::Request).expect("writable"));
    let mut extensions = Extensions::default();
    extensions.add_hooks(save.clone());
    let mut config = config();
    config.network.http2_prior_knowledge = true;
    let engine = Engine::with(config, extensions).expect("valid settings");
    let urls = Urls::new([format!("http://{address}/noerror")]);
    let report = engine.run(Box::new(urls), Box::new(Null));
    save.close();
    assert_eq!((report.totals.failed, save.saved()), (1, 0));
    let places = std::fs::read_dir(directory.path()).expect("there").map(|host| host.expect("readable").path());
    for host in places {
        assert_eq!(std::fs::read_dir(host).expect("a directory").count(), 0);
    }
}

/// Serves HTTP/1.1 on all loopback addresses; says nothing to anyone before so many have asked.
fn all_or_none(at_once: usize) -> SocketAddr {
    use std::io::{BufRead, BufReader, Write};
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let met = Arc::new(std::sync::Barrier::new(at_once));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let met = Arc::clone(&met);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                while lines.by_ref().map_while(Result::ok).any(|line| line.is_empty()) {
                    met.wait();
                    (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("sent");
                }
            });
        }
    });
    address
}

/// A shard's part of the sockets and of the requests in flight is not what limits its hosts, whatever the other shards hold.
#[test]
fn one_host_has_all_sockets_and_all_requests_in_flight_however_many_shards_there_are() {
    const AT_ONCE: u32 = 48;
    for shards in [1, 2, 4] {
        let address = all_or_none(AT_ONCE as usize);
        let client = haul::Client::builder().concurrency(AT_ONCE).per_host(AT_ONCE).retries(0).config(|config| {
            config.limits.shards = shards;
            // Each shard keeps one.
            config.pool.max_sockets = AT_ONCE as usize + shards - shards.min(1);
            config.timeouts.first_byte = Duration::from_secs(10);
        });
        let client = client.build().expect("valid settings");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            // Each host finds the sockets of those before it idle, on its own shard or on another.
            for host in 1..=6 {
                let url = format!("http://127.0.0.{host}:{}/", address.port());
                let answers = futures::future::join_all((0..AT_ONCE).map(|_| client.get(&url).send())).await;
                let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
                assert!(
                    failed.is_empty(),
                    "{shards} shards, host {host}: {} of {AT_ONCE}: {}",
                    failed.len(),
                    failed[0]
                );
            }
        });
    }
}
