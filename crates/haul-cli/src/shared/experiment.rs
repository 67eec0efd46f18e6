//! What the commands that measure (`haul bench`, `haul compare`) have in common: what is asked, and settings under which every
//! request is made once, as it stands, and nothing spares the server.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use haul::config::{BodySettings, Config, RequestSettings, RetrySettings};
use haul::model::{Job, Rejected, RequestOverrides, WebUrl, printable};
use haul::source::InputSettings;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use nix::time::ClockId;

use super::flags::{self, NetworkArgs, TimeoutArgs, TlsArgs, World, values};

#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// The method [default: GET, or POST with --body]
    #[arg(short = 'X', long = "request", value_name = "METHOD", value_parser = values::method)]
    method: Option<Method>,
    /// Send this header ('Name: value', or 'Name;' for an empty value); may be repeated
    #[arg(short = 'H', long, value_name = "HEADER", value_parser = values::header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// Send this body, or the content of FILE if it is @FILE
    #[arg(long, value_name = "DATA")]
    body: Option<String>,
}

impl RequestArgs {
    fn settings(self, world: &World<'_>) -> Result<RequestSettings, String> {
        let body = self.body.as_deref().map(|text| flags::data("--body", text, world)).transpose()?;
        let method = self.method.unwrap_or_else(|| if body.is_some() { Method::POST } else { Method::GET });
        let mut headers = HeaderMap::new();
        for (name, value) in self.header {
            headers.append(name, value);
        }
        Ok(RequestSettings { method, headers, body: body.map(Into::into), max_redirects: 0 })
    }
}

/// The settings that are not a load's or a mode's own.
pub(crate) fn config(
    request: RequestArgs,
    timeouts: &TimeoutArgs,
    network: NetworkArgs,
    tls: TlsArgs,
    world: &World<'_>,
) -> Result<Config, String> {
    flags::checked(Config {
        request: request.settings(world)?,
        retries: never_again(),
        body: BodySettings { decode: false, max_wire: u64::MAX, max_decoded: u64::MAX, ..BodySettings::default() },
        timeouts: timeouts.settings(),
        dns: flags::names(&network.dns_server),
        network: network.settings(),
        tls: tls.settings(),
        ..Config::default()
    })
}

/// Each URL is asked once and nothing is held back for a failure.
pub(crate) fn never_again() -> RetrySettings {
    let none = Duration::ZERO;
    RetrySettings {
        retries: 0,
        dead_after: 0,
        backoff_base: none,
        backoff_max: none,
        retry_after_max: none,
        ..RetrySettings::default()
    }
}

/// A URL, and how it differs from the run's request.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: WebUrl,
    pub(crate) overrides: Option<Arc<RequestOverrides>>,
}

impl From<Job> for Target {
    fn from(job: Job) -> Self {
        Self { url: job.url, overrides: job.extra.and_then(|extra| extra.overrides) }
    }
}

/// The targets of an input's lines, all of which have to be good.
pub(crate) fn targets(lines: Vec<Result<Job, Rejected>>) -> Result<Vec<Target>, String> {
    let message = |line: Rejected| format!("{}: {}", printable(&line.given), line.failure.message);
    lines.into_iter().map(|line| line.map(Target::from).map_err(message)).collect()
}

/// How input is read whose lines may have so many bytes.
pub(crate) fn input_settings(max_line: Option<u64>) -> InputSettings {
    let mut settings = InputSettings::default();
    if let Some(max_line) = max_line {
        settings.max_line = usize::try_from(max_line).unwrap_or(usize::MAX);
    }
    settings
}

/// Processor time of all threads of this process so far. Where the system keeps no such clock: none.
pub(crate) fn processor_time() -> Duration {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct ExperimentCommandLine {
        #[command(flatten)]
        request: RequestArgs,
        #[command(flatten)]
        timeouts: TimeoutArgs,
        #[command(flatten)]
        network: NetworkArgs,
        #[command(flatten)]
        tls: TlsArgs,
    }

    #[test]
    fn what_is_asked_for_is_done_and_nothing_is_tried_again() {
        let words = "x --body b -H a:b --timeout 3s --dns-server 192.0.2.1:5353 -4 -k";
        let asked = ExperimentCommandLine::try_parse_from(words.split(' ')).expect("good flags");
        let world = World { stdin_is_terminal: true, read: &|_| Ok(Vec::new()) };
        let ExperimentCommandLine { request, timeouts, network, tls } = asked;
        let config = config(request, &timeouts, network, tls, &world).expect("good settings");
        assert_eq!((&config.request.method, config.request.headers["a"].as_bytes()), (&Method::POST, &b"b"[..]));
        assert_eq!(config.dns.servers, ["192.0.2.1:5353".parse().expect("an address")]);
        assert_eq!((config.timeouts.total, config.tls.insecure), (Duration::from_secs(3), true));
        let retries = config.retries;
        assert_eq!((retries.retries, retries.dead_after, retries.retry_after_max), (0, 0, Duration::ZERO));
    }
}
