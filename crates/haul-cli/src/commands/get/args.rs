//! The flags of `haul get`, raw: what was written, not yet what it means. `plan` checks and joins them.
//!
//! Each flag is one line of help with its unit and default. A test holds the defaults named here against the library's.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{HeaderName, HeaderValue, Method};

use crate::shared::flags::{InputArgs, LimitArgs, NetworkArgs, RetryArgs, TimeoutArgs, TlsArgs, values};
use crate::shared::log::LogArgs;
use crate::shared::metrics;

pub(crate) const HELP: &str = "\
Values:
  TIME  10s, 250ms, 1m30s; a plain number is seconds
  SIZE  2MiB, 64k (64,000), 1_000_000; a plain number is bytes
  RATE  100 or 100/s, 30/m, 1000/h

Input lines: one URL or one JSON object each, mixed freely; blank lines and comments (#) are skipped.
  {\"url\": \"http://host/\", \"method\": \"POST\", \"headers\": {\"x-a\": \"1\"}, \"body\": \"text\", \"id\": 7}

Exit codes:
  0    every URL got an HTTP response, whatever its status
  1    some URLs failed, or records could not be written
  2    wrong usage, or unreadable input
  130  interrupted

Limits files, with more in docs/guide/LIMITS.md:
  concurrency = 500
  [[host]]
  match = [\"example.com\", \"*.example.com\"]
  concurrency = 2
  rate = \"30/m\"
  delay = \"250ms\"

Examples:
  haul get https://example.com/
  haul get -i urls.txt -o records.ndjson
  zcat urls.gz | haul get --per-host 4 --delay 250ms > records.ndjson
  haul get -i urls.txt.zst --body text --headers -c 1000 --timeout 20s | jq .status
  haul get -i urls.txt --save-dir bodies -o records.ndjson
  haul get -i urls.txt --limits limits.toml -c 2000 -o records.ndjson
  haul get -i jobs.ndjson --retries 5 --host-rate 30/m --order input -o records.ndjson";

/// Everything `haul get` can be told.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) request: RequestArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) retries: RetryArgs,
    #[command(flatten)]
    pub(super) timeouts: TimeoutArgs,
    #[command(flatten)]
    pub(super) bodies: BodyArgs,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Write records to FILE, replacing it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Order of records, completion or input [default: completion]
    #[arg(long, value_name = "ORDER", hide_possible_values = true)]
    pub(super) order: Option<RecordOrder>,
    /// Add the response headers to records
    #[arg(long)]
    pub(super) headers: bool,
    /// Add the decoded body to records, in the form text or base64
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(super) body: Option<BodyEncoding>,
    /// Add the SHA-256 of the decoded body to records
    #[arg(long)]
    pub(super) digest: bool,
    /// Write the bodies of 2xx responses to files in DIR, and add their paths to records
    #[arg(long, value_name = "DIR")]
    pub(super) save_dir: Option<PathBuf>,
    /// Name these files after the request (HOST/NAME-HASH.EXT, the default) or the content (its SHA-256)
    #[arg(long, value_name = "WAY", hide_possible_values = true)]
    pub(super) save_as: Option<SaveAs>,
}

/// The order of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RecordOrder {
    Completion,
    Input,
}

/// How saved bodies are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SaveAs {
    Request,
    Content,
}

/// The form of bodies in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BodyEncoding {
    Text,
    Base64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(super) struct RequestArgs {
    /// The method [default: GET, or POST with --data or --json]
    #[arg(short = 'X', long = "request", value_name = "METHOD", value_parser = values::method)]
    pub(super) method: Option<Method>,
    /// Send this header ('Name: value', or 'Name;' for an empty value); may be repeated
    #[arg(short = 'H', long, value_name = "HEADER", value_parser = values::header)]
    pub(super) header: Vec<(HeaderName, HeaderValue)>,
    /// Send this body, or the content of FILE if it is @FILE, as a form; parts given by repeating are joined by &
    #[arg(short, long, value_name = "DATA")]
    pub(super) data: Vec<String>,
    /// Send this body, or the content of FILE if it is @FILE, as JSON
    #[arg(long, value_name = "DATA")]
    pub(super) json: Option<String>,
    /// Send Basic authorization
    #[arg(short, long, value_name = "USER:PASSWORD")]
    pub(super) user: Option<String>,
    /// Send Bearer authorization
    #[arg(long, value_name = "TOKEN", value_parser = values::bearer)]
    pub(super) bearer: Option<HeaderValue>,
    /// The user-agent header [default: haul/VERSION]
    #[arg(short = 'A', long, value_name = "NAME", value_parser = values::user_agent)]
    pub(super) user_agent: Option<HeaderValue>,
    /// Follow at most N redirects per URL; 0 records the redirect itself [default: 10]
    #[arg(long, value_name = "N")]
    pub(super) max_redirects: Option<u32>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Responses")]
pub(super) struct BodyArgs {
    /// Neither ask for nor decode gzip, br, zstd and deflate: bodies stay as sent
    #[arg(long)]
    pub(super) raw: bool,
    /// Fail on bodies larger than this when decoded [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(super) max_body: Option<u64>,
    /// Fail on bodies larger than this as received [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(super) max_wire: Option<u64>,
    /// Fail on bodies over 1 MiB that decode to more than N times their size [default: 200]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) max_ratio: Option<NonZeroU32>,
    /// Fail on response heads larger than this [default: 64KiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(super) max_head: Option<u64>,
    /// Fail on responses with more than N headers [default: 100]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) max_headers: Option<NonZeroU32>,
}

/// The form of the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SummaryForm {
    Text,
    Json,
    None,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(super) struct RunArgs {
    /// After Ctrl-C, let requests in flight finish for this long; a second Ctrl-C ends at once [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(super) grace: Option<Duration>,
    /// The summary at the end, on standard error: text, json (one object, docs/reference/SUMMARY.md) or none [default: text]
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(super) summary: Option<SummaryForm>,
    /// Write a page for a browser to FILE: charts, hosts, a timeline of some requests, failures (docs/guide/REPORT.md)
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Watch and steer the run on the terminal; needs the records elsewhere (docs/guide/VIEW.md)
    #[arg(long)]
    pub(super) tui: bool,
    /// Serve the run's numbers for Prometheus while it goes on: a port of this machine, or ADDR:PORT (docs/reference/METRICS.md)
    #[arg(long, value_name = "ADDR", value_parser = metrics::address)]
    pub(super) metrics: Option<SocketAddr>,
    /// No progress, and no summary unless --summary asks for one; errors are still printed
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) log: LogArgs,
}
