//! How often a request allocates: counted, so the figure does not depend on how busy the machine is, nor on the profile.
//!
//! The engine runs as under `haul bench` and `haul get`, with the sources and sinks of these; crates/haul-cli/tests/cost.rs counts the same
//! on the release binary. docs/measured/COSTS.md has the figures, and who allocates. `HAUL_HEAP_PROFILE=DIRECTORY cargo test --test
//! allocations` writes what DHAT's viewer shows, a file for each command.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use haul::config::{BodySettings, Config};
use haul::engine::Engine;
use haul::model::{Job, More, Rejected, Sink, Source, Time, WebUrl};
use haul::sink::{Ndjson, Null, RecordFields};
use haul::source::{Input, InputSettings, Inputs};

use haul_testsupport::responder::responder;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The allocator counts for all threads, so that one counts at a time.
static COUNTING: Mutex<()> = Mutex::new(());

/// Requests of the short and the long run: what the start and the end of a run take cancels out between them.
const SHORT: usize = 2_000;
const LONG: usize = 10_000;
/// Blocks asked for, a request. Raise one only with a reason, lower it after each gain. The targets are 10 and 14.
const BENCH: f64 = 6.0;
const GET: f64 = 6.0;
/// Batches and queues grow now and then, by how the threads happen to run.
const TOLERANCE: f64 = 0.3;

/// Blocks and bytes that a request asks for, when `run` makes so many.
fn per_request(name: &str, run: impl Fn(usize)) -> f64 {
    let _alone = COUNTING.lock().expect("no holder of this lock panics");
    let _profiler = profiler(name);
    let counted = |requests| {
        let before = dhat::HeapStats::get();
        run(requests);
        let after = dhat::HeapStats::get();
        (after.total_blocks - before.total_blocks, after.total_bytes - before.total_bytes)
    };
    let (short, long) = (counted(SHORT), counted(LONG));
    let each = |long: u64, short: u64| (long - short) as f64 / (LONG - SHORT) as f64;
    let (blocks, bytes) = (each(long.0, short.0), each(long.1, short.1));
    println!("haul {name}: {blocks:.2} allocations and {bytes:.0} bytes a request");
    blocks
}

fn profiler(name: &str) -> dhat::Profiler {
    match std::env::var_os("HAUL_HEAP_PROFILE") {
        None => dhat::Profiler::builder().testing().trim_backtraces(Some(4)).build(),
        Some(directory) => {
            let file = Path::new(&directory).join(format!("{name}.json"));
            dhat::Profiler::builder().file_name(file).trim_backtraces(Some(40)).build()
        }
    }
}

/// 64 connections to one host, on one thread.
fn config() -> Config {
    let mut config = Config::default();
    let connections = 64.try_into().expect("not zero");
    (config.limits.concurrency, config.limits.per_host, config.limits.shards) = (connections, connections, 1);
    config
}

fn run(config: Config, source: impl Source + 'static, sink: impl Sink + 'static, requests: usize) {
    let report = Engine::new(config).expect("good settings").run(Box::new(source), Box::new(sink));
    assert_eq!(report.totals.succeeded, requests as u64);
}

/// The same URL over and over, as `haul bench` asks for it.
struct Load {
    url: WebUrl,
    left: usize,
}

impl Source for Load {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let count = self.left.min(max);
        into.extend((0..count).map(|seq| Ok(Job::new(seq as u64, self.url.clone(), now))));
        self.left -= count;
        Ok(if self.left == 0 { More::No } else { More::Yes })
    }
}

fn bench(address: SocketAddr, requests: usize) {
    let url = WebUrl::parse(&format!("http://{address}/")).expect("a URL").0;
    let mut config = config();
    config.body = BodySettings { decode: false, max_wire: u64::MAX, max_decoded: u64::MAX, ..BodySettings::default() };
    config.limits.window = 1024;
    run(config, Load { url, left: requests }, Null, requests);
}

fn get(address: SocketAddr, requests: usize) {
    let list = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the directory is ours");
    fs::write(list.path(), format!("http://{address}/\n").repeat(requests)).expect("the file is ours");
    let source = Inputs::open(vec![Input::File(list.path().into())], InputSettings::default()).expect("readable");
    let output = fs::File::create("/dev/null").expect("always there");
    run(config(), source, Ndjson::new(output, "nowhere", RecordFields::default()), requests);
}

#[test]
fn a_request_of_a_load_allocates_so_often() {
    let address = responder();
    let blocks = per_request("bench", |requests| bench(address, requests));
    assert!(blocks < BENCH + TOLERANCE, "{blocks}");
}

#[test]
fn a_request_of_a_list_allocates_so_often() {
    let address = responder();
    let blocks = per_request("get", |requests| get(address, requests));
    assert!(blocks < GET + TOLERANCE, "{blocks}");
}
