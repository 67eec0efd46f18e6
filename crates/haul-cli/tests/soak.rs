//! The command for a length of time: nginx that closes connections just as they are used again, and beside it every
//! kind of hostile peer. Nothing is lost or told twice, nothing bad is called a success, nothing grows.
//!
//! `HAUL_SOAK_SECONDS` says how long (default 6; CI a minute, by hand an hour):
//! `HAUL_SOAK_SECONDS=3600 cargo test --release --test soak -- --nocapture`

#![expect(clippy::disallowed_methods, reason = "these runs are timed from outside, for people to read")]

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use haul_testsupport::hostile::Hostile;
use haul_testsupport::nginx::{Nginx, Setup};
use haul_testsupport::origin::Origin;
use haul_testsupport::process::Watch;
use serde_json::Value;

/// Hosts of nginx that are asked for one URL about once a second, and for 60 at once as often.
const SINGLE: u8 = 56;
const BURSTS: u8 = 8;
const BURST: usize = 60;
/// nginx's `keepalive_timeout`, and how far around it the next request falls.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
const AROUND_US: u64 = 2_000;
/// URLs of each hostile host: as many as are in flight at once.
const HOSTILE_URLS: usize = 8;

/// Each of these tests measures something that the others would disturb: it holds this while it runs.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seconds() -> u64 {
    std::env::var("HAUL_SOAK_SECONDS").map_or(6, |text| text.parse().expect("HAUL_SOAK_SECONDS is a whole number"))
}

/// Hostile hosts are to be done with soon, so that many fit in.
const IMPATIENT: &[&str] = &[
    "--connect-timeout",
    "1s",
    "--tls-timeout",
    "1s",
    "--first-byte-timeout",
    "1s",
    "--idle-timeout",
    "1s",
    "--timeout",
    "2s",
    "--max-body",
    "1M",
    "--quiet",
];

fn haul(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.arg("get").args(arguments).args(IMPATIENT);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cargo built it")
}

/// What to ask for next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Single(u8),
    Burst(u8),
    Hostile { kind: usize, host: usize },
}

/// Writes URLs for a length of time, each at its time; returns how many.
fn pour(mut pipe: ChildStdin, nginx: &Nginx, hostile: &Hostile, length: Duration) -> u64 {
    let (started, mut rng) = (Instant::now(), fastrand::Rng::with_seed(4));
    let mut written = 0;
    // Two rounds of hostile hosts fall into each third of the run, which are compared.
    let round = (length / 6).min(Duration::from_secs(10));
    let mut to_come: BinaryHeap<_> = (2..2 + SINGLE).map(|last| Reverse((Duration::ZERO, Ask::Single(last)))).collect();
    to_come.extend((2 + SINGLE..2 + SINGLE + BURSTS).map(|last| Reverse((Duration::ZERO, Ask::Burst(last)))));
    to_come.extend((0..Hostile::KINDS).map(|kind| Reverse((Duration::ZERO, Ask::Hostile { kind, host: 1 }))));
    while let Some(Reverse((at, ask))) = to_come.pop().filter(|Reverse((at, _))| *at < length) {
        thread::sleep(at.saturating_sub(started.elapsed()));
        let mut lines = String::new();
        let mut ask_for = |url: String| {
            writeln!(lines, "{url}").expect("to a string");
            written += 1;
        };
        // From now on, not from when it was due: what counts is how long the connection has been idle.
        let expiry = started.elapsed() + KEEP_ALIVE + Duration::from_micros(rng.u64(..2 * AROUND_US))
            - Duration::from_micros(AROUND_US);
        let next = match ask {
            Ask::Single(last) => {
                ask_for(nginx.url_on(last, "/small"));
                (expiry, ask)
            }
            Ask::Burst(last) => {
                (0..BURST).for_each(|_| ask_for(nginx.url_on(last, "/small")));
                (expiry, ask)
            }
            Ask::Hostile { kind, host } => {
                (0..HOSTILE_URLS).for_each(|path| ask_for(hostile.url(kind, host, path)));
                (at + round, Ask::Hostile { kind, host: host + 1 })
            }
        };
        to_come.push(Reverse(next));
        pipe.write_all(lines.as_bytes()).expect("haul reads on");
    }
    written
}

/// What the records say.
#[derive(Default)]
struct Tally {
    seen: Vec<bool>,
    nginx: u64,
    /// Records of nginx's that are no plain success.
    wrong: Vec<Value>,
    /// Records of nginx's that took a second attempt, and of those that went over an old connection.
    fixed: u64,
    reused: u64,
    hostile: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Records of hostile hosts' that are called a success.
    fooled: Vec<Value>,
}

impl Tally {
    fn read(lines: impl BufRead) -> Self {
        let mut tally = Self::default();
        for line in lines.lines() {
            let line = line.expect("text");
            tally.add(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
        }
        tally
    }

    fn add(&mut self, record: Value) {
        let seq = usize::try_from(record["seq"].as_u64().expect("a number")).expect("small");
        if self.seen.len() <= seq {
            self.seen.resize(seq + 1, false);
        }
        assert!(!std::mem::replace(&mut self.seen[seq], true), "two records for {seq}: {record}");
        let url = record["url"].as_str().expect("text");
        if url.starts_with("http://127.0.0.") {
            self.nginx += 1;
            self.fixed += u64::from(record["attempts"] != 1);
            self.reused += u64::from(record["reused"] == true);
            if record["status"] != 200 || record["body_bytes"] != 5 {
                self.wrong.push(record);
            }
            return;
        }
        let kinds = self.hostile.entry(Hostile::kind_of(url)).or_default();
        let kind = record["error"]["kind"].as_str().unwrap_or("a success");
        *kinds.entry(kind.to_owned()).or_default() += 1;
        if record["error"].is_null() {
            self.fooled.push(record);
        }
    }
}

/// The number of seconds after which what is left of a run must have ended.
const DRAIN: Duration = Duration::from_secs(60);

fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + DRAIN;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("our own child") {
            return status.code();
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("our own child");
    panic!("haul did not end within {DRAIN:?} of its input's end");
}

#[test]
fn nothing_is_lost_and_nothing_grows() {
    let _alone = alone();
    let setup = Setup {
        keepalive_requests: 50,
        keepalive_timeout: KEEP_ALIVE.as_secs() as u32,
        addresses: 1 + SINGLE + BURSTS,
    };
    let Some(nginx) = Nginx::start(&setup) else { return };
    let (hostile, length) = (Hostile::start(), Duration::from_secs(seconds()));
    // Without retries: whatever is tried again is so because that is known to do no harm.
    let mut child = haul(&["-i", "-", "--retries", "0", "--summary", "json", "--insecure"]);
    let (pipe, records) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let said = child.stderr.take().expect("piped");
    let tally = thread::spawn(move || Tally::read(BufReader::new(records)));
    let said = thread::spawn(move || BufReader::new(said).lines().map(|line| line.expect("text")).last());
    let mut watch = Watch::new(child.id());
    let written = thread::scope(|scope| {
        let writing = scope.spawn(|| pour(pipe, &nginx, &hostile, length));
        watch.until(|| writing.is_finished());
        writing.join().expect("no panic")
    });
    let code = wait(&mut child);
    let tally = tally.join().expect("no panic");
    let summary = said.join().expect("no panic").expect("a summary");
    let summary: Value = serde_json::from_str(&summary).unwrap_or_else(|error| panic!("{error}: {summary}"));
    report(&tally, &summary, &watch, written);
    assert_eq!(code, Some(1), "{summary}");
    assert_eq!(tally.wrong.first(), None, "{} of nginx's", tally.wrong.len());
    assert_eq!(tally.fooled.first(), None, "{} bad responses taken for good", tally.fooled.len());
    assert_conserved(&tally, &summary, written);
    assert_eq!(tally.hostile.len(), Hostile::KINDS, "every kind was met");
    assert!(tally.reused > 0, "no connection was used again");
    assert_eq!(watch.is_flat(), Ok(()));
}

#[test]
fn a_connection_left_half_closed_is_seen() {
    let _alone = alone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let left_open = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    drop(listener.accept().expect("a caller"));
    let (mut watch, since) = (Watch::new(std::process::id()), Instant::now());
    watch.until(|| since.elapsed() > Duration::from_millis(500));
    drop(left_open);
    assert!(watch.longest_half_closed() >= Duration::from_millis(200), "{watch}");
}

/// What is said of this process after a few looks, and a few with something more.
fn watched<T>(more: impl FnOnce() -> T) -> Result<(), String> {
    let mut watch = Watch::new(std::process::id());
    let mut look = || {
        let looks = Cell::new(0);
        watch.until(|| looks.replace(looks.get() + 1) == 4);
    };
    look();
    let more = more();
    look();
    drop(more);
    watch.is_flat()
}

#[test]
fn growth_is_seen() {
    let _alone = alone();
    assert_eq!(watched(|| ()), Ok(()));
    // Seen by nobody, the optimiser would spare it.
    let said = watched(|| black_box(vec![1_u8; 256 << 20])).expect_err("256 MiB more");
    assert!(said.starts_with("memory grows"), "{said}");
    let open = |_| std::fs::File::open("/dev/null").expect("it is always there");
    let said = watched(|| (0..400).map(open).collect::<Vec<_>>()).expect_err("400 descriptors more");
    assert!(said.starts_with("descriptors grow"), "{said}");
}

fn assert_conserved(tally: &Tally, summary: &Value, written: u64) {
    let count = |name: &str| summary["urls"][name].as_u64().expect("a number");
    assert_eq!(count("accepted"), written, "{summary}");
    assert_eq!(count("succeeded") + count("failed"), written, "{summary}");
    assert_eq!((count("left"), count("unwritten")), (0, 0), "{summary}");
    assert!(tally.seen.len() as u64 == written && tally.seen.iter().all(|seen| *seen), "a record is missing");
    assert_eq!(count("succeeded"), tally.nginx, "{summary}");
}

fn report(tally: &Tally, summary: &Value, watch: &Watch, written: u64) {
    let Tally { nginx, fixed, reused, .. } = tally;
    println!("soak: {} s, {written} URLs: {nginx} to nginx, {} to hostile hosts", seconds(), written - nginx);
    println!(
        "soak: nginx: {} errors, {fixed} races met and fixed, {reused} last attempts over a connection used before",
        tally.wrong.len()
    );
    println!("soak: connections: {}", summary["connections"]);
    for (kind, ends) in &tally.hostile {
        println!(
            "soak: who {kind}: {}",
            ends.iter().map(|(end, count)| format!("{count} {end}")).collect::<Vec<_>>().join(", ")
        );
    }
    print!("{watch}");
}

/// Hosts with a fixed service time, so that how much they get depends on their limits and not on the processor.
const HEALTHY: usize = 5;
const SERVICE_MS: usize = 40;
const PER_HOST: usize = 8;
const THEIRS: &str = "http://127.0.3.";

/// New hostile hosts of every kind come so often, as long as the healthy ones are fetched: 208 requests each time, of which
/// 64 stall for a second or two.
const WAVES: Duration = Duration::from_millis(1_500);

/// The URLs of a new hostile host of every kind.
fn wave(hostile: &Hostile, number: usize) -> String {
    let urls = (0..Hostile::KINDS).flat_map(|kind| (0..HOSTILE_URLS).map(move |path| hostile.url(kind, number, path)));
    urls.map(|url| url + "\n").collect()
}

/// Seconds that the healthy hosts take for their URLs, alone or beside hostile hosts that come first and go on coming.
fn fetch_healthy(origin: &Origin, rounds: usize, beside: Option<&Arc<Hostile>>) -> f64 {
    let healthy = HEALTHY * PER_HOST * rounds;
    let url = |n| origin.url_on(&format!("127.0.3.{}", n % HEALTHY + 1), &format!("/slow/{SERVICE_MS}/{n}\n"));
    let lines: String = beside.map(|hostile| wave(hostile, 500)).into_iter().chain((0..healthy).map(url)).collect();
    let mut child = haul(&["-i", "-", "--grace", "0s", "--insecure"]);
    let (mut pipe, records) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (beside, (done_with, over)) = (beside.cloned(), mpsc::channel::<()>());
    let writing = thread::spawn(move || {
        let mut written = pipe.write_all(lines.as_bytes());
        for number in 501.. {
            let Some(hostile) = beside.as_ref().filter(|_| written.is_ok()) else { break };
            if over.recv_timeout(WAVES) != Err(RecvTimeoutError::Timeout) {
                break;
            }
            written = pipe.write_all(wave(hostile, number).as_bytes());
        }
    });
    let (mut first, mut done) = (None, 0);
    for line in BufReader::new(records).lines() {
        let record: Value = serde_json::from_str(&line.expect("text")).expect("a record");
        if record["url"].as_str().expect("text").starts_with(THEIRS) {
            assert_eq!(record["status"], 200, "{record}");
            first.get_or_insert_with(Instant::now);
            done += 1;
        }
        if done == healthy {
            break;
        }
    }
    assert_eq!(done, healthy, "healthy hosts' records are missing");
    let took = first.expect("one at least").elapsed().as_secs_f64();
    // The rest is not waited for.
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    wait(&mut child);
    drop(done_with);
    writing.join().expect("it ends when told");
    took
}

#[test]
fn healthy_hosts_keep_what_they_have_alone() {
    let _alone = alone();
    let (origin, hostile) = (Origin::start(), Arc::new(Hostile::start()));
    // A twentieth of the time for each of two runs in turn, between one and five seconds.
    let each = (seconds() / 20).clamp(1, 5) as usize;
    let turns = (seconds() / (4 * each as u64)).clamp(2, 20);
    let rounds = each * 1000 / SERVICE_MS;
    let ratio = |_| {
        let (alone, beside) = (fetch_healthy(&origin, rounds, None), fetch_healthy(&origin, rounds, Some(&hostile)));
        println!("throughput: {alone:.2} s alone, {beside:.2} s beside hostile hosts: {:.3}", alone / beside);
        alone / beside
    };
    println!("throughput: by their limits alone, healthy hosts would take {:.2} s", (rounds * SERVICE_MS) as f64 / 1e3);
    let mut ratios: Vec<f64> = (0..turns).map(ratio).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    // Told and not asserted: what is measured in real time depends on what else the machine does.
    println!(
        "throughput: {turns} turns, hosts of {} hostile kinds beside: {median:.3} of that alone ({least:.3} to \
         {most:.3}); aimed at: 0.95",
        Hostile::KINDS
    );
}
