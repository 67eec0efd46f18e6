//! How much at once, how often, and for how long ahead.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use haul::config::{Limits, Rate};

use super::{PlanResult, World, limits_file, set, to_usize, values};

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Requests in flight over all hosts [default: 256]
    #[arg(short, long, value_name = "N", value_parser = values::count)]
    pub(crate) concurrency: Option<NonZeroU32>,
    /// Requests in flight per host (scheme, name and port) [default: 8]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) per_host: Option<NonZeroU32>,
    /// Requests in flight per IP address; implies one shard [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) per_address: Option<NonZeroU32>,
    /// Requests in flight per registrable domain [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) per_site: Option<NonZeroU32>,
    /// Requests started over all hosts [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) rate: Option<Rate>,
    /// Requests started per host [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) host_rate: Option<Rate>,
    /// The least time between two starts on a host [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) delay: Option<Duration>,
    /// Let each host's concurrency follow what the host can take, up to --per-host
    #[arg(long)]
    pub(crate) adaptive: bool,
    /// Threads that fetch; 0 means one per core [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<usize>,
    /// Read limits, and rules for some hosts, from FILE (TOML); flags win over its general limits
    #[arg(long = "limits", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// URLs read and not finished: how far hosts interleave, about 150 bytes of memory each [default: 1000000]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) window: Option<NonZeroU32>,
    /// Memory for the whole run, at least 64M: lowers what would take more (window, connections, kept bodies, shards) [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) max_memory: Option<u64>,
}

impl LimitArgs {
    /// The limits these flags set.
    ///
    /// # Errors
    /// The file of `--limits` can't be read or used, or a limit can't be kept.
    pub(crate) fn settings(&self, world: &World<'_>) -> PlanResult<Limits> {
        let mut limits = self.file.as_deref().map(|path| read(path, world)).transpose()?.unwrap_or_default();
        set(&mut limits.concurrency, self.concurrency);
        set(&mut limits.per_host, self.per_host);
        set(&mut limits.delay, self.delay);
        set(&mut limits.shards, self.shards);
        set(&mut limits.window, self.window.map(|count| to_usize(count.get().into())));
        limits.per_address = self.per_address.or(limits.per_address);
        limits.per_site = self.per_site.or(limits.per_site);
        limits.max_memory = self.max_memory.or(limits.max_memory);
        limits.rate = self.rate.or(limits.rate);
        limits.host_rate = self.host_rate.or(limits.host_rate);
        limits.adaptive |= self.adaptive;
        Ok(limits)
    }
}

/// What the file of `--limits` says.
fn read(path: &Path, world: &World<'_>) -> PlanResult<Limits> {
    let name = path.display().to_string();
    let bytes = (world.read)(path).map_err(|error| format!("can't read --limits {name}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8, which TOML has to be"))?;
    limits_file::parse(&name, &text)
}
