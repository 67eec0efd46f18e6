//! What SECURITY.md promises, from outside: the command and the library against servers on this machine.

#[path = "../support/haul.rs"]
mod haul_command;
#[path = "../support/origin.rs"]
#[expect(dead_code, reason = "other tests use all of it")]
mod origin;

mod public_only;

use haul::Error;
use haul::model::{FailureKind, Phase};

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> (Phase, FailureKind) {
    let error = result.expect_err("fails");
    (error.phase(), error.kind())
}
