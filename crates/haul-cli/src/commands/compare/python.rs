//! The user's own Python: small scripts over the packages that people come from, each in a process that is asked round by
//! round.
//!
//! Invariant: while a script is not waiting for a line, the user's first signal ends it, with all processes that the interpreter
//! is made of. One that waits ends with its standard input. So none outlives a comparison that is interrupted, once or twice.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::sample::Sample;
use super::stop::{Stop, StopCallback};

/// A way of fetching with a Python package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Requests,
    RequestsSession,
    RequestsThreads,
    Aiohttp,
    Httpx,
}

const FRAME: &str = include_str!("python/frame.py");

impl Script {
    pub(super) const ALL: [Self; 5] =
        [Self::Requests, Self::RequestsSession, Self::RequestsThreads, Self::Aiohttp, Self::Httpx];

    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::RequestsSession => "requests-session",
            Self::RequestsThreads => "requests-threads",
            Self::Aiohttp => "aiohttp",
            Self::Httpx => "httpx",
        }
    }

    /// What it does, in a few words.
    pub(super) fn about(self, workers: u32) -> String {
        match self {
            Self::Requests => "one by one, requests.get".to_owned(),
            Self::RequestsSession => "one by one, requests.Session".to_owned(),
            Self::RequestsThreads => format!("ThreadPoolExecutor of {workers}, requests.get"),
            Self::Aiohttp => "asyncio.gather, one ClientSession".to_owned(),
            Self::Httpx => "asyncio.gather, one AsyncClient".to_owned(),
        }
    }

    /// The package it needs.
    pub(super) const fn package(self) -> &'static str {
        match self {
            Self::Requests | Self::RequestsSession | Self::RequestsThreads => "requests",
            Self::Aiohttp => "aiohttp",
            Self::Httpx => "httpx",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Requests | Self::RequestsSession | Self::RequestsThreads => include_str!("python/requests.py"),
            Self::Aiohttp => include_str!("python/aiohttp.py"),
            Self::Httpx => include_str!("python/httpx.py"),
        }
    }
}

/// What a script is told.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PythonTask {
    pub(super) urls: Vec<String>,
    pub(super) method: String,
    pub(super) headers: Vec<(String, String)>,
    /// In base64.
    pub(super) body: Option<String>,
    pub(super) workers: u32,
    pub(super) timeout_s: f64,
    pub(super) ca_file: Option<String>,
    pub(super) insecure: bool,
}

/// What it is told besides.
#[derive(Serialize)]
struct ScriptInput<'a> {
    way: &'static str,
    #[serde(flatten)]
    task: &'a PythonTask,
}

/// The first line of a script: that it can't, or that it can.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Greeting {
    Missing { missing: String },
    Ready { version: String, python: String },
}

/// The line of a round.
#[derive(Debug, Deserialize)]
struct RoundFigures {
    elapsed_s: f64,
    cpu_s: f64,
    latencies_s: Vec<f64>,
    failures: BTreeMap<String, u64>,
}

/// A script that waits for the next round.
pub(super) struct Runner {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The package and its version, and Python's.
    pub(super) by: String,
}

/// Why a script does not run.
#[derive(Debug)]
pub(super) enum NotRun {
    /// The package is not there; or the script ended, whatever it said on standard error, or was ended.
    Missing(String),
    /// There is no such interpreter.
    NoInterpreter(io::Error),
}

impl Runner {
    /// Starts `script` under `interpreter`.
    pub(super) fn start(interpreter: &str, script: Script, task: &PythonTask, stop: &Stop) -> Result<Self, NotRun> {
        let mut command = Command::new(interpreter);
        command.arg("-c").arg(format!("{FRAME}\n{}", script.text()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut process = command.spawn().map_err(NotRun::NoInterpreter)?;
        let asks = process.stdin.take().expect("it was piped");
        let answers = BufReader::new(process.stdout.take().expect("it was piped"));
        let by = script.package().to_owned();
        let mut runner = Self { process, asks, answers, by };
        let told =
            serde_json::to_string(&ScriptInput { way: script.name(), task }).expect("text and numbers can be written");
        match runner.ask(&told, stop).and_then(|line| serde_json::from_str(&line).map_err(io::Error::from)) {
            Ok(Greeting::Ready { version, python }) => {
                runner.by = format!("{} {version}, Python {python}", script.package());
                Ok(runner)
            }
            Ok(Greeting::Missing { missing }) => Err(NotRun::Missing(format!("{missing} is not installed"))),
            Err(_) if stop.is_asked() => Err(NotRun::Missing("it was interrupted".to_owned())),
            Err(error) => Err(NotRun::Missing(format!("{} does not run: {error}", script.package()))),
        }
    }

    /// Fetches the list once.
    ///
    /// # Errors
    /// The script has ended, or says what can't be understood.
    pub(super) fn once(&mut self, stop: &Stop) -> Result<Sample, String> {
        let figures =
            self.ask("", stop).and_then(|line| serde_json::from_str::<RoundFigures>(&line).map_err(io::Error::from));
        figures.map(Sample::from).map_err(|error| format!("the script ended early: {error}"))
    }

    /// Its answer to a line.
    fn ask(&mut self, line: &str, stop: &Stop) -> io::Result<String> {
        let kill = self.kill();
        stop.during(vec![kill], || {
            writeln!(self.asks, "{line}")?;
            self.asks.flush()?;
            let mut answer = String::new();
            match self.answers.read_line(&mut answer)? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(answer),
            }
        })
    }

    /// How to end it: the whole process group, because an interpreter may be a program that starts another. Not to be used when
    /// the process has been waited for: its number may be another's then.
    fn kill(&self) -> StopCallback {
        let group = Pid::from_raw(self.process.id().cast_signed());
        Box::new(move || {
            // It fails only where all of them have ended already.
            let _ = killpg(group, Signal::SIGKILL);
        })
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It waits for a line, or was killed: nothing it does is needed any more.
        self.kill()();
        let _ = self.process.wait();
    }
}

impl From<RoundFigures> for Sample {
    fn from(figures: RoundFigures) -> Self {
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Self {
            elapsed: time(figures.elapsed_s),
            processor: time(figures.cpu_s),
            latencies: figures.latencies_s.into_iter().map(time).collect(),
            failures: figures.failures,
            inside: None,
        }
    }
}
