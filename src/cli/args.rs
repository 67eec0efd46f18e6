//! The flags, raw: what was written, not yet what it means. `plan` checks and joins them.
//!
//! Each flag is one line of help with its unit and default. A test holds the defaults named here against the
//! library's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand, ValueEnum};
use haul::config::{ConnectTo, Rate, ResolveRule};
use http::{HeaderName, HeaderValue, Method};

use super::bench::{self, BenchArgs};
use super::compare::{self, CompareArgs};
use super::demo::{self, DemoArgs};
use super::doctor::{self, DoctorArgs};
use super::forecast::{self, PlanArgs};
use super::generate::{self, CompletionsArgs, ManArgs};
use super::log::LogArgs;
use super::metrics;
use super::values::{self, Statuses};

/// Fetches a great many URLs.
#[derive(Debug, Parser)]
#[command(name = "haul", version, about, max_term_width = 120)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Fetch URLs and write one JSON record per URL.
    #[command(after_help = EXAMPLES)]
    Get(Box<GetArgs>),
    /// Load one or many URLs, and say how that was borne: rate, latency, failures.
    #[command(after_help = bench::HELP)]
    Bench(Box<BenchArgs>),
    /// Fetch a list of URLs in many ways, side by side, and say what makes the difference.
    #[command(after_help = compare::HELP)]
    Compare(Box<CompareArgs>),
    /// Run a test server on this machine that answers, and misbehaves, to order
    #[command(after_help = origin_help())]
    Origin(OriginArgs),
    /// Show what haul does: fetch 30,000 URLs of 303 hosts on this machine.
    #[command(after_help = demo::HELP)]
    Demo(DemoArgs),
    /// Say how long a run must take at least, why, and what would help, without fetching.
    #[command(after_help = forecast::HELP)]
    Plan(Box<PlanArgs>),
    /// Say what limits a big run on this machine, and how to fix it.
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArgs),
    /// Write a completion script for a shell to standard output.
    #[command(after_help = generate::COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
    /// Write the manual pages, in roff, to standard output or a directory.
    #[command(after_help = generate::MAN_HELP)]
    Man(ManArgs),
}

/// The error without the value that it quotes, where that may be a credential.
pub(super) fn without_secrets(mut error: clap::Error) -> clap::Error {
    let secret = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => ["--header", "--bearer"].iter().any(|name| flag.contains(name)),
        _ => false,
    };
    if secret {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    // A key's text in the place of its file's name, whose dashes make it a flag.
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        if matches!(error.get(kind), Some(ContextValue::String(text)) if text.contains("-----BEGIN")) {
            error.insert(kind, ContextValue::String("-----BEGIN …".to_owned()));
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

const EXAMPLES: &str = "\
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

Limits files, with more in docs/LIMITS.md:
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
pub(super) struct GetArgs {
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

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// URLs to fetch, before those of any input file
    #[arg(value_name = "URL", help_heading = "Arguments")]
    pub(super) urls: Vec<String>,
    /// Read URLs from FILE (plain, gzip or zstd), or from standard input if it is -; may be repeated
    #[arg(short, long = "input", value_name = "FILE")]
    pub(super) inputs: Vec<PathBuf>,
    /// Reject input lines longer than this [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(super) max_line: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Write records to FILE, replacing it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Order of records, completion or input [default: completion]
    #[arg(long, value_name = "ORDER", hide_possible_values = true)]
    pub(super) order: Option<Order>,
    /// Add the response headers to records
    #[arg(long)]
    pub(super) headers: bool,
    /// Add the decoded body to records, in the form text or base64
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(super) body: Option<Body>,
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
pub(super) enum Order {
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
pub(super) enum Body {
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
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Requests in flight over all hosts [default: 256]
    #[arg(short, long, value_name = "N", value_parser = values::count)]
    pub(super) concurrency: Option<NonZeroU32>,
    /// Requests in flight per host (scheme, name and port) [default: 8]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) per_host: Option<NonZeroU32>,
    /// Requests in flight per IP address; implies one shard [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) per_address: Option<NonZeroU32>,
    /// Requests in flight per registrable domain [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) per_site: Option<NonZeroU32>,
    /// Requests started over all hosts [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(super) rate: Option<Rate>,
    /// Requests started per host [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(super) host_rate: Option<Rate>,
    /// The least time between two starts on a host [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(super) delay: Option<Duration>,
    /// Let each host's concurrency follow what the host stands, up to --per-host
    #[arg(long)]
    pub(super) adaptive: bool,
    /// Threads that fetch; 0 means one per core [default: 0]
    #[arg(long, value_name = "N")]
    pub(super) shards: Option<usize>,
    /// Read limits, and rules for some hosts, from FILE (TOML); flags win over its general limits
    #[arg(long = "limits", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// URLs read and not finished: how far hosts interleave, about 150 bytes of memory each [default: 1000000]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) window: Option<NonZeroU32>,
    /// Memory for the whole run, at least 64M: lowers what would take more (window, connections, kept bodies, shards) [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(super) max_memory: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Retries")]
pub(super) struct RetryArgs {
    /// Retries per URL after its first attempt, where repeating does no harm [default: 2]
    #[arg(long, value_name = "N")]
    pub(super) retries: Option<u32>,
    /// Retry POST and PATCH too, although the server may have acted on the first attempt
    #[arg(long)]
    pub(super) retry_unsafe: bool,
    /// Give a host up after N failures in a row, for 5 minutes; 0 means never [default: 5]
    #[arg(long, value_name = "N")]
    pub(super) dead_after: Option<u32>,
    /// How long a host that has answered well may fail without an end before it is given up; one that never has, a third [default: 90s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(super) outage: Option<Duration>,
    /// Statuses that are tried again; none means none [default: 408,429,502,503,504]
    #[arg(long, value_name = "STATUSES", value_parser = values::statuses)]
    pub(super) retry_on: Option<Statuses>,
    /// Statuses that ask for fewer requests, so that the whole host waits as Retry-After says [default: 429]
    #[arg(long, value_name = "STATUSES", value_parser = values::statuses)]
    pub(super) hold_on: Option<Statuses>,
    /// Waits before a retry, and of a host that fails: the first, and the longest they double to [default: 500ms..60s]
    #[arg(long, value_name = "TIME..TIME", value_parser = values::back_off)]
    pub(super) back_off: Option<(Duration, Duration)>,
    /// The longest Retry-After that is waited for; who asks for more is not tried again [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(super) retry_after_max: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Time-outs")]
pub(super) struct TimeoutArgs {
    /// The whole attempt: name, connection, request, response [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(super) timeout: Option<Duration>,
    /// Name resolution [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(super) dns_timeout: Option<Duration>,
    /// Opening the connection, over all addresses [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(super) connect_timeout: Option<Duration>,
    /// The TLS handshake [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(super) tls_timeout: Option<Duration>,
    /// From the request until the response head is complete [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(super) first_byte_timeout: Option<Duration>,
    /// Between two reads of the body [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    pub(super) idle_timeout: Option<Duration>,
    /// Bytes per second that a body must reach, judged after 10 s; 0 means no minimum [default: 0]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(super) min_rate: Option<u64>,
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

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(super) struct NetworkArgs {
    /// Use fixed addresses, without DNS: HOST:PORT:ADDR[,ADDR]; HOST may be *; may be repeated
    #[arg(long, value_name = "RULE", value_parser = values::resolve)]
    pub(super) resolve: Vec<ResolveRule>,
    /// Connect elsewhere: HOST1:PORT1:HOST2:PORT2; an empty part matches or keeps; may be repeated
    #[arg(long, value_name = "RULE", value_parser = values::connect_to)]
    pub(super) connect_to: Vec<ConnectTo>,
    /// Ask this name server, ADDR or ADDR:PORT; may be repeated [default: the system's]
    #[arg(long, value_name = "ADDR", value_parser = values::dns_server)]
    pub(super) dns_server: Vec<SocketAddr>,
    /// Connect only to addresses on the public internet, wherever they come from: a URL, a name, a redirect, a rule
    #[arg(long)]
    pub(super) public_only: bool,
    /// Use IPv4 only
    #[arg(short = '4', long)]
    pub(super) ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(super) ipv6: bool,
    /// Connect from this local address [default: the system's choice]
    #[arg(long, value_name = "ADDR")]
    pub(super) local_address: Option<IpAddr>,
    /// Connect to this Unix socket instead of any address
    #[arg(long, value_name = "FILE")]
    pub(super) unix_socket: Option<PathBuf>,
    /// Use HTTP/1.1 only
    #[arg(long = "http1.1")]
    pub(super) http1: bool,
    /// Speak HTTP/2 to http:// hosts without asking
    #[arg(long)]
    pub(super) http2_prior_knowledge: bool,
    /// Open a new connection for every request
    #[arg(long)]
    pub(super) no_reuse: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// Trust the certificates in this file (PEM, DER) instead of the system's, and servers that show one; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) cacert: Vec<PathBuf>,
    /// Show this client certificate (PEM, with its chain)
    #[arg(long, value_name = "FILE")]
    pub(super) cert: Option<PathBuf>,
    /// The client certificate's key (PEM) [default: in the file of --cert]
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// Accept any certificate: others on the way can then read and change everything, and a warning says so
    #[arg(short = 'k', long)]
    pub(super) insecure: bool,
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
    /// The summary at the end, on standard error: text, json (one object, docs/SUMMARY.md) or none [default: text]
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(super) summary: Option<SummaryForm>,
    /// Write a page for a browser to FILE: charts, hosts, a timeline of some requests, failures (docs/REPORT.md)
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Watch and steer the run on the terminal; needs the records elsewhere (docs/VIEW.md)
    #[arg(long)]
    pub(super) tui: bool,
    /// Serve the run's numbers for Prometheus while it goes on: a port of this machine, or ADDR:PORT (docs/METRICS.md)
    #[arg(long, value_name = "ADDR", value_parser = metrics::address)]
    pub(super) metrics: Option<SocketAddr>,
    /// No progress, and no summary unless --summary asks for one; errors are still told
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

/// Everything `haul origin` can be told.
#[derive(Debug, Args)]
pub(super) struct OriginArgs {
    /// The port for HTTP/1.1 and HTTP/2 (prior knowledge); 0 takes a free one
    #[arg(short, long, value_name = "N", default_value_t = 8080)]
    pub(super) port: u16,
    /// The port for TLS; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 8443)]
    pub(super) tls_port: u16,
    /// The address; any but a loopback address needs --expose too
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(super) listen: IpAddr,
    /// Let others reach it: they can make it send as much as they like, so only on closed networks
    #[arg(long)]
    pub(super) expose: bool,
    /// Write the certificate to trust (--cacert) to FILE [default: a temporary file]
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Threads that serve
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    pub(super) threads: NonZeroUsize,
    /// Tell the URLs as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Nothing on standard error but errors
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// What the server serves, and how to use it.
fn origin_help() -> String {
    format!(
        "{}\n\
         Standard output has one line each: http URL, https URL, ca_file FILE.\n\
         Names that end in .localhost need no name server. Ctrl-C ends it.\n\n\
         Examples:\n  \
         haul origin\n  \
         haul get http://127.0.0.1:8080/gzip/1000 --body text\n  \
         haul get http://slow.h1.localhost:8080/json/10\n  \
         haul get 'http://localhost:8080/status/503?delay=1s'\n  \
         haul origin --ca-file ca.pem --quiet &\n  \
         haul get --cacert ca.pem https://h1.localhost:8443/echo --body text | jq -r .body\n  \
         curl --cacert ca.pem 'https://localhost:8443/drip?bytes=20&over=2s'",
        haul::origin::guide()
    )
}
