//! Every example, run as a reader would run it: without arguments, against its own test server.
//!
//! `cargo test` builds the examples before it runs this. `cargo test --test examples` alone does not: run
//! `cargo build --examples` first.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use haul_testserver::TestServer;
use haul_testsupport::httpbin::Httpbin;
use haul_testsupport::server::Server;
use serde_json::Value;
use tempfile::TempDir;

/// One test for each example, and the list of them.
macro_rules! examples {
    ($($name:ident($ran:ident) $check:block)+) => {
        const LISTED: &[&str] = &[$(stringify!($name)),+];

        $(#[test]
        fn $name() {
            let $ran = Running::start(stringify!($name), &[]).end();
            $check
        })+
    };
}

examples! {
    as_completed(ran) {
        ran.prints(&[
            "…  http://127.0.0.1/bytes/1000: 200 OK",
            "…  http://127.0.0.1/delay/300ms: 200 OK",
            "…  http://127.0.0.1/delay/600ms: 200 OK",
        ]);
    }

    batches_of_n(ran) {
        ran.prints(&[
            "batch 1: 10 responses, 4500 bytes",
            "batch 2: 10 responses, 14500 bytes",
            "batch 3: 5 responses, 11000 bytes",
        ]);
    }

    blocking(ran) {
        ran.prints(&["5000 characters", "it begins with …", "…: …", "…: …", "…: …"]);
        assert_eq!(
            ran.sorted(2),
            [
                "http://127.0.0.1/bytes/1000: 200 OK, 1000 bytes",
                "http://127.0.0.1/status/404: 404 Not Found, 14 bytes",
                "http://127.0.0.1/text/5000: 200 OK, 5000 bytes",
            ]
        );
    }

    cookie_jar(ran) {
        ran.prints(&[
            "http://shop.localhost/headers: 200 OK, alice is known",
            "http://shop.localhost/headers: 200 OK, alice is known",
            "http://other.localhost/headers: 200 OK, nobody is known",
        ]);
    }

    custom_resolver(ran) {
        // Asked once for two requests.
        ran.prints(&[
            "shop.test is at [127.0.0.1]",
            "http://shop.test/bytes/1000: 200 OK",
            "http://shop.test/json/3: 200 OK",
        ]);
    }

    custom_sink(ran) {
        assert_eq!(ran.lines()[0], "url,status,bytes");
        assert_eq!(
            ran.sorted(1),
            [
                "http://127.0.0.1/bytes/1000,200,1000",
                "http://127.0.0.1/gzip/5000,200,5000",
                "http://127.0.0.1/status/404,404,14",
                "http://127.0.0.1/truncate/length,truncated,",
                "nonsense,bad_url,",
            ]
        );
    }

    file_to_ndjson(ran) {
        ran.prints(&["500 succeeded, 1 failed, 0 left; records are in …", "1 failed in phase input: bad_url"]);
        let records = records(&fs::read_to_string(ran.directory.path().join("haul-records.ndjson")).expect("written"));
        assert_eq!(records.len(), 501);
        assert_eq!(records.iter().filter(|record| record["status"] == 200).count(), 500);
        assert!(ran.stderr.lines().any(|line| line.contains(" in flight, ")), "progress: {}", ran.stderr);
    }

    future_to_url(ran) {
        let lines = ["product 17 (kettle): 200 OK", "product 23 (teapot): 200 OK", "product 42 (cosy): 404 Not Found"];
        assert_eq!(ran.sorted(0), lines);
        assert_eq!(ran.lines().last().map(String::as_str), Some(lines[0]), "the slow one comes last");
    }

    gather_in_order(ran) {
        ran.prints(&[
            "0 http://127.0.0.1/delay/300ms: 200 OK",
            "1 http://127.0.0.1/delay/100ms: 200 OK",
            "2 http://127.0.0.1/bytes/1000: 200 OK",
            "3 http://127.0.0.1/delay/200ms: 200 OK",
            "after …",
        ]);
    }

    isolate_errors(ran) {
        ran.prints(&[
            "2 good",
            "body truncated: http://127.0.0.1/truncate/length",
            "connect refused: http://127.0.0.1/",
            "head status: http://127.0.0.1/status/404",
            "input bad_url: not a url",
            "input unsupported_scheme: ftp://x/",
        ]);
    }

    json_into_type(ran) {
        ran.prints(&[
            "item 0: 934.52",
            "item 1: 761.90",
            "item 2: 304.74",
            "item 3: 201.01 (sold out)",
            "item 4: 616.25",
            "http://127.0.0.1/html/1: decode (corrupt): the body is not the JSON expected: …",
        ]);
    }

    limit_concurrency(ran) {
        ran.prints(&[
            "40 of 40 answered in …",
            "the server saw at most … at once",
            "h0.localhost saw 10 requests, at most … at once",
            "h1.localhost saw 10 requests, at most … at once",
            "h2.localhost saw 10 requests, at most … at once",
            "h3.localhost saw 10 requests, at most … at once",
        ]);
        let most: Vec<u64> = ran.lines()[1..].iter().map(|line| number_after("at most ", line)).collect();
        assert!((2..=6).contains(&most[0]), "{most:?}");
        assert!(most[1..].iter().all(|most| (1..=2).contains(most)), "{most:?}");
    }

    post_bodies(ran) {
        ran.prints(&[
            r#""POST" of "application/json": "{\"name\":\"kettle\",\"stock\":7}""#,
            r#""POST" of "application/x-www-form-urlencoded": "name=tea+%26+pot&stock=3""#,
            r#""PUT" of "text/csv": "name,stock\ncosy,1\n""#,
            r#""POST" of "application/json": "{\"order\":1}""#,
            r#""POST" of "application/json": "{\"order\":2}""#,
            r#""POST" of "application/json": "{\"order\":3}""#,
        ]);
    }

    refuse_bodies(ran) {
        ran.prints(&[
            "http://127.0.0.1/html/1: 588 bytes",
            "http://127.0.0.1/bytes/50000000: head (unwanted): application/octet-stream is not wanted",
            "http://127.0.0.1/text/50000000: head (unwanted): 50000000 bytes are too many",
            "http://127.0.0.1/text/500: 500 bytes",
            "… bytes came over the wire",
        ]);
        let bytes = number_after("", &ran.lines()[4]);
        assert!(bytes < 1_000_000, "of 100,000,000: {bytes}");
    }

    retries_with_backoff(ran) {
        ran.prints(&[
            "http://steady.localhost/bytes/1000: 200 OK at attempt 1",
            "http://shaky.localhost/flaky/2: 200 OK at attempt 3",
            "http://down.localhost/status/503: 503 Service Unavailable at attempt 4",
            "http://wrong.localhost/status/404: 404 Not Found at attempt 1",
            "http://rude.localhost/reset/head: reset at attempt 4",
        ]);
    }

    scheduler_by_hand(ran) {
        // Two at once on the one host, 250 ms between two starts on the other.
        assert_eq!(
            ran.sorted(0),
            [
                "0ns: start polite/0",
                "0ns: start quick/0",
                "0ns: start quick/1",
                "100ms: start quick/2",
                "100ms: start quick/3",
                "200ms: start quick/4",
                "200ms: start quick/5",
                "250ms: start polite/1",
                "500ms: start polite/2",
                "done at 600ms",
            ]
        );
    }

    serial(ran) {
        ran.prints(&[
            "http://127.0.0.1/text/1000: 1000 characters over a new connection",
            "http://127.0.0.1/json/3: 231 characters over the same connection",
            "http://127.0.0.1/html/1: 588 characters over the same connection",
        ]);
    }

    socks_proxy(ran) {
        // Once for two requests, and haul asks no name server for either name.
        ran.prints(&[
            "the proxy is asked for shop.internal",
            "http://shop.internal/bytes/1000: 200 OK, 1000 bytes",
            "http://shop.internal/json/3: 200 OK, 231 bytes",
            "the proxy is asked for nowhere.internal",
            "http://nowhere.internal/: connect (unreachable): can't connect to nowhere.internal:…: nowhere.internal:… socks proxy: host unreachable",
        ]);
    }

    stream_to_disk(ran) {
        ran.prints(&[
            "http://127.0.0.1/bytes/30000000: 30000000 bytes in …/haul-download-0",
            "http://127.0.0.1/truncate/chunked: body (truncated): …",
        ]);
        let size = |name: &str| fs::metadata(ran.directory.path().join(name)).ok().map(|file| file.len());
        assert_eq!((size("haul-download-0"), size("haul-download-1")), (Some(30_000_000), None));
    }

    timeouts(ran) {
        ran.prints(&[
            "http://127.0.0.1/bytes/1000: 200 OK",
            "http://127.0.0.1/delay/20s: timeout in phase head",
            "http://127.0.0.1/drip?bytes=10&over=20s: timeout in phase body",
            "http://127.0.0.1/drip?bytes=300&over=30s: total_timeout in phase body",
        ]);
    }

    tower_stack(ran) {
        ran.prints(&[
            r#"http://127.0.0.1/headers: […["x-signed-by","thestack"]…]"#,
            "http://127.0.0.1/delay/10s: request timed out",
        ]);
    }

    urls_from_stream(ran) {
        let records = records(&ran.stdout);
        let found: Vec<_> = records.iter().map(|record| (record["seq"].as_u64(), record["status"].as_u64())).collect();
        let status = |seq, status| (Some(seq), Some(status));
        assert_eq!(found, [status(0, 200), status(1, 200), status(2, 200), status(3, 404)]);
    }
}

#[test]
fn each_example_says_here_what_it_proves() {
    let file = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").path();
    let is_example = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|extension| extension == "rs");
    let name = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut there: Vec<String> =
        fs::read_dir(folder()).expect("readable").map(file).filter(is_example).map(name).collect();
    there.sort_unstable();
    assert_eq!(there, LISTED, "examples/ on the left, the list in this test on the right");
}

#[test]
fn file_to_ndjson_stops_in_good_order() {
    let origin = TestServer::start().expect("a free port");
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("writable");
    let (from, to) = (directory.path().join("urls.txt"), directory.path().join("records.ndjson"));
    let urls: String = (0..5000).map(|n| origin.url(&format!("/delay/200ms?n={n}\n"))).collect();
    fs::write(&from, urls).expect("writable");
    let arguments = [&from, &to].map(|path| path.to_str().expect("UTF-8"));
    let running = Running::start("file_to_ndjson", &arguments);
    running.wait_until(|stderr| stderr.contains(" in flight, "));
    let interrupt = format!("kill -INT {}", running.child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().expect("a shell").success());
    let ran = running.end();
    ran.prints(&["… succeeded, 0 failed, … left; records are in …"]);
    let line = &ran.lines()[0];
    let (succeeded, left) = (number_after("", line), number_after("failed, ", line));
    assert_eq!(succeeded + left, 5000, "every line is accounted for");
    assert!(left > 0, "it was stopped before its end");
    assert_eq!(records(&fs::read_to_string(&to).expect("written")).len() as u64, succeeded);
}

#[test]
fn cookie_jar_logs_in_at_a_server_that_nobody_here_wrote() {
    let Some(httpbin) = Httpbin::start() else { return };
    let urls = ["/cookies", "/cookies/set/session/alice", "/cookies"].map(|path| httpbin.url(path));
    let ran = Running::start("cookie_jar", &urls.each_ref().map(String::as_str)).end();
    ran.prints(&[
        "http://127.0.0.1/cookies: 200 OK, nobody is known",
        "http://127.0.0.1/cookies: 200 OK, alice is known",
        "http://127.0.0.1/cookies: 200 OK, alice is known",
    ]);
}

#[test]
fn socks_proxy_goes_through_one_that_nobody_here_wrote() {
    let microsocks = Server::start("microsocks", |program, _, port| {
        let mut command = Command::new(program);
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        command
    });
    let Some(proxy) = microsocks else { return };
    let origin = TestServer::start().expect("a free port");
    let closed = haul_testsupport::server::free_port();
    let urls = [
        origin.url_on("localhost", "/bytes/1000"),
        origin.url("/json/3"),
        format!("http://localhost:{closed}/"),
        "http://nowhere.invalid/".to_owned(),
    ];
    let proxy = proxy.address.to_string();
    let arguments: Vec<_> = std::iter::once(proxy.as_str()).chain(urls.iter().map(String::as_str)).collect();
    let ran = Running::start("socks_proxy", &arguments).end();
    ran.prints(&[
        "http://localhost/bytes/1000: 200 OK, 1000 bytes",
        "http://127.0.0.1/json/3: 200 OK, 231 bytes",
        "http://localhost/: connect (refused): … socks proxy: connection refused",
        "http://nowhere.invalid/: connect (…",
    ]);
}

/// An example under way, with a directory of its own for temporary files.
struct Running {
    name: String,
    child: Child,
    directory: TempDir,
}

/// What an example printed.
struct Ran {
    stdout: String,
    stderr: String,
    directory: TempDir,
}

impl Running {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("writable");
        let file = |name| File::create(directory.path().join(name)).expect("writable");
        let mut command = Command::new(program(name));
        command.args(arguments).env("TMPDIR", directory.path()).current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), child, directory }
    }

    fn printed(&self, name: &str) -> String {
        let mut text = String::new();
        File::open(self.directory.path().join(name)).expect("there").read_to_string(&mut text).expect("UTF-8");
        text
    }

    /// Waits until it has told so much; fails after a minute.
    fn wait_until(&self, told: impl Fn(&str) -> bool) {
        for _ in 0..3000 {
            if told(&self.printed("stderr")) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("{} told only {:?}", self.name, self.printed("stderr"));
    }

    /// Waits for its end, a minute at the most. It has to be a good one.
    fn end(mut self) -> Ran {
        for _ in 0..3000 {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                let (stdout, stderr) = (self.printed("stdout"), self.printed("stderr"));
                assert!(status.success(), "{}: {status}\n{stdout}{stderr}", self.name);
                return Ran { stdout: without_ports(&stdout), stderr, directory: self.directory };
            }
            sleep(Duration::from_millis(20));
        }
        self.child.kill().expect("it is ours");
        panic!("{} has not ended after a minute: {}{}", self.name, self.printed("stdout"), self.printed("stderr"));
    }
}

impl Ran {
    fn lines(&self) -> Vec<String> {
        self.stdout.lines().map(str::to_owned).collect()
    }

    /// The lines from the one numbered `first` on, sorted.
    fn sorted(&self, first: usize) -> Vec<String> {
        let mut lines = self.lines().split_off(first);
        lines.sort_unstable();
        lines
    }

    /// It printed these lines and no others; `…` stands for anything.
    fn prints(&self, patterns: &[&str]) {
        let lines = self.lines();
        let alike = lines.len() == patterns.len() && lines.iter().zip(patterns).all(|(line, wish)| matches(wish, line));
        assert!(alike, "expected:\n{}\nprinted:\n{}{}", patterns.join("\n"), self.stdout, self.stderr);
    }
}

/// The example's program, as fresh as its source.
fn program(name: &str) -> PathBuf {
    let own = env::current_exe().expect("a path");
    let profile = own.parent().and_then(Path::parent).expect("target/PROFILE/deps");
    let program = profile.join("examples").join(name);
    let written = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let fresh = written(&program) >= written(&folder().join(name).with_extension("rs"));
    assert!(fresh, "{} is missing or stale: run cargo build --examples", program.display());
    program
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Whether `line` is `pattern`, in which `…` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    true
}

/// The ports of its servers are others each time.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("http://");
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (authority, path) = part.split_at(part.find('/').unwrap_or(part.len()));
        without += "http://";
        without += authority.split(':').next().unwrap_or_default();
        without += path;
    }
    without
}

fn number_after(before: &str, line: &str) -> u64 {
    let at = line.find(before).map(|at| at + before.len()).unwrap_or_else(|| panic!("{before:?} in {line:?}"));
    let digits = line[at..].split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

fn records(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}
