//! What `haul compare` can be told, and what that means together.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use haul::config::Config;

use super::mode::{Knobs, Mode};
use crate::shared::experiment::{self, RequestArgs};
use crate::shared::flags::{InputArgs, NetworkArgs, TimeoutArgs, TlsArgs, World, values};
use crate::shared::log::LogArgs;

pub(crate) const HELP: &str = "\
Modes, on one engine with other settings:
  serial         one by one, a new connection each
  serial-reuse   the same with kept connections, as a session has them
  threads        --workers threads, each fetching one by one from a common list; results as they complete
  threads-reuse  the same, each thread keeping its connections
  gather         all at once; results in the order of the list, as in those below
  limited        never more than --limit at once
  batches        --batch at once, and the next ones when all of these have ended
  pooled         haul's scheduler with the limits of haul get: 256 at once, 8 per host; as they complete
  h2             the same as gather over one HTTP/2 connection per host; as they complete
All but pooled and h2 speak HTTP/1.1. Bodies are read and dropped, not decoded; nothing is tried again, no redirect is
followed, and 429 or 503 hold nothing back. Without URLs the built-in server is used: 100 URLs on 5 hosts, for about a minute.

Each mode has its turn once a round, in random order, after a warm-up. Intervals are between two of the rounds (order
statistics, at least 95 %), those of speed-ups over the rounds' ratios; words are used only where an interval allows them.

Exit codes:
  0    every request got a response, whatever its status
  1    some requests failed
  2    wrong usage, or unreadable input
  130  interrupted

Examples:
  haul compare
  haul compare --python
  haul compare -i urls.txt --modes serial-reuse,limited,pooled --limit 20
  haul compare http://127.0.0.1:8080/ http://127.0.0.1:8080/other --rounds 20 --json | jq '.steps'";

/// Everything `haul compare` can be told.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) comparison: ComparisonArgs,
    #[command(flatten)]
    pub(super) request: RequestArgs,
    #[command(flatten)]
    pub(super) timeouts: TimeoutArgs,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
    /// Answer in JSON (docs/guide/COMPARE.md)
    #[arg(long, help_heading = "Answer")]
    pub(super) json: bool,
    /// Fetch once more in each mode, and write a page for a browser on that to FILE (docs/guide/REPORT.md)
    #[arg(long, value_name = "FILE", help_heading = "Answer")]
    pub(super) report: Option<PathBuf>,
    /// No progress
    #[arg(short, long, help_heading = "Answer")]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) log: LogArgs,
    /// Be the built-in server of another haul compare
    #[arg(long, hide = true)]
    pub(super) serve: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Comparison")]
pub(super) struct ComparisonArgs {
    /// Modes to compare, by name, with commas between; the others are compared with the first [default: all]
    #[arg(short, long, value_name = "MODES", value_delimiter = ',', hide_possible_values = true)]
    modes: Vec<Mode>,
    /// Threads in threads and threads-reuse, at most 256 [default: 8]
    #[arg(short, long, value_name = "N", value_parser = workers)]
    workers: Option<NonZeroU32>,
    /// Requests at once in limited [default: 5]
    #[arg(long, value_name = "N", value_parser = values::count)]
    limit: Option<NonZeroU32>,
    /// Requests in each of batches [default: 5]
    #[arg(long, value_name = "N", value_parser = values::count)]
    batch: Option<NonZeroU32>,
    /// Rounds after the warm-up, at most 1000; fewer than 6 allow no verdict [default: 11]
    #[arg(short, long, value_name = "N", value_parser = rounds)]
    rounds: Option<NonZeroU32>,
    /// What the random order is made from: the same number gives the same order [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Refuse lists that are longer: every mode fetches all of it in every round [default: 1000]
    #[arg(long, value_name = "N", value_parser = values::count)]
    max_urls: Option<NonZeroU32>,
    /// Run requests, aiohttp and httpx too, under this Python, as far as it has them [default: python3]
    #[arg(long, value_name = "INTERPRETER", num_args = 0..=1, require_equals = true, default_missing_value = "python3")]
    pub(super) python: Option<String>,
}

const WORKERS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");
const LIMIT: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const BATCH: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const ROUNDS: NonZeroU32 = NonZeroU32::new(11).expect("not zero");
const MAX_URLS: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");
/// More threads than that measure the machine's scheduler; each has an engine of its own.
const MOST_WORKERS: u32 = 256;
const MOST_ROUNDS: u32 = 1000;

fn workers(text: &str) -> Result<NonZeroU32, String> {
    at_most(values::count(text)?, MOST_WORKERS)
}

fn rounds(text: &str) -> Result<NonZeroU32, String> {
    at_most(values::count(text)?, MOST_ROUNDS)
}

fn at_most(count: NonZeroU32, most: u32) -> Result<NonZeroU32, String> {
    if count.get() > most { Err(format!("more than {most}")) } else { Ok(count) }
}

impl CompareArgs {
    /// Flags that can't be meant here, and what to do about it.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { comparison, network, tls, .. } = self;
        let mut seen = HashSet::new();
        let other_way = !network.resolve.is_empty()
            || !network.connect_to.is_empty()
            || !network.dns_server.is_empty()
            || network.public_only
            || network.ipv4
            || network.ipv6
            || network.local_address.is_some()
            || network.unix_socket.is_some();
        let rules = [
            (network.no_reuse, "--no-reuse is what serial and threads do; choose them with --modes serial,threads"),
            (
                network.http1 && comparison.modes.contains(&Mode::H2),
                "the mode h2 needs HTTP/2, which --http1.1 rules out; leave one out",
            ),
            (comparison.modes.iter().any(|mode| !seen.insert(*mode)), "a mode stands twice in --modes; name each once"),
            (
                comparison.python.is_some() && (other_way || tls.cert.is_some() || tls.cacert.len() > 1),
                "--python: its packages can't be told of other ways to the servers (--resolve, --connect-to, --dns-server, -4, -6, \
             --local-address, --unix-socket, --public-only), of --cert, nor of a second --cacert; leave one out",
            ),
        ];
        match rules.into_iter().find(|(broken, _)| *broken) {
            Some((_, message)) => Err(message.to_owned()),
            None => Ok(()),
        }
    }
}

impl ComparisonArgs {
    pub(super) fn knobs(&self) -> Knobs {
        Knobs {
            workers: self.workers.unwrap_or(WORKERS),
            limit: self.limit.unwrap_or(LIMIT),
            batch: self.batch.unwrap_or(BATCH),
        }
    }

    pub(super) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(ROUNDS).get() as usize
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// The longest list that is not refused.
    pub(super) fn max_urls(&self) -> usize {
        self.max_urls.unwrap_or(MAX_URLS).get() as usize
    }

    /// The modes asked for; all that there are if none was named.
    pub(super) fn modes(&self, http1_only: bool) -> Vec<Mode> {
        match self.modes.is_empty() {
            true => Mode::ALL.into_iter().filter(|mode| *mode != Mode::H2 || !http1_only).collect(),
            false => self.modes.clone(),
        }
    }
}

/// What all modes share. `trusted`: the built-in server's certificate.
pub(super) fn config(
    request: RequestArgs,
    timeouts: &TimeoutArgs,
    network: NetworkArgs,
    tls: TlsArgs,
    trusted: Option<&Path>,
    world: &World<'_>,
) -> Result<Config, String> {
    let mut config = experiment::config(request, timeouts, network, tls, world)?;
    if let Some(trusted) = trusted {
        config.tls.ca_files = vec![trusted.to_owned()];
    }
    Ok(config)
}
