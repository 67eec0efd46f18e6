//! The command's limits from a file, and what it tells of a run while it goes on and at its end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use haul_testsupport::origin::Origin;
use serde_json::Value;

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    records: usize,
    stderr: String,
}

/// `haul get` with these arguments, URLs on its standard input.
fn get<S: AsRef<str>>(urls: &[S], arguments: &[&str]) -> Ran {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("writable");
    let input = directory.path().join("urls");
    let lines: String = urls.iter().map(|url| format!("{}\n", url.as_ref())).collect();
    std::fs::write(&input, lines).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_haul"))
        .arg("get")
        .arg("-i")
        .arg(&input)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let records = text(output.stdout).lines().count();
    Ran { code: output.status.code(), records, stderr: text(output.stderr) }
}

fn file(directory: &Path, content: &str) -> String {
    let path = directory.join("limits.toml");
    std::fs::write(&path, content).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("writable")
}

fn last_line(text: &str) -> Value {
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_file_limits_some_hosts_and_flags_the_rest() {
    let (origin, directory) = (Origin::start(), directory());
    let limits =
        "per-host = 1\n[[host]]\nmatch = \"127.0.0.2\"\ndelay = \"120ms\"\n[[host]]\nmatch = '*'\nconcurrency = 3";
    let limits = file(directory.path(), limits);
    let urls: Vec<_> = (0..30).map(|_| origin.url("/slow/30")).collect();
    assert_eq!(get(&urls, &["--limits", &limits, "--per-host", "9"]).code, Some(0));
    assert_eq!(origin.most_in_flight(), 3, "the rule for all hosts");
    let before = origin.seen().len();
    let urls: Vec<_> = (0..5).map(|_| origin.url_on("127.0.0.2", "/page")).collect();
    assert_eq!(get(&urls, &["--limits", &limits]).code, Some(0));
    let seen = &origin.seen()[before..];
    for pair in seen.windows(2) {
        // The origin's own threads may be late for the first of the two.
        assert!(pair[1].at - pair[0].at > Duration::from_millis(90), "{seen:?}");
    }
}

#[test]
fn a_fault_in_the_file_is_told_with_its_place_and_nothing_is_fetched() {
    let (origin, directory) = (Origin::start(), directory());
    let limits = file(directory.path(), "concurrency = 5\n\n[[host]]\nmatch = \"*\"\nrate = \"often\"\n");
    let ran = get(&[origin.url("/page")], &["--limits", &limits]);
    assert_eq!((ran.code, ran.records, origin.connections()), (Some(2), 0, 0));
    let expected = "limits.toml:5:8: 'often' is not a rate above 0; write it like 100, 100/s, 30/m or 1000/h";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    let ran = get(&[origin.url("/page")], &["--limits", "/no/such/file"]);
    assert!(ran.stderr.contains("can't read --limits /no/such/file"), "{}", ran.stderr);
}

#[test]
fn the_summary_has_the_form_that_was_asked_for() {
    let origin = Origin::start();
    let mut urls: Vec<_> = (0..40).map(|n| origin.url_on(&format!("127.0.0.{}", 1 + n % 4), "/page")).collect();
    urls.push("nonsense".to_owned());
    let json = get(&urls, &["--summary", "json"]);
    let summary = last_line(&json.stderr);
    assert_eq!((json.code, &summary["exit_code"]), (Some(1), &1.into()));
    assert_eq!((&summary["urls"]["accepted"], &summary["urls"]["rejected"]), (&41.into(), &1.into()));
    assert_eq!((&summary["status"]["2xx"], &summary["failures"][0]["kind"]), (&40.into(), &"bad_url".into()));
    assert_eq!(summary["slowest"].as_array().map(Vec::len), Some(4));
    let slowest = &summary["slowest"][0];
    assert_eq!((&slowest["attempts"], &slowest["failed"]), (&10.into(), &0.into()));
    assert!(summary["connections"]["opened"].as_u64() > Some(3), "{summary}");
    assert!(json.stderr.lines().count() == 1, "nothing else: {}", json.stderr);

    let text = get(&urls, &[]).stderr;
    assert!(text.starts_with("41 URLs in ") && text.contains("\n  slowest "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(get(&urls, &["--summary", "none"]).stderr, "");
    assert_eq!(get(&urls, &["--quiet"]).stderr, "");
    assert_eq!(last_line(&get(&urls, &["--quiet", "--summary", "json"]).stderr)["urls"]["failed"], 1);
}

#[test]
fn the_summary_comes_last_even_after_trouble() {
    let origin = Origin::start();
    let ran = get(&[origin.url("/page")], &["-i", "/no/such/file", "--summary", "json"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.stderr.contains('{'), "it could not begin: {}", ran.stderr);
    let ran = get(&[origin.url("/page")], &["-o", "/dev/full", "--summary", "json"]);
    let summary = last_line(&ran.stderr);
    assert_eq!((ran.code, &summary["urls"]["unwritten"]), (Some(1), &1.into()));
    assert!(summary["output_error"].is_string() && ran.stderr.starts_with("haul: "), "{}", ran.stderr);
}

#[test]
fn a_long_run_shows_life_without_a_terminal_unless_told_to_be_quiet() {
    let origin = Origin::start();
    let urls: Vec<_> = (0..5).map(|_| origin.url("/page")).collect();
    let quiet = std::thread::scope(|scope| {
        let quiet = scope.spawn(|| get(&urls, &["--delay", "2600ms", "-q"]));
        let ran = get(&urls, &["--delay", "2600ms"]);
        let line = ran.stderr.lines().next().unwrap_or_default();
        assert!(line.starts_with("haul: 10s: 4 done, 0 failed, "), "{}", ran.stderr);
        assert!(line.contains("1 host left, ETA ") && line.ends_with(" (--delay)"), "{line}");
        quiet.join().expect("no panic")
    });
    assert_eq!((&*quiet.stderr, quiet.code), ("", Some(0)));
}
