//! The command from outside: what it reads, writes, says and returns.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ran::{Ran, records};
use haul_testsupport::origin::{Origin, Seen};
use serde_json::Value;

/// A command line, ready to run.
fn haul(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.arg("get").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Ran {
    haul(arguments).output().expect("the command runs").into()
}

fn run_with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = haul(arguments).stdin(Stdio::piped()).spawn().expect("the command runs");
    // It may end before it has read everything; that is for the test to judge.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends").into()
}

/// A directory of its own for each test.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable")
}

fn write(directory: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path: PathBuf = directory.path().join(name);
    fs::write(&path, content).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

/// Lines that are rejected without a network: `bad/0`, `bad/1` …
fn bad_lines(count: usize) -> String {
    (0..count).map(|n| format!("bad/{n}\n")).collect()
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    for (arguments, part) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["-c", "0", "http://127.0.0.1/"], "from 1 to"),
        (&["--timeout", "soon", "http://127.0.0.1/"], "10s"),
        (&["--max-body", "big", "http://127.0.0.1/"], "2MiB"),
        (&["-H", "nonsense", "http://127.0.0.1/"], "Name: value"),
        (&["--resolve", "nonsense", "http://127.0.0.1/"], "HOST:PORT:ADDR"),
        (&["-4", "-6", "http://127.0.0.1/"], "leave both out"),
        (&["--cacert", "/no/such/file", "http://127.0.0.1/"], "/no/such/file"),
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn the_help_names_every_flag() {
    let ran = run(&["--help"]);
    assert_eq!(ran.code, 0);
    for flag in "-i --input -o --output --headers --body --digest --order -X --request -H --header -d --data --json -u \
                 --user --bearer -A --user-agent -c --concurrency --per-host --per-address --per-site --rate \
                 --host-rate --delay --adaptive --shards --window --timeout --dns-timeout --connect-timeout \
                 --tls-timeout --first-byte-timeout --idle-timeout --min-rate --retries --retry-unsafe --dead-after \
                 --max-redirects --raw --max-body --max-wire --max-ratio --max-head --max-headers --max-line --cacert \
                 --cert --key -k --insecure --resolve --connect-to --dns-server -4 --ipv4 -6 --ipv6 --local-address \
                 --unix-socket --http2-prior-knowledge --http1.1 --no-reuse --grace -q --quiet -v --verbose --log-format"
        .split_whitespace()
    {
        let named = |word: &str| word.trim_matches([',', '.']) == flag;
        assert!(ran.stdout.split_whitespace().any(named), "{flag} is not in the help");
    }
    assert!(ran.stdout.contains("Examples:"));
}

#[test]
fn an_unreadable_input_ends_the_run_before_it_begins() {
    let directory = directory();
    let output = write(&directory, "out", "precious");
    let missing = run(&["-i", "/no/such/list", "-o", &output, "bad"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("/no/such/list"), "{}", missing.stderr);
    assert_eq!(fs::read_to_string(&output).expect("there"), "precious");
    let folder = run(&["-i", directory.path().to_str().expect("UTF-8")]);
    assert_eq!(folder.code, 2);
    assert!(folder.stderr.contains("directory"), "{}", folder.stderr);
}

#[test]
fn each_bad_line_becomes_a_record_and_harms_nothing_else() {
    let input =
        b"# a comment\n\nexample.com\nftp://example.com/\nhttp://\nhttp://a:99999/\n{\"url\": 7}\n\xff\n{\"x\":1}\n";
    let ran = run_with_input(&[], input);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let mut records = ran.records();
    records.sort_by_key(|record| record["seq"].as_u64());
    let kinds: Vec<_> = records.iter().map(|record| record["error"]["kind"].as_str().expect("a kind")).collect();
    let expected = ["bad_url", "unsupported_scheme", "empty_host", "bad_port", "bad_json", "invalid_utf8", "bad_json"];
    assert_eq!(kinds, expected);
    let lines: Vec<_> = records.iter().map(|record| record["error"]["line"].as_u64().expect("a line")).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9]);
    assert!(records.iter().all(|record| record["error"]["phase"] == "input" && record["status"].is_null()));
    assert!(ran.stderr.contains("7 failed"), "{}", ran.stderr);
}

#[test]
fn quiet_says_nothing_and_no_input_is_no_failure() {
    let ran = run_with_input(&["--quiet"], b"bad\n");
    assert_eq!((ran.code, &*ran.stderr, ran.records().len()), (1, "", 1));
    let ran = run_with_input(&[], b"# nothing\n");
    assert_eq!((ran.code, &*ran.stdout), (0, ""));
    assert!(ran.stderr.contains("0 URLs"), "{}", ran.stderr);
}

#[test]
fn compressed_inputs_are_read_one_after_the_other() {
    let directory = directory();
    let one = write(&directory, "one.gz", gzip(bad_lines(2).as_bytes()));
    let two = write(&directory, "two", zstd::encode_all(bad_lines(2).as_bytes(), 1).expect("memory"));
    let ran = run_with_input(&["-i", &one, "-i", &two, "-i", "-", "--order", "input"], &gzip(b"bad/9"));
    let seen: Vec<_> = ran.records().iter().map(|record| (record["seq"].as_u64(), record["url"].clone())).collect();
    let expected = ["bad/0", "bad/1", "bad/0", "bad/1", "bad/9"].map(Value::from);
    assert!(seen.into_iter().eq((0..).map(Some).zip(expected)));
}

#[test]
fn broken_input_is_told_and_what_came_before_is_not_lost() {
    let directory = directory();
    let mut packed = gzip(bad_lines(100_000).as_bytes());
    packed.truncate(packed.len() / 2);
    let broken = write(&directory, "broken.gz", packed);
    let ran = run(&["-i", &broken]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains(&broken) && ran.stderr.contains("gzip"), "{}", ran.stderr);
    assert!(ran.records().len() > 1000, "{}", ran.records().len());
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let directory = directory();
    let list = write(&directory, "list", "bad\n");
    let other_name = directory.path().join("./list");
    let ran = run(&["-i", &list, "-o", other_name.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("also an input"), "{}", ran.stderr);
    let append = fs::OpenOptions::new().append(true).open(&list).expect("there");
    let ran: Ran = haul(&["-i", &list]).stdout(append).output().expect("runs").into();
    assert_eq!(ran.code, 2);
    assert_eq!(fs::read_to_string(&list).expect("there"), "bad\n");
}

#[test]
fn a_full_disk_ends_the_run_with_a_clear_error() {
    for ran in [
        run_with_input(&["-o", "/dev/full"], bad_lines(10_000).as_bytes()),
        run_with_input(&["-o", "/dev/full", "--order", "input"], bad_lines(10_000).as_bytes()),
    ] {
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("/dev/full is full"), "{}", ran.stderr);
    }
    let no_directory = run(&["-o", "/no/such/directory/out", "bad"]);
    assert_eq!(no_directory.code, 2);
    assert!(no_directory.stderr.contains("make its directory first"), "{}", no_directory.stderr);
}

#[test]
fn a_closed_pipe_ends_the_run_with_one_line() {
    let directory = directory();
    let list = write(&directory, "list", bad_lines(200_000));
    let mut child = haul(&["--quiet", "-i", &list]).spawn().expect("runs");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    assert_eq!(records(&first).len(), 1);
    let ran: Ran = child.wait_with_output().expect("it ends").into();
    assert_eq!(ran.code, 1);
    let told = ran.stderr.lines().filter(|line| line.contains("standard output was closed by its reader")).count();
    assert_eq!(told, 1, "{}", ran.stderr);
}

#[test]
fn a_response_is_a_success_whatever_its_status() {
    let origin = Origin::start();
    let ran = run(&[&origin.url("/ok"), &origin.url("/status/404"), &origin.url("/status/503"), "--retries", "0"]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let mut records = ran.records();
    records.sort_by_key(|record| record["seq"].as_u64());
    let statuses: Vec<_> = records.iter().map(|record| record["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(200), Some(404), Some(503)]);
    assert_eq!(records[0]["version"], "HTTP/1.1");
    assert_eq!(records[0]["body_bytes"], 2);
    assert_eq!(records[0]["attempts"], 1);
    assert_eq!(records[0]["remote_addr"], format!("127.0.0.1:{}", origin.port));
    assert!(records[0]["error"].is_null());
    assert!(ran.stderr.contains("3 URLs in") && ran.stderr.contains("2xx 1, 4xx 1, 5xx 1"), "{}", ran.stderr);
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

#[test]
fn a_failed_fetch_is_a_record_like_any_other() {
    let origin = Origin::start();
    let nobody = closed_port();
    let ran = run(&[&origin.url("/ok"), &format!("http://127.0.0.1:{nobody}/"), "--retries", "0"]);
    assert_eq!(ran.code, 1);
    let records = ran.records();
    let failed = records.iter().find(|record| record["seq"] == 1).expect("a record");
    assert_eq!((&failed["error"]["phase"], &failed["error"]["kind"]), (&"connect".into(), &"refused".into()));
    assert!(records.iter().any(|record| record["status"] == 200));
    assert!(ran.stderr.contains("connect refused 1"), "{}", ran.stderr);
}

#[test]
fn optional_fields_come_when_asked_for() {
    let origin = Origin::start();
    let ran = run(&[
        &origin.url("/order"),
        &origin.url("/bytes/3"),
        "--headers",
        "--body",
        "text",
        "--digest",
        "--order",
        "input",
    ]);
    let records = ran.records();
    let headers =
        serde_json::json!([["set-cookie", "a"], ["b", "1"], ["set-cookie", "b"], ["a", "2"], ["content-length", "0"]]);
    assert_eq!((&records[0]["headers"], &records[0]["body"]), (&headers, &"".into()));
    assert_eq!((&records[1]["body"], &records[1]["body_lossy"]), (&"xxx".into(), &false.into()));
    assert_eq!(records[1]["body_sha256"], "cd2eb0837c9b4c962c22d2ff8b5441b7b45805887f051d39bf133b583baf6860");
    let base64 = run(&[&origin.url("/bytes/3"), "--body", "base64"]);
    assert_eq!(base64.records()[0]["body"], "eHh4");
    assert!(base64.records()[0].get("headers").is_none());
}

/// The only request that `origin` saw.
fn only(origin: &Origin) -> Seen {
    let mut seen = origin.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.remove(0)
}

fn header<'a>(seen: &'a Seen, name: &str) -> Vec<&'a str> {
    seen.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
}

#[test]
fn requests_are_as_the_flags_say() {
    let origin = Origin::start();
    let ran = run(&["-d", "a=1", "-H", "X-A: one", "-u", "me:secret", "-A", "agent/1", &origin.url("/echo?q")]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let seen = only(&origin);
    assert_eq!((&*seen.method, &*seen.target, &*seen.body), ("POST", "/echo?q", &b"a=1"[..]));
    assert_eq!((header(&seen, "x-a"), header(&seen, "user-agent")), (vec!["one"], vec!["agent/1"]));
    assert_eq!(header(&seen, "authorization"), ["Basic bWU6c2VjcmV0"]);
    assert_eq!(header(&seen, "content-type"), ["application/x-www-form-urlencoded"]);
}

#[test]
fn requests_are_as_the_lines_say() {
    let origin = Origin::start();
    let url = origin.url("/echo");
    let line = format!(
        r#"{{"url": "{}", "headers": {{"x-a": ["1"]}}, "body": {{"n": 1}}, "id": {{"row": 5}}}}"#,
        url.replace("http://", "http://me:s%20t@")
    );
    let ran = run_with_input(&["-H", "X-B: default"], line.as_bytes());
    let seen = only(&origin);
    assert_eq!((&*seen.method, &*seen.body), ("POST", &br#"{"n": 1}"#[..]));
    assert_eq!((header(&seen, "x-a"), header(&seen, "x-b")), (vec!["1"], vec!["default"]));
    assert_eq!(header(&seen, "authorization"), ["Basic bWU6cyB0"]);
    assert_eq!(header(&seen, "content-type"), ["application/json"]);
    let record = &ran.records()[0];
    assert_eq!((&record["id"]["row"], &record["url"]), (&5.into(), &url.into()), "no credentials in records");
}

#[test]
fn names_may_be_given_addresses() {
    let origin = Origin::start();
    let port = origin.port;
    let rule = format!("*:{port}:127.0.0.1");
    let ran = run(&["--resolve", &rule, &origin.url_on("one.example", "/"), &origin.url_on("two.example", "/")]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let rule = format!("three.example:80:127.0.0.1:{port}");
    assert_eq!(run(&["--connect-to", &rule, "http://three.example/"]).code, 0);
    let mut hosts: Vec<_> = origin.seen().into_iter().map(|seen| header(&seen, "host").concat()).collect();
    hosts.sort();
    assert_eq!(hosts, [format!("one.example:{port}"), "three.example".into(), format!("two.example:{port}")]);
}

/// Fetches `count` URLs of one host, each of which takes 20 ms.
fn fetch_several(origin: &Origin, count: usize, arguments: &[&str]) {
    let urls: Vec<String> = (0..count).map(|n| origin.url(&format!("/slow/20/{n}"))).collect();
    let arguments: Vec<&str> = arguments.iter().copied().chain(urls.iter().map(String::as_str)).collect();
    assert_eq!(run(&arguments).records().len(), count);
}

#[test]
fn limits_reach_the_engine() {
    let origin = Origin::start();
    fetch_several(&origin, 12, &["--per-host", "3"]);
    assert_eq!(origin.most_in_flight(), 3);
    let origin = Origin::start();
    fetch_several(&origin, 4, &["-c", "1"]);
    assert_eq!((origin.most_in_flight(), origin.connections()), (1, 1));
    let origin = Origin::start();
    fetch_several(&origin, 4, &["-c", "1", "--no-reuse"]);
    assert_eq!(origin.connections(), 4);
    assert_eq!(origin.seen().into_iter().map(|seen| seen.connection).max(), Some(3));
    let origin = Origin::start();
    fetch_several(&origin, 3, &["--delay", "200ms"]);
    let seen = origin.seen();
    let span = seen[2].at - seen[0].at;
    assert!(span > Duration::from_millis(100), "400 ms, less what the first one was late on its way: {span:?}");
}

#[test]
fn redirects_are_recorded_or_not_followed() {
    let origin = Origin::start();
    let followed = run(&[&origin.url("/redirect/302?/ok")]);
    let record = &followed.records()[0];
    assert_eq!((&record["status"], &record["final_url"]), (&200.into(), &origin.url("/ok").into()));
    assert_eq!(record["redirects"], serde_json::json!([{"url": origin.url("/redirect/302?/ok"), "status": 302}]));
    let stopped = run(&[&origin.url("/redirect/302?/ok"), "--max-redirects", "0"]);
    assert_eq!((stopped.code, &stopped.records()[0]["status"]), (0, &302.into()));
}

#[test]
fn fetching_begins_while_input_is_still_being_read() {
    let origin = Origin::start();
    let mut child = haul(&["--quiet"]).stdin(Stdio::piped()).spawn().expect("runs");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    for seq in 0..3 {
        writeln!(stdin, "{}", origin.url("/ok")).expect("it reads");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a record, with standard input still open");
        assert_eq!(records(&line)[0]["seq"], seq);
    }
    drop(stdin);
    assert_eq!(Ran::from(child.wait_with_output().expect("it ends")).code, 0);
}

#[test]
fn the_order_of_the_input_is_kept_when_asked_for() {
    let origin = Origin::start();
    let urls: Vec<String> = ["/slow/300", "/ok", "/slow/0", "/slow/100", "/ok"].map(|path| origin.url(path)).into();
    let arguments: Vec<&str> = ["--order", "input"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    let seqs: Vec<_> = run(&arguments).records().iter().map(|record| record["seq"].as_u64()).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4].map(Some));
}

#[test]
fn the_output_may_be_a_file() {
    let origin = Origin::start();
    let directory = directory();
    let output = write(&directory, "out", "old content\n");
    let ran = run(&["-o", &output, &origin.url("/ok")]);
    assert_eq!((ran.code, &*ran.stdout), (0, ""));
    assert_eq!(records(&fs::read_to_string(Path::new(&output)).expect("there")).len(), 1);
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Starts a run with one finished fetch and some that hang, and waits for the first record.
fn hanging(origin: &Origin, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let urls = [origin.url("/ok"), origin.url("/slow/60000"), origin.url("/slow/60000/2")];
    let arguments: Vec<&str> = arguments.iter().copied().chain(urls.iter().map(String::as_str)).collect();
    let mut child = haul(&arguments).spawn().expect("runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a record");
    (child, stdout, first)
}

#[test]
fn an_interrupt_ends_the_run_and_says_how_many_are_left() {
    let origin = Origin::start();
    let (child, mut stdout, first) = hanging(&origin, &["--grace", "200ms"]);
    interrupt(&child);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("text");
    let ran: Ran = child.wait_with_output().expect("it ends").into();
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("haul: stopping"), "{}", ran.stderr);
    let done = records(&(first + &rest));
    assert_eq!(done.iter().filter(|record| record["status"] == 200).count(), 1);
    let left = 3 - done.len();
    assert!(ran.stderr.contains(&format!("{left} URLs already read left")), "{}", ran.stderr);
}

#[test]
fn an_interrupt_does_not_wait_for_input() {
    let mut child = haul(&["--grace", "1h"]).stdin(Stdio::piped()).spawn().expect("runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"bad\n").expect("it reads");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a record");
    interrupt(&child);
    let ran: Ran = child.wait_with_output().expect("it ends with its input still open").into();
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    drop(stdin);
}

#[test]
fn a_second_interrupt_ends_the_run_at_once() {
    let origin = Origin::start();
    let (mut child, _stdout, _) = hanging(&origin, &["--grace", "1h"]);
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    interrupt(&child);
    let mut line = String::new();
    stderr.read_line(&mut line).expect("a message");
    assert!(line.contains("haul: stopping"), "{line}");
    interrupt(&child);
    // Without the second one this would take the hour of grace.
    let ran: Ran = child.wait_with_output().expect("it ends").into();
    assert_eq!(ran.code, 130);
}

#[test]
fn a_second_interrupt_ends_even_a_run_whose_output_nobody_reads() {
    let directory = directory();
    let list = write(&directory, "list", bad_lines(10_000));
    let mut child = haul(&["-i", &list]).spawn().expect("runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut first = [0];
    child.stdout.as_mut().expect("piped").read_exact(&mut first).expect("records fill the pipe");
    interrupt(&child);
    let mut line = String::new();
    stderr.read_line(&mut line).expect("a message");
    interrupt(&child);
    let status = child.wait().expect("it ends although the pipe is full");
    assert_eq!(status.code(), Some(130));
}
