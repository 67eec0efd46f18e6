//! Credentials reach the origin they are for, no other one, and nothing that haul writes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use haul::config::Config;
use haul::http::{HeaderValue, Method, header};
use haul::{Client, Request};
use haul_testserver::TestServer;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::cacert;
use haul_testsupport::haul::{Run, get, get_lines};
use haul_testsupport::origin::Origin as RawOrigin;

const PASSWORD: &str = "hunter2";

/// The password as it is, and as Basic authorization has it.
pub(crate) fn betrays(text: &str) -> bool {
    text.contains(PASSWORD) || text.contains(&basic()[..])
}

/// `me:hunter2` in base64.
fn basic() -> String {
    STANDARD.encode(format!("me:{PASSWORD}"))
}

/// A way to give credentials: flags, and how a URL becomes an input line.
type Way = (Vec<String>, fn(&str) -> String);

fn ways() -> Vec<Way> {
    let flags = |flags: &[&str]| flags.iter().map(ToString::to_string).collect();
    let plain: fn(&str) -> String = str::to_owned;
    let with_user_info: fn(&str) -> String = |url| url.replacen("://", &format!("://me:{PASSWORD}@"), 1);
    let with_headers: fn(&str) -> String = |url| {
        json!({"url": url, "headers": {"Authorization": PASSWORD, "Cookie": PASSWORD, "Proxy-Authorization": PASSWORD}})
            .to_string()
    };
    vec![
        (flags(&["-u", &format!("me:{PASSWORD}")]), plain),
        (flags(&["--bearer", PASSWORD]), plain),
        (flags(&["-H", &format!("Authorization: {PASSWORD}")]), plain),
        (flags(&["-H", &format!("Cookie: {PASSWORD}")]), plain),
        (flags(&["-H", &format!("Proxy-Authorization: {PASSWORD}")]), plain),
        (flags(&["-H", &format!("Cookie2: {PASSWORD}")]), plain),
        (Vec::new(), with_user_info),
        (Vec::new(), with_headers),
    ]
}

/// `from` redirecting to `to`.
fn redirect(from: &str, status: u16, to: &str) -> String {
    let to = utf8_percent_encode(to, NON_ALPHANUMERIC);
    format!("{from}/redirect-to?url={to}&status={status}")
}

/// Fetches `lines` with credentials given in this way; the bodies tell which headers came.
fn fetch(lines: Vec<String>, flags: &[String], cacert: &str) -> Run {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = get_lines(lines, &[&flags[..], &["--cacert", cacert, "--body", "text", "--order", "input"]].concat());
    run.all_have(200);
    run
}

#[test]
fn credentials_stay_with_their_origin() {
    let (origin, other) = (TestServer::start().expect("free ports"), TestServer::start().expect("free ports"));
    let cacert = cacert(&origin);
    let cacert = cacert.path().to_str().expect("a plain path");
    let (plain, tls) = (origin.url(""), origin.https_url(""));
    // What changes: the port, the host, the scheme.
    let leaving = [
        (plain.clone(), other.url("/headers")),
        (plain.clone(), origin.url_on("b.localhost", "/headers")),
        (plain.clone(), origin.https_url("/headers")),
        (tls.clone(), origin.url("/headers")),
        (tls.clone(), origin.https_url_on("b.localhost", "/headers")),
    ];
    let staying = [(plain, origin.url("/headers")), (tls, origin.https_url("/headers"))];
    for (flags, line) in ways() {
        let urls = |pairs: &[(String, String)]| -> Vec<String> {
            let statuses = [301, 302, 303, 307, 308];
            let each = |(from, to): &(String, String)| statuses.map(|status| line(&redirect(from, status, to)));
            pairs.iter().flat_map(each).collect()
        };
        for record in &fetch(urls(&leaving), &flags, cacert).records {
            assert!(!betrays(&record.to_string()), "{flags:?}: {record}");
        }
        for record in &fetch(urls(&staying), &flags, cacert).records {
            let body = record["body"].as_str().expect("text");
            assert!(betrays(body), "they do reach their own origin: {flags:?}: {record}");
        }
    }
}

#[test]
fn credentials_once_left_behind_do_not_come_back() {
    let (origin, other) = (TestServer::start().expect("free ports"), TestServer::start().expect("free ports"));
    let cacert = cacert(&origin);
    let cacert = cacert.path().to_str().expect("a plain path");
    let there_and_back = redirect(&origin.url(""), 302, &redirect(&other.url(""), 302, &origin.url("/headers")));
    for (flags, line) in ways() {
        let run = fetch(vec![line(&there_and_back)], &flags, cacert);
        assert_eq!(run.only()["redirects"].as_array().expect("a list").len(), 2);
        assert!(!betrays(&run.only().to_string()), "{flags:?}: {run:?}");
    }
}

#[test]
fn user_information_in_a_redirect_is_not_used() {
    let origin = TestServer::start().expect("free ports");
    let to = origin.url("/headers").replacen("://", &format!("://me:{PASSWORD}@"), 1);
    let run = get(&[&redirect(&origin.url(""), 302, &to), "--body", "text"]);
    let body = run.all_have(200).only()["body"].as_str().expect("text");
    assert!(!betrays(body), "{body}");
    assert_eq!(run.only()["final_url"], origin.url("/headers"));
}

/// Input that fails in every way a record can quote it.
fn failing_lines(origin: &RawOrigin) -> Vec<String> {
    let url = |host: &str| format!("http://me:{PASSWORD}@{host}");
    vec![
        url(&format!("127.0.0.1:{}/status/404", origin.port)),
        url(&format!("127.0.0.1:{}/garbage", origin.port)),
        url(&format!("127.0.0.1:{}/redirect/302?ftp://x/", origin.port)),
        url("127.0.0.1:1/"),
        url("127.0.0.1:99999/"),
        url("a..b:x/"),
        url("/"),
        format!("me:{PASSWORD}@127.0.0.1/"),
        format!("http://me:{}/{PASSWORD}@127.0.0.1/", "x"),
        format!("ftp://me:{PASSWORD}@127.0.0.1/"),
        format!("http://http://me:{PASSWORD}@127.0.0.1/"),
        format!("https://http://me:x/{PASSWORD}@127.0.0.1/"),
        format!("https//me:{PASSWORD}@127.0.0.1/"),
        format!("http;//me:{PASSWORD}@127.0.0.1/"),
        format!("http://me:{PASSWORD}%40127.0.0.1/"),
        format!("https://https//me:{PASSWORD}@127.0.0.1/"),
        format!("http://http//me:{PASSWORD}@127.0.0.1/"),
        format!("http://http:/me:{PASSWORD}@127.0.0.1/"),
        format!("https://https//:me:{PASSWORD}@127.0.0.1/"),
        format!("http://http;//me:{PASSWORD}@127.0.0.1/"),
        format!("http://http//me:x/{PASSWORD}@127.0.0.1/"),
        format!("http://http//me:{PASSWORD}%40127.0.0.1/"),
        format!("http://http//{PASSWORD}@127.0.0.1/"),
        format!("http://http%3A//me:{PASSWORD}@127.0.0.1/"),
        format!("http://http%3a%2f%2fme:{PASSWORD}@127.0.0.1/"),
        format!("http://me:{PASSWORD}\u{ff20}127.0.0.1/"),
        format!("http://me:{PASSWORD}\u{fe6b}127.0.0.1/"),
        format!("{PASSWORD}:@127.0.0.1/"),
        format!("{}\u{7}", url("127.0.0.1/x")),
        format!("http://me:{}{PASSWORD}@127.0.0.1:1/", "x".repeat(300)),
        format!(r#"{{"headers": {{"Authorization": "{PASSWORD}"}}}}"#),
        format!(r#"{{"url": "http://127.0.0.1/", "headers": {{"Authorization": "{PASSWORD}""#),
        format!(r#"{{"url": "http://127.0.0.1/", "headers": "Authorization: {PASSWORD}"}}"#),
        format!(r#"{{"url": "http://127.0.0.1/", "headers": {{"Authorization": "{PASSWORD}\r\n"}}, "x": 1}}"#),
        format!(r#"{{"url": "http://127.0.0.1/", "headers": {{"Cookie": "{PASSWORD}\r\nx"}}}}"#),
        format!(r#"{{"url": "{}", "metod": 1}}"#, url("127.0.0.1/")),
        format!(r#"{{'url': '{}'}}"#, url("127.0.0.1/")),
    ]
}

#[test]
fn credentials_are_in_no_record_log_or_summary() {
    let origin = RawOrigin::start();
    let lines = failing_lines(&origin);
    let flags = ["-vvvv", "--headers", "--retries", "1", "--max-line", "200"];
    let secret = ["-u", "me:hunter2", "-H", "Cookie: hunter2", "-H", "Proxy-Authorization: hunter2"];
    for summary in ["text", "json"] {
        let run = get_lines(&lines, &[&flags[..], &secret, &["--summary", summary]].concat());
        assert_eq!(run.records.len(), lines.len(), "{run:?}");
        assert!(!run.stderr.is_empty());
        assert!(!betrays(&format!("{run:?}")), "{run:#?}");
    }
    let sent = origin.seen();
    assert!(sent.iter().any(|seen| seen.headers.iter().any(|(_, value)| betrays(value))), "they were sent: {sent:?}");
}

#[test]
fn a_wrong_flag_is_told_without_its_credential() {
    for flags in [
        ["--bearer", "hunter2 "],
        ["-H", "hunter2"],
        ["-H", "Authorization: hunter2\r\nx"],
        ["--header=Cookie: hunter2\0", "-q"],
    ] {
        // An argument can't hold NUL.
        let flags = flags.map(|flag| flag.replace('\0', "\u{1}"));
        let run = get(&[&flags[0], &flags[1], "http://127.0.0.1:1/"]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(!run.stderr.is_empty() && !betrays(&run.stderr), "{}", run.stderr);
    }
}

/// Files whose line ends were lost, and texts of files in the place of their names.
#[test]
fn a_key_is_in_no_message() {
    let (key, other) = (rcgen::KeyPair::generate().expect("a key"), rcgen::KeyPair::generate().expect("a key"));
    let certificate = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("a name");
    let certificate = certificate.self_signed(&other).expect("a certificate").pem();
    let key = key.serialize_pem();
    let secret: String = key.lines().filter(|line| !line.contains("-----")).collect();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("the directory is ours");
        path.display().to_string()
    };
    let certificate = file("a.pem", &certificate);
    let mut given = vec![key.clone(), key.replace('\n', ""), key.replace('\n', "\\n"), STANDARD.encode(key.repeat(4))];
    // Once as it is, in base64 again, and its base64 alone.
    given.push(STANDARD.encode(&key));
    given.push(key.lines().filter(|line| !line.starts_with("-----")).collect());
    for (at, text) in [
        key.replace('\n', ""),
        key.replace('\n', "\r"),
        key.replace('\n', "\\n"),
        key.replace("-----END", ""),
        key.replace('\n', "").replace("-----END", ""),
        key.replace("KEY-----", "KEY"),
        key.replace("PRIVATE KEY-----", ""),
        key.replace("PRIVATE KEY", &secret[..30]),
        secret.clone(),
    ]
    .iter()
    .enumerate()
    {
        given.push(file(&format!("{at}.key"), text));
    }
    for key in &given {
        let flags = ["--key", "--cert", "--cacert"].map(|flag| format!("{flag}={key}"));
        let apart = vec!["--key".to_owned(), key.clone(), "--cert".to_owned(), certificate.clone()];
        let together = vec![flags[0].clone(), "--cert".to_owned(), certificate.clone()];
        for flags in [apart, together, vec![flags[1].clone()], vec![flags[2].clone()]] {
            let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["http://127.0.0.1:1/"]).collect();
            let run = get(&flags);
            assert_eq!(run.code, Some(2), "{run:?}");
            let parts = (0..secret.len() - 8).map(|at| &secret[at..at + 8]);
            assert!(
                !run.stderr.is_empty() && !parts.into_iter().any(|part| run.stderr.contains(part)),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn credentials_are_in_nothing_that_debug_shows() {
    let value = || HeaderValue::from_static(PASSWORD);
    let mut config = Config::default();
    for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
        config.request.headers.insert(name, value());
    }
    config.request.body = Some(PASSWORD.into());
    let with = config.clone();
    let builder = Client::builder().config(|config| *config = with);
    let user_info = format!("http://me:{PASSWORD}@127.0.0.1:1/");
    let request = Request::new(Method::POST, &user_info)
        .headers(config.request.headers.clone())
        .basic_auth("me", PASSWORD)
        .body(PASSWORD);
    let client = Client::builder().retries(0).build().expect("valid settings");
    let refused = futures::executor::block_on(client.get(&user_info).send()).expect_err("nobody listens there");
    let unread =
        futures::executor::block_on(client.get(format!("http://me:{PASSWORD}@:1/")).send()).expect_err("no host");
    for shown in [
        format!("{config:?}"),
        format!("{builder:?}"),
        format!("{request:?}"),
        format!("{client:?}"),
        format!("{refused:?} {refused}"),
        format!("{unread:?} {unread}"),
    ] {
        assert!(!betrays(&shown), "{shown}");
    }
}
