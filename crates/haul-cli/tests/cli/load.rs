//! `haul bench` from outside, and from the server's side.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use haul_testsupport::origin::Origin;
use haul_testsupport::stub::Stub;
use serde_json::Value;

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
fn what_ends_when_the_time_is_up_counts_but_is_in_no_rate() {
    let origin = Origin::start();
    for loops in [&["-c", "2"][..], &["--rate", "20/s"]] {
        let (code, answer) = bench(&[&[origin.url("/slow/700").as_str(), "-d", "1s"], loops].concat());
        let number = |field: &str| answer[field].as_f64().expect("a number");
        assert_eq!((code, &answer["requests"]), (Some(0), &answer["answered"]), "{answer}");
        assert!(number("drained") >= 1.0 && number("load_s") <= 1.0 && number("elapsed_s") > 1.0, "{answer}");
        let in_time = number("requests") - number("drained");
        assert!((number("requests_per_s") * number("load_s") - in_time).abs() < 0.01, "{answer}");
    }
}

#[test]
fn what_has_not_ended_when_the_load_is_over_is_told() {
    let origin = Origin::start();
    let page = std::env::temp_dir().join(format!("haul-cut-off-{}.html", std::process::id()));
    let path = page.to_str().expect("text");
    let (code, answer) = bench(&[&origin.url("/slow/60000"), "-d", "300ms", "-c", "3", "--report", path]);
    assert_eq!((code, &answer["requests"], &answer["cut_off"]), (Some(1), &0.into(), &3.into()), "{answer}");
    let written = fs::read_to_string(&page).expect("a page");
    fs::remove_file(&page).expect("it is there");
    for words in ["3 were sent and had not ended when the load was over", "closed loop over 3 connections"] {
        assert!(written.contains(words), "{words}");
    }
}

#[test]
fn a_plan_that_its_number_ends_lasts_no_longer() {
    let origin = Origin::start();
    // The longest time that can be written must not be too long either.
    for lasts in ["10s", "18446744073709551615s"] {
        let (code, answer) = bench(&[&origin.url("/bytes/1"), "--rate", "100/s", "-n", "20", "-d", lasts]);
        let load = answer["load_s"].as_f64().expect("a number");
        assert_eq!((code, &answer["answered"]), (Some(0), &20.into()), "{answer}");
        assert!((0.1..9.0).contains(&load), "{answer}");
    }
    let (code, late) = bench(&[&origin.url("/slow/900"), "--rate", "100/s", "-n", "20", "-d", "500ms"]);
    let number = |field: &str| late[field].as_f64().expect("a number");
    assert_eq!((code, number("requests"), number("drained")), (Some(0), 20.0, 0.0), "{late}");
    assert!((number("requests_per_s") * number("load_s") - 20.0).abs() < 0.01, "{late}");
}

#[test]
fn an_interrupted_load_is_one_even_if_its_time_is_up_before_the_last_answer() {
    let origin = Origin::start();
    for loops in [&["-c", "1"][..], &["--rate", "4/s"]] {
        let before = origin.seen().len();
        let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
        command.args(["bench", &origin.url("/slow/1500"), "-d", "1s", "--json", "-q"]).args(loops);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        while origin.seen().len() == before {
            thread::sleep(Duration::from_millis(5));
        }
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
        let output = child.wait_with_output().expect("it ends");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("an answer");
        assert!(sent.success() && output.status.code() == Some(130) && answer["stopped"] == true, "{answer}");
        assert!(answer["requests_per_s"].as_f64() > Some(0.0), "{answer}");
        // What was only due after the interrupt is neither planned nor unfinished.
        assert!(answer["open"].is_null() || answer["open"]["unfinished"] == 0, "{answer}");
    }
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
    let origin = haul_testserver::TestServer::start().expect("free ports");
    let (code, answer) = bench(&[&origin.url("/delay/5ms"), "-n", "400", "-c", "2", "--streams", "20"]);
    assert_eq!(
        (code, &answer["answered"], &answer["connections_opened"]),
        (Some(0), &400.into(), &2.into()),
        "{answer}"
    );
}

/// In milliseconds.
fn p99(times: &Value) -> f64 {
    times["p99"].as_f64().expect("a number") / 1e3
}

#[test]
fn an_open_loop_shows_a_stall_that_a_closed_one_hides() {
    // Four of 2,000 requests meet the stall, and it keeps the others from being sent.
    let (_, closed) = bench(&[&Stub::that_stalls_once(1000).url(), "-n", "2000", "-c", "4"]);
    assert!(closed["latency_us"]["max"].as_f64() >= Some(900_000.0), "the stall was there: {closed}");
    assert!(p99(&closed["latency_us"]) < 500.0, "{closed}");
    // 200 of 600 requests were due in that second.
    let (code, open) = bench(&[&Stub::that_stalls_once(200).url(), "--rate", "200/s", "-d", "3s", "-c", "4"]);
    assert_eq!((code, &open["open"]["planned"], &open["answered"]), (Some(0), &600.into(), &600.into()), "{open}");
    assert!(p99(&open["open"]["response_us"]) > 800.0, "{open}");
    // Only four were in flight: the others waited for a connection, which counts.
    assert!(p99(&open["latency_us"]) < 500.0 && p99(&open["open"]["late_us"]) > 800.0, "{open}");
    // With as many connections as are needed they are all sent in time, and wait there.
    let (_, open) = bench(&[&Stub::that_stalls_once(200).url(), "--rate", "200/s", "-d", "3s"]);
    assert!(p99(&open["open"]["response_us"]) > 800.0 && p99(&open["latency_us"]) > 800.0, "{open}");
}

#[test]
fn requests_of_an_open_loop_are_never_early() {
    let origin = Origin::start();
    let (code, answer) = bench(&[&origin.url("/bytes/1"), "--rate", "100/s", "-n", "60"]);
    assert_eq!((code, origin.seen().len()), (Some(0), 60), "{answer}");
    let late = answer["open"]["late_us"]["max"].as_f64().expect("a number") / 1e6;
    let service = answer["latency_us"]["max"].as_f64().expect("a number") / 1e6;
    let first = origin.seen().iter().map(|seen| seen.at).min().expect("some");
    let mut times: Vec<_> = origin.seen().iter().map(|seen| (seen.at - first).as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    // The first one may have been late itself, and have needed its time to arrive.
    let early = |(n, at): (usize, &f64)| at + late + service < n as f64 / 100.0 - 0.001;
    assert!(!times.iter().enumerate().any(early), "{times:?}");
}

#[test]
fn what_a_server_leaves_undone_is_told() {
    let origin = Origin::start();
    let (code, answer) = bench(&[&origin.url("/slow/100"), "--rate", "100/s", "-d", "1s", "-c", "1"]);
    let open = &answer["open"];
    let unfinished = open["unfinished"].as_u64().expect("a number");
    assert_eq!((code, &open["planned"], origin.most_in_flight()), (Some(1), &100.into(), 1), "{answer}");
    assert_eq!(answer["answered"].as_u64().expect("a number") + unfinished, 100, "{answer}");
    assert!(unfinished > 20, "{answer}");
}

#[test]
fn a_ramp_tells_of_each_step() {
    let origin = Origin::start();
    let flags = ["--ramp", "40..120/s", "-d", "1500ms", "--step", "500ms", "--warm-up", "500ms"];
    let (code, answer) = bench(&[&[origin.url("/bytes/1").as_str()][..], &flags[..]].concat());
    let steps = answer["steps"].as_array().expect("a list");
    let told: Vec<_> = steps.iter().map(|step| (step["rate_per_s"].as_f64(), step["answered"].as_u64())).collect();
    let expected = [(40.0, 20), (80.0, 40), (120.0, 60)].map(|(rate, answered)| (Some(rate), Some(answered)));
    assert_eq!((code, told.as_slice()), (Some(0), expected.as_slice()), "{answer}");
    assert_eq!((&answer["left_out"], origin.seen().len()), (&20.into(), 140));
}

#[test]
fn the_highest_rate_is_found() {
    let origin = Origin::start();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable");
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (csv, page) = (file("seconds.csv"), file("page.html"));
    let url = origin.url("/slow/50");
    let flags = ["--find-max", "--p99", "200ms", "--rate", "10/s", "--step", "1s", "--warm-up", "0s", "-c", "2"];
    let written = [url.as_str(), "-d", "15s", "--csv", &csv, "--report", &page];
    let (code, answer) = bench(&[&written[..], &flags[..]].concat());
    // Two connections sustain 40/s for long, and some more for a second.
    let (most, too_much) = (answer["max_rate_per_s"].as_f64(), answer["too_much_per_s"].as_f64());
    assert!(code == Some(0) && most >= Some(20.0) && most < Some(80.0), "{answer}");
    assert!(too_much > most && too_much <= Some(80.0), "{answer}");
    let tried = answer["tried"].as_array().expect("a list");
    assert_eq!((&tried[0]["rate_per_s"], &tried[0]["sustained"]), (&10.0.into(), &true.into()), "{answer}");
    let rates: Vec<_> = tried.iter().map(|step| step["rate_per_s"].to_string().parse::<f64>().ok()).collect();
    let text = fs::read_to_string(&csv).expect("written");
    let mut seconds: Vec<_> = text.lines().skip(1).map(|line| line.split(',').next().map(str::parse)).collect();
    seconds.dedup();
    assert_eq!(seconds, rates.iter().map(|rate| rate.map(Ok)).collect::<Vec<_>>(), "{text}");
    let text = fs::read_to_string(&page).expect("written");
    let runs: Vec<_> = text
        .split("<details class=\"run\"><summary>")
        .skip(1)
        .filter_map(|run| run.split("</summary>").next())
        .collect();
    assert!(runs.len() == 2 && runs[0].ends_with("/s, sustained") && runs[1].ends_with("/s, too much"), "{runs:?}");
    assert!(text.contains("Rates tried</caption>") && text.contains("Highest rate with 99 % answered within 200ms"));
}

#[test]
fn seconds_are_written_and_loads_compared() {
    let origin = Origin::start();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable");
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (csv, old) = (file("seconds.csv"), file("old.json"));
    let url = origin.url("/slow/10");
    let (_, answer) = bench(&[&url, "-d", "1200ms", "-c", "2", "--csv", &csv]);
    let text = fs::read_to_string(&csv).expect("written");
    let answered = text.lines().skip(1).map(|line| line.split(',').nth(2).and_then(|cell| cell.parse::<u64>().ok()));
    let answered = answered.sum::<Option<u64>>();
    assert_eq!(answered, answer["answered"].as_u64(), "{text}");
    assert_eq!(text.lines().count(), answer["seconds"].as_array().expect("a list").len() + 1, "{text}");
    fs::write(&old, answer.to_string()).expect("writable");
    let (code, answer) = bench(&[&url, "-n", "20", "-c", "3", "--against", &old]);
    assert_eq!((code, &answer["against"]["seconds_then"]), (Some(0), &1.into()), "{answer}");
    assert_eq!(answer["against"]["differs"], serde_json::json!(["connections 2 then, 3 now"]), "{answer}");
    assert_eq!(answer["against"]["measures"][0]["verdict"], "can't tell", "{answer}");
    let secret = url.replacen("://", "://user:s3cret@", 1);
    let flags = ["-H", "authorization: Bearer s3cret", "-H", "x-a: b", "--body", "s3cret", "--no-reuse"];
    let (_, answer) = bench(&[&[secret.as_str(), "-n", "2", "-c", "2", "--against", &old][..], &flags].concat());
    let differs: Vec<_> = answer["against"]["differs"].as_array().expect("a list").iter().collect();
    let told = |part: &str| differs.iter().any(|text| text.as_str().is_some_and(|text| text.starts_with(part)));
    for part in [
        "body null then, {\"bytes\":6,",
        "headers [] then, ",
        "method \"GET\" then, \"POST\"",
        "reuse true then, false",
    ] {
        assert!(told(part), "{part}: {answer}");
    }
    assert!(!answer.to_string().contains("s3cret"), "{answer}");
    let refused = |flags: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_haul")).args(["bench", &url]).args(flags).output();
        let output = output.expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["--against", &csv]).contains("is not an answer of 'haul bench --json'"));
    assert!(refused(&["--against", &old, "--rate", "10/s"]).contains("is of a closed loop"));
}

/// A server that answers after so many milliseconds, in every other second after half as many more: whoever looks at its seconds
/// sees that one says nothing of the next, and needs few of them for a verdict.
#[expect(clippy::disallowed_methods, reason = "the server changes in real time")]
fn takes(millis: Arc<AtomicU64>) -> String {
    let begin = OnceLock::new();
    Stub::answering_after(move || {
        let millis = millis.load(Ordering::SeqCst);
        let is_odd = begin.get_or_init(Instant::now).elapsed().as_secs() % 2 == 1;
        thread::sleep(Duration::from_millis(if is_odd { millis + millis / 2 } else { millis }));
    })
    .url()
}

#[test]
fn a_faster_server_is_found_faster_than_the_same_load_found_it_before() {
    let millis = Arc::new(AtomicU64::new(200));
    let url = takes(Arc::clone(&millis));
    let load = [&url, "-d", "8s", "-c", "2"];
    let (_, slow) = bench(&load);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable");
    let old = directory.path().join("old.json").display().to_string();
    fs::write(&old, slow.to_string()).expect("writable");
    millis.store(5, Ordering::SeqCst);
    let (code, fast) = bench(&[&load[..], &["--against", &old]].concat());
    let against = &fast["against"];
    assert_eq!((code, &against["differs"]), (Some(0), &serde_json::json!([])), "the same was asked: {against}");
    let measures = against["measures"].as_array().expect("a list").iter();
    let verdicts: Vec<_> = measures.map(|measure| (measure["name"].as_str(), measure["verdict"].as_str())).collect();
    assert_eq!(verdicts[..2], [(Some("answered_per_s"), Some("higher")), (Some("p50_us"), Some("lower"))], "{against}");
    // The p99 of a fast server is that of the machine's disturbances.
    assert!(verdicts[2].0 == Some("p99_us") && verdicts[2].1 != Some("higher"), "{against}");
}
