//! `haul compare` from outside, and from the server's side: every mode does what its name says.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use haul_testsupport::origin::{Origin, Seen};
use serde_json::Value;

/// URLs of a list, and how often it is fetched: in the warm-up and in one round.
const URLS: usize = 20;
const TIMES: usize = 2;

fn haul(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.arg("compare").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The exit code and the answer.
fn compare(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = haul(arguments).arg("--json").output().expect("it starts");
    let answer = serde_json::from_slice(&output.stdout);
    (output.status.code(), answer.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// The exit code and standard error of a comparison that is refused.
fn refused(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = haul(arguments).output().expect("it starts");
    let said = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!((status.code(), stdout.len()), (Some(2), 0), "{said}");
    said
}

/// One round of a single mode over `paths` of a fresh origin.
fn one_mode(mode: &str, paths: &[String]) -> (Origin, Value) {
    let origin = Origin::start();
    let urls: Vec<_> = paths.iter().map(|path| origin.url(path)).collect();
    let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    arguments.extend(["--modes", mode, "--rounds", "1"]);
    let (code, answer) = compare(&arguments);
    let measured = &answer["modes"][0]["measured"];
    assert_eq!((code, &measured["failed"]), (Some(0), &0.into()), "{answer}");
    assert_eq!(origin.seen().len(), paths.len() * TIMES, "every URL once a round");
    let told = measured["connections"].as_f64().expect("a number") * TIMES as f64;
    assert!((told - origin.connections() as f64).abs() < 0.1, "as the server saw it: {answer}");
    (origin, answer)
}

fn paths(millis: u32) -> Vec<String> {
    (0..URLS).map(|n| format!("/slow/{millis}/{n}")).collect()
}

/// The requests of the round that counts, as the server saw them.
fn last_round(origin: &Origin) -> Vec<Seen> {
    let seen = origin.seen();
    seen[seen.len() / 2..].to_vec()
}

fn targets(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| &*seen.target).collect()
}

#[test]
fn serial_opens_a_connection_for_each_and_serial_reuse_keeps_one() {
    for (mode, connections) in [("serial", URLS), ("serial-reuse", 1)] {
        let (origin, _) = one_mode(mode, &paths(5));
        assert_eq!((origin.connections(), origin.most_in_flight()), (connections * TIMES, 1), "{mode}");
        assert_eq!(targets(&last_round(&origin)), paths(5), "{mode}: in the order of the list");
    }
}

#[test]
fn threads_fetch_side_by_side_each_on_one_connection_at_a_time() {
    let (origin, _) = one_mode("threads", &paths(150));
    assert_eq!((origin.connections(), origin.most_in_flight()), (URLS * TIMES, 8));
    let (origin, _) = one_mode("threads-reuse", &paths(150));
    assert_eq!((origin.connections(), origin.most_in_flight()), (8 * TIMES, 8), "each thread keeps its own");
}

#[test]
fn a_thread_that_is_done_takes_the_next_url() {
    let mut paths = paths(10);
    paths[0] = "/slow/800/0".to_owned();
    let (origin, _) = one_mode("threads-reuse", &paths);
    let seen = last_round(&origin);
    let slow = seen.iter().find(|seen| seen.target == paths[0]).expect("it was asked");
    let beside = seen.iter().filter(|other| other.at.duration_since(slow.at) < Duration::from_millis(700)).count();
    assert_eq!(beside, URLS, "nothing waits behind the slow one");
    assert_eq!(seen.iter().filter(|seen| seen.connection == slow.connection).count(), 1);
}

#[test]
fn gather_asks_for_all_at_once() {
    let (origin, _) = one_mode("gather", &paths(200));
    assert_eq!((origin.connections(), origin.most_in_flight()), (URLS * TIMES, URLS));
}

#[test]
fn limited_fills_each_place_that_becomes_free_and_batches_do_not() {
    let mut paths = paths(60);
    paths[0] = "/slow/1000/0".to_owned();
    let started_beside_the_slow_one = |mode| {
        let (origin, _) = one_mode(mode, &paths);
        assert_eq!((origin.connections(), origin.most_in_flight()), (5 * TIMES, 5), "{mode}");
        let seen = last_round(&origin);
        let slow = seen.iter().find(|seen| seen.target == paths[0]).expect("it was asked").at;
        seen.iter().filter(|other| other.at.duration_since(slow) < Duration::from_millis(900)).count()
    };
    assert_eq!(started_beside_the_slow_one("limited"), URLS);
    assert_eq!(started_beside_the_slow_one("batches"), 5, "the second batch waits for the whole first one");
}

#[test]
fn pooled_keeps_haul_s_own_limit_per_host() {
    let (origin, _) = one_mode("pooled", &paths(150));
    assert_eq!((origin.connections(), origin.most_in_flight()), (8 * TIMES, 8));
}

#[test]
fn h2_puts_all_on_one_connection_per_host() {
    let origin = haul_testserver::TestServer::start().expect("free ports");
    let urls: Vec<_> = (0..URLS).map(|n| origin.url(&format!("/delay/100ms?n={n}"))).collect();
    let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    arguments.extend(["--modes", "h2", "--rounds", "1"]);
    let (code, answer) = compare(&arguments);
    let stats = origin.stats();
    assert_eq!(
        (code, stats.requests, stats.connections, stats.most_in_flight),
        (Some(0), (URLS * TIMES) as u64, TIMES as u64, URLS as u64),
        "{answer}"
    );
}

#[test]
fn a_server_without_http2_is_no_failure_of_the_comparison() {
    let origin = Origin::start();
    let (code, answer) = compare(&[&origin.url("/bytes/1"), "--modes", "gather,h2", "--rounds", "1"]);
    let h2 = &answer["modes"][1];
    assert_eq!((code, &h2["measured"]), (Some(0), &Value::Null), "{answer}");
    assert!(h2["missing"].as_str().is_some_and(|why| why.contains("HTTP/2")), "{answer}");
}

#[test]
fn workers_limit_and_batch_are_those_asked_for() {
    for (mode, flag) in [("threads", "--workers"), ("limited", "--limit"), ("batches", "--batch")] {
        let origin = Origin::start();
        let urls: Vec<_> = paths(100).iter().map(|path| origin.url(path)).collect();
        let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
        arguments.extend(["--modes", mode, "--rounds", "1", flag, "3"]);
        let (code, answer) = compare(&arguments);
        assert_eq!((code, origin.most_in_flight()), (Some(0), 3), "{mode}: {answer}");
    }
}

#[test]
fn all_modes_send_the_same_requests_and_none_is_sent_twice() {
    let origin = Origin::start();
    let url = origin.url("/retry/503/1000?Retry-After:60");
    let redirect = origin.url("/redirect/302?/bytes/1");
    let modes = "serial,serial-reuse,threads,threads-reuse,gather,limited,batches,pooled";
    let (code, answer) = compare(&[&url, &redirect, "--modes", modes, "--rounds", "1", "-H", "X-A: b", "-X", "PUT"]);
    let seen = origin.seen();
    assert_eq!((code, seen.len()), (Some(0), 2 * 8 * TIMES), "503 and 302 are answers like others: {answer}");
    let the_same = |seen: &Seen| {
        let mut headers = seen.headers.clone();
        headers.retain(|(name, _)| name != "connection");
        (seen.method.clone(), headers)
    };
    assert!(seen.iter().all(|other| the_same(other) == the_same(&seen[0])), "{seen:?}");
    assert!(seen[0].method == "PUT" && seen[0].headers.contains(&("x-a".into(), "b".into())), "{seen:?}");
}

#[test]
fn without_urls_the_built_in_server_is_compared() {
    let (code, answer) = compare(&["--modes", "gather,pooled,h2", "--rounds", "6", "--seed", "5"]);
    assert_eq!((code, &answer["list"]["built_in"], &answer["list"]["urls"]), (Some(0), &true.into(), &100.into()));
    let figures = |mode: usize| &answer["modes"][mode]["measured"];
    let opened = |mode| (figures(mode)["connections"].as_f64(), figures(mode)["tls_handshakes"].as_f64());
    assert_eq!((opened(0), opened(2)), ((Some(100.0), Some(100.0)), (Some(5.0), Some(5.0))), "{answer}");
    for mode in 0..3 {
        let figures = figures(mode);
        assert_eq!((&figures["failed"], figures["rounds_s"].as_array().map(Vec::len)), (&0.into(), Some(6)));
        // Its answers take 4 to 45 ms: the least time is that of the slowest.
        assert!(figures["time_s"]["low"].as_f64().is_some_and(|low| low >= 0.045), "{figures}");
        assert!(figures["latency_us"]["p50"].as_f64().is_some_and(|p50| p50 >= 4000.0), "{figures}");
    }
    assert_eq!((&answer["seed"], &answer["modes"][0]["measured"]["speed_up"]["median"]), (&5.into(), &1.0.into()));
}

#[test]
fn the_text_fits_eighty_columns_and_says_nothing_that_six_rounds_do_not_show() {
    let origin = Origin::start();
    let urls: Vec<_> = (0..12).map(|n| origin.url(&format!("/slow/5/{n}"))).collect();
    let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    arguments.extend(["--rounds", "6"]);
    let output = haul(&arguments).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    // Twelve times 5 ms one by one against all at once: no machine is so slow that this can't be told.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("times as fast as serial") && flat.contains("no limit, limited to gather"), "{text}");
    assert!(flat.contains("with 96.9 % intervals"), "{text}");
    let output = haul(&[&urls[0], "--modes", "serial,gather", "--rounds", "5"]).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("No verdict") && !text.contains("as fast"), "{text}");
}

#[test]
fn failures_are_told_and_compare_with_nothing() {
    let origin = Origin::start();
    let (code, answer) = compare(&[&origin.url("/garbage"), "--modes", "serial,gather", "--rounds", "6"]);
    let figures = &answer["modes"][0]["measured"];
    assert_eq!((code, &figures["failed"], &figures["speed_up"]), (Some(1), &6.into(), &Value::Null), "{answer}");
    assert_eq!(figures["failures"].as_object().map(serde_json::Map::len), Some(1), "{answer}");
    assert_eq!(answer["steps"], Value::Array(Vec::new()));
}

#[test]
fn lists_without_an_end_or_without_urls_are_refused() {
    let mut command = haul(&["-i", "-", "--max-urls", "50"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    // It stops reading long before this ends.
    while writeln!(input, "http://127.0.0.1:1/").is_ok() {}
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("more than 50 URLs") && said.contains("--max-urls"), "{said}");
    assert!(refused(&["-i", "/dev/null"]).contains("no URLs"));
    assert!(refused(&["nonsense"]).contains("nonsense"));
}

#[test]
fn contradictions_say_what_to_change() {
    for (arguments, part) in [
        (&["--no-reuse"][..], "--modes serial,threads"),
        (&["--http1.1", "--modes", "h2"], "leave one out"),
        (&["--modes", "serial,serial"], "name each once"),
        (&["--modes", "asyncio"], "asyncio"),
        (&["--workers", "1000"], "more than 256"),
        (&["--python=no-such-python", "http://127.0.0.1:1/"], "--python=FILE"),
        (&["--python", "-4", "http://127.0.0.1:1/"], "--python"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}

#[test]
fn an_interrupted_comparison_tells_what_it_has() {
    let origin = Origin::start();
    let urls: Vec<_> = paths(20).iter().map(|path| origin.url(path)).collect();
    let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    let page = tempfile::NamedTempFile::new().expect("a temporary file");
    let path = page.path().to_str().expect("a plain path");
    arguments.extend(["--modes", "serial-reuse", "--rounds", "1000", "--json", "--report", path]);
    let child = haul(&arguments).spawn().expect("it starts");
    // Into the second round after the warm-up.
    while origin.seen().len() < URLS * 2 + 5 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(signalled.success());
    let output = child.wait_with_output().expect("it ends");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &answer["stopped"]), (Some(130), &true.into()), "{answer}");
    let rounds = answer["modes"][0]["measured"]["rounds_s"].as_array().expect("some").len();
    assert_eq!((&answer["rounds"], &answer["rounds_asked"]), (&rounds.into(), &1000.into()), "complete rounds only");
    let page = fs::read_to_string(page.path()).expect("text");
    assert!(page.contains(&format!("Interrupted: {rounds} of 1,000 rounds complete. 20 URLs")), "{page}");
    assert!((1..100).contains(&rounds), "{answer}");
}

/// A Python that has these modules and no other beside its own; `None`: there is no Python here.
fn bare_python(directory: &tempfile::TempDir, modules: &[(&str, &str)]) -> Option<String> {
    Command::new("python3").arg("--version").output().ok().filter(|output| output.status.success())?;
    for (name, text) in modules {
        fs::write(directory.path().join(name), text).expect("the directory is ours");
    }
    let path = directory.path().display();
    // Not by exec: an interpreter may be a program that starts another, as those of version managers are.
    Some(interpreter(directory, &format!("PYTHONPATH='{path}' python3 -S \"$@\"; exit")))
}

/// The flag that names an interpreter which runs this line of shell.
fn interpreter(directory: &tempfile::TempDir, line: &str) -> String {
    let file = directory.path().join("python");
    fs::write(&file, format!("#!/bin/sh\n{line}\n")).expect("the directory is ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    format!("--python={}", file.display())
}

#[test]
fn python_packages_that_are_not_there_are_listed_as_missing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(python) = bare_python(&directory, &[]) else { return };
    let origin = Origin::start();
    let (code, answer) = compare(&[&origin.url("/bytes/1"), "--modes", "serial", "--rounds", "1", &python]);
    let modes = answer["modes"].as_array().expect("a list");
    let missing = |package: &str| Value::from(format!("{package} is not installed"));
    let names: Vec<_> = modes.iter().map(|mode| (mode["name"].as_str().expect("text"), &mode["missing"])).collect();
    assert_eq!(
        (code, names),
        (
            Some(0),
            vec![
                ("serial", &Value::Null),
                ("requests", &missing("requests")),
                ("requests-session", &missing("requests")),
                ("requests-threads", &missing("requests")),
                ("aiohttp", &missing("aiohttp")),
                ("httpx", &missing("httpx")),
            ]
        )
    );
}

/// As much of requests as is needed to see that the script uses it rightly.
const REQUESTS: &str = "
import http.client, urllib.parse

__version__ = 'stand-in'

class Answer:
    pass

class Session:
    def __init__(self):
        self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection and self.connection.close()

    def request(self, method, url, headers, data, timeout, allow_redirects, verify):
        assert not allow_redirects
        parts = urllib.parse.urlsplit(url)
        if not self.connection:
            self.connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        self.connection.request(method, parts.path, data, headers)
        answer = Answer()
        answer.content = self.connection.getresponse().read()
        return answer

def request(*rest, **named):
    with Session() as session:
        return session.request(*rest, **named)
";

#[test]
fn python_fetches_the_same_list_in_its_ways() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(python) = bare_python(&directory, &[("requests.py", REQUESTS)]) else { return };
    let origin = Origin::start();
    let urls: Vec<_> = paths(20).iter().map(|path| origin.url(path)).collect();
    let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    arguments.extend(["--modes", "serial", "--rounds", "1", "--workers", "4", "-H", "X-A: b", &python]);
    let (code, answer) = compare(&arguments);
    assert_eq!((code, origin.seen().len(), origin.most_in_flight()), (Some(0), URLS * TIMES * 4, 4), "{answer}");
    assert_eq!(origin.connections(), (URLS * 3 + 1) * TIMES, "the session keeps its connection: {answer}");
    assert!(origin.seen().iter().all(|seen| seen.headers.contains(&("x-a".into(), "b".into()))));
    for mode in 1..4 {
        let mode = &answer["modes"][mode];
        assert!(mode["by"].as_str().is_some_and(|by| by.starts_with("requests stand-in, Python 3")), "{mode}");
        let measured = &mode["measured"];
        assert!(measured["latency_us"]["p50"].as_f64().is_some_and(|p50| p50 >= 20e3), "{mode}");
        assert_eq!((&measured["failed"], &measured["connections"]), (&0.into(), &Value::Null), "{mode}");
    }
}

/// Put before a script: its requests say which way they are of. From the server's side nothing else tells some of them apart.
const SIGNED: &str = r#"
import json

_loads = json.loads

def _signed(line):
    json.loads = _loads
    task = _loads(line)
    task["headers"].append(["x-way", task["way"]])
    return task

json.loads = _signed
"#;

/// How many of these requests, all of /slow/MILLIS, were in flight at once, at the least: each was for that long.
fn at_once(seen: &[&Seen]) -> usize {
    let millis = |seen: &Seen| seen.target.split('/').nth(2).and_then(|millis| millis.parse().ok()).expect("a number");
    let in_flight = |at: &Seen| {
        seen.iter().filter(|seen| seen.at <= at.at && at.at < seen.at + Duration::from_millis(millis(seen))).count()
    };
    seen.iter().map(|at| in_flight(at)).max().unwrap_or(0)
}

/// What a session of aiohttp's opens at once at the most; of more requests some find a connection that was kept.
const AIOHTTP_CONNECTIONS: usize = 100;

#[test]
fn each_python_package_does_what_it_is_said_to_do() {
    let Some(real) = haul_testsupport::python::with(&["requests", "aiohttp", "httpx"]) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let python = interpreter(&directory, &format!("exec '{real}' -c '{SIGNED}'\"$2\""));
    let origin = Origin::start();
    // The first are slow enough to be in flight together, however slowly they are sent.
    let path = |n: usize| format!("/slow/{}/{n}", if n < 6 { 150 } else { 2 });
    let urls: Vec<_> = (0..120).map(|n| origin.url(&path(n))).collect();
    let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    arguments.extend(["--modes", "gather", "--rounds", "1", "--workers", "3", "-H", "X-A: b", &python]);
    let (code, answer) = compare(&arguments);
    assert_eq!(code, Some(0), "{answer}");

    let seen = origin.seen();
    for mode in &answer["modes"].as_array().expect("a list")[1..] {
        let name = mode["name"].as_str().expect("text");
        let has = |seen: &Seen, name: &str, value: &str| seen.headers.contains(&(name.into(), value.into()));
        let of_way: Vec<&Seen> = seen.iter().filter(|seen| has(seen, "x-way", name)).collect();
        assert_eq!(of_way.len(), urls.len() * TIMES, "{name}: every URL once a round: {mode}");
        assert!(of_way.iter().all(|seen| has(seen, "x-a", "b") && has(seen, "accept-encoding", "identity")), "{name}");
        let connections = of_way.iter().map(|seen| seen.connection).collect::<HashSet<_>>().len();
        match (name, connections, at_once(&of_way)) {
            ("requests", connections, 1) if connections == of_way.len() => {}
            ("requests-session", TIMES, 1) => {}
            ("requests-threads", connections, 3) if connections == of_way.len() => {}
            ("aiohttp", connections, 6..) if connections <= AIOHTTP_CONNECTIONS * TIMES => {}
            // It keeps connections only while it has few: docs/guide/COMPARE.md.
            ("httpx", _, 6..) => {}
            (name, connections, at_once) => panic!("{name}: {connections} connections, {at_once} at once: {mode}"),
        }
        let by = mode["by"].as_str().expect("text");
        let package = name.split('-').next().expect("text");
        assert!(by.starts_with(package) && by.contains(", Python 3") && mode["missing"].is_null(), "{mode}");
        assert!(mode["measured"]["latency_us"]["max"].as_f64().is_some_and(|max| max >= 150e3), "{mode}");
    }
}

#[test]
fn python_trusts_the_same_certificates_and_finds_the_same_names() {
    let Some(python) = haul_testsupport::python::with(&["requests", "aiohttp", "httpx"]) else { return };
    let origin = haul_testserver::TestServer::start().expect("free ports");
    let authority = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(authority.path(), origin.ca_pem()).expect("the file is ours");
    let authority = authority.path().to_str().expect("a plain path");
    let urls: Vec<_> = (0..3).map(|n| format!("https://a.localhost:{}/bytes/{n}", origin.tls_addr().port())).collect();
    let mut arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    let python = format!("--python={python}");
    arguments.extend(["--modes", "gather", "--rounds", "1", &python]);
    let failed = |arguments: &[&str]| {
        let (code, answer) = compare(arguments);
        let modes = answer["modes"].as_array().expect("a list");
        let failed: Vec<_> = modes.iter().map(|mode| mode["measured"]["failed"].as_u64()).collect();
        (code, failed)
    };
    assert_eq!(failed(&arguments), (Some(1), vec![Some(3); 6]), "nobody knows the certificate's authority");
    assert_eq!(failed(&[&arguments[..], &["--cacert", authority]].concat()), (Some(0), vec![Some(0); 6]));
    assert_eq!(failed(&[&arguments[..], &["--insecure"]].concat()), (Some(0), vec![Some(0); 6]));
}

/// A stand-in for requests that leaves a file of its process's number when it is loaded, and does not come to an end after
/// that: HANGS is when.
const HANGING: &str = "
import os, pathlib, time

def hang(*_, **__):
    (pathlib.Path(__file__).parent / 'hangs').touch()
    time.sleep(60)

class Session:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    request = hang

__version__, request = 'stand-in', hang
(pathlib.Path(__file__).parent / f'{os.getpid()}.pid').touch()
HANGS
";

/// The processes of [`HANGING`] that are there; one that has ended and that nobody waits for is not.
fn hanging(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).expect("ours").map(|entry| entry.expect("ours").path());
    let pids = files.filter(|file| file.extension().is_some_and(|extension| extension == "pid"));
    let pids = pids.map(|file| file.file_stem().expect("a number").display().to_string());
    pids.filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())).collect()
}

fn wait_until(mut so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not within 20 s");
}

#[test]
fn no_python_outlives_an_interrupted_comparison() {
    for (when, signals, answers) in [("", 1, true), ("", 2, false), ("hang()", 1, true), ("hang()", 2, false)] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let requests = HANGING.replace("HANGS", when);
        let Some(python) = bare_python(&directory, &[("requests.py", &requests)]) else { return };
        let origin = Origin::start();
        let mut child =
            haul(&[&origin.url("/bytes/1"), "--modes", "serial", "--json", &python]).spawn().expect("it starts");
        wait_until(|| directory.path().join("hangs").exists());
        assert!(!hanging(directory.path()).is_empty(), "seen where they are");
        let pid = child.id().to_string();
        for _ in 0..signals {
            // After the first it may have ended already.
            Command::new("kill").args(["-INT", &pid]).stderr(Stdio::null()).status().expect("kill is everywhere");
        }
        wait_until(|| child.try_wait().expect("our own child").is_some());
        wait_until(|| hanging(directory.path()).is_empty());
        let Output { status, stdout, .. } = child.wait_with_output().expect("it ended");
        assert_eq!(status.code(), Some(130), "{when} {signals}");
        assert!(!answers || !stdout.is_empty(), "{when} {signals}: what it has is told");
    }
}
