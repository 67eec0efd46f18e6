//! What `-v`, `-vv` and `-vvv` log, in text and as JSON. docs/reference/LOGS.md has the events; a test here compares it with real runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::slice;
use std::time::Duration;

use haul_testserver::TestServer;
use serde_json::Value;

/// What a command said on standard error.
fn haul(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.args(arguments).stdin(Stdio::null()).output().expect("the command runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A port that refuses connections.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

/// URLs that do most of what can be logged.
struct Urls {
    redirected: String,
    flaky: String,
    refusing: String,
    reset: String,
    looping: String,
    over_tls: String,
    closed: String,
    all: Vec<String>,
}

impl Urls {
    fn of(origin: &TestServer) -> Self {
        let on = |host: &str, path: &str| format!("http://{host}.localhost:{}{path}", origin.addr().port());
        let (redirected, flaky) = (on("me:hunter2@a", "/redirect/1"), on("flaky", "/flaky/1?n=1"));
        let refusing = on("refusing", "/status/503?header=retry-after:1");
        let (reset, looping) = (on("reset", "/reset/body"), on("loop", "/redirect/30"));
        let (over_tls, closed) = (origin.https_url("/json/3"), format!("http://127.0.0.1:{}/", closed_port()));
        let all = [&redirected, &flaky, &refusing, &reset, &looping, &over_tls, &closed].map(Clone::clone).into();
        Self { redirected: on("a", "/redirect/1"), flaky, refusing, reset, looping, over_tls, closed, all }
    }
}

/// The events of a run over `urls` at this level.
fn events(origin: &TestServer, urls: &[String], flags: &[&str]) -> Vec<Value> {
    let retries: &[&str] = if flags.contains(&"--retries") { &[] } else { &["--retries", "1"] };
    let cacert = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(cacert.path(), origin.ca_pem()).expect("ours");
    let cacert = cacert.path().display().to_string();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let common = ["get", "--log-format", "json", "--summary", "none", "--cacert", &cacert];
    let output = haul(&[&common[..], retries, flags, &urls].concat());
    stderr(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

/// The messages that are logged of a URL or origin.
fn messages<'a>(events: &'a [Value], url: &str) -> Vec<&'a str> {
    events.iter().filter(|event| event["url"] == url).map(|event| text(event, "message")).collect()
}

fn one<'a>(events: &'a [Value], url: &str, message: &str) -> &'a Value {
    let found = events.iter().find(|event| event["url"] == url && event["message"] == message);
    found.unwrap_or_else(|| panic!("no '{message}' of {url} in {events:#?}"))
}

fn origin_of(url: &str) -> &str {
    let path = url.match_indices('/').nth(2).expect("a path").0;
    &url[..path]
}

#[test]
fn each_level_shows_what_it_names_with_the_url() {
    let origin = TestServer::start().expect("free ports");
    let urls = Urls::of(&origin);
    let levels = |events: &[Value]| events.iter().map(|event| text(event, "level").to_owned()).collect::<BTreeSet<_>>();

    assert!(events(&origin, &urls.all, &[]).is_empty(), "nothing is logged unasked");

    let info = events(&origin, &urls.all, &["-v"]);
    assert_eq!(levels(&info), BTreeSet::from(["INFO".into()]), "{info:#?}");
    let failed = one(&info, &urls.closed, "failed");
    assert_eq!((text(failed, "phase"), text(failed, "kind"), &failed["attempts"]), ("connect", "refused", &2.into()));
    assert_eq!(text(failed, "gave_up"), "retries_used");
    let refused_redirect = events_of_last_hop(&info, &urls.looping);
    assert_eq!((text(refused_redirect, "message"), text(refused_redirect, "kind")), ("failed", "redirect_limit"));
    assert_eq!(one(&info, &urls.refusing, "not tried again")["status"], 503);
    let paused = one(&info, origin_of(&urls.refusing), "host paused");
    assert!(paused["for_ms"].as_f64().is_some_and(|ms| (500.0..=1000.0).contains(&ms)), "{paused}");
    assert!(text(paused, "cause").contains("503"), "{paused}");

    // It fails once, and did so above.
    let flaky = urls.flaky.replace("n=1", "n=2");
    let debug = events(&origin, &[&urls.all[..], slice::from_ref(&flaky)].concat(), &["-vv"]);
    assert_eq!(levels(&debug), BTreeSet::from(["INFO".into(), "DEBUG".into()]), "{debug:#?}");
    let redirect = one(&debug, &urls.redirected, "redirect");
    assert_eq!((&redirect["status"], &redirect["hop"]), (&302.into(), &1.into()), "{redirect}");
    assert!(text(redirect, "to").ends_with("/redirect/0"), "{redirect}");
    let retry = one(&debug, &urls.refusing, "retry");
    assert!(retry["wait_ms"].as_f64().is_some_and(|ms| ms >= 500.0), "{retry}");
    assert_eq!(text(retry, "cause"), "status 503");
    assert_eq!(messages(&debug, &flaky), ["retry"]);
    let closed = one(&debug, origin_of(&urls.reset), "connection closed");
    assert_eq!(text(closed, "reason"), "failed");
    let opened = one(&debug, origin_of(&urls.over_tls), "connection opened");
    assert_eq!(text(opened, "protocol"), "HTTP/2");
    assert!(opened["tls_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{opened}");
    let of_one: Vec<_> = debug.iter().filter(|event| event["connection"] == opened["connection"]).collect();
    assert_eq!(of_one.len(), 2, "opened and closed: {of_one:#?}");
    assert_eq!(text(of_one[1], "reason"), "shutdown");

    let trace = events(&origin, &urls.all, &["-vvv"]);
    assert_eq!(levels(&trace), BTreeSet::from(["INFO".into(), "DEBUG".into(), "TRACE".into()]), "{trace:#?}");
    let (request, response) = (one(&trace, &urls.over_tls, "request"), one(&trace, &urls.over_tls, "response"));
    assert_eq!((text(request, "method"), &request["attempt"]), ("GET", &1.into()));
    assert_eq!((&response["status"], text(response, "version")), (&200.into(), "HTTP/2.0"));
    assert_eq!(response["connection"], request["connection"]);
    assert_eq!((&response["reused"], text(response, "remote")), (&false.into(), &*origin.tls_addr().to_string()));
    assert!(response["total_ms"].as_f64() >= response["first_byte_ms"].as_f64(), "{response}");
    let second = urls.redirected.replace("/redirect/1", "/redirect/0");
    assert_eq!(one(&trace, &second, "response")["reused"], true, "the redirect's connection is used again");
}

/// The end of a chain of redirects, at whatever URL it came.
fn events_of_last_hop<'a>(events: &'a [Value], first: &str) -> &'a Value {
    let of_host = |event: &&Value| text(event, "url").starts_with(origin_of(first)) && event["message"] == "failed";
    events.iter().find(of_host).unwrap_or_else(|| panic!("no end of {first} in {events:#?}"))
}

/// The table of docs/reference/LOGS.md: level, target and fields by message; whether the field must be there.
fn documented() -> BTreeMap<String, (String, String, BTreeMap<String, bool>)> {
    let page = include_str!("../../../../docs/reference/LOGS.md");
    let rows = page
        .lines()
        .filter(|line| ["info", "debug", "trace"].iter().any(|level| line.starts_with(&format!("| {level} | "))));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let fields = cells[3].split('`').skip(1).step_by(2);
        let fields = fields.map(|field| (field.trim_end_matches('?').to_owned(), !field.ends_with('?'))).collect();
        (cells[2].to_owned(), (cells[0].trim_start_matches("| ").to_uppercase(), format!("haul::{}", cells[1]), fields))
    })
    .collect()
}

#[test]
fn the_page_has_every_event_with_its_fields() {
    let origin = TestServer::start().expect("free ports");
    let urls = Urls::of(&origin);
    let page = documented();
    let mut all = urls.all;
    all.extend(["no URL".to_owned(), "http://no-such-name.invalid/".to_owned()]);
    let mut seen = BTreeSet::new();
    for event in events(&origin, &all, &["-vvv"]) {
        let (level, target, fields) =
            page.get(text(&event, "message")).unwrap_or_else(|| panic!("not on the page: {event}"));
        seen.insert(text(&event, "message").to_owned());
        assert_eq!((text(&event, "level"), text(&event, "target")), (&**level, &**target), "{event}");
        let own = ["timestamp", "level", "message", "target"];
        let has: BTreeSet<_> =
            event.as_object().expect("an object").keys().filter(|key| !own.contains(&&***key)).collect();
        let unknown: Vec<_> = has.iter().filter(|field| !fields.contains_key(**field)).collect();
        let missing: Vec<_> = fields.iter().filter(|(field, must)| **must && !has.contains(field)).collect();
        assert!(unknown.is_empty() && missing.is_empty(), "unknown {unknown:?}, missing {missing:?}: {event}");
    }
    assert!(seen.len() >= 14, "{seen:?}");
}

#[test]
fn text_has_one_line_for_each_event_and_no_stranger_breaks_it() {
    let origin = TestServer::start().expect("free ports");
    let hostile = "no\u{1b}[2Jurl\u{202e}\u{9b}1m";
    let output = haul(&["get", "-vvv", "--summary", "none", &origin.url("/redirect/1"), hostile]);
    let told = stderr(&output);
    assert!(told.lines().count() >= 6, "{told}");
    let opened = told.lines().find(|line| line.contains("connection opened")).expect("a connection");
    assert!(opened.contains(" protocol=HTTP/1.1 "), "words stand without quotes: {opened}");
    for line in told.lines() {
        let (stamp, rest) = line.split_once(' ').expect("a time first");
        assert!(stamp.len() == 27 && stamp.ends_with('Z'), "{line}");
        assert!(["INFO", "DEBUG", "TRACE"].iter().any(|level| rest.trim_start().starts_with(level)), "{line}");
        assert!(line.contains(" url="), "{line}");
        assert!(!line.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{line:?}");
    }
}

#[test]
fn credentials_are_in_no_line() {
    let origin = TestServer::start().expect("free ports");
    let url = origin.url("/redirect/1").replacen("://", "://me:hunter2@", 1);
    let secrets = ["-u", "me:hunter2", "-H", "Cookie: a=hunter2", "-H", "X-Api-Key: hunter2"];
    let bad = "http://me:hunter2@[nonsense/";
    for form in ["text", "json"] {
        let output = haul(&[&["get", "-vvv", "--log-format", form][..], &secrets, &[&url, bad]].concat());
        let told = stderr(&output);
        assert!(told.contains("redirect") && told.contains("refused"), "{told}");
        assert!(!told.contains("hunter2") && !told.contains("bWU6aHVudGVyMg"), "{told}");
    }
}

#[test]
fn what_is_wrong_with_the_arguments_is_an_object_too() {
    for arguments in [
        &["get", "--log-format", "json", "--no-such-flag", "http://a.test/"][..],
        &["get", "--no-such-flag", "--log-format=json"],
        &["get", "--log-format", "json", "-c", "none", "http://a.test/"],
        &["get", "--log-format", "json", "--ipv4", "--ipv6", "http://a.test/"],
        &["bench", "--log-format", "json"],
        &["compare", "--log-format", "json", "--modes", "none"],
        &["get", "--log-format", "json", "-i", "/nonexistent"],
    ] {
        let output = haul(arguments);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        for line in told.lines() {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{arguments:?}: {told}"));
            assert!(object["message"].as_str().is_some_and(|message| !message.is_empty()), "{told}");
        }
        assert!(!told.is_empty(), "{arguments:?}");
    }
    assert!(stderr(&haul(&["get", "--no-such-flag", "--", "--log-format=json"])).starts_with("error: "));
}

#[test]
fn with_json_every_line_is_an_object_and_the_summary_the_last() {
    let origin = TestServer::start().expect("free ports");
    let url = origin.url("/bytes/1");
    let json = |output: &Output| -> Vec<Value> {
        stderr(output)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    };
    let told = json(&haul(&["get", "-vv", "--log-format", "json", "--summary", "json", &url]));
    assert_eq!(told.last().expect("lines")["urls"]["succeeded"], 1);
    let told = json(&haul(&["get", "--log-format", "json", &url]));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(text(&told[0], "message").contains('\n'), "the summary for people is a message: {told:#?}");
    let refused = json(&haul(&["get", "--log-format", "json", "-i", "/no/such/list"]));
    assert!(text(&refused[0], "message").contains("/no/such/list"), "{refused:#?}");
}

/// Waits for the end of a child.
fn ends_within(child: &mut Child, limit: Duration) -> bool {
    for _ in 0..limit.as_millis() / 20 {
        if child.try_wait().expect("our child").is_some() {
            return true;
        }
        wait(20);
    }
    false
}

#[test]
fn who_reads_no_log_can_still_end_the_run() {
    let origin = TestServer::start().expect("free ports");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let list = directory.path().join("urls");
    // More than a pipe holds, many times over.
    fs::write(&list, (0..50_000).map(|n| origin.url(&format!("/bytes/1?n={n}")) + "\n").collect::<String>())
        .expect("ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.args(["get", "-vvv", "-i"]).arg(&list).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let signal =
        || Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there").success();
    let all = |origin: &TestServer| origin.stats().requests;
    let mut before = all(&origin);
    // It has filled the pipe and waits.
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = all(&origin);
        if now > 0 && std::mem::replace(&mut before, now) == now {
            break;
        }
    }
    assert!(before < 20_000, "nothing is dropped for a reader who is slow: {before}");
    assert!(signal());
    std::thread::sleep(Duration::from_millis(300));
    assert!(signal());
    let ended = ends_within(&mut child, Duration::from_secs(10));
    if !ended {
        child.kill().expect("our child");
    }
    assert!(ended, "a second Ctrl-C ends it at once");
}

#[test]
fn the_other_commands_log_too() {
    let origin = TestServer::start().expect("free ports");
    let url = origin.url("/status/200");
    let nobody = format!("http://127.0.0.1:{}/", closed_port());
    let told = stderr(&haul(&["bench", "-q", &nobody, "-n", "2"]));
    assert!(!told.contains("INFO"), "{told}");
    let told = stderr(&haul(&["bench", "-v", &nobody, "-n", "2"]));
    assert!(told.contains("INFO failed") && told.contains(&nobody), "{told}");
    let told = stderr(&haul(&["bench", "-vvv", "--log-format", "json", &url, "-n", "2"]));
    let responses = told.lines().filter(|line| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        event["message"] == "response" && event["url"] == url
    });
    assert_eq!(responses.count(), 2, "{told}");
    let told = stderr(&haul(&["compare", "-vv", "--modes", "serial,pooled", &url]));
    assert!(told.contains("DEBUG connection opened"), "{told}");
    let told = stderr(&haul(&["demo", "-v", "-n", "100"]));
    assert!(told.contains("INFO host given up") || told.contains("INFO failed"), "{told}");
}

/// A server of HTTP/1.1 that answers each request with `head` and then does `then` with the connection. Its URL.
fn peer(head: &'static str, then: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let _ = (&stream).write_all(format!("{head}content-length: 2\r\n\r\nok").as_bytes());
                then(stream);
            });
        }
    });
    format!("http://{address}/")
}

fn wait(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// A server of HTTP/2 that says GOAWAY after its first answer.
fn leaving_h2() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    drop(respond.send_response(http::Response::new(()), true));
                    connection.graceful_shutdown();
                }
            }
        });
    });
    format!("http://{address}/")
}

#[test]
fn a_connection_s_end_has_its_reason() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let origin = TestServer::start().expect("free ports");
    // The run lasts for as long as this takes.
    let slow = origin.url("/delay/2s");
    let ends = [
        ("not_kept_alive", peer("HTTP/1.1 200 OK\r\nconnection: close\r\n", drop)),
        ("peer_closed", peer(OK, |_| wait(100))),
        (
            "unsolicited_bytes",
            peer(OK, |mut stream| {
                wait(100);
                let _ = stream.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n");
                wait(3000);
            }),
        ),
        ("idle_timeout", peer("HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\n", |_| wait(4000))),
        ("shutdown", peer(OK, |_| wait(4000))),
        ("failed", peer("HTTP/1.1 200 OK\r\nx: \0\r\n", drop)),
    ];
    let urls: Vec<String> = ends.iter().map(|(_, url)| url.clone()).chain([slow]).collect();
    let told = events(&origin, &urls, &["-vv"]);
    for (reason, url) in &ends {
        assert_eq!(text(one(&told, origin_of(url), "connection closed"), "reason"), *reason, "{told:#?}");
    }
    // Each that was opened was closed, once.
    let of = |message: &str| {
        let found = told.iter().filter(|event| event["message"] == message);
        found.map(|event| text(event, "connection")).collect::<Vec<_>>()
    };
    let (mut opened, mut closed) = (of("connection opened"), of("connection closed"));
    opened.sort_unstable();
    closed.sort_unstable();
    assert_eq!(opened, closed);

    let leaving = leaving_h2();
    let told = events(&origin, &[leaving.clone(), origin.url("/delay/300ms")], &["-vv", "--http2-prior-knowledge"]);
    assert_eq!(text(one(&told, origin_of(&leaving), "connection closed"), "reason"), "go_away", "{told:#?}");
}

#[test]
fn what_holds_a_host_back_is_logged_with_its_end() {
    let origin = TestServer::start().expect("free ports");
    // Down for forty requests, then well.
    let recovering = format!("http://recovering.localhost:{}/flaky/40?n=1", origin.addr().port());
    let told = events(&origin, &vec![recovering.clone(); 100], &["-v", "--retries", "5", "--back-off", "100ms..200ms"]);
    let host = messages(&told, origin_of(&recovering));
    assert!(host.iter().filter(|message| **message == "host paused").count() >= 1, "{told:#?}");
    // Dead: the rest of its URLs are failures that were never tried.
    let nobody = format!("http://127.0.0.1:{}/", closed_port());
    let urls: Vec<String> = (0..20).map(|n| format!("{nobody}{n}")).collect();
    let told = events(&origin, &urls, &["-v", "--dead-after", "2", "--back-off", "10ms..20ms"]);
    let dead: Vec<_> = told.iter().filter(|event| event["message"] == "host given up").collect();
    assert_eq!((dead.len(), text(dead[0], "reason"), text(dead[0], "url")), (1, "refused", origin_of(&nobody)));
    assert!(dead[0]["for_ms"].as_f64() > Some(1000.0) && text(dead[0], "cause").contains("refused"), "{}", dead[0]);
    let failed: Vec<_> = told.iter().filter(|event| event["message"] == "failed").collect();
    assert_eq!(failed.len(), 20);
    assert!(failed.iter().any(|event| event["attempts"] == 0 && text(event, "kind") == "host_dead"), "{failed:#?}");
    // Rate-limited: asked less from then on.
    let limited = format!("http://l.localhost:{}/limited?rate=20&burst=5", origin.addr().port());
    let urls: Vec<String> = (0..40).map(|n| format!("{limited}&n={n}")).collect();
    let told = events(&origin, &urls, &["-v", "--retries", "5"]);
    let paused = one(&told, origin_of(&limited), "host paused");
    assert!(text(paused, "cause").contains("429"), "{paused}");
    assert!(messages(&told, origin_of(&limited)).contains(&"host throttled"), "{told:#?}");
}
