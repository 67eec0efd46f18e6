//! What SECURITY.md promises, from outside: the command and the library against servers on this machine.

mod credentials;
mod injection;
mod logs;
mod public_only;
mod terminal;
mod tls;

use haul::Error;
use haul::model::{FailureKind, Phase};

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> (Phase, FailureKind) {
    let error = result.expect_err("fails");
    (error.phase(), error.kind())
}

/// A file with the certificate that `origin` is to be trusted by.
fn cacert(origin: &haul_testserver::TestServer) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), origin.ca_pem()).expect("the file is ours");
    file
}
