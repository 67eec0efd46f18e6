//! httpbin, served by gunicorn: an origin with an opinion on everything in HTTP.

use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use crate::python;
use crate::server::Server;

/// A running httpbin.
pub struct Httpbin(Server);

/// It takes two seconds to start, so tests that run at the same time share one. The last of them ends it.
static SHARED: Mutex<Weak<Httpbin>> = Mutex::new(Weak::new());

impl Httpbin {
    /// The shared httpbin; `None`, after a visible line, when there is no Python with `httpbin` and `gunicorn`.
    pub fn start() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let python = python::with(&["httpbin", "gunicorn"])?;
        let started = Arc::new(Self(Server::start(&python, |program, directory, port| {
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

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.address)
    }
}
