//! Real servers for tests: found, started on a free loopback port, ended by process id when the guard is dropped.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// A running server. Dropping it kills the process and removes its directory.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its own directory, for configuration and data. Declared last: removed after the process has ended.
    _directory: tempfile::TempDir,
}

impl Server {
    /// Starts `program`; `command` writes what it needs into the directory and says how to run it in the foreground
    /// on the port. Returns when the port accepts TCP connections. `None`, after a visible line, when the program is
    /// not installed; in CI that is a failure.
    pub fn start(program: &str, command: impl FnOnce(&Path, &Path, u16) -> Command) -> Option<Self> {
        let Some(path) = find_program(program) else {
            skip(program);
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let log = std::fs::File::create(directory.path().join("log")).expect("the directory is ours");
        let mut command = command(&path, directory.path(), address.port());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{program} did not start: {error}"));
        let mut server = Self { child, address, _directory: directory };
        server.wait_until_it_accepts(program);
        Some(server)
    }

    /// At most 20 seconds.
    fn wait_until_it_accepts(&mut self, program: &str) {
        for _ in 0..400 {
            if TcpStream::connect(self.address).is_ok() {
                return;
            }
            if let Some(status) = self.child.try_wait().expect("our own child") {
                panic!("{program} ended with {status}: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{program} does not listen on {}: {}", self.address, self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self._directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ports given so far: two of one server's would be the same now and then.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A loopback port that is free for TCP and UDP now, and another one each time.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().expect("no holder of this lock panics");
    for _ in 0..100 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && given.insert(port) {
            return port;
        }
    }
    panic!("no port is free for both TCP and UDP");
}

/// Where `program` is installed: on the path, or where servers live that are not meant for users.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(extra).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// Says that a test could not run for want of `what`. In CI everything has to be there.
pub fn skip(what: &str) {
    let in_ci = std::env::var_os("CI").is_some_and(|ci| ci != OsStr::new("") && ci != OsStr::new("false"));
    assert!(!in_ci, "{what} not found, and this is CI: install it");
    eprintln!("SKIPPED: {what} not found; install it to run this test");
}
