//! What a stranger wrote does not act on the terminal: in no command, by no way out.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;

/// Sequences that colour, clear and set the title; the same with the one-byte introducer; what turns the direction of
/// writing, what hides, what breaks a line.
const HOSTILE: [&str; 8] =
    ["\x1b[31m", "\x1b]0;t\x07", "\u{9b}2J", "\u{202e}", "\u{2066}", "\x7f", "\u{200b}", "\u{2028}"];

/// Standard output and standard error of `haul` with these arguments.
fn run(arguments: &[&str]) -> (String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_haul")).args(arguments).stdin(Stdio::null()).output().expect("cargo built it");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}

#[track_caller]
fn check(text: &str, what: &str) {
    let acts = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200b}\u{2028}".contains(c);
    assert!(!text.contains(acts), "{what}: {text:?}");
}

#[test]
fn lines_arguments_and_names_of_files_do_not_act() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let list = directory.path().join("list");
    let list = list.to_str().expect("a plain path");
    for hostile in HOSTILE {
        let lines = [
            format!("not a url {hostile}"),
            format!("http://a{hostile}b/"),
            format!("{{\"url\": \"http://a/\", \"{hostile}\": 1}}")
                .replace('\x1b', "\\u001b")
                .replace('\x07', "\\u0007"),
            format!("{{\"url\": \"no {hostile}\\nerror: all is lost\"}}")
                .replace('\x1b', "\\u001b")
                .replace('\x07', ""),
            format!("http://a/ {{\"x\": {hostile}}}"),
            format!("{{\"url\": {hostile}"),
        ];
        for line in &lines {
            std::fs::write(list, format!("{line}\n")).expect("the directory is ours");
            // Some of these are URLs after all, which the others would load for seconds.
            let commands =
                if line.starts_with("http://a") { &["get", "plan"][..] } else { &["get", "plan", "bench", "compare"] };
            for &command in commands {
                let (stdout, stderr) = run(&[command, "-i", list]);
                check(&stderr, command);
                assert!(!stderr.contains("\nerror: all is lost"), "a line of its own: {stderr}");
                if command != "get" {
                    check(&stdout, command);
                }
            }
        }
        let odd = format!("no/such{hostile}");
        for arguments in [
            &["get", "-i", &odd][..],
            &["get", "-o", &odd, "http://127.0.0.1:9/"],
            &["get", "--limits", &odd, "http://127.0.0.1:9/"],
            &["get", "--cacert", &odd, "http://127.0.0.1:9/"],
            &["get", "--concurrency", &odd],
            &["get", "-H", &odd, "http://127.0.0.1:9/"],
            &["get", "-X", &odd, "http://127.0.0.1:9/"],
            &["get", "--proxy", &odd],
            &[&odd],
            &["bench", &odd],
            &["compare", &odd],
            &["plan", &odd],
            &["plan", "-i", &odd],
            &["doctor", &odd],
        ] {
            let (stdout, stderr) = run(arguments);
            check(&stderr, arguments[0]);
            if arguments[0] != "get" {
                check(&stdout, arguments[0]);
            }
        }
    }
}

/// Answers every request with `answer`, and closes.
fn serve(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let reader = BufReader::new(stream.try_clone().expect("a descriptor"));
            let _ = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            let _ = stream.write_all(&answer);
        }
    });
    address
}

#[test]
fn answers_do_not_act() {
    for hostile in HOSTILE {
        for answer in [
            format!("HTTP/1.1 200 {hostile}\r\nContent-Length: 0\r\n\r\n"),
            format!("HTTP/1.1 302 Found\r\nLocation: http://{hostile}/\r\nContent-Length: 0\r\n\r\n"),
            format!("HTTP/1.1 302 Found\r\nLocation: {hostile}://x\r\nContent-Length: 0\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {hostile}\r\nContent-Length: 2\r\n\r\nok"),
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {hostile}\r\n\r\nok"),
            format!("HTTP/1.1 200 OK\r\nContent-Length: {hostile}\r\n\r\nok"),
            format!("{hostile}\r\n\r\n"),
        ] {
            let url = format!("http://{}/", serve(answer.into_bytes()));
            let (stdout, stderr) = run(&["get", "-vvv", "--retries", "0", &url]);
            check(&stderr, "get");
            let record: serde_json::Value = serde_json::from_str(&stdout).expect("one record");
            check(record["error"]["message"].as_str().unwrap_or_default(), "the message");
        }
    }
}
