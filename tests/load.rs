//! `haul bench` from outside, and from the server's side.

mod support {
    pub(crate) mod origin;
}

use std::process::{Command, Stdio};

use serde_json::Value;
use support::origin::Origin;

/// The exit code and the answer.
fn bench(arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    let output = command.arg("bench").args(arguments).arg("--json").stdin(Stdio::null()).output().expect("it starts");
    let answer = serde_json::from_slice(&output.stdout);
    (output.status.code(), answer.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

#[test]
fn so_many_requests_are_made_on_so_many_connections() {
    let origin = Origin::start();
    let (code, answer) = bench(&[&origin.url("/slow/2"), "-n", "200", "-c", "7"]);
    assert_eq!((code, &answer["answered"], &answer["status"]["200"]), (Some(0), &200.into(), &200.into()), "{answer}");
    assert_eq!((origin.seen().len(), origin.connections(), origin.most_in_flight()), (200, 7, 7));
    assert_eq!(answer["connections_opened"], 7);
    assert!(answer["latency_us"]["min"].as_f64().expect("a number") >= 2000.0, "{answer}");
}

#[test]
fn several_urls_are_asked_in_turn() {
    let origin = Origin::start();
    let urls = ["/bytes/1", "/bytes/2", "/bytes/3"].map(|path| origin.url(path));
    let (code, answer) = bench(&[&urls[0], &urls[1], &urls[2], "-n", "31", "-c", "1", "-H", "X-A: b"]);
    assert_eq!((code, &answer["received_bytes"]), (Some(0), &61.into()), "{answer}");
    let seen = origin.seen();
    let in_turn = seen.iter().enumerate().all(|(n, seen)| seen.target == format!("/bytes/{}", n % 3 + 1));
    assert!(in_turn && seen.iter().all(|seen| seen.headers.contains(&("x-a".into(), "b".into()))), "{seen:?}");
}

#[test]
fn it_ends_in_time_and_waits_for_the_last_answers() {
    let origin = Origin::start();
    let (code, answer) = bench(&[&origin.url("/slow/100"), "-d", "1s", "--warm-up", "500ms", "-c", "4"]);
    let seen = origin.seen();
    let (first, last) = (seen.first().expect("some").at, seen.last().expect("some").at);
    assert!(last.duration_since(first).as_millis() >= 1300, "{answer}");
    let (count, left_out) = (answer["requests"].as_u64().expect("a number"), answer["left_out"].as_u64());
    assert_eq!((code, &answer["failed"], &answer["stopped"]), (Some(0), &0.into(), &false.into()), "{answer}");
    assert_eq!(Some(origin.seen().len() as u64 - count), left_out, "what is left out was asked, too");
    assert!(count > 0 && left_out > Some(0), "{answer}");
}

#[test]
fn pushing_back_holds_nothing_back_and_nothing_is_tried_again() {
    let origin = Origin::start();
    let url = origin.url("/retry/429/1000?Retry-After:60");
    let (code, answer) = bench(&[&url, "-n", "100", "-c", "2"]);
    assert_eq!((code, &answer["status"]["429"], origin.seen().len()), (Some(0), &100.into(), 100), "{answer}");
}

#[test]
fn failures_are_counted_and_tell_in_the_exit_code() {
    let origin = Origin::start();
    let (code, answer) = bench(&[&origin.url("/garbage"), "-n", "20", "-c", "2"]);
    assert_eq!((code, &answer["failed"], &answer["answered"]), (Some(1), &20.into(), &0.into()), "{answer}");
    assert_eq!(answer["failures"][0]["phase"], "head", "{answer}");
}

#[test]
fn streams_share_connections() {
    let origin = haul::origin::Origin::start().expect("free ports");
    let (code, answer) = bench(&[&origin.url("/delay/5ms"), "-n", "400", "-c", "2", "--streams", "20"]);
    assert_eq!(
        (code, &answer["answered"], &answer["connections_opened"]),
        (Some(0), &400.into(), &2.into()),
        "{answer}"
    );
}
