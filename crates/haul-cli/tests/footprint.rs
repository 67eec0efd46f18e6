//! How much memory a thing that waits takes: an idle connection, a queued job, an idle host. Counted are the bytes asked of the
//! allocator, so the figures do not depend on the machine; what the allocator adds is its own affair.
//!
//! Each is the difference of two runs, one with twice as many. docs/measured/COSTS.md has the figures, and who holds what.
//! `HAUL_HEAP_PROFILE=DIRECTORY cargo test --test footprint` writes what DHAT's viewer shows: what is alive at the end is what
//! is held.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use haul::config::Config;
use haul::engine::{ByteStream, Connect, Connecting, Destination, Engine, Extensions, Snapshot};
use haul::model::{Job, More, Rejected, Source, Time, WebUrl};
use haul::sink::Null;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The allocator counts for all threads, so that one measures at a time.
static MEASURING: Mutex<()> = Mutex::new(());

/// Bytes that one takes, at the most. Raise one only with a reason, lower it after each gain. The targets are 16 KiB, 40 KiB,
/// 64 and 300; where one is not met, this is what there is and a fiftieth.
const CONNECTION: f64 = 6_800.0;
const TLS_CONNECTION: f64 = 13_700.0;
const JOB: f64 = 64.0;
const HOST: f64 = 310.0;

/// After so long the lanes of all connections have seen that they are idle.
const SETTLED: Duration = Duration::from_millis(500);

/// Jobs, and then nothing more until the run ends.
struct Bounded<F> {
    url: F,
    made: usize,
    count: usize,
    over: Receiver<()>,
}

impl<F: Fn(usize) -> String + Send> Source for Bounded<F> {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        if self.made == self.count {
            // An error: nobody is there to say so any longer.
            let _ = self.over.recv();
            return Ok(More::No);
        }
        for seq in self.made..(self.made + max).min(self.count) {
            let (url, _) = WebUrl::parse(&(self.url)(seq)).map_err(io::Error::other)?;
            into.push(Ok(Job::new(seq as u64, url, now)));
            self.made += 1;
        }
        Ok(More::Yes)
    }
}

/// What is measured: how a run is set up, and when what it is about is there.
struct Case<F> {
    name: &'static str,
    config: Config,
    extensions: Extensions,
    paused: bool,
    /// How long it waits then before it is measured.
    rest: Duration,
    url: F,
    there: fn(Snapshot, u64) -> bool,
}

impl<F: Fn(usize) -> String + Send + Copy + 'static> Case<F> {
    /// Bytes for each of so many: twice as many hold so much more.
    fn each(&self, count: usize) -> f64 {
        let _alone = MEASURING.lock().expect("no holder of this lock panics");
        let once = self.held(count, profiler(None));
        let twice = self.held(2 * count, profiler(Some(self.name)));
        let each = (twice as f64 - once as f64) / count as f64;
        println!("{}: {each:.0} bytes each, of {count}", self.name);
        each
    }

    /// Bytes held while so many are there.
    fn held(&self, count: usize, profiler: dhat::Profiler) -> usize {
        let engine = Engine::with(self.config.clone(), self.extensions.clone()).expect("good settings");
        let handle = engine.handle();
        if self.paused {
            handle.pause();
        }
        let (end, over) = channel();
        let source = Bounded { url: self.url, made: 0, count, over };
        let run = thread::spawn(move || engine.run(Box::new(source), Box::new(Null)));
        wait_until(|| (self.there)(handle.progress(), count as u64), || format!("{:?}", handle.progress()));
        thread::sleep(self.rest);
        let held = settled();
        drop(profiler);
        drop(end);
        handle.stop_now();
        run.join().expect("the run does not panic");
        held
    }
}

/// What is held once nothing moves any longer.
fn settled() -> usize {
    let mut last = 0;
    wait_until(
        || {
            let now = dhat::HeapStats::get().curr_bytes;
            now == std::mem::replace(&mut last, now)
        },
        || "memory that goes on changing".to_owned(),
    );
    last
}

fn wait_until(mut there: impl FnMut() -> bool, what: impl Fn() -> String) {
    for _ in 0..3000 {
        if there() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("waited a minute, and all there is is {}", what());
}

fn profiler(name: Option<&str>) -> dhat::Profiler {
    match std::env::var_os("HAUL_HEAP_PROFILE").zip(name) {
        None => dhat::Profiler::builder().testing().trim_backtraces(Some(4)).build(),
        Some((directory, name)) => {
            let file = Path::new(&directory).join(format!("{}.json", name.replace(' ', "-")));
            dhat::Profiler::builder().file_name(file).trim_backtraces(Some(40)).build()
        }
    }
}

/// The command's test server, as a process of its own: what it allocates is not counted here.
struct Server {
    process: Child,
    http: String,
    https: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_haul"))
            .args(["origin", "--quiet", "--json", "--port", "0", "--tls-port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo built it");
        let mut line = String::new();
        let out = process.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("it says where it is");
        let said: serde_json::Value = serde_json::from_str(&line).expect("one object");
        let url = |key: &str| said[key].as_str().expect("a URL").to_owned();
        Self { http: url("http"), https: url("https"), process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails only when the server has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Connections that each carried one response of 1 KiB, all at the same time, and now wait.
fn connection(name: &'static str, base: &str) -> f64 {
    const COUNT: usize = 400;
    let mut config = Config::default();
    let most = 1000.try_into().expect("not zero");
    (config.limits.concurrency, config.limits.per_host, config.limits.shards) = (most, most, 1);
    config.network.http1_only = true;
    config.tls.insecure = true;
    // Late enough that all have been started before the first is free.
    let url = format!("{base}bytes/1024?delay=500ms");
    let url: &'static str = url.leak();
    let there = |now: Snapshot, count| now.succeeded == count && now.connections_opened == count && now.in_flight == 0;
    let case = Case {
        name,
        config,
        extensions: Extensions::default(),
        paused: false,
        rest: SETTLED,
        url: move |_| url.to_owned(),
        there,
    };
    // What is in the air at the moment of measuring only adds: the least of three is what they hold.
    (0..3).map(|_| case.each(COUNT)).fold(f64::INFINITY, f64::min)
}

#[test]
fn an_idle_connection_takes_so_much() {
    let server = Server::start();
    let bytes = connection("idle connection", &server.http);
    assert!(bytes < CONNECTION, "{bytes}");
}

#[test]
fn an_idle_connection_with_tls_takes_so_much() {
    let server = Server::start();
    let bytes = connection("idle connection with TLS", &server.https);
    assert!(bytes < TLS_CONNECTION, "{bytes}");
}

/// All their URLs are as long.
fn page(seq: usize) -> String {
    format!("http://192.0.2.1/{seq:08}")
}

#[test]
fn a_queued_job_takes_so_much_beyond_its_url() {
    let mut config = Config::default();
    config.limits.shards = 1;
    let there = |now: Snapshot, count| now.queued == count;
    let case = Case {
        name: "queued job",
        config,
        extensions: Extensions::default(),
        paused: true,
        rest: Duration::ZERO,
        url: page,
        there,
    };
    let url = page(0).len() as f64;
    // A host's queue grows when it is full: it has just done so at this length, and at twice this length.
    let beyond = case.each(57_378) - url;
    println!("queued job: {beyond:.0} bytes beyond its URL");
    assert!(beyond < JOB, "{beyond}");
}

/// Every address is a server in this process that answers once.
struct Once;

impl Connect for Once {
    fn connect(&self, _: &Destination<'_>) -> Connecting {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        tokio::task::spawn_local(async move {
            let mut request = [0; 1024];
            let read = theirs.read(&mut request).await;
            assert!(read.is_ok_and(|count| count > 0), "a request is small");
            // An error: the client has left.
            let _ = theirs.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi").await;
        });
        Box::pin(async { Ok(Box::new(ours) as Box<dyn ByteStream>) })
    }
}

#[test]
fn an_idle_host_takes_so_much() {
    let mut config = Config::default();
    config.limits.shards = 1;
    let mut extensions = Extensions::default();
    extensions.connector = Some(Arc::new(Once));
    let there = |now: Snapshot, count| now.succeeded == count && now.in_flight == 0;
    let url =
        |seq: usize| format!("http://10.{}.{}.{}/", 100 + (seq >> 14), 100 + ((seq >> 7) & 127), 100 + (seq & 127));
    let case = Case { name: "idle host", config, extensions, paused: false, rest: Duration::ZERO, url, there };
    // Seven eighths of a power of two: as many as tables hold before they double.
    let bytes = case.each(7 << 11);
    assert!(bytes < HOST, "{bytes}");
}
