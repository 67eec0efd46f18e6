//! A Python that has the packages a test needs.

use std::process::{Command, Stdio};

use crate::server::skip;

/// The Python that `HAUL_HTTPBIN_PYTHON` names, or `python3`; `None`, after a visible line, where it or one of `packages` is
/// not there. In CI that is a failure.
pub fn with(packages: &[&str]) -> Option<String> {
    let named = std::env::var_os("HAUL_HTTPBIN_PYTHON");
    let python = named.map_or_else(|| "python3".to_owned(), |python| python.to_string_lossy().into_owned());
    let mut command = Command::new(&python);
    command.arg("-c").arg(format!("import {}", packages.join(", ")));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    skip(&format!("a Python with {} (HAUL_HTTPBIN_PYTHON names it)", packages.join(", ")));
    None
}
