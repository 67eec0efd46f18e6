//! No text of a user's or a server's begins a second header or a second request: it is refused, and the place told.

use futures::executor::block_on;
use haul::config::Config;
use haul::engine::Engine;
use haul::http::{HeaderMap, HeaderName, HeaderValue, Method};
use haul::model::{FailureKind, Phase};
use haul::{Client, Request};
use serde_json::json;

use crate::kind;
use haul_testsupport::haul::{get, get_lines};
use haul_testsupport::origin::Origin;

/// URLs on `origin` with `bad` in each part, and where it stands, counted from 1.
fn urls(origin: &Origin, bad: &str) -> Vec<(String, usize)> {
    let port = origin.port;
    [
        format!("http://127.0.0.1:{port}/a|"),
        format!("http://127.0.0.1:{port}/?q=|"),
        format!("http://127.0.0.1:{port}/#|x"),
        format!("http://127.0.0.1:{port}|/"),
        format!("http://127.0.|0.1:{port}/"),
        format!("http://me:p|w@127.0.0.1:{port}/"),
        format!("ht|tp://127.0.0.1:{port}/"),
    ]
    .map(|form| {
        let at = form.find('|').expect("a place") + 1;
        (form.replace('|', &format!("{bad}X-Injected: 1")), at)
    })
    .into()
}

const BAD: [&str; 5] = ["\r\n", "\n", "\r", "\0", "\t"];

#[test]
fn control_characters_in_urls_are_refused_by_library_command_and_input() {
    let origin = Origin::start();
    let client = Client::builder().build().expect("valid settings");
    for bad in BAD {
        for (url, at) in urls(&origin, bad) {
            let place = format!("at its byte {at};");
            let sent = block_on(client.get(&url).query([("a", "b")]).send()).expect_err(&url);
            assert_eq!((sent.phase(), sent.kind()), (Phase::Input, FailureKind::BadUrl));
            assert!(sent.to_string().contains(&place), "{sent}");
            if bad != "\0" {
                check(get(&[&url]).failed_in("input", "bad_url"), &place);
            }
            check(get_lines([json!({ "url": url })], &[]).failed_in("input", "bad_url"), &place);
            // In a plain line, a line break ends it.
            if !bad.contains('\n') {
                check(get_lines([&url], &[]).failed_in("input", "bad_url"), &place);
            }
        }
    }
    assert_eq!(origin.connections(), 0);
}

fn check(record: &serde_json::Value, place: &str) {
    let message = record["error"]["message"].as_str().expect("text");
    assert!(message.contains(place), "{place}: {message}");
}

#[test]
fn control_characters_in_headers_are_refused_by_library_command_and_input() {
    let origin = Origin::start();
    let url = origin.url("/echo");
    let client = Client::builder().build().expect("valid settings");
    for bad in ["\r\n", "\n", "\r", "\0"] {
        let value = format!("ok{bad}X-Injected: 1");
        let name = format!("X-A{bad}X-Injected");
        for (name, value, place) in [("X-A", &*value, "at its byte 3"), (&*name, "1", "because of its byte 4")] {
            let error = block_on(client.get(&url).header(name, value).send()).expect_err("refused");
            assert_eq!((error.phase(), error.kind()), (Phase::Input, FailureKind::BadRequest));
            assert!(error.to_string().contains(place), "{error}");
            let line = json!({"url": url, "headers": {name: value}});
            check(get_lines([line], &[]).failed_in("input", "bad_request"), place);
            if bad != "\0" {
                let run = get(&[&url, "-H", &format!("{name}: {value}")]);
                assert!(run.code == Some(2) && run.stderr.contains(place), "{run:?}");
            }
        }
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn methods_tokens_and_agents_are_checked_too() {
    let origin = Origin::start();
    let url = origin.url("/echo");
    for (flag, value, place) in [
        ("-X", "GET / HTTP/1.1\r\nX-Injected: 1\r\n\r\nGET", "byte 4"),
        ("-X", "G\rT", "byte 2"),
        ("-A", "me\r\nX-Injected: 1", "byte 3"),
        ("--bearer", "me\r\nX-Injected: 1", "byte 3"),
    ] {
        let run = get(&[&url, flag, value]);
        assert!(run.code == Some(2) && run.stderr.contains(place), "{run:?}");
    }
    let line = json!({"url": url, "method": "GET / HTTP/1.1\r\nX-Injected: 1\r\n\r\nGET"});
    check(get_lines([line], &[]).failed_in("input", "bad_request"), "byte 4");
    let client = Client::builder().build().expect("valid settings");
    let bearer = block_on(client.get(&url).bearer_auth("me\r\nX-Injected: 1").send());
    assert_eq!(kind(bearer), (Phase::Input, FailureKind::BadRequest));
    // A tunnel would carry whatever comes next past every check.
    let tunnel = block_on(client.request(Method::CONNECT, &url).send());
    assert_eq!(kind(tunnel), (Phase::Input, FailureKind::BadRequest));
    let mut config = Config::default();
    config.request.method = Method::CONNECT;
    assert!(Engine::new(config).err().expect("refused").to_string().contains("tunnel"));
    assert_eq!(origin.connections(), 0);
}

#[test]
fn parts_that_are_encoded_are_safe_whatever_they_hold() {
    let origin = Origin::start();
    let client = Client::builder().build().expect("valid settings");
    let bad = "a\r\nX-Injected: 1\0";
    let request = client.post(origin.url("/echo")).query([(bad, bad)]).form([(bad, bad)]).basic_auth(bad, bad);
    assert_eq!(block_on(request.send()).expect("sent").status(), 200);
    get(&[&origin.url("/echo"), "-u", "me:a\r\nX-Injected: 1", "-d", "a\r\nX-Injected: 1"]).all_have(200);
    get(&[&origin.url("/%0D%0AX-Injected:%201")]).all_have(200);
    let seen = origin.seen();
    assert_eq!(seen.len(), 3);
    for seen in seen {
        assert!(!seen.headers.iter().any(|(name, _)| name == "x-injected"), "{seen:?}");
    }
}

#[test]
fn a_redirect_brings_no_line_break_into_the_next_request() {
    let origin = Origin::start();
    let encoded = origin.url("/%0d%0aX-Injected:%201");
    get(&[&origin.url(&format!("/redirect/302?{encoded}"))]).all_have(200);
    let last = origin.seen().pop().expect("asked");
    assert_eq!(last.target, "/%0d%0aX-Injected:%201");
    assert!(!last.headers.iter().any(|(name, _)| name == "x-injected"), "{last:?}");
    let in_host = origin.url("/redirect/302?http://127.0.0.1%0d%0a/");
    get(&[&in_host]).failed_in("head", "redirect_bad_location");
}

#[test]
fn headers_that_frame_the_message_are_hauls_own() {
    let origin = Origin::start();
    for name in ["Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Trailer"] {
        let run = get(&[&origin.url("/"), "-H", &format!("{name}: 1")]);
        assert!(run.code == Some(2) && run.stderr.contains("leave it out"), "{run:?}");
        let line = json!({"url": origin.url("/"), "headers": {name: "1"}});
        get_lines([line], &[]).failed_in("input", "bad_request");
        let name: HeaderName = name.parse().expect("a name");
        let mut config = Config::default();
        config.request.headers.insert(name.clone(), HeaderValue::from_static("1"));
        let error = Engine::new(config).err().expect("refused").to_string();
        assert!(error.contains("leave it out"), "{error}");
        let client = Client::builder().build().expect("valid settings");
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static("1"))]);
        let request = Request::get(origin.url("/")).headers(headers);
        let sent = block_on(async { client.execute(request).await });
        assert_eq!(kind(sent), (Phase::Input, FailureKind::BadRequest));
    }
    assert_eq!(origin.connections(), 0);
}
