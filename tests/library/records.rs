//! The record's fields: golden files, and docs/reference/RECORDS.md held against them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use haul::model::{
    Attempt, CompleteResponse, Failure, FailureKind, GiveUpReason, HeaderList, Hop, Job, Outcome, Phase, Record,
    Rejected, Time, Timings, WebUrl,
};
use haul::sink::{BodyForm, RecordFields, append_line};
use haul_core::work;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use serde_json::Value;

fn url(text: &str) -> WebUrl {
    WebUrl::parse(text).expect("valid").0
}

fn timings() -> Timings {
    let micros = Duration::from_micros;
    Timings {
        queued: micros(210),
        backed_off: None,
        dns: Some(micros(1840)),
        connect: Some(micros(9120)),
        tls: Some(micros(15_300)),
        first_byte: Some(micros(9480)),
        body: Some(micros(35)),
        total: micros(35_812),
    }
}

fn response() -> CompleteResponse {
    let mut headers = HeaderMap::new();
    headers.append(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=iso-8859-1"));
    headers.append("set-cookie", HeaderValue::from_static("a=1"));
    headers.append("set-cookie", HeaderValue::from_static("b=2"));
    headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").expect("valid"));
    CompleteResponse {
        status: 200,
        version: Version::HTTP_2,
        headers: Some(HeaderList::from(&headers)),
        body: Some(Bytes::from_static(b"<p>caf\xe9\n\"\x00\x80</p>")),
        body_bytes: 17,
        sha256: Some(std::array::from_fn(|at| u8::try_from(at * 7).expect("below 256"))),
        saved: Some("bodies/a.example/page-0123456789ab.html".into()),
        close_delimited: false,
    }
}

/// A redirected success, a plain success on a reused connection, a body that ended by close, two failures, a rejected line, and
/// a response that waited for another try in vain.
fn records() -> Vec<Record> {
    let mut redirected = Job::new(0, url("https://www.example.com/"), Time::ZERO);
    redirected.extra_mut().given = Some("HTTP://Example.com".into());
    redirected.extra_mut().id = Some(r#"{"row": 1.50}"#.into());
    work::of_mut(&mut redirected).hops = vec![
        Hop { url: url("http://example.com/"), method: Method::GET, status: 301 },
        Hop { url: url("https://example.com/"), method: Method::GET, status: 308 },
    ];
    let remote = Some("[2001:db8::7]:443".parse().expect("an address"));
    let first = Attempt { result: Ok(response()), timings: timings(), remote, reused: false, wire_bytes: 23 };

    let mut reused = timings();
    (reused.dns, reused.connect, reused.tls) = (None, None, None);
    let plain = CompleteResponse {
        status: 404,
        version: Version::HTTP_11,
        headers: Some(HeaderList::default()),
        body: Some(Bytes::new()),
        body_bytes: 0,
        ..response()
    };
    let remote = Some("192.0.2.7:80".parse().expect("an address"));
    let second = Attempt { result: Ok(plain), timings: reused, remote, reused: true, wire_bytes: 0 };

    let by_close = CompleteResponse { version: Version::HTTP_10, close_delimited: true, ..response() };
    let third = Attempt { result: Ok(by_close), timings: reused, remote, reused: false, wire_bytes: 17 };

    let cut_off = Failure::new(Phase::Body, FailureKind::Truncated, "the body ended after 500 of 1000 bytes");
    let fourth = Attempt { result: Err(cut_off), timings: timings(), remote, reused: false, wire_bytes: 500 };
    let dead = Failure::new(Phase::Queue, FailureKind::HostDead, "the host failed 5 times in a row (connect refused)");

    let mut waited = Job::new(6, url("http://example.com/6"), Time::ZERO);
    let work = work::of_mut(&mut waited);
    (work.body_dropped, work.gave_up) = (true, Some(GiveUpReason::RetryAfter));
    let busy = CompleteResponse { status: 503, body: None, saved: None, ..response() };
    let held = Timings { backed_off: Some(Duration::from_micros(180)), ..timings() };
    let seventh = Attempt { result: Ok(busy), timings: held, remote, reused: false, wire_bytes: 17 };

    let fetched = |seq, attempts, last| {
        let job = Job::new(seq, url(&format!("http://example.com/{seq}")), Time::ZERO);
        Record::Fetched(Outcome { job, attempts, last })
    };
    vec![
        Record::Fetched(Outcome { job: redirected, attempts: 3, last: first }),
        fetched(1, 1, second),
        fetched(2, 1, third),
        fetched(3, 3, fourth),
        fetched(4, 0, Attempt::unsent(dead)),
        Record::Rejected(Rejected {
            seq: 5,
            line: 7,
            given: "example.com".into(),
            id: Some("\"tag\"".into()),
            failure: Failure::new(Phase::Input, FailureKind::BadUrl, "urls.txt:7: not an absolute URL"),
        }),
        Record::Fetched(Outcome { job: waited, attempts: 1, last: seventh }),
    ]
}

fn lines(fields: &RecordFields) -> String {
    let mut lines = Vec::new();
    for record in &records() {
        append_line(record, fields, &mut lines);
    }
    String::from_utf8(lines).expect("JSON is UTF-8")
}

fn all_fields(body: BodyForm) -> RecordFields {
    RecordFields { headers: true, body: Some(body), digest: true, saved: true, setting_names: None }
}

/// Compares with a golden file; on a difference leaves the new text where it can be copied from.
fn check_golden(name: &str, found: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if expected != found {
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&copy, found).expect("the target directory is writable");
        panic!("records changed; if meant, copy {} to {}", copy.display(), golden.display());
    }
}

#[test]
fn records_are_as_in_the_golden_files() {
    check_golden("records.ndjson", &lines(&RecordFields::default()));
    check_golden("records_text.ndjson", &lines(&all_fields(BodyForm::Text)));
    check_golden("records_base64.ndjson", &lines(&all_fields(BodyForm::Base64)));
}

/// Every field's path: `timings_us.dns`, `redirects[].url`. What stands inside `id` and `headers` is not ours.
fn paths(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                if !matches!(name.as_str(), "id" | "headers") {
                    paths(&path, value, into);
                }
                into.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(&format!("{prefix}[]"), item, into)),
        _ => {}
    }
}

/// The names in the first column of the table under `heading`.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = include_str!("../../docs/reference/RECORDS.md");
    let (_, section) = page.split_once(heading).expect("the heading is there");
    let section = section.split("\n## ").next().expect("text");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_page_lists_exactly_the_fields_that_records_have() {
    let mut found = BTreeSet::new();
    for line in lines(&all_fields(BodyForm::Text)).lines() {
        paths("", &serde_json::from_str(line).expect("JSON"), &mut found);
    }
    assert_eq!(documented("# Records"), found);
}

#[test]
fn the_page_lists_exactly_the_kinds_of_error() {
    let kinds: BTreeSet<String> = FailureKind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
    assert_eq!(documented("## Kinds of error"), kinds);
}

#[test]
fn fields_that_are_always_there_are_there_in_every_record() {
    let fields = |text: &str| -> Vec<BTreeSet<String>> {
        let keys = |line| match serde_json::from_str(line).expect("JSON") {
            Value::Object(fields) => fields.into_iter().map(|(name, _)| name).collect(),
            other => panic!("not an object: {other}"),
        };
        text.lines().map(keys).collect()
    };
    for mut keys in fields(&lines(&RecordFields::default())) {
        keys.remove("body_complete_by_close");
        keys.remove("body_dropped");
        keys.remove("gave_up");
        assert_eq!(keys.len(), 14, "{keys:?}");
    }
    for mut keys in fields(&lines(&all_fields(BodyForm::Text))) {
        keys.remove("body_complete_by_close");
        keys.remove("body_dropped");
        keys.remove("gave_up");
        assert_eq!(keys.len(), 20, "{keys:?}");
    }
}
