//! httpbin, served by gunicorn: an origin with an opinion on everything in HTTP.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use super::server::{Server, skip};

/// A running httpbin.
pub(crate) struct Httpbin(Server);

/// It takes two seconds to start, so tests that run at the same time share one. The last of them ends it.
static SHARED: Mutex<Weak<Httpbin>> = Mutex::new(Weak::new());

impl Httpbin {
    /// The shared httpbin; `None`, after a visible line, when there is no Python with `httpbin` and `gunicorn`.
    ///
    /// `HAUL_HTTPBIN_PYTHON` names the Python; without it, it is `python3`.
    pub(crate) fn start() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let python = std::env::var_os("HAUL_HTTPBIN_PYTHON").unwrap_or_else(|| OsString::from("python3"));
        if !has_httpbin(&python) {
            skip("httpbin (the Python packages httpbin and gunicorn; HAUL_HTTPBIN_PYTHON names the Python)");
            return None;
        }
        let started = Arc::new(Self(Server::start(&python.to_string_lossy(), |program, directory, port| {
            let mut command = Command::new(program);
            command.args(["-m", "gunicorn", "--no-control-socket", "--bind", &format!("127.0.0.1:{port}")]);
            // Its worker ends by itself within a second of the main process.
            command.args(["--workers", "1", "--worker-class", "gthread", "--threads", "32", "--keep-alive", "5"]);
            command.arg("--worker-tmp-dir").arg(directory).arg("httpbin:app").current_dir(directory);
            command
        })?));
        *shared = Arc::downgrade(&started);
        Some(started)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.address)
    }
}

fn has_httpbin(python: &OsString) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import gunicorn, httpbin"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
