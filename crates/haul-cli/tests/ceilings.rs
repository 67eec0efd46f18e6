//! With memory or descriptors used up, the command slows down and finishes.
//!
//! `cargo test --release --test ceilings -- --nocapture --test-threads 1` prints the figures of docs/design/RELIABILITY.md.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use haul_testserver::TestServer;
use serde_json::Value;

use haul_testsupport::stub::{self, Stub};

/// What is over a budget by as much still counts as within it.
const TOLERANCE: f64 = 1.10;

/// A run of the command under a ceiling, its peak of memory watched.
struct Run {
    directory: tempfile::TempDir,
    code: Option<i32>,
    peak: u64,
    stderr: String,
}

impl Run {
    /// Fetches these lines. `limit`: descriptors. `slow`: the records are read at 10 MB/s at the most.
    fn new(lines: &[String], arguments: &[&str], limit: Option<u32>, slow: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let input = directory.path().join("input");
        fs::write(&input, lines.join("\n")).expect("the directory is ours");
        let mut child = start(&input, arguments, limit);
        let stdout = child.stdout.take().expect("piped");
        let records = directory.path().join("records");
        let reading = std::thread::spawn(move || copy(stdout, &records, slow));
        let peak = watch(&child);
        let mut stderr = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
        let code = child.wait().expect("our own child").code();
        reading.join().expect("no panic");
        Self { directory, code, peak: peak.join().expect("no panic"), stderr }
    }

    fn records(&self) -> impl Iterator<Item = Value> {
        let lines = BufReader::new(File::open(self.directory.path().join("records")).expect("the records")).lines();
        lines.map(|line| serde_json::from_str(&line.expect("text")).expect("a record"))
    }

    /// Each line has one record, and that is a whole response.
    fn has_all(&self, lines: &[String]) -> &Self {
        let mut seen = HashSet::new();
        for record in self.records() {
            assert_eq!(record["status"], 200, "{record:.300}");
            let url = record["url"].as_str().expect("a URL").to_owned();
            let length = url.split("/bytes/").nth(1).and_then(|rest| rest.split('?').next()).expect("a length");
            assert_eq!(record["body_bytes"].as_u64(), length.parse().ok(), "{url}");
            assert!(seen.insert(url), "two records for one line");
        }
        assert_eq!((seen.len(), self.code), (lines.len(), Some(0)), "{}", self.stderr);
        self
    }

    /// Each of so many lines has one record, and its status is 200.
    fn has_answers(&self, lines: usize) -> &Self {
        let records: Vec<Value> = self.records().collect();
        let failed = records.iter().find(|record| record["status"] != 200);
        assert!(failed.is_none(), "{:.500}", failed.expect("one").to_string());
        assert_eq!((records.len(), self.code), (lines, Some(0)), "{}", self.stderr);
        self
    }

    /// The peak was within the budget, in megabytes.
    fn within(&self, budget: u64, what: &str) {
        let budget = budget * 1_000_000;
        println!("{what}: peak {:.1} MB under a budget of {} MB", self.peak as f64 / 1e6, budget / 1_000_000);
        let most = budget as f64 * TOLERANCE;
        assert!((self.peak as f64) < most, "{what}: {} bytes under a budget of {budget}", self.peak);
    }
}

fn start(input: &Path, arguments: &[&str], limit: Option<u32>) -> Child {
    let limit = limit.map_or_else(|| "true".to_owned(), |limit| format!("ulimit -n {limit}"));
    Command::new("sh")
        .args(["-c", &format!("{limit} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_haul"), "get", "-q", "-i"])
        .arg(input)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

fn copy(mut from: impl Read, to: &PathBuf, slow: bool) {
    let mut to = File::create(to).expect("the directory is ours");
    if !slow {
        std::io::copy(&mut from, &mut to).expect("written");
        return;
    }
    while std::io::copy(&mut from.by_ref().take(1 << 20), &mut to).expect("written") > 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The most memory the process has had resident at once, in bytes, once it has ended.
fn watch(child: &Child) -> std::thread::JoinHandle<u64> {
    let status = format!("/proc/{}/status", child.id());
    std::thread::spawn(move || {
        let mut peak = 0;
        loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { return peak };
            peak = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024;
            std::thread::sleep(Duration::from_millis(5));
        }
    })
}

/// `count` URLs on `hosts` hosts with bodies of these sizes in turn.
fn lines(origin: &TestServer, hosts: usize, count: usize, sizes: &[usize]) -> Vec<String> {
    let port = origin.url("/").trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    (0..count)
        .map(|n| {
            let size = sizes[n % sizes.len()];
            format!("http://h{}.localhost:{port}/bytes/{size}?n={n}", n % hosts)
        })
        .collect()
}

const LARGE: [usize; 7] = [100, 5_000, 100_000, 1_000_000, 2_000_000, 200_000, 30];

#[test]
fn large_bodies_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    let lines = lines(&origin, 60, 1000, &LARGE);
    for (megabytes, budget) in [(64, "64M"), (200, "200M")] {
        let arguments = ["--body", "base64", "--max-memory", budget];
        Run::new(&lines, &arguments, None, false).has_all(&lines).within(megabytes, "large bodies");
    }
}

#[test]
fn many_shards_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    let lines = lines(&origin, 150, 300, &[2_000_000, 1_000_000]);
    for (megabytes, budget, shards) in [(64, "64M", "4"), (64, "64M", "16"), (64, "64M", "64"), (200, "200M", "16")] {
        let arguments = ["--body", "base64", "--max-memory", budget, "--shards", shards];
        let run = Run::new(&lines, &arguments, None, false);
        run.has_all(&lines).within(megabytes, &format!("large bodies, {shards} shards"));
    }
}

#[test]
fn texts_whose_charset_is_guessed_stay_within_the_budget_with_many_shards() {
    let stub = saying("200 OK\r\ncontent-type: text/plain", &[128; 2_000_000]);
    let lines = hosts(&stub, 60, "/");
    for shards in ["2", "32"] {
        let run = Run::new(&lines, &["--max-memory", "64M", "--body", "text", "--shards", shards], None, false);
        run.has_answers(60).within(64, &format!("guessed text, {shards} shards"));
    }
}

/// Lines whose jobs are let go by another thread than the one that read them.
#[test]
fn large_lines_stay_within_the_budget() {
    let stub = Stub::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into());
    let url = |n: usize| format!("http://h{}.localhost:{}/{n}", n % 4, stub.port());
    let line =
        |n: usize, field: &str, length: usize| format!("{{\"url\": \"{}\", {field}{}\"}}", url(n), "a".repeat(length));
    for (field, length, count) in [
        ("\"id\": \"", 1_000_000, 150),
        ("\"headers\": {\"x\": \"y\"}, \"id\": \"", 1_000_000, 150),
        ("\"id\": \"", 8_000_000, 40),
    ] {
        let lines: Vec<String> = (0..count).map(|n| line(n, field, length)).collect();
        let arguments = ["--max-memory", "64M", "--max-line", "10MiB", "-c", "1"];
        let run = Run::new(&lines, &arguments, None, false);
        run.has_answers(count).within(64, &format!("{count} lines of {length} bytes"));
    }
    // What follows the fragment's sign is not sent.
    let lines: Vec<String> = (0..150).map(|n| format!("{}#{}", url(n), "a".repeat(1_000_000))).collect();
    let arguments = ["--max-memory", "64M", "--max-line", "10MiB", "-c", "1"];
    Run::new(&lines, &arguments, None, false).has_answers(150).within(64, "URLs with 1 MB of fragment");
}

#[test]
fn large_uploads_of_lines_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    for (length, count) in [(1_000_000, 150), (8_000_000, 40)] {
        let body = "a".repeat(length);
        let line =
            |n: usize| format!("{{\"url\": \"{}\", \"body\": \"{body}\"}}", origin.url(&format!("/bytes/1?n={n}")));
        let lines: Vec<String> = (0..count).map(line).collect();
        let arguments = ["--max-memory", "64M", "--max-line", "10MiB", "-c", "1", "--rate", "20"];
        let run = Run::new(&lines, &arguments, None, false);
        run.has_answers(count).within(64, &format!("{count} uploads of {length} bytes"));
    }
}

#[test]
fn large_bodies_of_failures_that_are_tried_again_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    let lines: Vec<String> =
        lines(&origin, 60, 300, &[1_000_000, 2_000_000]).iter().map(|line| format!("{line}&status=503")).collect();
    let arguments = ["--body", "base64", "--max-memory", "64M", "--retries", "2", "--dead-after", "0"];
    let run = Run::new(&lines, &arguments, None, false);
    let whole = |record: &Value| {
        let length =
            if record["url"].as_str().is_some_and(|url| url.contains("/2000000")) { 2_000_000 } else { 1_000_000 };
        record["status"] == 503 && record["attempts"] == 3 && record["body_bytes"] == length
    };
    assert_eq!(run.records().filter(whole).count(), lines.len(), "{}", run.stderr);
    run.within(64, "503s tried again");
}

#[test]
fn large_bodies_and_a_slow_reader_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    let lines = lines(&origin, 20, 60, &[2_000_000, 1_500_000]);
    let arguments = ["--body", "base64", "--max-memory", "64M", "--timeout", "5s"];
    Run::new(&lines, &arguments, None, true).has_all(&lines).within(64, "large bodies, slow reader");
}

#[test]
fn records_in_the_order_of_the_input_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    let mut lines = lines(&origin, 60, 500, &LARGE);
    lines[0] = lines[0].replace('?', "?delay=1s&");
    let arguments = ["--body", "base64", "--max-memory", "64M", "--order", "input"];
    Run::new(&lines, &arguments, None, false).has_all(&lines).within(64, "in the order of the input");
}

#[test]
fn http2_bodies_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    let lines = lines(&origin, 6, 400, &LARGE);
    let arguments =
        ["--body", "base64", "--max-memory", "64M", "--http2-prior-knowledge", "--per-host", "64", "-c", "256"];
    Run::new(&lines, &arguments, None, false).has_all(&lines).within(64, "HTTP/2");
}

#[test]
fn very_many_hosts_stay_within_the_budget() {
    let origin = TestServer::start().expect("free ports");
    let lines = lines(&origin, 60_000, 60_000, &[10]);
    Run::new(&lines, &["--max-memory", "64M"], None, false).has_all(&lines).within(64, "60,000 hosts");
}

#[test]
fn few_descriptors_and_little_memory_slow_a_run_down_and_no_more() {
    let origin = TestServer::start().expect("free ports");
    let lines = lines(&origin, 200, 2000, &[10, 20_000, 300_000]);
    let arguments = ["--body", "base64", "--max-memory", "64M", "-c", "500"];
    Run::new(&lines, &arguments, Some(48), false).has_all(&lines).within(64, "48 descriptors");
}

/// So many hosts that all are this server.
fn hosts(stub: &Stub, count: usize, path: &str) -> Vec<String> {
    (0..count).map(|n| format!("http://h{n}.localhost:{}{path}", stub.port())).collect()
}

/// A body with this coding.
fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    whole(&format!("200 OK\r\ncontent-encoding: {coding}"), body)
}

/// A response with this status and these fields.
fn whole(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A server that always says the same.
fn saying(head: &str, body: &[u8]) -> Stub {
    let answer = whole(head, body);
    Stub::start(move |_| answer.clone().into())
}

/// One that says "not now", at length.
fn busy() -> Stub {
    saying("503 Busy\r\nretry-after: 3", &[b'z'; 512 << 10])
}

/// Bytes that no coding makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(1);
    (0..length).map(|_| rng.u8(..)).collect()
}

#[test]
fn the_windows_of_brotli_stay_within_the_budget() {
    // A window of 16 MiB (1111) and a metablock, not the last one (0), whose length less one has six nibbles (10) and is all ones,
    // not compressed (1).
    let mut stream = (0b100_1111_u64 | 0xff_ffff << 7 | 1 << 31).to_le_bytes()[..4].to_vec();
    stream.extend(noise(16 << 20));
    stream.push(3);
    let answer = coded("br", &stream);
    let stub = Stub::start(move |_| answer.clone().into());
    let lines = hosts(&stub, 20, "/");
    Run::new(&lines, &["--max-memory", "64M"], None, false).has_answers(20).within(64, "brotli, windows of 16 MiB");
}

#[test]
fn the_windows_of_zstd_stay_within_the_budget() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("a level");
    encoder.window_log(23).expect("a window");
    std::io::Write::write_all(&mut encoder, &noise(9 << 20)).expect("in memory");
    let answer = coded("zstd", &encoder.finish().expect("in memory"));
    let stub = Stub::start(move |_| answer.clone().into());
    let lines = hosts(&stub, 30, "/");
    Run::new(&lines, &["--max-memory", "64M"], None, false).has_answers(30).within(64, "zstd, windows of 8 MiB");
}

#[test]
fn urls_that_redirects_make_long_stay_within_the_budget() {
    let stub = Stub::start(|request| match request.path().strip_prefix("/to") {
        Some(number) => {
            let target = format!("http://target.localhost:{}/{number}?{}", request.port, "x".repeat(60_000));
            format!("HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: {target}\r\n\r\n").into_bytes().into()
        }
        None => {
            stub::Answer { after: Duration::from_millis(20), ..b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into() }
        }
    });
    let lines: Vec<_> =
        hosts(&stub, 20, "/to").iter().flat_map(|url| (0..75).map(move |n| format!("{url}{n}"))).collect();
    let run = Run::new(&lines, &["--max-memory", "64M"], None, false);
    run.has_answers(1500).within(64, "redirects to long URLs");
    for record in run.records() {
        let (url, last) = (record["url"].as_str().expect("text"), record["final_url"].as_str().expect("text"));
        let number = url.split("/to").nth(1).expect("its number");
        assert!(last.len() > 60_000 && last.contains(&format!("/{number}?")), "{url}");
        assert_eq!(record["redirects"][0]["url"], url);
    }
}

#[test]
fn the_tags_of_jobs_stay_within_the_budget() {
    let stub = Stub::start(|_| stub::Answer {
        after: Duration::from_millis(5),
        ..b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()
    });
    let tag = "t".repeat(100_000);
    let line = |url: &String| format!("{{\"url\": \"{url}\", \"id\": \"{tag}\"}}");
    let lines: Vec<_> = hosts(&stub, 1500, "/").iter().map(line).collect();
    Run::new(&lines, &["--max-memory", "64M"], None, false).has_answers(1500).within(64, "tags of 100 KB");
}

#[test]
fn uploads_share_one_body() {
    let stub = Stub::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let body = directory.path().join("body");
    fs::write(&body, noise(20_000_000)).expect("the directory is ours");
    let data = format!("@{}", body.display());
    let lines = hosts(&stub, 16, "/");
    Run::new(&lines, &["--json", &data], None, false).has_answers(16).within(80, "16 uploads of 20 MB");
    let run = Run::new(&lines, &["--max-memory", "64M", "--json", &data], None, false);
    assert!(run.stderr.contains("beside a request body of 20000000; give 84000000 or more"), "{}", run.stderr);
}

#[test]
fn responses_that_wait_for_another_try_take_little() {
    let stub = busy();
    let lines = hosts(&stub, 1000, "/");
    let arguments = ["--body", "base64", "--retries", "1", "-c", "32"];
    let run = Run::new(&lines, &arguments, None, false);
    run.within(250, "503s that wait");
    let whole = |record: &Value| record["status"] == 503 && record["attempts"] == 2 && !record["body"].is_null();
    assert_eq!(run.records().filter(whole).count(), 1000, "the last answer is the result: {}", run.stderr);
}

/// 256 at once with 512 KiB each are 134 MB, and 100 MB more may wait for another try or to be written. What was let go is not
/// held beside: 3,000 hosts took 659 MB.
#[test]
fn what_retries_take_does_not_grow_with_the_number_of_hosts() {
    let stub = busy();
    let run = Run::new(&hosts(&stub, 3000, "/"), &["--body", "base64", "--retries", "1"], None, false);
    assert_eq!(run.records().filter(|record| record["attempts"] == 2).count(), 3000, "{}", run.stderr);
    run.within(430, "3,000 hosts that wait");
}

#[test]
fn lines_of_many_times_their_body_stay_within_the_budget() {
    // Each byte is six in JSON.
    let stub = saying("200 OK\r\ncontent-type: text/plain", &[1; 2_200_000]);
    let lines = hosts(&stub, 40, "/");
    for order in ["completion", "input"] {
        // Few at once, so that the lines are what counts: written whole they took 53 to 62 MB.
        let arguments = ["--max-memory", "64M", "--body", "text", "-c", "6", "--order", order];
        let run = Run::new(&lines, &arguments, None, false);
        run.has_answers(40).within(47, "text of control characters");
        assert!(run.records().all(|record| record["body"].as_str().is_some_and(|text| text.len() == 2_200_000)));
    }
}

#[test]
fn small_frames_stay_within_the_budget() {
    let arguments = ["--max-memory", "64M", "--body", "base64", "--http2-prior-knowledge", "-c", "256"];
    let each =
        |stub: &Stub| hosts(stub, 60, "/").iter().flat_map(|url| (0..8).map(move |n| format!("{url}{n}"))).collect();
    let stub = Stub::of_frames(380, 100);
    let lines: Vec<_> = each(&stub);
    Run::new(&lines, &arguments, None, false).has_answers(480).within(64, "HTTP/2, frames of 100 bytes");
    // What no server does ends the connection.
    let stub = Stub::of_frames(60_000, 1);
    let lines: Vec<_> = each(&stub);
    let run = Run::new(&lines, &arguments, None, false);
    assert_eq!(run.records().count(), 480, "{}", run.stderr);
    run.within(64, "HTTP/2, frames of a byte");
}
