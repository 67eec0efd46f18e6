//! Hosts in trouble, as the web has them: a part of whose URLs always fails, that refuse everything, that never answer. What is
//! asserted is what was fetched, in which order and how often: `crates/haul-core/src/sched/tests/family.rs` has the times, on a virtual clock.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use haul_testsupport::haul::get_lines;
use haul_testsupport::origin::Origin;
use serde_json::Value;

fn status(record: &Value) -> u64 {
    record["status"].as_u64().unwrap_or(0)
}

fn attempts(record: &Value) -> u64 {
    record["attempts"].as_u64().expect("a number")
}

/// 200 URLs, of which every `kth` is `bad`; with the position in the output of the last good one.
fn mixed(bad: &str, kth: usize, flags: &[&str]) -> (Vec<Value>, usize) {
    let origin = Origin::start();
    let path = |n: usize| if n.is_multiple_of(kth) { format!("{bad}?n={n}") } else { format!("/page/{n}") };
    let run = get_lines((0..200).map(|n| origin.url(&path(n))), flags);
    let last = run.records.iter().rposition(|record| status(record) == 200).expect("good ones");
    (run.records, last)
}

#[test]
fn urls_that_always_fail_do_not_hold_the_others_of_their_host_back() {
    for bad in ["/status/503", "/status/502", "/status/504", "/status/408", "/status/429", "/drop/99"] {
        for kth in [50, 10, 4, 2] {
            let (records, last) = mixed(bad, kth, &[]);
            let (good, failed): (Vec<_>, Vec<_>) = records.iter().partition(|record| status(record) == 200);
            assert_eq!(good.len(), 200 - 200_usize.div_ceil(kth), "{bad} {kth}");
            assert!(good.iter().all(|record| attempts(record) == 1), "{bad} {kth}");
            // Where half fails, the host's account does not pay for all retries.
            let ends = |record: &&Value| record["gave_up"] == "retries_used" && attempts(record) >= 3;
            assert!(kth == 2 || failed.iter().all(ends), "{bad} {kth}");
            // They wait behind all that have not been tried, unless the host asked for less.
            assert!(
                bad == "/status/429" || last < 200 - failed.len() / 2,
                "{bad} {kth}: the last good one is record {last}"
            );
        }
    }
}

#[test]
fn one_request_at_a_time_is_no_reason_to_wait_either() {
    let (records, last) = mixed("/status/503", 10, &["--per-host", "1"]);
    assert_eq!((records.len(), last), (200, 179));
}

#[test]
fn statuses_that_are_tried_again_are_the_users_choice() {
    for (flags, tried) in [(&["--retry-on", "500,503"][..], 3), (&["--retry-on", "none"], 1), (&[], 1)] {
        let (records, _) = mixed("/status/500", 10, flags);
        let failed: Vec<_> = records.iter().filter(|record| status(record) == 500).map(attempts).collect();
        assert_eq!(failed, [tried; 20], "{flags:?}");
    }
}

#[test]
fn a_wait_longer_than_allowed_is_not_waited_for_and_the_record_says_so() {
    let origin = Origin::start();
    let urls = (0..20).map(|n| origin.url(&format!("/retry/503/{}?Retry-After:7", 1000 + n)));
    let run = get_lines(urls, &["--retry-after-max", "5s"]);
    let ends = |reason: &str| run.records.iter().filter(|record| record["gave_up"] == reason).count();
    assert_eq!(run.records.len(), 20);
    // It is asked once more, alone, and then no longer; what it answered is the record of those who asked.
    assert_eq!((ends("retry_after"), ends("host_dead")), (8, 1), "{:?}", run.records);
    let untried = run.records.iter().find(|record| attempts(record) == 0).expect("the queue is given up");
    let message = untried["error"]["message"].as_str().expect("a message");
    assert!(message.contains("503") && message.contains("7s") && message.contains("5s"), "{message}");
}

#[test]
fn a_host_that_refuses_everything_comes_to_an_end() {
    let origin = Origin::start();
    let run = get_lines(
        (0..400).map(|n| origin.url(&format!("/status/503?n={n}"))),
        &["--back-off", "10ms..50ms", "--outage", "0s"],
    );
    assert_eq!(run.records.len(), 400);
    let untried = run.records.iter().filter(|record| attempts(record) == 0).count();
    // 32 that say that it is in trouble, five times as many as are asked at once, and what was in flight in between.
    assert!(origin.seen().len() <= 32 + 5 * 8 + 8 + 8, "{} requests", origin.seen().len());
    assert!(untried >= 400 - 88, "{untried}");
}

/// A server whose connections, by their number, are answered like this; its URL.
fn serve(answer: impl Fn(usize, &TcpStream) + Copy + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            thread::spawn(move || answer(number, &stream));
        }
    });
    format!("http://{address}/")
}

/// Answers each request by its first line.
fn answer_all(mut stream: &TcpStream, status: impl Fn(&str) -> &'static str) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let answer = format!("HTTP/1.1 {}\r\nContent-Length: 2\r\n\r\nok", status(&request));
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

const FINE: &str = "200 OK";
const UNAVAILABLE: &str = "503 Service Unavailable";

/// A host behind whose address many machines stand, as each connection finds one of them: `is_bad` says of each, by its number, whether
/// it answers 503 to everything.
fn machines(is_bad: fn(usize) -> bool) -> String {
    serve(move |number, stream| answer_all(stream, |_| if is_bad(number) { UNAVAILABLE } else { FINE }))
}

/// Each host's requests are refused five times, or once, as if others had been served meanwhile.
#[test]
fn hosts_behind_one_limiter_wait_for_their_turn_and_one_host_alone_gets_its_retries() {
    static ASKED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
    let url = serve(|_, stream| {
        answer_all(stream, |request| {
            let mut asked = ASKED.lock().expect("nobody panics");
            let asked = asked.entry(request.to_owned()).or_default();
            *asked += 1;
            let refused = if request.ends_with("0 HTTP/1.1") { 1 } else { 5 };
            if *asked > refused { FINE } else { "429 Too Many Requests\r\nRetry-After: 1" }
        });
    });
    let port = url.trim_end_matches('/').rsplit(':').next().expect("a port");
    let ends = |hosts: Range<u32>| {
        let urls = hosts.map(|host| format!("http://h{host}.localhost:{port}/{host}"));
        let run = get_lines(urls, &[]);
        run.records.iter().map(|record| (status(record), attempts(record))).collect::<Vec<_>>()
    };
    // So many that several are on each shard.
    let ended = ends(0..40);
    assert!(ended.iter().all(|(status, attempts)| *status == 200 && [2, 6].contains(attempts)), "{ended:?}");
    assert_eq!(ended.iter().filter(|(_, attempts)| *attempts == 2).count(), 4);
    assert_eq!(ends(41..42), [(429, 3)]);
}

/// As behind a gateway that waits for its back end.
#[test]
fn urls_that_fail_more_slowly_than_the_others_answer_are_no_outage() {
    let url = serve(|_, stream| {
        answer_all(stream, |request| {
            let is_bad = request.contains("/bad/");
            thread::sleep(Duration::from_millis(if is_bad { 100 } else { 1 }));
            if is_bad { UNAVAILABLE } else { FINE }
        });
    });
    let path = |n: usize| format!("{url}{}/{n}", if n.is_multiple_of(4) { "bad" } else { "page" });
    let run = get_lines((0..200).map(path), &[]);
    let (good, failed): (Vec<_>, Vec<_>) = run.records.iter().partition(|record| status(record) == 200);
    assert_eq!((good.len(), failed.len()), (150, 50));
    for record in failed {
        assert_eq!((&record["gave_up"], attempts(record)), (&"retries_used".into(), 3), "{record}");
    }
}

#[test]
fn one_machine_of_many_that_fails_is_left_for_others() {
    for (what, is_bad, least) in [
        ("those of the beginning", (|number| number < 8) as fn(usize) -> bool, 290),
        ("every third", |number| number % 3 == 0, 270),
    ] {
        let url = machines(is_bad);
        let run = get_lines((0..300).map(|n| format!("{url}{n}")), &[]);
        let good = run.records.iter().filter(|record| status(record) == 200).count();
        assert_eq!(run.records.len(), 300);
        assert!(good >= least, "{what}: {good} of 300");
    }
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    let url = machines(|_| false);
    let port = url.trim_end_matches('/').rsplit(':').next().expect("a port");
    let dead: String = (1..=20).map(|n| format!("127.0.9.{n},")).collect();
    let run =
        get_lines([format!("http://many.test:{port}/")], &["--resolve", &format!("many.test:{port}:{dead}127.0.0.1")]);
    assert_eq!((status(&run.records[0]), attempts(&run.records[0])), (200, 1), "{:?}", run.records);
}

#[test]
fn hosts_that_never_answer_hold_up_nobody() {
    let origin = Origin::start();
    let hung =
        (0..40).flat_map(|host| (0..10).map(move |n| (format!("127.0.1.{}", host + 1), format!("/slow/8000/{n}"))));
    let good = (0..30).flat_map(|host| (0..20).map(move |n| (format!("127.0.2.{}", host + 1), format!("/page/{n}"))));
    let urls: Vec<_> = hung.chain(good).map(|(host, path)| origin.url_on(&host, &path)).collect();
    let run = get_lines(urls, &["--first-byte-timeout", "3s", "--retries", "0", "--dead-after", "1"]);
    let first_hung = run.records.iter().position(|record| status(record) != 200).expect("hung ones");
    assert_eq!(first_hung, 600, "all good ones are done before the first of the others times out");
}
