//! What the machine does to the command: signals, and limits of every kind. It never dies of them without a word.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use haul::origin::Origin;

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
fn hanging(before: &str, origin: &Origin) -> Child {
    let urls = [origin.url("/bytes/1"), origin.url("/bytes/1?delay=60s")];
    let mut child = shell(before, &["get", "--grace", "100ms", &urls[0], &urls[1]]).spawn().expect("a shell");
    // A record begins.
    child.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("a record");
    child
}

#[test]
fn what_asks_for_an_end_gets_an_orderly_one() {
    let origin = Origin::start().expect("free ports");
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
    let origin = Origin::start().expect("free ports");
    let child = hanging("trap '' HUP", &origin);
    signal(&child, "-HUP");
    thread::sleep(Duration::from_millis(300));
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stderr(&output).matches("haul: stopping").count(), 1, "one signal was heard");
}

#[test]
fn a_size_that_files_may_have_is_an_error_of_the_write() {
    let origin = Origin::start().expect("free ports");
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
