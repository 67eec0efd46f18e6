//! `haul doctor`: what limits a big run on this machine, and how to fix it.
//!
//! `probe` and `ask` look at the system and find `facts`; `judge` makes findings of facts and is pure; `tell` writes
//! them. Nothing is changed, and but for one question to each name server nothing is sent.

mod ask;
mod facts;
mod judge;
mod parse;
mod probe;
mod tell;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use haul::config::Limits;

use crate::shared::exit::Exit;
use crate::shared::flags::values;
use crate::shared::stdout;

pub(super) const HELP: &str = "\
Exit codes:
  0    no problem, though perhaps warnings
  1    a problem: a run as big as --concurrency says would fail or be cut down
  2    wrong usage

Examples:
  haul doctor
  haul doctor -c 5000
  haul doctor --json | jq -r '.checks[] | .fix // empty'";

/// Everything `haul doctor` can be told.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Judge for a run with this many requests in flight [default: 256]
    #[arg(short, long, value_name = "N", value_parser = values::count)]
    concurrency: Option<NonZeroU32>,
    /// Ask this name server, ADDR or ADDR:PORT; may be repeated [default: the system's]
    #[arg(long, value_name = "ADDR", value_parser = values::dns_server)]
    dns_server: Vec<SocketAddr>,
    /// The name that each name server is asked for [default: a.root-servers.net]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Send nothing: name servers are listed and not asked
    #[arg(long)]
    offline: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// A name that every name server can find without asking far.
const NAME: &str = "a.root-servers.net";

/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks, judges, tells.
pub(super) fn run(args: &DoctorArgs) -> Exit {
    let concurrency = args.concurrency.unwrap_or_else(|| Limits::default().concurrency);
    let mut facts = probe::look(concurrency, &args.dns_server);
    if !args.offline {
        let name = args.name.as_deref().unwrap_or(NAME);
        facts
            .name_servers
            .iter_mut()
            .flatten()
            .for_each(|server| server.answer = Some(ask::ask(server.address, name, PATIENCE)));
    }
    let findings = judge::judge(&facts);
    let text = if args.json { tell::json(&findings) } else { tell::text(&findings) };
    let problem = findings.iter().any(|finding| finding.level == judge::Level::Problem);
    stdout::show(&text, if problem { Exit::SomeFailed } else { Exit::Complete })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    /// The flags, on a command line of their own.
    #[derive(Parser)]
    struct DoctorCommandLine {
        #[command(flatten)]
        _args: DoctorArgs,
    }

    #[test]
    fn the_defaults_named_in_the_help_are_true() {
        let line = DoctorCommandLine::command();
        let names = |flag: &str, default: &str| {
            let argument = line.get_arguments().find(|argument| argument.get_id() == flag).expect(flag);
            argument.get_help().expect("help").to_string().ends_with(&format!("[default: {default}]"))
        };
        assert!(names("concurrency", &Limits::default().concurrency.to_string()));
        assert!(names("name", NAME));
    }
}
