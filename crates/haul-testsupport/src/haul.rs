//! The command, run to its end, and the records it wrote.

use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    /// The records in the order they were written.
    pub records: Vec<Value>,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard error.
    pub stderr: String,
}

/// `haul get` with these arguments.
pub fn get(arguments: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory");
    run(directory.path(), arguments)
}

/// `haul get -i` of a file with these lines.
pub fn get_lines<L: Display>(lines: impl IntoIterator<Item = L>, arguments: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("input");
    let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text).expect("the directory is ours");
    let file = file.to_str().expect("a plain path");
    run(directory.path(), &[&["-i", file], arguments].concat())
}

impl Run {
    /// The only record.
    pub fn only(&self) -> &Value {
        assert_eq!(self.records.len(), 1, "{self:?}");
        &self.records[0]
    }

    /// Every record is a response with this status, and the exit code says so.
    pub fn all_have(&self, status: u16) -> &Self {
        for record in &self.records {
            assert_eq!(record["status"], status, "{record}");
        }
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The only record is a failure of this phase and kind, and the exit code says so.
    pub fn failed_in(&self, phase: &str, kind: &str) -> &Value {
        let record = self.only();
        assert_eq!((&record["error"]["phase"], &record["error"]["kind"]), (&phase.into(), &kind.into()), "{record}");
        assert_eq!(record["status"], Value::Null, "{record}");
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        record
    }
}

/// The command that cargo has built for this test: beside the folder that the test stands in.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    own.parent().and_then(Path::parent).expect("target/PROFILE/deps").join("haul")
}

fn run(directory: &Path, arguments: &[&str]) -> Run {
    let (out, err) = (directory.join("out"), directory.join("err"));
    let create = |path: &Path| File::create(path).expect("the directory is ours");
    let child = Command::new(program())
        .arg("get")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(create(&out))
        .stderr(create(&err))
        .spawn()
        .expect("cargo built it");
    let code = wait(child, arguments).code();
    let read = |path: &Path| std::fs::read_to_string(path).expect("UTF-8");
    let records: Vec<Value> = read(&out)
        .lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("only records on stdout: {error}: {line}"))
        })
        .collect();
    let run = Run { records, code, stderr: read(&err) };
    let mut positions: Vec<_> = run.records.iter().map(|record| record["seq"].as_u64().expect("a number")).collect();
    positions.sort_unstable();
    assert!(positions.iter().copied().eq(0..positions.len() as u64), "each position once: {run:?}");
    run
}

/// Waits at most two minutes: a command that hangs is a failed test, not a hanging one.
fn wait(mut child: Child, arguments: &[&str]) -> ExitStatus {
    for _ in 0..6000 {
        if let Some(status) = child.try_wait().expect("our own child") {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    panic!("haul get {arguments:?} did not end within two minutes");
}
