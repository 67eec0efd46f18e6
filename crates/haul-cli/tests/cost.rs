//! What a request costs the command, in figures that do not depend on how busy the machine is: system calls, instructions and
//! allocations.
//!
//! Needs strace and valgrind, and means the release profile:
//! `cargo test --release --test cost -- --ignored --nocapture --test-threads 1`. docs/measured/COSTS.md has the figures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use haul_testserver::TestServer;

use haul_testsupport::responder::responder;

#[path = "../../../benches/hot/mod.rs"]
mod hot;

/// Requests of the short and the long run: the start and the end of the process cancel out between them.
const SHORT: usize = 2_000;
const LONG: usize = 12_000;
/// Instructions a request, in user space, over all threads; Rust 1.95, x86-64 with AVX2. Raise one only with a reason, lower
/// it after each gain.
const BENCH_INSTRUCTIONS: f64 = 24_000.0;
const GET_INSTRUCTIONS: f64 = 27_500.0;
const HTTP2_INSTRUCTIONS: f64 = 26_000.0;
/// Blocks asked of the allocator a request, over all threads. The targets are 10 and 14.
const BENCH_ALLOCATIONS: f64 = 6.0;
const GET_ALLOCATIONS: f64 = 6.0;
const HTTP2_ALLOCATIONS: f64 = 7.4;
/// Instructions of the paths that every request takes and that touch no system, and how often they are taken for that.
const PATHS: [(&str, f64); 4] =
    [("decision", 1_620.0), ("line", 2_180.0), ("take_and_park", 400.0), ("record", 2_160.0)];
const SHORT_PATH: usize = hot::LINES;
const LONG_PATH: usize = 5 * hot::LINES;
/// Other compilers and processors (memory is copied by what the processor has) count by as much differently.
const TOLERANCE: f64 = 1.08;
/// Batches and queues grow now and then, by how the threads happen to run.
const ALLOCATIONS_TOLERANCE: f64 = 0.3;

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

fn url() -> String {
    format!("http://{}/", responder())
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
    let (url, directory) = (url(), directory());
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

/// What callgrind counts of a run of the command.
#[derive(Clone, Copy, Debug)]
struct Counts {
    /// Instructions in user space.
    instructions: f64,
    /// Blocks asked of the allocator.
    allocations: f64,
}

/// The total that callgrind tells.
fn collected(told: &str) -> f64 {
    let line = told.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's total");
    line.1.trim().parse().expect("a number")
}

impl Counts {
    /// Runs the command under callgrind, which writes its table to a file in `directory`.
    fn of(directory: &Path, arguments: &[&str]) -> Self {
        let table = directory.join("callgrind.out");
        let file = format!("--callgrind-out-file={}", table.display());
        let told = under(&["valgrind", "--tool=callgrind", &file], arguments);
        let table = fs::read_to_string(table).expect("callgrind has written it");
        Self { instructions: collected(&told), allocations: allocations(&table) }
    }

    /// What a request takes, when `run` makes so many.
    fn per_request(run: impl Fn(usize) -> Self) -> Self {
        let (short, long) = (run(SHORT), run(LONG));
        let each = |of: fn(Self) -> f64| (of(long) - of(short)) / (LONG - SHORT) as f64;
        Self { instructions: each(|counts| counts.instructions), allocations: each(|counts| counts.allocations) }
    }

    fn check(self, name: &str, instructions: f64, allocations: f64) {
        println!("{name}: {:.0} instructions and {:.2} allocations a request", self.instructions, self.allocations);
        assert!(self.instructions < instructions * TOLERANCE, "{name}: {self:?}");
        assert!(self.allocations < allocations + ALLOCATIONS_TOLERANCE, "{name}: {self:?}");
        assert!(self.allocations > 1.0, "{name}: the allocator's functions have other names now: {self:?}");
    }
}

/// Where Rust enters mimalloc, in the command. C code is not inlined into ours, so that each call is seen.
const ENTRIES: [&str; 5] = ["mi_malloc", "mi_malloc_aligned", "mi_zalloc", "mi_zalloc_aligned", "mi_realloc_aligned"];

/// The calls of the allocator's functions in callgrind's table, but those by itself. There, `fn=(1) name` begins a function,
/// `cfn=(2) name` names one that it calls and `calls=3 …` says how often; a name is given once, and its number stands for it.
fn allocations(table: &str) -> f64 {
    let mut names = BTreeMap::new();
    let (mut caller, mut called, mut calls) = ("", "", 0.0);
    for line in table.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            caller = named(&mut names, name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = named(&mut names, name);
        } else if let Some(count) = line.strip_prefix("calls=")
            && ENTRIES.contains(&called)
            && !caller.contains("mi_")
        {
            calls += count.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0.0);
        }
    }
    calls
}

/// The name in `(1) name`, or the one that `(1)` stands for.
fn named<'a>(names: &mut BTreeMap<&'a str, &'a str>, text: &'a str) -> &'a str {
    match text.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            name
        }
        None => names.get(text).copied().unwrap_or_default(),
    }
}

#[test]
#[ignore = "a measurement of the release profile; .ci/run asks for it"]
fn a_request_takes_so_many_instructions_and_allocations() {
    let (url, directory) = (url(), directory());
    let count = |arguments: &[&str]| Counts::of(directory.path(), arguments);
    let bench = |requests: usize| count(&["bench", &url, "-q", "-c", "64", "-n", &requests.to_string()]);
    Counts::per_request(bench).check("haul bench", BENCH_INSTRUCTIONS, BENCH_ALLOCATIONS);
    let get = |requests| {
        let input = list(directory.path(), &url, requests);
        count(&["get", "-q", "-i", &input, "-o", "/dev/null", "--shards", "1", "-c", "64", "--per-host", "64"])
    };
    Counts::per_request(get).check("haul get", GET_INSTRUCTIONS, GET_ALLOCATIONS);
    let origin = TestServer::start().expect("free ports");
    let url = origin.url("/bytes/1024");
    let streams = ["bench", &url, "-q", "--http2-prior-knowledge", "-c", "4", "--streams", "100", "-n"];
    let http2 = |requests: usize| count(&[&streams[..], &[&requests.to_string()]].concat());
    Counts::per_request(http2).check("haul bench, HTTP/2", HTTP2_INSTRUCTIONS, HTTP2_ALLOCATIONS);
}

#[test]
fn calls_are_read_from_callgrinds_table() {
    let table = "fn=(1) run\ncfn=(2) mi_malloc_aligned\ncalls=3 0 \n1 2\ncfn=(3) free\ncalls=9 0\nfn=(2)\ncfn=(4) mi_malloc\n\
                 calls=5 0\nfn=(1)\ncfn=(2)\ncalls=4 0\n";
    assert_eq!(allocations(table), 7.0);
}

/// The path to take and how often: this program runs itself under callgrind with it.
const PATH: &str = "HAUL_HOT_PATH";

#[test]
#[ignore = "the one below runs it under callgrind"]
fn take_a_path() {
    let Some(asked) = std::env::var_os(PATH) else { return };
    let asked = asked.into_string().expect("it is plain text");
    let (name, count) = asked.split_once(' ').expect("a name and a number");
    let count = count.parse().expect("a number");
    fn take(count: usize, mut path: impl FnMut()) {
        (0..count).for_each(|_| path());
    }
    match name {
        "decision" => take(count, hot::decision(1000)),
        "line" => take(count, hot::line()),
        "take_and_park" => take(count, hot::take_and_park(1000)),
        "record" => take(count, hot::record()),
        other => panic!("no path is called {other}"),
    }
}

/// Instructions of so many rounds of a path, and of what is around them.
fn instructions_of(path: &str, count: usize) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program has a path"))
        .args(["--ignored", "--exact", "take_a_path"])
        .env(PATH, format!("{path} {count}"))
        .output()
        .unwrap_or_else(|error| panic!("valgrind is needed here: {error}"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{path}: {told}");
    collected(&told)
}

#[test]
#[ignore = "a measurement of the release profile; .ci/run asks for it"]
fn the_hot_paths_take_so_many_instructions() {
    let mut over = Vec::new();
    for (path, most) in PATHS {
        let taken = instructions_of(path, LONG_PATH) - instructions_of(path, SHORT_PATH);
        let each = taken / (LONG_PATH - SHORT_PATH) as f64;
        println!("{path}: {each:.0} instructions");
        if each > most * TOLERANCE {
            over.push((path, each, most));
        }
    }
    assert!(over.is_empty(), "more than there were: {over:?}");
}
