//! The built-in server, in a process of its own: its processor time must not count as the client's.
//!
//! The process ends when its standard input does, so it never outlives the comparison, however that ends.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use haul_testserver::TestServer;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::shared::console;
use crate::shared::exit::Exit;

/// What the server's process says of itself.
#[derive(Deserialize, Serialize)]
struct ServerInfo {
    tls_port: u16,
    ca_pem: String,
}

/// The server, running.
pub(super) struct ServerProcess {
    process: Child,
    pub(super) tls_port: u16,
    /// The certificate to trust.
    pub(super) trusted: NamedTempFile,
}

impl ServerProcess {
    /// Starts the server.
    ///
    /// # Errors
    /// It does not start; the message says why.
    pub(super) fn start() -> Result<Self, String> {
        Self::try_start().map_err(|error| format!("can't start the built-in server: {error}; give URLs of your own"))
    }

    fn try_start() -> io::Result<Self> {
        // In a process group of its own: Ctrl-C is for the comparison, which ends the server in its time.
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["compare", "--serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut process = command.spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it was piped")).read_line(&mut line)?;
        let ServerInfo { tls_port, ca_pem } = serde_json::from_str(&line)?;
        let mut trusted = NamedTempFile::new()?;
        trusted.write_all(ca_pem.as_bytes())?;
        Ok(Self { process, tls_port, trusted })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It may have ended by itself; then there is nothing to wait for.
        let _ = self.process.wait();
    }
}

/// The server's process: serves until its standard input ends.
pub(super) fn serve() -> Exit {
    match try_serve() {
        Ok(()) => Exit::Complete,
        Err(error) => {
            console::tell(&format!("haul: {error}"));
            Exit::Usage
        }
    }
}

fn try_serve() -> io::Result<()> {
    let origin = TestServer::start()?;
    let ready = ServerInfo { tls_port: origin.tls_addr().port(), ca_pem: origin.ca_pem().to_owned() };
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(&ready)?)?;
    stdout.flush()?;
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop)
}
