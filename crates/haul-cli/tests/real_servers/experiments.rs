//! Experiments: `haul bench` and `haul compare` against a server of another make.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use haul_testsupport::nginx::{Nginx, Setup};

/// The answer of a command that ended well.
fn answer(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    let output = command.args(arguments).arg("--json").stdin(Stdio::null()).output().expect("cargo built it");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn a_load_is_answered_closed_and_open_over_both_protocols() {
    let Some(nginx) = Nginx::start(&Setup { keepalive_requests: 10_000, ..Setup::default() }) else { return };
    let (plain, tls) = (nginx.url("/small"), nginx.tls_url("/small"));
    let closed = answer(&["bench", &plain, "-c", "8", "-n", "500"]);
    assert_eq!((&closed["status"]["200"], &closed["connections_opened"]), (&500.into(), &8.into()), "{closed}");
    let multiplexed = answer(&["bench", &tls, "-c", "2", "--streams", "10", "-n", "500", "--insecure"]);
    assert_eq!(multiplexed["status"]["200"], 500, "{multiplexed}");
    assert_eq!(multiplexed["connections_opened"], 2, "{multiplexed}");
    let open = answer(&["bench", &plain, "--rate", "500/s", "-n", "250", "-c", "8"]);
    assert_eq!((&open["status"]["200"], &open["open"]["planned"]), (&250.into(), &250.into()), "{open}");
    let ramp = answer(&["bench", &plain, "--ramp", "100..300/s", "-d", "1s"]);
    let steps = ramp["steps"].as_array().expect("a list");
    assert!(steps.iter().all(|step| step["answered"] == step["planned"]), "{ramp}");
    let search = ["--find-max", "--p99", "500ms", "--rate", "500/s", "--step", "300ms", "--warm-up", "0s", "-d", "2s"];
    let found = answer(&[&["bench", plain.as_str()][..], &search].concat());
    assert!(found["max_rate_per_s"].as_f64() >= Some(500.0), "{found}");
}

#[test]
fn the_ways_of_fetching_open_as_many_connections_as_it_counts() {
    let Some(nginx) = Nginx::start(&Setup { keepalive_requests: 10_000, ..Setup::default() }) else { return };
    let urls: Vec<_> = (0..12).map(|n| nginx.tls_url(&format!("/counted?{n}"))).collect();
    // A round and the warm-up: each has so many connections at least and at most.
    for (mode, least, most, protocol) in [
        ("serial", 12, 12, "HTTP/1.1"),
        ("serial-reuse", 1, 1, "HTTP/1.1"),
        ("threads", 12, 12, "HTTP/1.1"),
        ("threads-reuse", 1, 8, "HTTP/1.1"),
        ("gather", 12, 12, "HTTP/1.1"),
        ("limited", 1, 5, "HTTP/1.1"),
        ("batches", 5, 5, "HTTP/1.1"),
        ("pooled", 1, 1, "HTTP/2.0"),
        ("h2", 1, 1, "HTTP/2.0"),
    ] {
        let before = nginx.counted().len();
        let mut arguments = vec!["compare", "--rounds", "1", "--insecure", "--modes", mode];
        arguments.extend(urls.iter().map(String::as_str));
        let told = &answer(&arguments)["modes"][0];
        // It writes a request down after it has answered it.
        let mut looks = 0..1000;
        while nginx.counted().len() < before + 24 && looks.next().is_some() {
            thread::sleep(Duration::from_millis(5));
        }
        let counted = nginx.counted().split_off(before);
        assert!(counted.len() == 24 && told["measured"]["failed"] == 0, "{mode}: {counted:?} {told}");
        assert!(counted.iter().all(|line| line.ends_with(protocol)), "{mode}: {counted:?}");
        let connections = counted.iter().collect::<HashSet<_>>().len();
        assert!((2 * least..=2 * most).contains(&connections), "{mode}: {connections}");
        let opened = told["measured"]["connections"].as_f64().expect("a number");
        assert!((least as f64..=most as f64).contains(&opened), "{told}");
    }
}
