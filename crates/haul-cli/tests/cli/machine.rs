//! What the machine does to the command: signals, and limits of every kind. It never dies of them without a word.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use haul_testserver::TestServer;

/// `haul` with these arguments, after these commands of a shell.
fn shell(before: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}\nexec \"$@\""), "sh", env!("CARGO_BIN_EXE_haul")]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
    text
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(sent.success());
}

/// A run whose first record has been written and whose second request hangs.
fn hanging(before: &str, origin: &TestServer) -> Child {
    let urls = [origin.url("/bytes/1"), origin.url("/bytes/1?delay=60s")];
    let mut child = shell(before, &["get", "--grace", "100ms", &urls[0], &urls[1]]).spawn().expect("a shell");
    // A record begins.
    child.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("a record");
    child
}

#[test]
fn what_asks_for_an_end_gets_an_orderly_one() {
    let origin = TestServer::start().expect("free ports");
    for which in ["-TERM", "-INT", "-HUP", "-XCPU"] {
        let child = hanging("", &origin);
        signal(&child, which);
        let output = child.wait_with_output().expect("it ends");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(130), "{which}: {told}");
        assert!(told.contains("stopped      1 URL already read left without a record"), "{which}: {told}");
    }
}

#[test]
fn who_ignores_the_terminals_end_for_us_is_obeyed() {
    let origin = TestServer::start().expect("free ports");
    let child = hanging("trap '' HUP", &origin);
    signal(&child, "-HUP");
    thread::sleep(Duration::from_millis(300));
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stderr(&output).matches("haul: stopping").count(), 1, "one signal was heard");
}

#[test]
fn a_size_that_files_may_have_is_an_error_of_the_write() {
    let origin = TestServer::start().expect("free ports");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("a plain path").to_owned();
    let (url, large) = (origin.url("/bytes/50000"), origin.url("/bytes/500000"));
    // 512 or 1024 bytes are a unit, by the shell.
    for arguments in [
        &["get", "--body", "base64", "-o", &path("records"), &url, &url, &url][..],
        &["get", "--body", "base64", "--order", "input", "-o", &path("ordered"), &url, &url, &url],
        &["get", "--save-dir", &path("bodies"), &large],
    ] {
        let output = shell("ulimit -f 64", arguments).output().expect("a shell");
        let told = stderr(&output);
        assert_eq!((output.status.code(), output.status.signal()), (Some(1), None), "{arguments:?}: {told}");
        assert!(told.to_lowercase().contains("file too large"), "{arguments:?}: {told}");
    }
}

#[test]
fn what_was_written_before_the_output_was_full_is_said() {
    let origin = TestServer::start().expect("free ports");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (list, records) = (directory.path().join("list"), directory.path().join("records"));
    let urls: Vec<_> = (0..100).map(|n| origin.url(&format!("/bytes/5000?n={n}"))).collect();
    std::fs::write(&list, urls.join("\n")).expect("the directory is ours");
    let path = |path: &std::path::Path| path.to_str().expect("a plain path").to_owned();
    for order in ["completion", "input"] {
        let arguments = [
            "get",
            "--body",
            "base64",
            "--order",
            order,
            "-i",
            &path(&list),
            "-o",
            &path(&records),
            "--summary",
            "json",
        ];
        let output = shell("ulimit -f 100", &arguments).output().expect("a shell");
        let (told, written) = (stderr(&output), std::fs::read(&records).expect("written in part"));
        let whole = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines = written.iter().filter(|&&byte| byte == b'\n').count() as u64;
        assert!(lines > 1 && whole < written.len(), "{lines} lines, {whole} of {}", written.len());
        assert!(told.contains(&format!("; {whole} bytes of whole records are written")), "{whole}: {told}");
        let summary: serde_json::Value = serde_json::from_str(told.lines().last().expect("a line")).expect("JSON");
        let ended = summary["urls"]["succeeded"].as_u64().expect("a number")
            + summary["urls"]["failed"].as_u64().expect("a number");
        assert_eq!(summary["urls"]["unwritten"].as_u64(), Some(ended - lines), "{summary}");
    }
}

#[test]
fn help_that_can_not_be_written_is_an_error() {
    for arguments in [&["--help"][..], &["--version"], &["get", "--help"], &["help"], &["man"]] {
        let output = shell("exec >/dev/full", arguments).output().expect("a shell");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("can't write to standard output"), "{arguments:?}: {told}");
    }
    let output = shell("", &["--version"]).output().expect("a shell");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(b"haul "), "{output:?}");
}

/// How a command ends that the machine refuses something: in its own words, soon, and without a trace of the inside.
fn ends_well(before: &str, arguments: &[&str]) -> Option<i32> {
    let mut child = shell(before, arguments).spawn().expect("a shell");
    for _ in 0..1500 {
        if child.try_wait().expect("our own child").is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    // If it hangs, this is what ends it, and no code comes of it.
    child.kill().expect("our own child");
    let output = child.wait_with_output().expect("it has ended");
    let told = stderr(&output);
    assert!(!told.contains("memory allocation of"), "{before}; {arguments:?}: {told}");
    let code = output.status.code();
    assert!(code.is_some(), "{before}; {arguments:?}: {:?}: {told}", output.status);
    if code != Some(0) && code != Some(127) {
        assert!(
            told.contains("ulimit") || told.contains("Too many open files") || told.contains("failed"),
            "{before}: {told}"
        );
    }
    code
}

#[test]
fn few_descriptors_are_refused_with_what_is_needed_or_enough() {
    let origin = TestServer::start().expect("free ports");
    let url = origin.url("/bytes/1");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let list = directory.path().join("list");
    std::fs::write(&list, format!("{url}\n")).expect("the directory is ours");
    let list = list.to_str().expect("a plain path");
    for limit in [4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 32, 64] {
        let before = format!("ulimit -n {limit}");
        let code = ends_well(&before, &["get", "-q", "--shards", "2", "-i", list, "-o", "/dev/null"]);
        assert!(if limit < 12 { code != Some(0) } else { limit < 24 || code == Some(0) }, "{limit}: {code:?}");
        ends_well(&before, &["plan", "-i", list]);
        ends_well(&before, &["bench", "-q", "-d", "100ms", &url]);
    }
    for limit in [6, 12, 20, 30, 40, 64, 100] {
        let code = ends_well(&format!("ulimit -n {limit}"), &["demo", "--urls", "300"]);
        assert!(if limit < 30 { code != Some(0) } else { limit < 100 || code == Some(0) }, "{limit}: {code:?}");
    }
    for limit in [6, 12, 20] {
        ends_well(&format!("ulimit -n {limit}"), &["compare", "-q", "--rounds", "1", &url]);
    }
    let told = shell("ulimit -n 12", &["get", "--shards", "2", &url]).output().expect("a shell");
    assert!(stderr(&told).contains("needs 14 file descriptors beside those in use"), "{}", stderr(&told));
}

#[test]
fn little_address_space_is_refused_with_what_is_needed_or_enough() {
    let origin = TestServer::start().expect("free ports");
    let url = origin.url("/bytes/1");
    for megabytes in [64, 100, 200, 400, 600, 800, 1000, 1152, 1280, 1500, 2000] {
        let before = format!("ulimit -v {}", megabytes * 1024);
        let code = ends_well(&before, &["get", "-q", "--shards", "2", "-o", "/dev/null", &url]);
        assert_eq!(code, Some(if megabytes < 1280 { 2 } else { 0 }), "{megabytes}");
        ends_well(&before, &["bench", "-q", "-d", "100ms", &url]);
        ends_well(&before, &["plan", "-i", "/dev/null"]);
        if megabytes > 1000 {
            ends_well(&before, &["compare", "-q", "--rounds", "1", &url]);
        }
        if megabytes < 600 {
            ends_well(&before, &["demo", "--urls", "300"]);
            ends_well(&before, &["compare", "-q", "--rounds", "1", &url]);
            ends_well(&before, &["origin", "--port", "0", "--tls-port", "0"]);
        }
    }
}

#[test]
fn a_small_stack_is_refused_or_enough() {
    for kilobytes in [32, 64, 128, 256, 512, 1024] {
        let before = format!("ulimit -s {kilobytes}");
        for arguments in [&["get", "http://127.0.0.1:9/"][..], &["plan", "-i", "/dev/null"], &["--help"]] {
            assert_eq!(ends_well(&before, arguments) == Some(2), kilobytes < 512, "{kilobytes}: {arguments:?}");
        }
    }
}

#[test]
fn few_processes_are_refused_with_what_is_needed() {
    let origin = TestServer::start().expect("free ports");
    // Limits of processes are for users, and root has none.
    let other = "exec prlimit --nproc=3 setpriv --reuid 54321 --clear-groups \"$@\"";
    let output = shell(other, &["get", "-q", &origin.url("/bytes/1")]).output().expect("a shell");
    let told = stderr(&output);
    if ["setpriv", "prlimit", "not found"].iter().any(|word| told.contains(word)) || told.contains("ermission denied") {
        println!("another user can't be had here: {told}");
        return;
    }
    assert!(output.status.code() == Some(2) && told.contains("threads, and the system gives"), "{output:?}");
}

#[test]
fn a_directory_for_temporary_files_that_can_t_be_written_is_told() {
    let origin = TestServer::start().expect("free ports");
    for directory in ["/proc", "/no/such/directory"] {
        let before = format!("export TMPDIR={directory}");
        // Not needed here.
        let output = shell(&before, &["get", "-q", &origin.url("/bytes/1")]).output().expect("a shell");
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
        let output = shell(&before, &["demo", "--urls", "300"]).output().expect("a shell");
        let told = stderr(&output);
        assert!(output.status.code() == Some(2) && told.contains("can't write the certificate"), "{told}");
    }
}

#[test]
fn routes_that_lead_nowhere_are_called_by_what_they_are() {
    // A network of its own, with a route of each sort.
    let network = "exec unshare -rn sh -c '
        ip link set lo up &&
        ip route add blackhole 10.1.0.0/16 && ip route add unreachable 10.2.0.0/16 && ip route add prohibit 10.3.0.0/16 &&
        ip -6 route add blackhole fd01::/16 && ip -6 route add unreachable fd02::/16 && ip -6 route add prohibit fd03::/16 ||
        exit 77
        exec \"$@\"' sh \"$@\"";
    for (host, words) in [
        ("10.1.0.1", "blackhole"),
        ("10.2.0.1", "no route to host"),
        ("10.3.0.1", "prohibit"),
        ("10.4.0.1", "network is unreachable"),
        ("[fd01::1]", "blackhole"),
        ("[fd02::1]", "no route to host"),
        ("[fd03::1]", "prohibit"),
        ("[fd04::1]", "unreachable"),
        ("[fe80::1]", "lacks its interface"),
    ] {
        let url = format!("http://{host}/");
        let output = shell(network, &["get", "-q", "--retries", "0", &url]).output().expect("a shell");
        let told = stderr(&output);
        if output.status.code() == Some(77) || told.contains("unshare") || told.contains("not found") {
            println!("no network of our own here: {told}");
            return;
        }
        let record: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one record");
        let error = &record["error"];
        assert_eq!((&error["phase"], &error["kind"]), (&"connect".into(), &"unreachable".into()), "{record}");
        assert!(error["message"].as_str().expect("text").contains(words), "{host}: {error}");
    }
}
