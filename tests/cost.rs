//! What a request costs the command, in figures that do not depend on how busy the machine is: system calls and instructions.
//!
//! Needs strace and valgrind, and means the release profile:
//! `cargo test --release --test cost -- --ignored --nocapture --test-threads 1`. docs/PERFORMANCE.md has the figures.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Requests of the short and the long run: the start and the end of the process cancel out between them.
const SHORT: usize = 2_000;
const LONG: usize = 12_000;
/// Instructions a request, in user space, over all threads; Rust 1.95, x86-64 with AVX2. Raise one only with a reason, lower
/// it after each gain.
const BENCH_INSTRUCTIONS: f64 = 25_400.0;
const GET_INSTRUCTIONS: f64 = 28_100.0;
/// Other compilers and processors (memory is copied by what the processor has) count by as much differently.
const TOLERANCE: f64 = 1.08;

/// A server that parses nothing and allocates nothing: 1 KiB for each request head. Its URL.
fn responder() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || respond(stream));
        }
    });
    format!("http://{address}/")
}

fn respond(mut stream: TcpStream) {
    let body = [b'x'; 1024];
    let head = b"HTTP/1.1 200 OK\r\nServer: test\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nLast-Modified: Sat, 21 Nov 2026 09:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"1\"\r\nAccept-Ranges: bytes\r\n\r\n";
    let response = [&head[..], &body[..]].concat();
    let mut request = [0; 4096];
    let mut filled = 0;
    while let Ok(count @ 1..) = stream.read(&mut request[filled..]) {
        filled += count;
        if request[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(&response).is_err() {
                return;
            }
        }
    }
}

/// What `count` gives for the long run less the short one, by request.
fn per_request(count: impl Fn(usize) -> f64) -> f64 {
    (count(LONG) - count(SHORT)) / (LONG - SHORT) as f64
}

/// Runs the command under `tool`. What `tool` says goes to its own file.
fn under(tool: &[&str], arguments: &[&str]) -> String {
    let output = Command::new(tool[0])
        .args(&tool[1..])
        .arg(env!("CARGO_BIN_EXE_haul"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} is needed here: {error}", tool[0]));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{tool:?}: {stderr}");
    stderr
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable")
}

/// So many URLs in a file.
fn list(directory: &Path, url: &str, count: usize) -> String {
    let path = directory.join(count.to_string());
    fs::write(&path, format!("{url}\n").repeat(count)).expect("the directory is ours");
    path.display().to_string()
}

/// The calls of each name.
fn system_calls(url: &str, directory: &Path, requests: usize) -> BTreeMap<String, u32> {
    let table = directory.join("calls").display().to_string();
    let requests = requests.to_string();
    under(
        &["strace", "-f", "-c", "-U", "name,calls", "-o", &table],
        &["bench", url, "-q", "-c", "64", "-n", &requests],
    );
    let text = fs::read_to_string(&table).expect("strace has written it");
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(line).filter(|(name, _)| name != "total").collect()
}

#[test]
#[ignore = "a measurement of the release profile; .ci/run asks for it"]
fn a_request_takes_one_send_and_one_receive() {
    let (url, directory) = (responder(), directory());
    let calls = |requests| system_calls(&url, directory.path(), requests);
    let transfers = per_request(|requests| {
        let calls = calls(requests);
        ["sendto", "recvfrom", "writev", "readv"]
            .iter()
            .filter_map(|name| calls.get(*name))
            .map(|n| f64::from(*n))
            .sum()
    });
    let all = per_request(|requests| calls(requests).values().map(|n| f64::from(*n)).sum());
    println!("system calls a request: {transfers:.3} to send and receive, {all:.3} in all");
    assert!((1.99..2.02).contains(&transfers), "{transfers}");
    assert!(all < 2.5, "{all}");
}

/// Instructions in user space.
fn instructions(arguments: &[&str]) -> f64 {
    let tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let told = under(&tool, arguments);
    let line = told.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's total");
    line.1.trim().parse().expect("a number")
}

#[test]
#[ignore = "a measurement of the release profile; .ci/run asks for it"]
fn a_request_takes_so_many_instructions() {
    let (url, directory) = (responder(), directory());
    let bench = per_request(|requests| instructions(&["bench", &url, "-q", "-c", "64", "-n", &requests.to_string()]));
    let get = per_request(|requests| {
        let input = list(directory.path(), &url, requests);
        instructions(&["get", "-q", "-i", &input, "-o", "/dev/null", "--shards", "1", "-c", "64", "--per-host", "64"])
    });
    println!("instructions a request: {bench:.0} of haul bench, {get:.0} of haul get");
    assert!(bench < BENCH_INSTRUCTIONS * TOLERANCE, "haul bench: {bench}");
    assert!(get < GET_INSTRUCTIONS * TOLERANCE, "haul get: {get}");
}
