//! Experiments: `haul bench` and `haul compare` against a server of another make.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::nginx::{Nginx, Setup};

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
}

#[test]
fn the_ways_of_fetching_are_told_apart_by_its_connections() {
    let Some(nginx) = Nginx::start(&Setup { keepalive_requests: 10_000, ..Setup::default() }) else { return };
    let urls: Vec<_> = (0..12).map(|n| nginx.tls_url(&format!("/connection?{n}"))).collect();
    let mut arguments =
        vec!["compare", "--rounds", "1", "--insecure", "--modes", "serial,serial-reuse,batches,gather,h2"];
    arguments.extend(urls.iter().map(String::as_str));
    let told = answer(&arguments);
    let opened = |mode: &str| {
        let modes = told["modes"].as_array().expect("a list");
        let mode = modes.iter().find(|told| told["name"] == mode).expect("asked for");
        assert_eq!(mode["measured"]["failed"], 0, "{mode}");
        mode["measured"]["connections"].as_f64()
    };
    assert_eq!([opened("serial"), opened("serial-reuse"), opened("gather")], [Some(12.0), Some(1.0), Some(12.0)]);
    assert_eq!([opened("batches"), opened("h2")], [Some(5.0), Some(1.0)]);
}
