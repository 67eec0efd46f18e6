//! What every example begins with: URLs from the command line, or those of a test server.

use std::{env, io};

use haul_testserver::TestServer;

/// The URLs on the command line. With none: `targets` on haul's own test server, which runs for as long as it is held. A
/// target is a path on it (`/bytes/10`), or one of its virtual hosts and a path (`a.localhost/bytes/10`); anything else
/// stays as it is.
pub(crate) fn urls<T: AsRef<str>>(
    targets: impl IntoIterator<Item = T>,
) -> io::Result<(Vec<String>, Option<TestServer>)> {
    let given: Vec<String> = env::args().skip(1).collect();
    if !given.is_empty() {
        return Ok((given, None));
    }
    let server = TestServer::start()?;
    let url = |target: &str| match target.split_once('/') {
        Some(("", _)) => server.url(target),
        Some((host, path)) if host.ends_with(".localhost") || host.ends_with(".test") => {
            server.url_on(host, &format!("/{path}"))
        }
        _ => target.to_owned(),
    };
    let urls = targets.into_iter().map(|target| url(target.as_ref())).collect();
    Ok((urls, Some(server)))
}
