//! Large inputs against nginx and unbound: every record there, memory bounded, a bad host no burden to the others.
//!
//! `HAUL_SCALE` says how many URLs the large run has (default 100,000 over 1,000 hosts; CI runs 1,000,000 over 10,000).

#![expect(clippy::disallowed_methods, reason = "these runs are timed from outside, for people to read")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use haul_testsupport::server::Server;
use serde_json::Value;

const URLS_PER_HOST: usize = 100;
/// Hosts of the endless input.
const MANY: usize = 400;

/// nginx with one answer for everything, on 127.0.0.1 and on `addresses`.
fn nginx(addresses: impl Iterator<Item = Ipv4Addr>) -> Option<Server> {
    Server::start("nginx", |program, directory, port| {
        let listen: String = addresses.map(|address| format!("listen {address}:{port};\n")).collect();
        let config = format!(
            "daemon off; master_process off; pid {directory}/pid; error_log stderr warn;
             worker_rlimit_nofile 65536;
             events {{ worker_connections 40000; }}
             http {{
                 access_log off; keepalive_requests 100000; keepalive_timeout 30s;
                 client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;
                 uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
                 server {{ listen 127.0.0.1:{port}; {listen} return 200 'hello from a host of many'; }}
             }}",
            directory = directory.display()
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, config).expect("the directory is ours");
        let mut command = Command::new(program);
        command.arg("-c").arg(file).arg("-p").arg(directory);
        command
    })
}

/// unbound with `hosts` names, each on an address of its own.
fn unbound(hosts: usize) -> Option<Server> {
    Server::start("unbound", |program, directory, port| {
        let mut config = format!(
            "server:\n directory: \"{directory}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n \
             interface: 127.0.0.1@{port}\n do-ip6: no\n num-threads: 1\n local-zone: \"scale.test.\" static\n",
            directory = directory.display()
        );
        for host in 0..hosts {
            writeln!(config, " local-data: \"h{host}.scale.test. 600 A {}\"", address(host)).expect("to a string");
        }
        config.push_str("remote-control:\n control-enable: no\n");
        let file = directory.join("unbound.conf");
        fs::write(&file, config).expect("the directory is ours");
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(file);
        command
    })
}

fn address(host: usize) -> Ipv4Addr {
    let [_, _, high, low] = u32::try_from(host).expect("small").to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

fn haul(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.arg("get").args(arguments).stdin(Stdio::null());
    command
}

/// The most memory the process has had resident, in MiB; 0 once it is gone.
fn peak_memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

/// Waits for the end; returns the exit code and the peak of its memory in MiB.
fn wait(child: &mut Child) -> (Option<i32>, u64) {
    let mut peak = 0;
    loop {
        peak = peak_memory(child).max(peak);
        if let Some(status) = child.try_wait().expect("our own child") {
            return (status.code(), peak);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn records(file: &Path) -> impl Iterator<Item = Value> {
    let lines = BufReader::new(File::open(file).expect("the records")).lines();
    lines.map(|line| serde_json::from_str(&line.expect("text")).expect("a record"))
}

#[test]
fn a_large_input_sorted_by_host_completes_with_every_record() {
    let urls: usize = std::env::var("HAUL_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let hosts = urls.div_ceil(URLS_PER_HOST);
    let (Some(nginx), Some(unbound)) = (nginx((0..hosts).map(address)), unbound(hosts)) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (input, output) = (directory.path().join("urls"), directory.path().join("records"));
    let mut file = BufWriter::new(File::create(&input).expect("ours"));
    for url in 0..urls {
        let host = url / URLS_PER_HOST;
        writeln!(file, "http://h{host}.scale.test:{}/page/{url}", nginx.address.port()).expect("ours");
    }
    drop(file);
    let started = Instant::now();
    let paths = [input.to_str().expect("plain"), output.to_str().expect("plain")];
    let server = unbound.address.to_string();
    let mut child = haul(&["-i", paths[0], "-o", paths[1], "--dns-server", &server, "--quiet"]).spawn().expect("runs");
    let (code, peak) = wait(&mut child);
    let took = started.elapsed();
    assert_eq!(code, Some(0));
    let (mut seen, mut peers) = (vec![false; urls], HashSet::new());
    for record in records(&output) {
        let seq = usize::try_from(record["seq"].as_u64().expect("a number")).expect("small");
        assert_eq!(record["status"], 200, "{record}");
        assert!(!std::mem::replace(&mut seen[seq], true), "two records for {seq}");
        peers.insert(record["remote_addr"].as_str().expect("an address").to_owned());
    }
    assert!(seen.iter().all(|seen| *seen), "a record is missing");
    assert_eq!(peers.len(), hosts, "each host has its own address");
    let rate = urls as f64 / took.as_secs_f64();
    println!("scale: {urls} URLs, {hosts} hosts, sorted: {took:.1?}, {rate:.0}/s, peak memory {peak} MiB");
    // 10,000 hosts' worth of connections, the whole input in the window, and the allocator's slack.
    assert!(peak < 1024, "{peak} MiB");
}

/// Writes a hundred million URL lines, or as many as are taken.
fn pour(mut pipe: impl Write + Send + 'static, port: u16) {
    std::thread::spawn(move || {
        let mut batch = String::new();
        for n in 0..100_000_000_u64 {
            writeln!(batch, "http://{}:{port}/page/{n}", address(n as usize / 50 % MANY)).expect("to a string");
            if batch.len() > 60_000 {
                if pipe.write_all(batch.as_bytes()).is_err() {
                    return;
                }
                batch.clear();
            }
        }
    });
}

#[test]
fn an_endless_input_is_fetched_at_once_and_in_bounded_memory() {
    let Some(nginx) = nginx((0..MANY).map(address)) else { return };
    let started = Instant::now();
    let window = ["-i", "-", "--window", "20000", "--quiet", "-c", "64", "--per-host", "1"];
    let mut child = haul(&window).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    pour(child.stdin.take().expect("piped"), nginx.address.port());
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a record");
    assert!(line.starts_with('{'), "no record: {line:?}");
    println!("endless input: the first record after {:.0?}", started.elapsed());
    let written = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&written);
    let drain = std::thread::spawn(move || {
        for line in output.split(b'\n') {
            line.expect("readable");
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let memory_after = |records: u64| {
        while written.load(Ordering::Relaxed) < records {
            std::thread::sleep(Duration::from_millis(10));
        }
        peak_memory(&child)
    };
    let (early, late) = (memory_after(100_000), memory_after(400_000));
    println!("endless input: peak memory {early} MiB after 100,000 records, {late} MiB after 400,000");
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupted.success());
    let (code, _) = wait(&mut child);
    drain.join().expect("no panic");
    assert_eq!(code, Some(130));
    assert!(late < early + early / 4, "memory grows with the input: {early} MiB, then {late} MiB");
}

/// Two hundred hosts' URLs, fetched alone or beside a host that never answers and one that answers after a second.
fn fetch_beside(port: u16, beside: &[String]) -> (Duration, Vec<Value>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (input, output) = (directory.path().join("urls"), directory.path().join("records"));
    let mut lines: Vec<String> = beside.to_vec();
    lines.extend((0..20_000).map(|n| format!("http://{}:{port}/page/{n}", address(n % 200))));
    fs::write(&input, lines.join("\n")).expect("ours");
    let paths = [input.to_str().expect("plain"), output.to_str().expect("plain")];
    let flags = ["-c", "64", "--retries", "0", "--first-byte-timeout", "2s", "--dead-after", "2", "--quiet"];
    let mut child = haul(&[&["-i", paths[0], "-o", paths[1]], &flags[..]].concat()).spawn().expect("runs");
    let started = Instant::now();
    // The healthy hosts are done when all their records are there, whatever the others do.
    loop {
        let healthy = fs::read_to_string(&output).map_or(0, |text| text.matches("\"url\":\"http://127.1.0.").count());
        if healthy >= 20_000 || child.try_wait().expect("ours").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = started.elapsed();
    child.wait().expect("ours");
    (took, records(&output).collect())
}

/// A listener that accepts nothing by itself: connections are made by the kernel and never answered.
fn silent() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a free port")
}

/// A host that answers after a second.
fn slow() -> u16 {
    let listener = silent();
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    std::thread::sleep(Duration::from_secs(1));
                    if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn one_slow_and_one_dead_host_cost_the_others_nothing() {
    let Some(nginx) = nginx((0..200).map(address)) else { return };
    let port = nginx.address.port();
    let (alone, _) = fetch_beside(port, &[]);
    let dead = silent();
    let dead_port = dead.local_addr().expect("bound").port();
    let slow_port = slow();
    let mut beside: Vec<String> = (0..30).map(|n| format!("http://127.0.0.1:{dead_port}/{n}")).collect();
    beside.extend((0..30).map(|n| format!("http://127.0.0.1:{slow_port}/{n}")));
    let (with_both, records) = fetch_beside(port, &beside);
    println!("20,000 URLs of 200 healthy hosts: {alone:.2?} alone, {with_both:.2?} beside a slow and a dead host");
    assert_eq!(records.len(), 20_060);
    let at = |wanted: &str| records.iter().rposition(|record| record["url"].as_str().expect("text").contains(wanted));
    let (healthy, slow) = (at("127.1.0.").expect("there"), at(&format!(":{slow_port}/")).expect("there"));
    assert!(healthy < slow, "the healthy hosts were done before the slow one");
    let ok = records.iter().filter(|record| record["status"] == 200).count();
    assert_eq!(ok, 20_030, "all but the dead host's");
}
