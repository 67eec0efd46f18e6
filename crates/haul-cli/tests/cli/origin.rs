//! The embedded origin from outside: over sockets, with `haul get`, and as a command of its own.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use haul_testserver::{TestServer, TestServerSettings};
use haul_testsupport::haul::{get, get_lines};
use haul_testsupport::record::{body, json};
use serde_json::Value;

fn start() -> TestServer {
    TestServer::start().expect("two free ports")
}

fn connect(origin: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(origin.addr()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("not zero");
    stream
}

/// Sends a request and reads until the connection ends, however it does.
fn exchange(origin: &TestServer, request: &str) -> (Vec<u8>, Result<usize, ErrorKind>) {
    let mut stream = connect(origin);
    stream.write_all(request.as_bytes()).expect("sent");
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received).map_err(|error| error.kind());
    (received, end)
}

/// The response to a request that closes the connection.
fn response(origin: &TestServer, first_line: &str, more: &str) -> String {
    let request = format!("{first_line} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{more}");
    let (received, end) = exchange(origin, &request);
    assert!(end.is_ok(), "{first_line}: {end:?}");
    String::from_utf8(received).expect("text")
}

fn status(response: &str) -> &str {
    response.split(' ').nth(1).expect("a status line")
}

/// The value of a header.
fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next().expect("a head");
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.clone().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A path, and what a record must say of it: the status, and how long the decoded body is.
const ANSWERS: [(&str, u16, Option<u64>); 27] = [
    ("/", 200, None),
    ("/bytes/0", 200, Some(0)),
    ("/bytes/1024", 200, Some(1024)),
    ("/bytes/1000000", 200, Some(1_000_000)),
    ("/text/100", 200, Some(100)),
    ("/chunked/0", 200, Some(0)),
    ("/chunked/100000", 200, Some(100_000)),
    ("/gzip/5000", 200, Some(5000)),
    ("/br/5000", 200, Some(5000)),
    ("/zstd/5000", 200, Some(5000)),
    ("/deflate/5000", 200, Some(5000)),
    ("/json/10", 200, None),
    ("/html/7", 200, None),
    ("/echo", 200, None),
    ("/headers", 200, None),
    ("/status/404", 404, None),
    ("/status/204", 204, Some(0)),
    ("/status/304", 304, Some(0)),
    ("/delay/1ms", 200, None),
    ("/redirect/3", 200, None),
    ("/redirect-to?url=/bytes/3", 200, Some(3)),
    ("/limited", 200, None),
    ("/flaky/0", 200, None),
    ("/drip?bytes=10&over=50ms", 200, Some(10)),
    ("/bytes/3?status=418", 418, Some(3)),
    ("/nowhere", 404, None),
    ("/bytes/many", 400, None),
];

/// Asks for every path, and compares the records with what they must say.
fn every_path(origin: &TestServer, host: &str, arguments: &[&str], version: &str) {
    let tls = arguments.contains(&"--cacert");
    let urls = ANSWERS.map(|(path, ..)| if tls { origin.https_url_on(host, path) } else { origin.url_on(host, path) });
    let mut all = vec!["--order", "input", "--body", "base64", "--retries", "0"];
    all.extend_from_slice(arguments);
    let run = get_lines(urls, &all);
    assert_eq!((run.records.len(), run.code), (ANSWERS.len(), Some(0)), "{}", run.stderr);
    for (record, (path, status, length)) in run.records.iter().zip(ANSWERS) {
        assert_eq!((&record["status"], &record["version"]), (&status.into(), &version.into()), "{path}: {record}");
        if let Some(length) = length {
            assert_eq!(record["body_bytes"], length, "{path}");
        }
    }
}

#[test]
fn every_path_answers_over_http1() {
    every_path(&start(), "127.0.0.1", &[], "HTTP/1.1");
}

#[test]
fn every_path_answers_over_http2_with_prior_knowledge() {
    every_path(&start(), "127.0.0.1", &["--http2-prior-knowledge"], "HTTP/2");
}

#[test]
fn every_path_answers_over_tls_by_alpn() {
    let origin = start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("ca.pem");
    fs::write(&file, origin.ca_pem()).expect("written");
    let file = file.to_str().expect("a plain path");
    every_path(&origin, "127.0.0.1", &["--cacert", file], "HTTP/2");
    every_path(&origin, "h1.localhost", &["--cacert", file, "--http1.1"], "HTTP/1.1");
    // Names that could be somebody's get no certificate.
    let resolve = format!("example.com:{}:127.0.0.1", origin.tls_addr().port());
    let run = get(&["--cacert", file, "--resolve", &resolve, &origin.https_url_on("example.com", "/")]);
    assert_eq!(run.only()["error"]["phase"], "tls", "{run:?}");
}

#[test]
fn codings_hold_the_same_text() {
    let origin = start();
    let paths = ["text", "gzip", "br", "zstd", "deflate"].map(|name| origin.url(&format!("/{name}/100000")));
    let run = get_lines(paths, &["--digest", "--headers"]);
    run.all_have(200);
    for record in &run.records {
        assert_eq!(record["body_sha256"], run.records[0]["body_sha256"], "{record}");
        let coded = !record["url"].as_str().expect("a URL").contains("/text/");
        assert_eq!(coded, record["wire_bytes"].as_u64() < Some(60_000), "{record}");
    }
}

#[test]
fn json_and_pages_can_be_parsed() {
    let origin = start();
    let list = get(&["--body", "text", &origin.url("/json/3")]);
    let items = json(list.only());
    assert_eq!(items.as_array().map(Vec::len), Some(3));
    assert!(items[2]["id"] == 2 && items[2]["name"].is_string() && items[2]["price"].is_f64(), "{items}");
    let page = get(&["--body", "text", &origin.url("/html/3")]);
    assert!(body(page.only()).contains("<title>Page 3</title>"));
}

#[test]
fn the_echo_says_what_arrived() {
    let origin = start();
    let url = origin.url_on("A.localhost", "/echo?x=1");
    let run = get(&["--body", "text", "-X", "PUT", "-d", "some text", "-H", "X-A: b", &url]);
    let echo = json(run.only());
    let expected = [("method", "PUT"), ("target", "/echo?x=1"), ("host", "a.localhost"), ("version", "HTTP/1.1")];
    for (name, value) in expected {
        assert_eq!(echo[name], value, "{echo}");
    }
    assert_eq!((&echo["body"], &echo["body_bytes"], &echo["tls"]), (&"some text".into(), &9.into(), &false.into()));
    assert!(echo["headers"].as_array().expect("a list").contains(&serde_json::json!(["x-a", "b"])), "{echo}");
    let binary = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
    let mut stream = connect(&origin);
    stream.write_all(&[binary.as_bytes(), b"\xff\xfe"].concat()).expect("sent");
    let mut received = String::new();
    stream.read_to_string(&mut received).expect("text");
    assert!(received.contains(r#""body":null,"body_base64":"//4=","body_bytes":2"#), "{received}");
}

#[test]
fn heads_are_told_their_length_and_get_no_body() {
    let origin = start();
    let head = response(&origin, "HEAD /bytes/1024", "\r\n");
    assert_eq!((status(&head), header(&head, "content-length")), ("200", Some("1024")));
    assert!(head.ends_with("\r\n\r\n"));
    let url = origin.url("/bytes/1024");
    let run = get(&["-X", "HEAD", "--http2-prior-knowledge", "--headers", &url]);
    let length = serde_json::json!(["content-length", "1024"]);
    assert!(run.only()["headers"].as_array().expect("a list").contains(&length), "{run:?}");
}

#[test]
fn a_request_s_body_has_a_cap_and_is_read_to_its_end() {
    let origin = start();
    let beyond = "content-length: 1048577\r\n\r\n".to_owned() + &"x".repeat(1 << 20) + "x";
    // The server may close before it has read everything; what matters is what it said.
    let (received, _) = exchange(&origin, &format!("POST /echo HTTP/1.1\r\nhost: a\r\n{beyond}"));
    let refused = String::from_utf8_lossy(&received);
    assert_eq!((status(&refused), header(&refused, "connection")), ("413", Some("close")));
    let post = format!("POST /status/200 HTTP/1.1\r\nhost: a\r\ncontent-length: 300000\r\n\r\n{}", "x".repeat(300_000));
    let last = "GET /bytes/0 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let (received, end) = exchange(&origin, &(post + last));
    assert_eq!(String::from_utf8_lossy(&received).matches("HTTP/1.1 200 OK").count(), 2, "{end:?}");
}

#[test]
fn queries_add_a_status_headers_and_a_delay() {
    let origin = start();
    let added = response(&origin, "GET /text/5?status=500&header=x-a:b&header=retry-after:7&delay=1ms", "\r\n");
    assert_eq!((status(&added), header(&added, "x-a"), header(&added, "retry-after")), ("500", Some("b"), Some("7")));
    assert_eq!(header(&added, "content-length"), Some("5"));
    let slow = get(&[&origin.url("/bytes/1?delay=150ms")]);
    assert!(slow.only()["timings_us"]["first_byte"].as_u64() >= Some(150_000), "{slow:?}");
}

#[test]
fn bad_values_are_answered_with_how_to_write_them() {
    let origin = start();
    for (path, part) in [
        ("/bytes/many", "write it like /bytes/1024"),
        ("/delay/1h", "250ms"),
        ("/reset/tail", "head, body and connection"),
        ("/json/1?status=9", "status: '9' is not a status from 200 to 599"),
        ("/redirect-to", "write it like /redirect-to?url="),
    ] {
        let refused = response(&origin, &format!("GET {path}"), "\r\n");
        assert_eq!(status(&refused), "400", "{path}");
        assert!(refused.contains(part), "{path}: {refused}");
    }
    let proxied = response(&origin, "CONNECT example.com:443", "\r\n");
    assert_eq!(status(&proxied), "501");
    let asterisk = response(&origin, "OPTIONS *", "\r\n");
    assert_eq!(status(&asterisk), "404");
}

#[test]
fn limits_are_each_host_s_own() {
    let origin = start();
    let ask = |host: &str| {
        let request = format!("GET /limited?rate=0.001&burst=2 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let (received, _) = exchange(&origin, &request);
        String::from_utf8(received).expect("text")
    };
    assert_eq!([status(&ask("a.test")), status(&ask("a.test"))], ["200", "200"]);
    let refused = ask("A.test:80");
    assert_eq!(status(&refused), "429");
    let seconds: u64 = header(&refused, "retry-after").expect("there").parse().expect("whole seconds");
    assert!((900..=1000).contains(&seconds), "{seconds}");
    assert_eq!(status(&ask("b.test")), "200");
}

#[test]
fn a_flaky_url_recovers() {
    let origin = start();
    let ask = |path: &str| status(&response(&origin, &format!("GET {path}"), "\r\n")).to_owned();
    assert_eq!(["/flaky/2?a", "/flaky/2?a", "/flaky/2?a", "/flaky/2?b"].map(ask), ["503", "503", "200", "503"]);
}

#[test]
fn resets_and_cuts_are_what_they_say() {
    let origin = start();
    let ends = |path: &str| {
        let (received, end) = exchange(&origin, &format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        (received.split(|byte| *byte == b'\r').next().is_some_and(|line| line == b"HTTP/1.1 200 OK"), end.err())
    };
    assert_eq!(ends("/reset/head"), (false, Some(ErrorKind::ConnectionReset)));
    assert_eq!(ends("/reset/connection"), (false, Some(ErrorKind::ConnectionReset)));
    assert_eq!(ends("/reset/body"), (true, Some(ErrorKind::ConnectionReset)));
    assert_eq!(ends("/truncate/length"), (true, None));
    assert_eq!(ends("/truncate/chunked"), (true, None));
}

#[test]
fn clients_see_resets_and_cuts_as_failures_of_their_kind() {
    let origin = start();
    for (path, phase, http1, http2) in [
        ("/reset/head", "head", "reset", "reset"),
        ("/reset/connection", "head", "reset", "reset"),
        ("/reset/body", "body", "reset", "reset"),
        ("/truncate/length", "body", "truncated", "malformed"),
        ("/truncate/chunked", "body", "truncated", "reset"),
    ] {
        let url = origin.url(path);
        get(&["--retries", "0", &url]).failed_in(phase, http1);
        get(&["--retries", "0", "--http2-prior-knowledge", &url]).failed_in(phase, http2);
    }
}

#[test]
fn over_http2_a_reset_of_a_stream_spares_the_others() {
    let origin = start();
    let urls = ["/reset/head", "/bytes/1", "/reset/body", "/bytes/2"].map(|path| origin.url(path));
    let run = get_lines(urls, &["--retries", "0", "--http2-prior-knowledge", "--order", "input"]);
    let statuses: Vec<_> = run.records.iter().map(|record| record["status"].as_u64()).collect();
    assert_eq!(statuses, [None, Some(200), None, Some(200)]);
    assert_eq!(origin.stats().connections, 1);
}

#[test]
fn hosts_have_their_manners() {
    let origin = start();
    let slow = get(&[&origin.url_on("slow.h1.localhost", "/bytes/1")]);
    assert!(slow.only()["timings_us"]["first_byte"].as_u64() >= Some(200_000), "{slow:?}");
    // Far more than the bucket holds, in one write: to be refused nothing, they would have to take four seconds.
    let many = "GET /bytes/0 HTTP/1.1\r\nhost: limited.h1.test\r\n\r\n".repeat(99);
    let last = "GET /bytes/0 HTTP/1.1\r\nhost: limited.h1.test\r\nconnection: close\r\n\r\n";
    let (received, _) = exchange(&origin, &(many + last));
    let text = String::from_utf8(received).expect("text");
    assert!(text.matches("HTTP/1.1 200").count() >= 20 && text.contains("HTTP/1.1 429"), "{text}");
    assert!(text.contains("retry-after: 1\r\n"));
    let outcomes: Vec<String> = (0..200)
        .map(|_| {
            let request = "GET /bytes/0 HTTP/1.1\r\nhost: failing.h1.test\r\nconnection: close\r\n\r\n";
            match exchange(&origin, request) {
                (_, Err(kind)) => kind.to_string(),
                (received, Ok(_)) => status(&String::from_utf8_lossy(&received)).to_owned(),
            }
        })
        .collect();
    for outcome in ["200", "500", "503", &ErrorKind::ConnectionReset.to_string()] {
        assert!(outcomes.iter().any(|other| other == outcome), "{outcome}: {outcomes:?}");
    }
}

#[test]
fn the_server_counts_what_it_served() {
    let origin = start();
    let urls = (0..12).map(|n| origin.url_on("h1.localhost", &format!("/delay/50ms?n={n}")));
    let urls = urls.chain([origin.url_on("h2.localhost", "/nowhere")]);
    get_lines(urls, &["--per-host", "3"]);
    let stats = origin.stats();
    assert_eq!((stats.requests, stats.by_path["/delay"], stats.by_path["other"], stats.in_flight), (13, 12, 1, 0));
    assert!((2..=4).contains(&stats.connections) && (1..=4).contains(&stats.most_in_flight), "{stats:?}");
    let hosts = origin.hosts();
    assert_eq!(hosts.keys().collect::<Vec<_>>(), ["h1.localhost", "h2.localhost"]);
    assert_eq!((hosts["h1.localhost"].requests, hosts["h2.localhost"].most_in_flight), (12, 1));
    assert!((1..=3).contains(&hosts["h1.localhost"].most_in_flight), "{hosts:?}");
}

#[test]
fn a_body_that_is_still_being_sent_counts_as_in_flight() {
    let origin = start();
    let mut stream = connect(&origin);
    stream.write_all(b"GET /drip?bytes=2&over=60s HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("the head comes at once");
    assert_eq!((origin.stats().in_flight, origin.stats().open_connections), (1, 1));
}

#[test]
fn dropping_it_closes_everything() {
    // An address of its own: on a shared one, another test might take the port at once.
    let address = IpAddr::V4(Ipv4Addr::new(127, 9, 9, 9));
    let settings =
        TestServerSettings { address, threads: NonZeroUsize::new(2).expect("two"), ..TestServerSettings::default() };
    let origin = TestServer::start_with(&settings).expect("two free ports");
    let (address, tls_address) = (origin.addr(), origin.tls_addr());
    let mut waiting = connect(&origin);
    waiting.write_all(b"GET /delay/60s HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
    let mut idle = connect(&origin);
    idle.write_all(b"GET /bytes/0 HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
    idle.read_exact(&mut [0; 12]).expect("answered");
    drop(origin);
    for mut stream in [waiting, idle] {
        // An end or a reset, but no time-out.
        if let Err(error) = stream.read_to_end(&mut Vec::new()) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
    for address in [address, tls_address] {
        let refused = TcpStream::connect(address).map(drop).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn threads_share_the_connections() {
    let settings =
        TestServerSettings { threads: NonZeroUsize::new(3).expect("three"), ..TestServerSettings::default() };
    let origin = TestServer::start_with(&settings).expect("two free ports");
    let urls = (0..30).map(|n| origin.url_on(&format!("h{n}.localhost"), "/bytes/100"));
    get_lines(urls, &["--no-reuse"]).all_have(200);
    assert_eq!((origin.stats().requests, origin.stats().connections), (30, 30));
}

#[test]
fn it_listens_where_it_may_and_nowhere_else() {
    let exposed = TestServerSettings { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..TestServerSettings::default() };
    let refused = TestServer::start_with(&exposed).expect_err("not a loopback address");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert!(refused.to_string().contains("listen on 127.0.0.1"), "{refused}");
    let origin = start();
    assert!(origin.addr().ip().is_loopback() && origin.tls_addr().ip().is_loopback());
    let taken = TestServerSettings { port: origin.addr().port(), ..TestServerSettings::default() };
    let refused = TestServer::start_with(&taken).expect_err("the port is taken");
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    assert!(refused.to_string().contains(&origin.addr().to_string()), "{refused}");
}

/// `haul origin` on free ports, and the first `lines` lines of its standard output.
fn command(arguments: &[&str], lines: usize) -> (Child, Vec<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_haul"))
        .args(["origin", "--port", "0", "--tls-port", "0"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo built it");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let lines = out.lines().take(lines).map(|line| line.expect("text")).collect();
    (child, lines)
}

/// Interrupts it, and returns its exit code and what it said on standard error.
fn interrupted(child: Child) -> (Option<i32>, String) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn the_command_tells_where_it_serves_and_ends_at_an_interrupt() {
    let (child, lines) = command(&[], 3);
    let value = |name: &str| {
        let line = lines.iter().find_map(|line| line.split_once(' ').filter(|(key, _)| *key == name));
        line.unwrap_or_else(|| panic!("{name}: {lines:?}")).1.trim()
    };
    let ca_file = value("ca_file");
    let (http, https) = (format!("{}bytes/1", value("http")), format!("{}bytes/2", value("https")));
    get(&["--cacert", ca_file, &http, &https]).all_have(200);
    let (code, told) = interrupted(child);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("2 requests over 2 connections"), "{told}");
    assert!(!fs::exists(ca_file).expect("readable"), "the temporary file is gone");
}

#[test]
fn the_command_can_be_quiet_and_speak_json() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("ca.pem");
    let (child, lines) = command(&["--json", "--quiet", "--ca-file", file.to_str().expect("a plain path")], 1);
    let told: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(told["ca_file"], file.to_str().expect("a plain path"));
    get(&[&format!("{}status/200", told["http"].as_str().expect("a URL"))]).all_have(200);
    assert_eq!(interrupted(child), (Some(0), String::new()));
    assert!(fs::read_to_string(&file).expect("it stays").contains("BEGIN CERTIFICATE"));
}

#[test]
fn the_command_says_how_to_mend_what_it_was_told() {
    let origin = start();
    let port = origin.addr().port().to_string();
    for (arguments, part) in [
        (&["--port", &port][..], "--tls-port"),
        (&["--port", "0", "--tls-port", "0", "--listen", "0.0.0.0"], "--expose"),
        (&["--port", "0", "--tls-port", "0", "--ca-file", "/no/such/directory/ca.pem"], "/no/such/directory"),
        (&["--port", "99999"], "99999"),
        (&["--threads", "0"], "--threads"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_haul")).arg("origin").args(arguments).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}: {told}");
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
}

#[test]
fn the_command_s_help_lists_every_path() {
    let output = Command::new(env!("CARGO_BIN_EXE_haul")).args(["origin", "--help"]).output().expect("runs");
    let help = String::from_utf8(output.stdout).expect("text");
    assert!(help.contains(&haul_testserver::guide()) && help.contains("Examples:"), "{help}");
}
