//! The paths that every request takes and that touch no system: each is a closure that takes it once. The bench of this name
//! times them, crates/haul-cli/tests/cost.rs counts their instructions.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Duration;

use foldhash::fast::FixedState;
use haul::config::{Limits, PoolSettings, RetrySettings};
use haul::model::{
    Attempt, CompleteResponse, Job, More, Outcome, Record, Rejected, Source, Time, Timings, WebUrl, site_of,
};
use haul::sched::{Action, Event, Gates, HostId, HostRules, Report, Scheduler, SchedulerSettings, Verdict};
use haul::sink::{RecordFields, append_line};
use haul::source::{Input, InputSettings, Inputs};
use haul_core::pool::{Acquired, ConnId, Demand, Pool};
use haul_core::protocol::Protocol;
use http::Version;

/// Requests in flight.
const IN_FLIGHT: usize = 64;
/// From one request's end to the next one's.
const TURN: Duration = Duration::from_micros(10);
/// Longer than any run.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A request ends, a job arrives at its host, and the next request starts, with so many hosts.
pub(crate) fn decision(hosts: usize) -> impl FnMut() {
    let limits = Limits { concurrency: (IN_FLIGHT as u32).try_into().expect("not zero"), ..Limits::default() };
    let settings = SchedulerSettings::new(&limits, &RetrySettings { host_memory: YEAR, ..RetrySettings::default() });
    let limit = limits.concurrency;
    let rules = HostRules { gates: Gates::NONE, concurrency: limit, ..settings.host.clone() };
    let mut scheduler = Scheduler::new(settings, 0);
    let mut now = Time::ZERO;
    let hosts: Vec<HostId> = (0..hosts).map(|_| scheduler.add_host(&rules, now)).collect();
    // As large as the engine's job.
    let job = [0_u64; 6];
    for host in hosts.iter().cycle().take(hosts.len().max(IN_FLIGHT) * 4) {
        scheduler.handle(Event::Arrived { host: *host, job }, now);
    }
    let mut flying = VecDeque::with_capacity(IN_FLIGHT);
    move || {
        while let Some(action) = scheduler.next_action(now) {
            if let Action::Start { host, job } = action {
                black_box(job);
                flying.push_back((host, now));
            }
        }
        now = now + TURN;
        let (host, started) = flying.pop_front().expect("some are in flight");
        scheduler.handle(
            Event::Done { host, report: Report { started, verdict: Verdict::Fine, attempt: 1, failing_since: None } },
            now,
        );
        scheduler.handle(Event::Arrived { host, job }, now);
    }
}

/// Lines of the input.
pub(crate) const LINES: usize = 10_000;

/// A line is read, parsed, brought into its normal form and given to a shard. The file has [`LINES`] URLs of about 60 bytes and
/// is opened anew when it ends.
pub(crate) fn line() -> impl FnMut() {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    for n in 0..LINES {
        writeln!(file, "https://www.shop-{}.example.com/catalogue/item-{n}?page=2", n % 500).expect("written");
    }
    let path = file.path().to_owned();
    let open = move || Inputs::open(vec![Input::File(path.clone())], InputSettings::default()).expect("readable");
    let mut inputs = open();
    let mut entries: Vec<Result<Job, Rejected>> = Vec::with_capacity(256);
    move || {
        if entries.is_empty() && inputs.read(256, Time::ZERO, &mut entries).expect("readable") == More::No {
            inputs = open();
        }
        // The file is kept until here.
        black_box(&file);
        if let Some(Ok(job)) = entries.pop() {
            black_box(FixedState::default().hash_one(site_of(job.url.host())) % 2);
        }
    }
}

/// A connection is taken for a request and another is parked, with so many hosts that have 64 or more connections together.
pub(crate) fn take_and_park(hosts: u64) -> impl FnMut() {
    let settings = PoolSettings { idle_timeout: YEAR, max_age: YEAR, ..PoolSettings::default() };
    let connections = hosts.max(IN_FLIGHT as u64);
    let mut pool = Pool::new(settings, connections as usize, 0);
    let mut now = Time::ZERO;
    let opened: Vec<ConnId> = (0..connections)
        .map(|n| {
            let host = n % hosts;
            assert!(matches!(pool.acquire(host, Demand::SINGLE, now), Acquired::Dial { .. }));
            pool.dialed(host, Protocol::Http1, 1, now)
        })
        .collect();
    for id in opened {
        pool.release(id, true, now);
    }
    let mut taken = VecDeque::with_capacity(IN_FLIGHT);
    let mut next = 0;
    move || {
        now = now + TURN;
        if taken.len() == IN_FLIGHT {
            let id = taken.pop_front().expect("it is full");
            black_box(pool.release(id, true, now));
        }
        match pool.acquire(next % hosts, Demand::SINGLE, now) {
            Acquired::Slot(id) => taken.push_back(id),
            other => panic!("each host has a connection to spare: {other:?}"),
        }
        next += 1;
    }
}

/// The record of a response is written.
pub(crate) fn record() -> impl FnMut() {
    let url = "https://www.shop-17.example.com/catalogue/item-123456?page=2";
    let response = CompleteResponse {
        status: 200,
        version: Version::HTTP_11,
        headers: None,
        body: None,
        body_bytes: 1024,
        sha256: None,
        saved: None,
        close_delimited: false,
    };
    let micros = Duration::from_micros;
    let timings = Timings {
        queued: micros(12_345_678),
        first_byte: Some(micros(1234)),
        body: Some(micros(56)),
        total: micros(1290),
        ..Timings::default()
    };
    let remote = Some("192.0.2.7:443".parse().expect("an address"));
    let last = Attempt { result: Ok(response), timings, remote, reused: true, wire_bytes: 1024 };
    let job = Job::new(123_456, WebUrl::parse(url).expect("a URL").0, Time::ZERO);
    let record = Record::Fetched(Outcome { job, attempts: 1, last });
    let mut line = Vec::with_capacity(1024);
    move || {
        line.clear();
        append_line(black_box(&record), &RecordFields::default(), &mut line);
        io::sink().write_all(&line).expect("it takes all");
    }
}
