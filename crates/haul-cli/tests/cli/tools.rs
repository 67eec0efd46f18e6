//! The commands that fetch nothing, from outside: plan, doctor, completions, man.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;

use crate::ran::Ran;
use haul_testsupport::origin::Origin;

/// Runs `program` with `input` on its standard input.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // It may end before it has read everything; that is for the test to judge.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let ran = child.wait_with_output().expect("it ends").into();
    writer.join().expect("no panic");
    ran
}

fn haul(arguments: &[&str], input: &[u8]) -> Ran {
    run(env!("CARGO_BIN_EXE_haul"), arguments, input)
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable")
}

fn write(directory: &tempfile::TempDir, name: &str, content: &[u8]) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// `count` URLs on this host.
fn urls(host: &str, count: usize) -> String {
    (0..count).map(|n| format!("http://{host}/{n}\n")).collect()
}

#[test]
fn a_plan_counts_files_of_every_form_and_standard_input_together() {
    let directory = directory();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(urls("a.example", 3).as_bytes()).expect("memory");
    let one = write(&directory, "one.gz", &gzip.finish().expect("memory"));
    let two = write(&directory, "two", b"# list\n{\"url\": \"http://b.example/\"}\nnonsense\n");
    let ran = haul(&["plan", &one, "-", "-i", &two, "--json"], urls("a.example:8080", 2).as_bytes());
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    let plan = ran.json();
    let counts = ["urls", "rejected", "hosts", "sites"].map(|name| plan[name].as_u64());
    assert_eq!(counts, [6, 1, 3, 2].map(Some));
    assert_eq!(plan["first_rejected"][0], format!("{two}:3: not an absolute URL"));
    assert_eq!((&plan["top"][0]["host"], &plan["top"][0]["urls"]), (&"http://a.example".into(), &3.into()));
}

#[test]
fn a_plan_takes_the_limits_that_get_takes() {
    let list = urls("a.example", 100);
    let bound = |flags: &str| {
        let arguments: Vec<_> = ["plan", "--json"].into_iter().chain(flags.split_whitespace()).collect();
        haul(&arguments, list.as_bytes()).json()["bound_s"].as_f64().expect("a number")
    };
    assert_eq!(bound(""), 2.6, "13 rounds of 200 ms");
    assert_eq!(bound("--service-time 1s"), 13.0);
    assert_eq!(bound("--per-host 50"), 0.4);
    assert_eq!(bound("-c 4"), 5.0);
    assert_eq!(bound("--per-site 2"), 10.0);
    assert_eq!(bound("--delay 100ms"), 10.1);
    assert_eq!(bound("--host-rate 5"), 20.0);
    assert_eq!(bound("--rate 60/m"), 99.0);
    assert_eq!(bound("--per-address 1 --adaptive --window 9"), 2.6, "no part in it");
}

#[test]
fn a_plan_knows_the_rules_of_a_limits_file() {
    let directory = directory();
    let list = write(&directory, "list", (urls("a.example", 100) + &urls("b.example", 100)).as_bytes());
    let limits = write(&directory, "limits.toml", b"[[host]]\nmatch = \"b.*\"\ndelay = \"1s\"\n");
    let ran = haul(&["plan", &list, "--limits", &limits], b"");
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("by its rule, a start each 1s ('b.*' in --limits)"), "{said}");
    assert!(said.contains("No general limit helps: the rule 'b.*'"), "{said}");
}

#[test]
fn a_plan_says_why_and_what_would_help() {
    let ran = haul(&["plan"], (urls("shop.example", 1000) + &urls("b.example", 10)).as_bytes());
    for part in ["1,010 URLs on 2 hosts", "http://shop.example has 99.0 % of the URLs", "--per-host 16"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
}

#[test]
fn what_a_plan_can_t_read_is_named() {
    let directory = directory();
    let list = write(&directory, "list", urls("a.example", 1).as_bytes());
    for (arguments, part) in [
        (&["plan", "/no/such/list"][..], "/no/such/list"),
        (&["plan", "http://a.example/"], "takes files of URLs"),
        (&["plan", &list, "--from", "/no/such/records"], "/no/such/records"),
        (&["plan", &list, "--from", &list], "no record of haul get"),
        (&["plan", "--service-time", "0", &list], "0"),
    ] {
        let ran = haul(arguments, b"");
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(haul(&["plan"], b"").code, 0, "an empty list is a list");
}

#[test]
fn a_url_where_none_is_meant_is_told_without_its_password() {
    const URL: &str = "http://me:hunter2@a.example/x";
    for arguments in [
        &["plan", URL][..],
        &["plan", "-", "--from", URL],
        &["get", "-i", URL],
        &["bench", "-i", URL],
        &["compare", "-i", URL],
        &["bench", "http://me:hunter2@a.example:x/"],
        &["compare", "http://http://me:hunter2@a.example/"],
        &["bench", "https://https//me:hunter2@a.example/"],
        &["get", "http://http;//me:hunter2@a.example/"],
    ] {
        let ran = haul(arguments, b"");
        assert!(ran.code != 0 && !ran.stderr.is_empty(), "{arguments:?}");
        assert!(!ran.stderr.contains("hunter2"), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn the_records_of_a_run_make_a_plan_of_the_next() {
    let origin = Origin::start();
    let directory = directory();
    let list: String = (0..4).map(|_| origin.url("/slow/40") + "\n").collect();
    let list = write(&directory, "list", (list + "bad\n").as_bytes());
    let records = directory.path().join("records");
    let records = records.to_str().expect("UTF-8");
    assert_eq!(haul(&["get", "-i", &list, "-o", records], b"").code, 1, "one line is bad");
    let plan = haul(&["plan", &list, "--from", records, "--per-host", "1", "--json"], b"").json();
    assert_eq!((&plan["records"], &plan["hosts_measured"]), (&4.into(), &1.into()));
    let bound = plan["bound_s"].as_f64().expect("a number");
    assert!(bound >= 0.16, "four requests of at least 40 ms, one after the other: {bound}");
}

#[test]
fn a_reader_that_closes_early_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_haul"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().expect("it ends").into();
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
}

#[test]
fn the_doctor_s_exit_code_follows_the_worst_finding() {
    let ran = haul(&["doctor", "--offline", "--json"], b"");
    let found = ran.json();
    let checks = found["checks"].as_array().expect("a list");
    assert!(checks.iter().any(|check| check["check"] == "descriptors" && check["found"].is_string()), "{found}");
    assert_eq!(ran.code, i32::from(found["level"] == "problem"), "{found}");
    let text = haul(&["doctor", "--offline"], b"");
    assert!(text.stdout.contains("name server: ") && text.stdout.contains(" ok\n"), "{}", text.stdout);
    let huge = haul(&["doctor", "--offline", "-c", "4_000_000_000"], b"");
    assert_eq!(huge.code, 1, "no machine has so many descriptors: {}", huge.stdout);
    assert!(huge.stdout.contains("fix: sudo prlimit"), "{}", huge.stdout);
}

#[test]
fn the_doctor_asks_name_servers() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = server.local_addr().expect("bound").to_string();
    let answering = server.try_clone().expect("cloned");
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = answering.recv_from(&mut question) {
            // The question again, as an answer that says NXDOMAIN.
            (question[2], question[3]) = (0x81, 0x83);
            let _ = answering.send_to(&question[..length], from);
        }
    });
    let servers = |arguments: &[&str]| {
        let found = haul(&[&["doctor", "--json", "--name", "a.example"], arguments].concat(), b"").json();
        let checks = found["checks"].as_array().expect("a list").iter();
        checks.filter(|check| check["check"] == "name server").cloned().collect::<Vec<_>>()
    };
    let found = servers(&["--dns-server", &address]);
    assert!(found[0]["found"].as_str().expect("a text").contains("answered after"), "{found:?}");
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let nobody = silent.local_addr().expect("bound").to_string();
    let found = servers(&["--dns-server", &nobody]);
    assert_eq!((found.len(), &found[0]["level"]), (1, &"problem".into()), "{found:?}");
    let found = servers(&["--dns-server", &nobody, "--dns-server", &address]);
    assert_eq!(found[0]["level"], "warning", "the other one works: {found:?}");
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = haul(&["completions", shell], b"");
        assert_eq!((ran.code, &*ran.stderr), (0, ""));
        assert!(ran.stdout.contains("per-host") && ran.stdout.contains("doctor"), "{shell}");
    }
    assert_eq!(haul(&["completions", "csh"], b"").code, 2);
    let script = haul(&["completions", "bash"], b"").stdout;
    let checked = run("bash", &["-n"], script.as_bytes());
    assert_eq!((checked.code, &*checked.stderr), (0, ""));
    let offers = format!(
        "{script}\nCOMP_WORDS=(haul plan --per-h); COMP_CWORD=2; _haul haul --per-h plan; echo ${{COMPREPLY[@]}}"
    );
    assert_eq!(run("bash", &[], offers.as_bytes()).stdout, "--per-host\n");
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let directory = directory();
    let folder = directory.path().join("share/man1");
    let ran = haul(&["man", "--dir", folder.to_str().expect("UTF-8")], b"");
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "", ""));
    let all = haul(&["man"], b"").stdout;
    for command in ["", "-get", "-plan", "-doctor", "-completions", "-man"] {
        let page = fs::read_to_string(folder.join(format!("haul{command}.1"))).expect("a page");
        assert!(page.contains(".TH haul") && all.contains(&page), "haul{command}.1");
    }
    let refused = haul(&["man", "--dir", "/dev/null/x"], b"");
    assert_eq!((refused.code, refused.stderr.contains("/dev/null/x")), (2, true), "{}", refused.stderr);
    if Command::new("groff").arg("--version").output().is_err() {
        eprintln!("SKIPPED: groff is not installed");
        return;
    }
    let shown = run("groff", &["-man", "-ww", "-Tutf8", "-P-c"], all.as_bytes());
    assert_eq!((shown.code, &*shown.stderr), (0, ""));
    assert!(shown.stdout.contains("130  interrupted\n"), "the notes stay as they are: {}", shown.stdout);
}
