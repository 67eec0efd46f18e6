//! `--metrics` from outside: scraped while a run goes on, gone with it, and unharmed by bad clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use haul_testserver::TestServer;
use haul_testsupport::stub::Stub;
use prometheus_parse::{HistogramCount, Scrape, Value};

/// How long a client waits for anything before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that goes on until its input is closed, and where its metrics are.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    address: String,
}

impl Running {
    /// `haul` with these arguments and `--metrics 0`.
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
        command.args(arguments).args(["--metrics", "0"]);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("cargo built it");
        let mut told = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        told.read_line(&mut line).expect("text");
        let address =
            line.strip_prefix("haul: metrics at http://").and_then(|rest| rest.trim_end().strip_suffix("/metrics"));
        let address = address.unwrap_or_else(|| panic!("the first line tells the address: {line}")).to_owned();
        thread::spawn(move || drop(told.read_to_end(&mut Vec::new())));
        let input = child.stdin.take();
        Self { child, input, address }
    }

    fn feed(&mut self, lines: &str) {
        self.input.as_mut().expect("open").write_all(lines.as_bytes()).expect("it reads");
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream
    }

    /// What is answered to this request, a line of which is divided by `|` from the next.
    fn ask(&self, head: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(format!("{}\r\n\r\n", head.replace('|', "\r\n")).as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers and closes");
        answer
    }

    fn scrape(&self) -> Scraped {
        let answer = self.ask(&format!("GET /metrics HTTP/1.1|Host: {}", self.address));
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        Scraped(Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).expect("text"))
    }

    /// Scrapes until a counter has this value.
    fn until(&self, metric: &str, label: &str, value: f64) -> Scraped {
        for _ in 0..600 {
            let scraped = self.scrape();
            if scraped.value(metric, label) == Some(Value::Counter(value)) {
                return scraped;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{metric} {label} never was {value}: {:?}", self.scrape().0.samples);
    }

    /// Scrapes until the times of so many responses are known, or of more.
    fn until_timed(&self, count: f64) -> Scraped {
        for _ in 0..600 {
            let scraped = self.scrape();
            if scraped.timed() >= count {
                return scraped;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("not so many: {count}");
    }

    /// Closes the input and waits for the end; the exit code.
    fn end(mut self) -> Option<i32> {
        self.input = None;
        let code = self.child.wait().expect("our own child").code();
        assert!(TcpStream::connect(&self.address).is_err(), "the server is gone with the run");
        code
    }
}

struct Scraped(Scrape);

impl Scraped {
    /// How many responses took at most so long, for each bound.
    fn durations(&self) -> Vec<HistogramCount> {
        match self.value("haul_request_duration_seconds", "") {
            Some(Value::Histogram(buckets)) => buckets,
            other => panic!("not a histogram: {other:?}"),
        }
    }

    /// All responses whose time is known.
    fn timed(&self) -> f64 {
        self.durations().last().expect("+Inf").count
    }

    /// The value of the first sample that has this label value, or any with "".
    fn value(&self, metric: &str, label: &str) -> Option<Value> {
        let has = |sample: &&prometheus_parse::Sample| {
            sample.metric == metric && (label.is_empty() || sample.labels.values().any(|value| value == label))
        };
        self.0.samples.iter().find(has).map(|sample| sample.value.clone())
    }
}

#[test]
fn a_run_is_scraped_while_it_goes_on() {
    let origin = TestServer::start().expect("free ports");
    let mut run = Running::start(&["get", "-i", "-", "--per-host", "3", "-c", "20", "--retries", "0"]);
    let before = run.scrape();
    assert_eq!(before.value("haul_urls_done_total", "succeeded"), Some(Value::Counter(0.0)));
    assert_eq!(before.value("haul_limit_in_flight", ""), Some(Value::Gauge(20.0)));
    assert_eq!(before.value("haul_limit_host_in_flight", ""), Some(Value::Gauge(3.0)));

    let good: String = (0..40).map(|n| origin.url(&format!("/bytes/100?n={n}")) + "\n").collect();
    run.feed(&good);
    run.feed(&format!("{}\n{}\nno url\n", origin.url("/status/404"), origin.url("/delay/30ms")));
    run.feed("http://127.0.0.1:1/\n");
    run.until("haul_urls_done_total", "failed", 2.0);
    run.until("haul_failures_total", "refused", 1.0);
    let seen = run.until("haul_urls_done_total", "succeeded", 42.0);
    for (metric, label, count) in [
        ("haul_urls_read_total", "", 44.0),
        ("haul_urls_rejected_total", "", 1.0),
        ("haul_responses_total", "2xx", 41.0),
        ("haul_responses_total", "4xx", 1.0),
        ("haul_failures_total", "bad_url", 1.0),
        ("haul_failures_total", "connect", 1.0),
        ("haul_connections_opened_total", "", 3.0),
    ] {
        assert_eq!(seen.value(metric, label), Some(Value::Counter(count)), "{metric} {label}");
    }
    assert_eq!(seen.value("haul_in_flight", ""), Some(Value::Gauge(0.0)));
    // Records go to the output a moment after they are counted.
    run.until_timed(42.0);
    assert!(seen.0.samples.len() < 100, "few series: {}", seen.0.samples.len());
    assert_eq!(run.end(), Some(1));
}

#[test]
fn a_load_is_scraped_too() {
    let origin = TestServer::start().expect("free ports");
    let run = Running::start(&["bench", &origin.url("/bytes/10"), "-n", "2000000", "-d", "60s", "-c", "4"]);
    let first = run.scrape();
    let second = run.scrape();
    let count = |scraped: &Scraped| match scraped.value("haul_responses_total", "2xx") {
        Some(Value::Counter(count)) => count,
        other => panic!("not a counter: {other:?}"),
    };
    assert!(count(&second) >= count(&first));
    assert_eq!(second.value("haul_limit_in_flight", ""), Some(Value::Gauge(4.0)));
    let stopped = Command::new("kill").args(["-INT", &run.child.id().to_string()]).status().expect("kill is there");
    assert!(stopped.success());
    assert_eq!(run.end(), Some(130));
}

#[test]
fn the_counters_of_a_search_go_on_from_rate_to_rate() {
    let origin = TestServer::start().expect("free ports");
    let url = origin.url("/bytes/10");
    let flags = ["--find-max", "--p99", "10s", "--rate", "50/s", "--step", "400ms", "--warm-up", "0s", "-d", "3s"];
    let run = Running::start(&[&["bench", &url][..], &flags].concat());
    let responses = || match run.scrape().value("haul_responses_total", "2xx") {
        Some(Value::Counter(count)) => count,
        other => panic!("not a counter: {other:?}"),
    };
    // 20 requests at the first rate, 40 and 80 at the next ones.
    let mut last = 0.0;
    while last < 140.0 {
        let now = responses();
        assert!(now >= last, "{last}, then {now}");
        last = now;
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(run.end(), Some(0));
}

#[test]
fn a_port_in_use_is_told_before_anything_is_sent_or_emptied() {
    let origin = TestServer::start().expect("free ports");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = directory.path().join("records");
    std::fs::write(&output, "precious").expect("ours");
    for arguments in [
        &["get", &origin.url("/bytes/1"), "-o", output.to_str().expect("plain"), "--metrics", &port][..],
        &["bench", &origin.url("/bytes/1"), "-n", "1", "--metrics", &port],
    ] {
        let ran = Command::new(env!("CARGO_BIN_EXE_haul")).args(arguments).output().expect("it runs");
        let told = String::from_utf8(ran.stderr).expect("text");
        assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{told}");
        assert!(told.contains(&format!("can't serve --metrics on 127.0.0.1:{port}")), "{told}");
    }
    assert_eq!(std::fs::read_to_string(&output).expect("there"), "precious");
    assert_eq!(origin.stats().requests, 0);
}

#[test]
fn only_metrics_and_only_under_a_local_name() {
    let run = Running::start(&["get", "-i", "-"]);
    let host = format!("Host: {}", run.address);
    for (request, status) in [
        (format!("HEAD /metrics HTTP/1.1|{host}"), 200),
        ("GET /metrics HTTP/1.1|Host: localhost:80".to_owned(), 200),
        ("GET /metrics HTTP/1.0|Host: [::1]".to_owned(), 200),
        (format!("GET / HTTP/1.1|{host}"), 404),
        (format!("POST /metrics HTTP/1.1|{host}|Content-Length: 0"), 405),
        ("GET /metrics HTTP/1.1|Host: rebound.example".to_owned(), 421),
        ("GET /metrics HTTP/1.0".to_owned(), 421),
        ("this is no HTTP".to_owned(), 400),
        (format!("GET /metrics HTTP/1.1|{host}|X: {}", "x".repeat(40_000)), 431),
    ] {
        let answer = run.ask(&request);
        assert!(answer.split(' ').nth(1) == Some(&status.to_string()), "{request:.80}: {answer}");
        assert_eq!(answer.contains("haul_urls_read_total"), status == 200 && !request.starts_with("HEAD"), "{answer}");
    }
    let open = run.ask(&format!("GET /metrics HTTP/1.1|{host}|Accept: application/openmetrics-text; version=1.0.0"));
    assert!(open.contains("content-type: application/openmetrics-text") && open.ends_with("# EOF\n"), "{open}");
    assert_eq!(run.end(), Some(0));
}

#[test]
fn clients_that_hang_hold_up_neither_scrapes_for_long_nor_the_run() {
    let origin = TestServer::start().expect("free ports");
    let mut run = Running::start(&["get", "-i", "-"]);
    let mut hanging: Vec<_> = (0..20).map(|_| run.connect()).collect();
    for stream in &mut hanging {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHo").expect("the system takes it");
    }
    run.feed(&format!("{}\n", origin.url("/bytes/1")));
    // Sixteen are served at once, and given up after a while; this waits its turn.
    run.until("haul_urls_done_total", "succeeded", 1.0);
    // Many hang when the run ends.
    let _more: Vec<_> = (0..20).map(|_| run.connect()).collect();
    assert_eq!(run.end(), Some(0));
    drop(hanging);
}

#[test]
fn an_open_loop_counts_from_when_requests_were_due_wherever_it_is_watched() {
    let page = tempfile::NamedTempFile::new().expect("a temporary file");
    let path = page.path().to_str().expect("a plain path");
    let url = Stub::that_stalls_once(200).url();
    // 200 of 1,200 requests are due in the second of the stall. Four of them are sent in it, the others after it.
    let run = Running::start(&["bench", &url, "--rate", "200/s", "-d", "6s", "-c", "4", "--report", path]);
    let scraped = run.until_timed(600.0);
    let within = scraped.durations().into_iter().find(|bucket| bucket.less_than == 0.5).expect("a bound").count;
    let longer = scraped.timed() - within;
    assert!(longer > 50.0, "half of the 200 took longer than half a second, not {longer} of them");
    assert_eq!(run.end(), Some(0));
    let page = std::fs::read_to_string(page.path()).expect("text");
    let p99 = page.split_once("</dd><dt>latency, p99").and_then(|(before, _)| before.rsplit_once("<dd>"));
    let (_, p99) = p99.expect("it is told");
    let millis = match p99.split_once(' ') {
        Some((number, "ms")) => number.parse::<f64>().expect("a number"),
        Some((number, "s")) => number.parse::<f64>().expect("a number") * 1e3,
        _ => 0.0,
    };
    assert!(millis > 800.0, "{p99}");
    assert!(page.contains("latencies count from when a request was due"), "the page says what they are");
}
