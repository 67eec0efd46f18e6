//! Limits: time-outs, servers that ask for less, slow hosts among quick ones.

use haul_testsupport::haul::{get, get_lines};
use haul_testsupport::httpbin::Httpbin;
use haul_testsupport::nginx::{Nginx, Setup};

#[test]
fn a_slow_answer_ends_by_time_out() {
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/delay/3"), "--timeout", "1s", "--retries", "0"]);
    let record = run.failed_in("head", "total_timeout");
    assert!(record["timings_us"]["total"].as_u64() >= Some(1_000_000), "{record}");
    get(&[&httpbin.url("/delay/1"), "--timeout", "30s"]).all_have(200);
}

#[test]
fn a_slow_body_ends_by_time_out() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/slow/text"), "--timeout", "1500ms", "--retries", "0"]);
    let record = run.failed_in("body", "total_timeout");
    assert!(record["wire_bytes"].as_u64() > Some(0), "what came is counted: {record}");
    let Some(httpbin) = Httpbin::start() else { return };
    let run = get(&[&httpbin.url("/drip?duration=9&numbytes=3&delay=0"), "--idle-timeout", "1s", "--retries", "0"]);
    run.failed_in("body", "timeout");
}

#[test]
fn a_server_that_asks_for_less_gets_less_and_answers_in_the_end() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get_lines((0..6).map(|_| nginx.url("/limited/small")), &["--per-host", "1"]);
    run.all_have(200);
    let attempts: Vec<_> = run.records.iter().map(|record| record["attempts"].as_u64()).collect();
    // The server answers again after the second it asked for: whoever was sent away is first, and gets through.
    assert!(attempts.iter().all(|attempts| *attempts <= Some(2)), "{attempts:?}");
    assert!(attempts.contains(&Some(2)), "some were sent away at first");
}

#[test]
fn being_sent_away_is_a_response_when_there_are_no_retries() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/later"), "--retries", "0"]);
    assert_eq!(run.all_have(503).only()["attempts"], 1);
}

#[test]
fn retry_after_is_waited_for() {
    let Some(nginx) = Nginx::start(&Setup::default()) else { return };
    let run = get(&[&nginx.url("/later"), "--retries", "2"]);
    let record = run.all_have(503).only();
    assert_eq!(record["attempts"], 3);
    assert!(record["timings_us"]["queued"].as_u64() >= Some(2_000_000), "twice a second: {record}");
}

#[test]
fn a_delay_is_kept_between_starts() {
    let Some(nginx) = Nginx::start(&Setup { addresses: 2, ..Setup::default() }) else { return };
    let urls = (0..4).flat_map(|_| [nginx.url_on(1, "/small"), nginx.url_on(2, "/small")]);
    let run = get_lines(urls, &["--delay", "300ms", "--order", "input"]);
    run.all_have(200);
    for host in [0, 1] {
        let starts: Vec<_> =
            run.records[host..].iter().step_by(2).map(|record| &record["timings_us"]["queued"]).collect();
        let starts: Vec<_> = starts.iter().map(|queued| queued.as_u64().expect("a number")).collect();
        assert!(starts[3] >= 3 * 290_000, "four starts are three delays apart: {starts:?}");
    }
}

#[test]
fn a_slow_host_does_not_hold_up_the_others() {
    let Some(nginx) = Nginx::start(&Setup { addresses: 21, ..Setup::default() }) else { return };
    // 6 KiB at 2 KiB a second: two seconds each, one after another.
    let slow = (0..3).map(|_| nginx.url_on(21, "/slow/6k"));
    let quick = (0..200).map(|number| nginx.url_on(1 + number % 20, "/small"));
    let run = get_lines(slow.chain(quick), &["--concurrency", "4", "--per-host", "1"]);
    run.all_have(200);
    assert_eq!(run.records.len(), 203);
    let ends: Vec<_> = run.records[200..].iter().map(|record| record["seq"].as_u64()).collect();
    let late = ends.iter().filter(|seq| **seq < Some(3)).count();
    assert!(late >= 2, "the quick ones ended while the slow host was at its first or second: {ends:?}");
}

#[test]
fn a_dead_host_is_a_failure_of_its_own_jobs_only() {
    let Some(nginx) = Nginx::start(&Setup { addresses: 2, ..Setup::default() }) else { return };
    // Nobody listens on 127.0.0.3.
    let dead = (0..40).map(|_| nginx.url_on(3, "/small"));
    let alive = (0..80).map(|number| nginx.url_on(1 + number % 2, "/small"));
    let run = get_lines(dead.chain(alive), &["--order", "input", "--retries", "1"]);
    assert_eq!(run.code, Some(1));
    for (record, is_dead) in run.records.iter().zip((0..120).map(|seq| seq < 40)) {
        assert_eq!(record["status"].is_null(), is_dead, "{record}");
    }
    let untried = run.records.iter().filter(|record| record["error"]["kind"] == "host_dead").count();
    assert!(untried > 0, "after some failures the host is left alone");
}
