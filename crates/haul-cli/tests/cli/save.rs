//! `haul get --save-dir`: bodies in files, and nothing that is not whole.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;

use haul_testsupport::haul::{get, get_lines};
use haul_testsupport::origin::Origin;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Every file under `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("readable").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn whole_bodies_are_files_and_records_say_where() {
    let origin = Origin::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bodies = directory.path().join("new/bodies");
    let paths = ["/bytes/10", "/bytes/3000000", "/bytes/0", "/chunks", "/eof", "/status/404", "/a/../page.HTML?x"];
    let run = get_lines(paths.map(|path| origin.url(path)), &["--save-dir", text(&bodies), "--digest"]);
    assert_eq!((run.records.len(), run.code), (7, Some(0)), "{}", run.stderr);
    let mut saved = Vec::new();
    for record in &run.records {
        match &record["saved"] {
            Value::String(path) => {
                let bytes = fs::read(path).expect("it is there");
                assert_eq!(record["body_bytes"], bytes.len(), "{record}");
                assert!(path.starts_with(text(&bodies)), "{path}");
                saved.push(PathBuf::from(path));
            }
            Value::Null => assert_eq!(record["status"], 404, "{record}"),
            other => panic!("{other}"),
        }
    }
    assert!(saved.iter().any(|path| path.file_name().expect("a name").to_str().expect("ASCII").ends_with(".html")));
    saved.sort();
    let mut found = files(&bodies);
    found.sort();
    assert_eq!(found, saved, "nothing else is left there");
}

#[test]
fn what_is_not_whole_leaves_no_file() {
    let origin = Origin::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let paths = ["/partial", "/cutchunk", "/badchunk", "/bytes/200000"];
    let arguments = ["--save-dir", text(directory.path()), "--retries", "1", "--max-body", "100000"];
    let run = get_lines(paths.map(|path| origin.url(path)), &arguments);
    assert_eq!(run.code, Some(1));
    assert!(run.records.iter().all(|record| record["saved"].is_null() && !record["error"].is_null()), "{run:?}");
    assert!(files(directory.path()).is_empty());
    let cut = run.records.iter().find(|record| record["url"] == origin.url("/cutchunk")).expect("a record");
    assert_eq!(cut["attempts"], 2, "a file can be written anew");
}

/// A server whose every answer is another: `body N`, or a redirect to `/page.html` from `/to…`.
fn counting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            let lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let answer = if head.first().is_some_and(|line| line.starts_with("GET /to")) {
                "HTTP/1.1 302 Found\r\nLocation: /page.html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .to_owned()
            } else {
                let body = format!("body {number}");
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn each_record_s_file_has_its_body_however_often_a_url_is_asked() {
    let address = counting();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let page = format!("http://{address}/page.html");
    let mut urls = vec![page.clone(); 20];
    urls.extend((0..5).map(|n| format!("http://{address}/to?{}", n % 2)));
    urls.extend([format!("http://{address}/Page.html"), page.replace("http", "HTTP")]);
    let arguments = ["--save-dir", text(directory.path())];
    for way in ["request", "content"] {
        let mut plain = Vec::new();
        for run in 1..=2 {
            let ran = get_lines(&urls, &[&arguments[..], &["--save-as", way, "--digest"]].concat());
            ran.all_have(200);
            let mut names = HashSet::new();
            for record in &ran.records {
                let path = record["saved"].as_str().expect("saved");
                let digest = Sha256::digest(fs::read(path).expect("it is there"));
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(record["body_sha256"], hex, "{way}, run {run}: {record}");
                assert!(names.insert(path.to_ascii_lowercase()), "{way}, run {run}: {path} twice");
            }
            let mut unnumbered: Vec<_> = names.into_iter().filter(|name| !is_numbered(name)).collect();
            unnumbered.sort();
            if way == "request" {
                assert_eq!(unnumbered.len(), 5, "one a request: {unnumbered:?}");
                assert!(run == 1 || plain == unnumbered, "a new run's take the places of the old ones");
            }
            plain = unnumbered;
        }
    }
}

/// Whether a name ends with a number after its hash of 20 digits.
fn is_numbered(path: &str) -> bool {
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).expect("text");
    stem.rsplit('-').next().is_some_and(|last| last.len() < 20)
}

#[test]
fn equal_contents_are_one_file() {
    let origin = Origin::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let urls = (0..20).map(|n| origin.url(&format!("/bytes/{}?{n}", 100_000 + n % 2)));
    let run = get_lines(urls, &["--save-dir", text(directory.path()), "--save-as", "content", "--digest"]);
    run.all_have(200);
    assert_eq!(files(directory.path()).len(), 2);
    for record in &run.records {
        let (path, digest) = (record["saved"].as_str().expect("saved"), record["body_sha256"].as_str().expect("asked"));
        assert!(path.ends_with(&format!("{}/{}", &digest[..2], &digest[2..])), "{path} {digest}");
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_told_before_anything_is_fetched() {
    let origin = Origin::start();
    let run = get(&[&origin.url("/"), "--save-dir", "/proc/no"]);
    assert_eq!((run.code, run.records.len()), (Some(2), 0));
    assert!(run.stderr.contains("can't save bodies in /proc/no"), "{}", run.stderr);
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_body_that_cannot_be_saved_is_a_failure_and_ends_the_run() {
    let origin = Origin::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    // A file stands where the host's directory has to be.
    fs::write(directory.path().join(format!("127.0.0.1_{}", origin.port)), "in the way").expect("ours");
    let lone = get(&[&origin.url("/"), "--save-dir", text(directory.path())]);
    lone.failed_in("sink", "not_saved");
    assert_eq!(origin.connections(), 1, "tried once");
    let urls = (0..200).map(|n| origin.url(&format!("/slow/20/{n}")));
    let run = get_lines(urls, &["--save-dir", text(directory.path()), "--per-host", "1"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let first = &run.records[0]["error"];
    assert_eq!((&first["phase"], &first["kind"]), (&"sink".into(), &"not_saved".into()), "{first}");
    assert!(run.records.len() < 100, "{} records", run.records.len());
    assert_eq!(run.stderr.matches("; stopping").count(), 1, "{}", run.stderr);
    assert!(origin.most_in_flight() == 1 && origin.seen().iter().all(|seen| seen.at.elapsed().as_secs() < 60));
}
